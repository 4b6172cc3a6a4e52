"""Windows of a recording as a model's live decoder sees them, to compare engines over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy
from neuript.realtime.live.intake import take_in
from neuript.realtime.live.model_settings import model_montage, policy_here, preprocess_here, reference_here
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.recordings.given_channels import parse_channels
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.replay_source import ReplaySource

if TYPE_CHECKING:
    from neuript.modelfile.engines import Engine

MAX_WINDOWS = 200


@dataclass(frozen=True, eq=False)
class RecordedWindows:
    """What an engine was asked for while a recording was decoded."""

    signal: NDArray[np.float32]
    """Shape (n, n_chans, n_times), in volts, aligned where the model says so."""
    tangent: NDArray[np.float32]
    """Shape (n, n_tangent)."""

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.signal)


def recorded_windows(
    engine: Engine,
    path: str,
    *,
    montage: str | None = None,
    eeg: str | None = None,
    channels: str | None = None,
    n_max: int = MAX_WINDOWS,
) -> RecordedWindows:
    """Decode a recording as `neuript-live --replay` does, and keep the windows, evenly spread over it.

    Parameters
    ----------
    engine : Engine
        The model, whose answers are not used.
    path : str
        The recording.
    montage, eeg, channels : str, optional
        What is on the head, which stream is the EEG, and what its channels are, as for `neuript-live`.
    n_max : int
        Number of windows at most.

    Raises
    ------
    NeuriptError
        If the recording does not fit the model, or has no whole window.
    """
    manifest = engine.manifest
    options = LiveOptions(model="model.ts", replay=path)
    recording = read_recording(path, eeg=eeg, channels=None if channels is None else parse_channels(channels))
    n_hops = max(1.0, len(recording.eeg.timestamps) / recording.eeg.info.sfreq / manifest.hop_s)
    source = ReplaySource(recording, chunk=max(32, round(recording.eeg.info.sfreq)))
    intake = take_in(source, model_montage(manifest), load_montage(montage) if montage else None)
    spec = preprocess_here(manifest, intake.mains_hz, None)
    kept = _Kept(manifest.n_outputs, math.ceil(n_hops / n_max))
    decoder = Decoder(
        intake.source,
        Conditioner(spec, intake.plan.matrix, intake.scale, intake.source.info.sfreq),
        kept,
        DecisionPolicy(policy_here(manifest, options), manifest.classes, manifest.hop_s),
        manifest.n_times,
        reference=reference_here(engine, spec, options),
    )
    while not decoder.ended:
        decoder.step(0.1)
    if not kept.signal:
        raise NeuriptError(f"{path} has no whole window for this model; take a longer recording")
    return RecordedWindows(np.stack(kept.signal), np.stack(kept.tangent))


class _Kept:
    """Stands where the engine stands: keeps every n-th window, and answers that it does not know."""

    def __init__(self, n_outputs: int, every: int) -> None:
        self.signal: list[NDArray[np.float32]] = []
        self.tangent: list[NDArray[np.float32]] = []
        self._nothing = np.zeros(n_outputs, np.float32)
        self._every, self._n = every, 0

    def infer(self, signal: NDArray[Any], tangent: NDArray[Any], /) -> NDArray[np.float32]:
        if self._n % self._every == 0:
            self.signal.append(np.ascontiguousarray(signal.T, dtype=np.float32))
            self.tangent.append(np.array(tangent, dtype=np.float32))
        self._n += 1
        return self._nothing
