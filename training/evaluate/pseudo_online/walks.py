"""A recording through the live decoder, as `neuript-live --replay` plays it, and other decoders beside it.

The published decoder runs inside `Decoder.step`, an engine of the model file's kind with the model's own policy. The
others (plain decoders, calibrations on fewer trials) are given the very windows that it decoded; what they say goes
through the same `DecisionPolicy`, row by row, with the same states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.montages import Montage
from neuript.realtime.chain.alignment import Reference, Window
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder import Decoder, Infers
from neuript.realtime.decoding.event_scoring import Commit
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.realtime.live.intake import take_in
from neuript.realtime.live.model_settings import preprocess_here
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.fitting.policy_scan import Rows
from neuript.training.windows.epochs import WindowTap

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest

BATCH = 256
"""Windows that are held at once."""

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class WindowBatch:
    """Windows of which a decoder takes what it reads.

    Attributes
    ----------
    volts : ndarray, shape (n_windows, n_chans, n_times)
        As the chain gives them, in volts.
    signal : ndarray, shape (n_windows, n_chans, n_times)
        As the network reads them.
    tangent : ndarray, shape (n_windows, n_tangent)
        As the Riemannian branch reads them.
    """

    volts: NDArray[np.float32]
    signal: NDArray[np.float32]
    tangent: NDArray[np.float32]


def stacked_batch(windows: Sequence[Window]) -> WindowBatch:
    """Put windows of the decoder together."""
    return WindowBatch(
        np.stack([window.volts.T for window in windows]),
        np.stack([window.signal.T for window in windows]),
        np.stack([window.tangent for window in windows]),
    )


Key = tuple[str, str]
"""Name of a decoder and its number of calibration trials."""
LogitsOf = Callable[[WindowBatch], F64]
"""From windows to logits, shape (n_windows, n_classes), with a gate (n_windows, n_classes + 1)."""


@dataclass(frozen=True, eq=False, slots=True)
class OtherDecoder:
    """A decoder that is run beside the published one."""

    logits: LogitsOf
    policy: PolicySpec


@dataclass(frozen=True, eq=False, slots=True)
class Walk:
    """What one decoder said over one recording, hop by hop.

    Attributes
    ----------
    t : ndarray, shape (n_rows,)
        Time of the newest sample of each row, in seconds on the clock of the recording.
    ok : ndarray of bool, shape (n_rows,)
        Whether the row was decoded and could have commanded.
    outputs : ndarray, shape (n_rows, n_outputs)
        What the decoder gave for each row's window, with the gate's log-odds last if it has one; NaN without a window.
    proba : ndarray, shape (n_rows, n_classes)
        Probabilities of each row's window; NaN where there is none.
    held : ndarray, shape (n_rows,)
        Class that was commanded at the moment; -1 where none was.
    commits : tuple of Commit
        The commands, each in the row in which it began.
    trials : tuple of Trial
        Trials of the recording, on the same clock.
    hop_s : float
        Seconds between two rows.
    policy : PolicySpec
        What decided.
    """

    t: F64
    ok: NDArray[np.bool_]
    outputs: F64
    proba: F64
    held: NDArray[np.int64]
    commits: tuple[Commit, ...]
    trials: tuple[Trial, ...]
    hop_s: float
    policy: PolicySpec


def walk_recording(
    recording: Recording,
    trials: Sequence[Trial],
    manifest: Manifest,
    engine: Infers,
    others: Mapping[Key, OtherDecoder],
    *,
    reference: Reference | None = None,
    cap: Montage | None = None,
    unit: str | None = None,
    mains_hz: float | None = None,
) -> tuple[Walk, dict[Key, Walk]]:
    """Decode a recording hop by hop.

    Parameters
    ----------
    recording : Recording
        What is decoded, from its first sample to its last.
    trials : sequence of Trial
        Its trials, for the walks.
    manifest : Manifest
        Description of the published model; its policy is the one that decides.
    engine : Infers
        The published model.
    others : mapping of tuple to OtherDecoder
        What is run beside it, keyed by name and number of trials.
    reference : Reference, optional
        What windows are first seen from; None learns it from the recording's first seconds, as live.
    cap, unit, mains_hz
        Montage of what is on the head, unit of the numbers, and mains frequency (None measures it, 0 is no notch), as
        `neuript-live` is told them.

    Returns
    -------
    Walk
        Of the published model.
    dict
        Of the others.
    """
    source = ReplaySource(recording, chunk=max(32, round(recording.eeg.info.sfreq)))
    intake = take_in(source, Montage.from_dict(manifest.montage), cap, unit=unit, mains=mains_hz)
    policy = PolicySpec.from_dict(manifest.policy)
    policy = replace(policy, idle_class=policy.idle_class or manifest.idle_class)
    heard = _Heard(engine)
    kept = _Kept(others, heard)
    decoder = Decoder(
        intake.source,
        Conditioner(
            preprocess_here(manifest, intake.mains_hz, mains_hz),
            intake.plan.matrix,
            intake.scale,
            intake.source.info.sfreq,
        ),
        heard,
        DecisionPolicy(policy, manifest.classes, manifest.hop_s),
        manifest.n_times,
        [kept],
        reference=reference,
    )
    decoder.windows = kept.tap = WindowTap(decoder.windows)
    while not decoder.ended:
        decoder.step(0.0)
    found = kept.outputs({name: len(manifest.classes) + other.policy.gate for name, other in others.items()})
    mine = _walk_of(kept.rows, kept.published(manifest.n_outputs), policy, trials, manifest)
    times, states = np.array([row.t for row in kept.rows]), [row.state for row in kept.rows]
    return mine, {
        name: decided(Rows(times, states, found[name], tuple(trials)), other.policy, manifest.classes, manifest.hop_s)
        for name, other in others.items()
    }


class _Heard:
    """The published model, of which the newest answer is kept."""

    def __init__(self, engine: Infers) -> None:
        self._engine = engine
        self.newest: NDArray[np.float32] | None = None

    def infer(self, signal: NDArray[Any], tangent: NDArray[Any], /) -> NDArray[np.float32]:
        """Return what the model says of a window."""
        self.newest = self._engine.infer(signal, tangent)
        return self.newest


class _Kept:
    """The rows, and what the other decoders say of each window; takes each row right after its window was seen."""

    tap: WindowTap

    def __init__(self, others: Mapping[Key, OtherDecoder], heard: _Heard) -> None:
        self.rows: list[Decision] = []
        self._others, self._heard = others, heard
        self._published: dict[int, NDArray[np.float32]] = {}
        self._windows: list[Window] = []
        self._of_row: list[int] = []
        self._said: dict[Key, list[F64]] = {name: [] for name in others}

    def publish(self, decision: Decision) -> None:
        """Take one row."""
        if self.tap.taken and decision.proba is not None and self._others:
            self._windows.append(self.tap.taken[-1])
            self._of_row.append(len(self.rows))
        self.tap.taken.clear()
        if decision.proba is not None and self._heard.newest is not None:
            self._published[len(self.rows)] = self._heard.newest.copy()
        self.rows.append(decision)
        if len(self._windows) >= BATCH:
            self._work_off()

    def published(self, n_outputs: int) -> F64:
        """Return what the published model gave for each row, shape (n_rows, n_outputs); NaN where it was not asked."""
        out = np.full((len(self.rows), n_outputs), np.nan)
        for row, found in self._published.items():
            out[row] = found
        return out

    def outputs(self, n_outputs: Mapping[Key, int]) -> dict[Key, F64]:
        """Return what each other decoder gave for each row, shape (n_rows, its outputs); NaN without a window."""
        self._work_off()
        out = {}
        for name, parts in self._said.items():
            out[name] = np.full((len(self.rows), n_outputs[name]), np.nan)
            if parts:
                out[name][self._of_row] = np.concatenate(parts)
        return out

    def _work_off(self) -> None:
        if not self._windows:
            return
        batch = stacked_batch(self._windows)
        self._windows.clear()
        for name, other in self._others.items():
            self._said[name].append(np.asarray(other.logits(batch), dtype=np.float64))


def _walk_of(
    rows: Sequence[Decision], outputs: F64, spec: PolicySpec, trials: Sequence[Trial], manifest: Manifest
) -> Walk:
    classes = manifest.classes
    nothing = dict.fromkeys(classes, float("nan"))
    probas = [nothing if row.proba is None else row.proba for row in rows]
    return Walk(
        np.array([row.t for row in rows]),
        np.array([row.state is State.OK and row.proba is not None for row in rows], dtype=bool),
        outputs,
        np.array([[proba[name] for name in classes] for proba in probas]).reshape(-1, len(classes)),
        np.array([-1 if row.decision is None else classes.index(row.decision) for row in rows], dtype=np.int64),
        tuple(Commit(row.t, row.decision) for row in rows if row.committed and row.decision is not None),
        tuple(trials),
        manifest.hop_s,
        spec,
    )


def decided(rows: Rows, spec: PolicySpec, classes: Sequence[str], hop_s: float) -> Walk:
    """Run outputs through a policy as `Decoder` does: each row with its state.

    Parameters
    ----------
    rows : Rows
        Decisions over one recording before any policy.
    spec : PolicySpec
        What decides.
    classes : sequence of str
        Class names in the order of the outputs.
    hop_s : float
        Seconds between two rows.
    """
    policy = DecisionPolicy(spec, classes, hop_s)
    n_rows = len(rows.t)
    proba, held = np.full((n_rows, len(classes)), np.nan), np.full(n_rows, -1, dtype=np.int64)
    commits = []
    for i, state in enumerate(rows.state):
        result = policy.update(None if np.isnan(rows.logits[i]).any() else rows.logits[i], state)
        if result.proba is not None:
            proba[i] = result.proba
        if result.decision is not None:
            held[i] = result.decision
            if result.committed:
                commits.append(Commit(float(rows.t[i]), classes[result.decision]))
    ok = np.array([state is State.OK for state in rows.state], dtype=bool) & np.isfinite(proba).all(axis=1)
    return Walk(rows.t, ok, rows.logits, proba, held, tuple(commits), rows.trials, hop_s, spec)
