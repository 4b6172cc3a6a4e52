"""From a fitted decoder to a sealed model file: figures, provenance, manifest, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import Manifest, provenance
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """A decoder for one person, what is known of its accuracy, and the model file that it becomes.

    Attributes
    ----------
    decoder : FittedDecoder
        The module and its held-out scores.
    manifest : Manifest
        All that the model file says beside its weights.
    counts : dict of str to int
        Trials with a window, per class.
    notes : tuple of str
        Remarks for the user, a sentence each: channels left out, trials without a window.
    """

    decoder: FittedDecoder
    manifest: Manifest
    counts: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, ScoreCard]:
        """Held-out score of every decoder, plain baselines included, all on the same trials."""
        return self.decoder.scores

    @property
    def published(self) -> ScoreCard:
        """Held-out score of the stack, which is what the model file holds."""
        return self.decoder.scores[STACK]

    @property
    def weights(self) -> tuple[float, float]:
        """Weights of the network and of the Riemannian branch in the stack; 0 for one that is left out."""
        return self.decoder.weights

    @property
    def n_trials(self) -> int:
        """Number of trials of all classes."""
        return sum(self.counts.values())

    @property
    def figures(self) -> Mapping[str, Any]:
        """All figures as plain JSON values, as they stand in the model file."""
        return self.manifest.metrics

    def save(self, path: str | Path) -> Manifest:
        """Write the sealed model file `path` (NAME.ts) for `neuript-live`, and return its manifest.

        The golden vectors inside are made up: no EEG of the person is in the file.

        Raises
        ------
        NeuriptError
            If the file cannot be written; an old one is kept.
        """
        return save_model(path, self.decoder.module, self.manifest)


def to_model(
    data: Dataset, decoder: FittedDecoder, spec: CalibrationSpec, recordings: Sequence[Recording], seconds: float
) -> CalibrationResult:
    """Complete the draft manifest of a data set with the decoder, its figures, and where both come from.

    Parameters
    ----------
    data : Dataset
        Windows, their trials and the draft manifest.
    decoder : FittedDecoder
        The module fitted on `data`, with its held-out scores.
    spec : CalibrationSpec
        Settings of the windows and of the fit.
    recordings : sequence of Recording
        What the windows were cut from.
    seconds : float
        Duration of the calibration in seconds.
    """
    manifest = replace(
        data.manifest,
        model=decoder.describe(),
        provenance=provenance(
            data=[_name(recording) for recording in recordings],
            simulated=decoder.simulated,
            counts=data.counts,
            subject=spec.subject,
            seed=spec.seed,
        ),
        metrics={
            **decoder_figures(decoder),
            "trials": data.counts,
            "windows": len(data.x),
            "channels": list(data.montage.ch_names),
            "notes": list(data.notes),
            "seconds": round(seconds, 1),
        },
    )
    return CalibrationResult(decoder, manifest, data.counts, data.notes)


def decoder_figures(decoder: FittedDecoder) -> dict[str, Any]:
    """Figures of the cross-validation as plain JSON values."""
    return {
        "protocol": "blocked cross-validation over contiguous blocks of trials; unit: trial",
        "decoders": {name: _card_figures(card, decoder.nll.get(name)) for name, card in decoder.scores.items()},
        "stack_weights": {"network": round(decoder.weights[0], 4), "riemannian": round(decoder.weights[1], 4)},
    }


def _card_figures(card: ScoreCard, nll: float | None) -> dict[str, Any]:
    low, high = card.interval
    figures: dict[str, Any] = {
        "accuracy": round(card.accuracy, 4),
        "balanced_accuracy": round(card.balanced_accuracy, 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "n_trials": card.n_trials,
        "chance_bound_5": round(card.bound, 4),
    }
    return figures if nll is None else {**figures, "nll_per_trial": round(nll, 4)}


def _name(recording: Recording) -> str:
    """Folder and file: many recorders call every file `eeg.edf`."""
    return f"{recording.path.parent.name}/{recording.path.name}".lstrip("/")
