"""NeurIPT as a module with the parameters and methods of braindecode's models, and strict loading of its weights.

What braindecode's `EEGModuleMixin` promises is here by the same names and in the same order, but the mixin is no base
class: to inherit from it means to import braindecode (with MNE, skorch, torchaudio, in seconds) wherever the network is
used, to be another class where it is installed than where it is not, and to take the hub's config in place of strict
loading. braindecode's own training asks a module for its parameters' names alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuript.errors import ArgumentError, as_value_errors
from neuript.modelfile.checkpoint import load_checkpoint
from neuript.modelfile.encoders import network_in
from neuript.modelfile.hub import find_checkpoint
from neuript.montages import Montage, load_montage, montage_of
from neuript.network.config import NetworkConfig, PresetName, preset
from neuript.network.learned_positions import POSITION_KEYS
from neuript.network.network import BIAS_KEYS, NeurIPTNetwork
from neuript.network.resampling import MODEL_SFREQ, resampled_length, resampling_matrix
from neuript.specs import changed

Channels = Sequence[str | Mapping[str, Any]]
"""Channel names, or MNE's `info["chs"]`."""


class NeurIPT(NeurIPTNetwork):
    """NeurIPT for windows at any sampling rate; drop-in where braindecode's models are used.

    The same weights, with the same names, as `NeurIPTNetwork`: only a fixed resampling to the
    model's rate comes first (none where the rates agree).

    Parameters
    ----------
    n_chans : int, optional
        Number of channels; None takes it from `chs_info` or `montage`.
    n_outputs : int
        Number of classes.
    n_times : int, optional
        Number of samples in a window, at `sfreq`; None takes it from `input_window_seconds`.
    chs_info : sequence of str or of mappings with "ch_name"
        Channel names, or MNE's `info["chs"]`; places on the head are the 10-5 system's.
    input_window_seconds : float, optional
        Length of a window in seconds; None takes it from `n_times`.
    sfreq : float, optional
        Sampling rate of the windows in Hz; None takes it from `n_times` and `input_window_seconds`, or else 64, the
        model's own.
    montage : str, Path or Montage, optional
        Montage in place of `chs_info`: the name of one of `neuript montages`, or a file with positions.
    size : {"base", "small", "tiny", "micro"}
        Size of the network, which sets its widths; see `neuript.network.config.preset`.
    **options : Any
        Further fields of `NetworkConfig`.

    Raises
    ------
    ArgumentError
        If something is missing, does not agree with the rest, or has no position; it is a ValueError, too.

    Notes
    -----
    Windows are in volts, (batch, n_chans, n_times); `forward` returns logits (batch, n_outputs).
    """

    resampling: Tensor | None

    def __init__(
        self,
        n_chans: int | None = None,
        n_outputs: int | None = None,
        n_times: int | None = None,
        chs_info: Channels | None = None,
        input_window_seconds: float | None = None,
        sfreq: float | None = None,
        *,
        montage: str | Path | Montage | None = None,
        size: PresetName = "tiny",
        **options: Any,
    ) -> None:
        if n_outputs is None:
            raise ArgumentError("n_outputs is missing; give the number of classes")
        if sfreq is None:
            sfreq = n_times / input_window_seconds if n_times and input_window_seconds else MODEL_SFREQ
        with as_value_errors():
            n_times = window_samples(n_times, sfreq, input_window_seconds)
            config = preset(size, n_outputs=n_outputs, n_times=resampled_length(n_times, sfreq), **options)
            self._build(config, channel_montage(n_chans, chs_info, montage), n_times, sfreq)

    def _build(self, config: NetworkConfig, montage: Montage, n_times: int, sfreq: float) -> None:
        super().__init__(config, montage.pos_m, montage.lobe_groups())
        self.montage = montage
        self.n_times, self.sfreq, self.n_outputs = n_times, float(sfreq), config.n_outputs
        matrix = None
        if sfreq != MODEL_SFREQ:
            matrix = torch.tensor(resampling_matrix(n_times, sfreq), dtype=torch.float32)
        self.register_buffer("resampling", matrix, persistent=False)

    @property
    def chs_info(self) -> list[dict[str, Any]]:
        """The channels, as braindecode's models hold them: names, and positions in metres."""
        places = zip(self.montage.ch_names, self.montage.pos_m, strict=True)
        return [{"ch_name": name, "loc": pos.copy()} for name, pos in places]

    @property
    def input_window_seconds(self) -> float:
        """Length of a window in seconds."""
        return self.n_times / self.sfreq

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a batch of one window: (1, n_chans, n_times)."""
        return (1, self.n_chans, self.n_times)

    def get_output_shape(self) -> tuple[int, ...]:
        """Return the shape of the output for one window: (1, number of logits)."""
        return (1, self.config.n_logits)

    def get_config(self) -> dict[str, Any]:
        """Return plain JSON values that build the module again, without its weights (`from_config`)."""
        plain = {"n_times": self.n_times, "sfreq": self.sfreq, "montage": self.montage.to_dict()}
        return {**self.config.to_dict(), **plain}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> NeurIPT:
        """Build an untrained module from `get_config`."""
        return cls(**{**config, "montage": Montage.from_dict(config["montage"])})

    def forward(self, x_BDT: Tensor, return_features: bool = False) -> Any:
        """Classify windows.

        Parameters
        ----------
        x_BDT : Tensor, shape (batch, n_chans, n_times)
            Signal in volts.
        return_features : bool
            True returns what the head sees instead, as braindecode's models do.

        Returns
        -------
        Tensor, shape (batch, n_outputs), or dict
            Logits; or "features" (batch, n_features) with "cls_token", which is None.
        """
        if return_features:
            return {"features": self.features(x_BDT), "cls_token": None}
        return super().forward(x_BDT)

    def compand(self, x_BDT: Tensor) -> Tensor:
        """Resample windows (batch, n_chans, n_times) in volts, then compand them.

        Raises
        ------
        ValueError
            If the windows are resampled and not `n_times` samples long.
        """
        if self.resampling is not None:
            if x_BDT.shape[-1] != self.n_times:
                raise ValueError(
                    f"windows have {x_BDT.shape[-1]} samples; the model was built for "
                    f"n_times={self.n_times} at {self.sfreq:g} Hz"
                )
            x_BDT = x_BDT @ self.resampling
        return super().compand(x_BDT)

    def reset_head(self, n_outputs: int) -> None:
        """Replace the head by a new one for another number of classes; the encoder stays.

        Raises
        ------
        ArgumentError
            If there would be fewer than two classes.
        """
        with as_value_errors():
            config = replace(self.config, n_outputs=n_outputs)
        fresh = NeurIPT._of(config, self.montage, self.n_times, self.sfreq)
        self.config, self.n_outputs, self.head = config, n_outputs, fresh.head

    @classmethod
    def _of(cls, config: NetworkConfig, montage: Montage, n_times: int, sfreq: float) -> NeurIPT:
        module = cls.__new__(cls)
        module._build(config, montage, n_times, sfreq)
        return module

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        n_chans: int | None = None,
        n_times: int | None = None,
        n_outputs: int | None = None,
        sfreq: float | None = None,
        chs_info: Channels | None = None,
        input_window_seconds: float | None = None,
        montage: str | Path | Montage | None = None,
        new_head: bool | None = None,
        new_positions: bool = False,
        revision: str | None = None,
        **options: Any,
    ) -> NeurIPT:
        """Build the model of a checkpoint and load its weights: every one of them, or an error.

        Parameters
        ----------
        source : str or Path
            A checkpoint (`.safetensors`), a folder with `model.safetensors` or just one such file, a
            repository on the Hugging Face hub (needs `huggingface_hub`), or "shipped" for the encoder that comes with
            neuript (`neuript/weights/MODEL_CARD.md`); of a population of earlier people its encoder is taken.
        n_chans, n_times, sfreq, chs_info, input_window_seconds, montage : optional
            The windows to build for, as in the constructor; None takes the checkpoint's value.
        n_outputs : int, optional
            Classes. A number other than the checkpoint's, or any for a checkpoint without a head (a
            pretrained encoder), gives a new, untrained head.
        new_head : bool, optional
            True for a new head in any case, False for never; None decides by `n_outputs`.
        new_positions : bool
            True starts *learned* position tables anew instead of refusing those of another montage or
            window. Computed tables (the default 3-D positions) always fit.
        revision : str, optional
            Branch, tag or commit of the repository on the hub; None takes the default branch.
        **options : Any
            Fields of `NetworkConfig` that change no encoder weight: dropout, pooling, head, ...

        Raises
        ------
        ArgumentError
            If the checkpoint cannot be found, or one weight of it or of the model is left over; the message names it.
        ModelRefusedError
            If the file is damaged.
        """
        manifest, state = load_checkpoint(find_checkpoint(source, revision=revision))
        with as_value_errors():
            config, state = network_in(manifest, state, str(source))
            has_head = any(key.startswith("head.") for key in state)
            if n_outputs is None and not has_head:
                raise ArgumentError(
                    f"{source} is a pretrained encoder without a head; give n_outputs, the number of classes"
                )
            if manifest.sfreq != MODEL_SFREQ:
                raise ArgumentError(
                    f"{source}: its model runs at {manifest.sfreq:g} Hz; NeurIPT resamples to {MODEL_SFREQ:g} Hz only"
                )
            if new_head is None:
                new_head = not has_head or n_outputs not in (None, config.n_outputs)
            sfreq = MODEL_SFREQ if sfreq is None else sfreq
            if n_times is None and input_window_seconds is None:
                input_window_seconds = manifest.window_s
            n_times = window_samples(n_times, sfreq, input_window_seconds)
            if chs_info is None and montage is None:
                montage = Montage.from_dict(manifest.montage)
            sizes = {"n_outputs": n_outputs or config.n_outputs, "n_times": resampled_length(n_times, sfreq)}
            config = changed(config, {**options, **sizes}, "the model configuration")
            module = cls._of(config, channel_montage(n_chans, chs_info, montage), n_times, sfreq)
            module._load(state, str(source), new_head=new_head, new_positions=new_positions)
        return module.eval()

    def _load(self, state: Mapping[str, Tensor], source: str, *, new_head: bool, new_positions: bool) -> None:
        """Load `state`, all of it but what is to be new."""
        if not any(key.startswith("encoder.") for key in state):
            state = {f"encoder.{key}": value for key, value in state.items()}
        self.load_encoder(state)  # checks every weight, positions aside
        rest = {k: v for k, v in state.items() if not (new_head and k.startswith("head."))}
        own = self.state_dict()
        if new_head:
            own = {k: v for k, v in own.items() if not k.startswith("head.")}
        if new_positions:
            own = {k: v for k, v in own.items() if not _is_position(k)}
            rest = {k: v for k, v in rest.items() if not _is_position(k)}
        for key in sorted(set(own) | set(rest)):
            if key not in rest and key in self._may_be_new():
                continue
            if key not in rest or key not in own:
                where = "the checkpoint" if key not in rest else "the model"
                raise ArgumentError(f"{source}: {where} has no {key}; {_hint(key)}")
            if rest[key].shape != own[key].shape:
                raise ArgumentError(
                    f"{source}: {key} has shape {tuple(rest[key].shape)}, the model needs "
                    f"{tuple(own[key].shape)}; {_hint(key)}"
                )
        self.load_state_dict(rest, strict=False)

    def _may_be_new(self) -> frozenset[str]:
        """Weights that an older checkpoint need not have, because they start as exactly nothing."""
        return frozenset(key for key in self.state_dict() if key.removeprefix("encoder.").startswith(BIAS_KEYS))


def window_samples(n_times: int | None, sfreq: float, seconds: float | None) -> int:
    """Samples of a window from what is given, as braindecode infers them.

    Raises
    ------
    ArgumentError
        If neither `n_times` nor the length in seconds is given, or the two do not agree.
    """
    if n_times is None:
        if seconds is None:
            raise ArgumentError("n_times is missing; give it, or input_window_seconds")
        n_times = round(seconds * sfreq)
    elif seconds is not None and n_times != round(seconds * sfreq):
        raise ArgumentError(
            f"n_times={n_times} does not agree with input_window_seconds={seconds:g} at "
            f"sfreq={sfreq:g} ({round(seconds * sfreq)} samples); give one of the two"
        )
    return int(n_times)


def channel_montage(n_chans: int | None, chs_info: Channels | None, montage: str | Path | Montage | None) -> Montage:
    """Montage of the windows' channels, from their names, a montage's name or file, or as it is.

    Raises
    ------
    ArgumentError
        If both of `chs_info` and `montage` are given, or neither, or `n_chans` does not agree.
    """
    if chs_info is not None and montage is not None:
        raise ArgumentError("both chs_info and montage are given; give one of the two")
    if isinstance(montage, str | Path):
        montage = load_montage(montage)
    if montage is None:
        if chs_info is None:
            raise ArgumentError(
                "chs_info is missing: the model has to know where the channels sit; give the channel "
                "names, MNE's info['chs'], or a montage"
            )
        montage = montage_of(chs_info)
    if n_chans is not None and n_chans != montage.n_chans:
        raise ArgumentError(
            f"n_chans={n_chans}, but {montage.n_chans} channels are described "
            f"({', '.join(montage.ch_names[:6])}, ...); leave n_chans out or correct one of the two"
        )
    return montage


def _is_position(key: str) -> bool:
    return key.removeprefix("encoder.").startswith(POSITION_KEYS)


def _hint(key: str) -> str:
    if key.startswith("head."):
        return "another head, pooling or montage; ask for a new head with new_head=True"
    if _is_position(key):
        return "learned positions of another montage or window; new_positions=True starts them anew"
    return "check merges, experts and activation"
