"""From a network that was fitted to windows in Python to a model file for the live chain.

Arrays do not say what was done to them. What neither they nor MNE's info tell has to be said, since a live chain that
filters otherwise shows the network something that it has never seen.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from neuript.errors import ArgumentError
from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import Manifest, provenance
from neuript.montages import Montage
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec

HOP_S = 0.125
"""Seconds between two decisions."""
KEPT_HZ = 30.0
"""The chain's default low-pass keeps what is below this frequency (`PreprocessSpec.stop_hz`)."""
REST = "rest"
"""Class that means "no command" where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class WindowsWere:
    """What was done to windows before they were handed over; None: not known."""

    highpass_hz: float | None = None
    """Cut-off of their high-pass in Hz; 0 where there was none."""
    lowpass_hz: float | None = None
    """Cut-off of their low-pass in Hz; half the sampling rate where there was none."""
    reference: str | None = None
    """"as recorded", or "average" where the mean of the electrodes was subtracted."""
    mains_hz: float | None = None
    """Mains that was notched out, in Hz; None for none."""

    @classmethod
    def by(cls, info: Any, **said: Any) -> WindowsWere:
        """Return what MNE's info says of them (None: there is none), and `said` where that is not None."""
        known: dict[str, Any] = {}
        if info is not None:
            known = {"highpass_hz": float(info["highpass"]), "lowpass_hz": float(info["lowpass"])}
            if not info["custom_ref_applied"]:
                known["reference"] = "as recorded"
        return cls(**{**known, **{name: value for name, value in said.items() if value is not None}})

    def require(self) -> None:
        """Raise ArgumentError with all that is missing."""
        examples = {"highpass_hz": "0.1", "lowpass_hz": "40", "reference": "'as recorded'"}
        if missing := [f"{name}={text}" for name, text in examples.items() if getattr(self, name) is None]:
            raise ArgumentError(
                "arrays do not say how they were filtered and referenced, and the live chain has to do the same; give "
                f"{', '.join(missing)} (or what it was; 0 and half the rate for no filter, reference='average' for a "
                "common average), or fit with info=epochs.info"
            )

    def chain(self, alignment: AlignmentSpec | None) -> PreprocessSpec:
        """Return the live chain that comes nearest."""
        assert self.highpass_hz is not None
        assert self.lowpass_hz is not None
        plain = PreprocessSpec()
        try:
            return replace(
                plain,
                highpass_hz=max(plain.highpass_hz, float(self.highpass_hz)),
                stop_hz=plain.stop_hz * min(1.0, float(self.lowpass_hz) / KEPT_HZ),
                mains_hz=self.mains_hz,
                alignment=alignment,
            )
        except (ValueError, TypeError) as error:
            raise ArgumentError(f"highpass_hz={self.highpass_hz}, lowpass_hz={self.lowpass_hz}: {error}") from error


def named_classes(labels: Sequence[Any], names: Mapping[Any, str] | None) -> tuple[str, ...]:
    """Return the names of classes, from `names` or because the labels are words.

    Raises
    ------
    ArgumentError
        If a label is no word and has no name.
    """
    if names is None:
        if not all(isinstance(label, str) for label in labels):
            example = ", ".join(f"{label!r}: 'left_hand'" for label in labels[:1])
            raise ArgumentError(
                f"the classes are {', '.join(map(repr, labels))}, which say nothing to whoever receives the "
                f"decisions; give class_names={{{example}, ...}}"
            )
        return tuple(str(label) for label in labels)
    if unnamed := [label for label in labels if label not in names]:
        raise ArgumentError(
            f"class_names has no name for {', '.join(map(repr, unnamed))}; it needs one for each of "
            f"{', '.join(map(repr, labels))}"
        )
    return tuple(str(names[label]) for label in labels)


def save_for_live(
    path: str | Path,
    network: NeurIPTNetwork,
    classes: tuple[str, ...],
    montage: Montage,
    were: WindowsWere,
    *,
    alignment: AlignmentSpec | None = None,
    reference: Reference | None = None,
    remove_mean: bool = True,
    idle_class: str | None = None,
    task: str = "decoding",
    counts: Mapping[str, int] | None = None,
    simulated: bool = False,
    **origin: Any,
) -> Manifest:
    """Write the model file of a network, and return its manifest.

    Parameters
    ----------
    path : str or Path
        File to write, NAME.ts.
    network : NeurIPTNetwork
        Fitted to windows at 64 Hz, with one logit for each class.
    classes : tuple of str
        Names in the order of the logits.
    montage : Montage
        Channels of the windows.
    were : WindowsWere
        How the windows had been filtered and referenced.
    alignment : AlignmentSpec, optional
        How they were recentred; None for not at all.
    reference : Reference, optional
        Where decoding begins with an alignment.
    remove_mean : bool
        Whether the mean of each window was taken away.
    idle_class : str, optional
        Class of no command; None takes "rest", if there is one.
    task : str
        Short name, part of the published streams' names.
    counts : mapping of str to int, optional
        Windows of each class, for the provenance.
    simulated : bool
        Whether the digital twin gave any of the training data.
    **origin : Any
        Further entries of the provenance, plain JSON values.

    Raises
    ------
    ArgumentError
        If something is not known or does not go together.
    NeuriptError
        If the file cannot be written.
    """
    were.require()
    network = copy.deepcopy(network)
    network.config = replace(network.config, remove_mean=remove_mean)
    arrays = {} if reference is None else reference.to_arrays()
    started = {name: torch.tensor(values) for name, values in arrays.items()}
    module = HybridClassifier(network, None, (1.0, 0.0), torch.zeros(len(classes)), started).eval()
    idle = idle_class or (REST if REST in classes else None)
    cap = montage if were.reference == "as recorded" else montage.with_reference(str(were.reference))
    try:
        manifest = Manifest(
            task=task,
            classes=classes,
            idle_class=idle,
            model={"architecture": "hybrid", "network": network.config.to_dict(), "weights": [1.0, 0.0]},
            montage=cap.to_dict(),
            preprocess=were.chain(alignment).to_dict(),
            policy=PolicySpec(idle_class=idle).to_dict(),
            window_s=network.config.n_times / PreprocessSpec().sfreq,
            hop_s=HOP_S,
            mains_hz=were.mains_hz,
            provenance=provenance(data=["windows in Python"], simulated=simulated, counts=counts, **origin),
            metrics={"protocol": "none: fitted in Python, where no trials were held out"},
        )
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError(str(error)) from error
    return save_model(path, module, manifest)
