"""One recording through the causal chain, offline: the same filters, gaps and bad channels as live.

Corpus and evaluation both cut their windows here, so that a model is pretrained, fine-tuned and tested on
what the live decoder would have shown it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.montages import Montage
from neuript.realtime.chain.conditioner import Conditioner, InputChange, Stretch, Touched
from neuript.realtime.chain.holes import Hole
from neuript.realtime.chain.plausibility import seconds_judged
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.chain.quality import BLOCKS
from neuript.realtime.chain.timestamps import StampEvent, StampFit, StampKind
from neuript.realtime.recordings.channel_plan import plan_signal
from neuript.realtime.recordings.look import BAD_SHARE, bad_channels, look_at, volts_per_number
from neuript.realtime.recordings.recording import RecordedStream, Recording

PIECE_S = 16.0
"""A recording is worked off in pieces of this length, so that little is held in float64."""
_EPS_S = 1e-6


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A recording behind the chain.

    Attributes
    ----------
    x : ndarray, shape (n_times, n_chans)
        Signal in volts, float32, at `sfreq`.
    stamps : ndarray, shape (n_times,)
        Stamp of the newest input sample in each output sample, seconds from the first EEG sample.
        An event at `event.time_s` is at ``event.time_s - recording.eeg.timestamps[0]`` on this clock.
    ok : ndarray of bool, shape (n_times,)
        False while the filters settle (start, after a gap) and in each second that was judged bad.
    montage : Montage
        Names, positions and lobes of the channels of `x`.
    sfreq : float
        Sampling rate of `x` in Hz.
    mains_hz : float or None
        Frequency of the notch that was applied, in Hz; None for no notch.
    notes : tuple of str
        Remarks for the user, a sentence each: a guessed unit, channels that were interpolated.
    """

    x: NDArray[np.float32]
    stamps: NDArray[np.float64]
    ok: NDArray[np.bool_]
    montage: Montage
    sfreq: float
    mains_hz: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Duration of the signal in seconds."""
        return len(self.x) / self.sfreq


def clean(
    recording: Recording,
    montage: Montage,
    preprocess: PreprocessSpec | None = None,
    *,
    cap: Montage | None = None,
    unit: str | None = None,
    mains_hz: float | str | None = "auto",
    max_interpolated: float = 0.25,
    bads: Collection[str] | None = None,
    rescale: bool = False,
) -> Cleaned:
    """Take a recording through the causal chain of the live decoder.

    Parameters
    ----------
    recording : Recording
        Recording as `read_recording` returns it.
    montage : Montage
        The channels that are wanted.
    preprocess : PreprocessSpec, optional
        The chain; its `mains_hz` is replaced by what `mains_hz` says.  Default: 0.1-30 Hz at 64 Hz.
    cap : Montage, optional
        Montage of what was on the head, where the labels alone do not say it.
    unit : str, optional
        Unit of the recording's numbers, where the file says nothing or the wrong thing.
    mains_hz : float, "auto" or None
        Mains frequency in Hz (50 or 60), None for no notch, or "auto" to measure.
    max_interpolated : float
        The largest share of the montage's electrodes that may be interpolated.
    bads : collection of str, optional
        Stream labels to treat as absent.  Default: those that are flat, stuck, missing or
        saturated for more than 20 % of the recording.
    rescale : bool
        Scale the whole recording so that its median channel has 15 µV rms between 1 and 40 Hz, for files
        whose numbers are in no unit at all.  The note says by how much.

    Returns
    -------
    Cleaned
        Signal behind the chain, with stamps and verdicts.

    Raises
    ------
    NeuriptError
        The recording is too short, its unit is unknown or implausible, or it lacks the channels.
    """
    stream = recording.eeg
    found = volts_per_number(recording, unit, rescale=rescale)
    scale, notes = found.scale, [found.note] if found.note else []
    absent = bad_labels(stream, scale) if bads is None else list(bads)
    if absent:
        why = f"bad for more than {BAD_SHARE:.0%} of the recording or called bad by it, so " if bads is None else ""
        notes.append(f"{why}treated as absent: {', '.join(absent)}")
    plan = plan_signal(stream.info, montage, cap, bads=absent, max_interpolated=max_interpolated)
    notes += plan.notes
    estimated = plan.names_with("interpolated")
    if estimated:
        notes.append(f"interpolated: {', '.join(estimated)}")
    hum = look_at(stream).mains_hz(scale) if mains_hz == "auto" else mains_hz
    hum = None if hum is None else float(hum)
    spec = replace(preprocess or PreprocessSpec(), mains_hz=hum)
    x, stamps, ok = _run(stream, plan.matrix, scale, spec)
    return Cleaned(x, stamps, ok, montage, spec.sfreq, hum, tuple(notes))


def cut(
    cleaned: Cleaned, starts_s: ArrayLike | None, window_s: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Cut windows of which every sample is good.

    Parameters
    ----------
    cleaned : Cleaned
        Recording behind the chain.
    starts_s : array_like, shape (n_starts,), or None
        Times at which windows are to begin, in seconds on the clock of `cleaned.stamps`; those that do not lie wholly
        in good signal are left out. None tiles each good stretch without overlap.
    window_s : float
        Length of a window in seconds; a whole number of samples.

    Returns
    -------
    x : ndarray, shape (n, n_chans, n_times)
        Windows in volts, float32.
    start_s : ndarray, shape (n,)
        Starts that were asked for, or the stamps at which the tiles begin, in seconds.

    Raises
    ------
    ValueError
        If `window_s` is not a positive, whole number of samples.
    """
    n_times = round(window_s * cleaned.sfreq)
    if n_times < 1 or abs(n_times - window_s * cleaned.sfreq) > 1e-6:
        raise ValueError(
            f"window_s={window_s} is {window_s * cleaned.sfreq:g} samples at {cleaned.sfreq:g} Hz; "
            "use a positive whole number of samples"
        )
    runs = good_runs(cleaned.ok)
    if starts_s is None:
        first = [i for a, b in runs for i in range(a, b - n_times + 1, n_times)]
        begin = np.array(first, dtype=np.int64)
        start_s = cleaned.stamps[begin]
    else:
        wanted = np.asarray(starts_s, dtype=np.float64).reshape(-1)
        begin = _first_at(cleaned, wanted)
        inside = np.zeros(len(begin), dtype=np.bool_)
        for a, b in runs:
            inside |= (begin >= a) & (begin + n_times <= b)
        begin, start_s = begin[inside], wanted[inside]
    x = np.empty((len(begin), cleaned.x.shape[1], n_times), dtype=np.float32)
    for row, i in zip(x, begin, strict=True):
        row[:] = cleaned.x[i : i + n_times].T
    return x, np.asarray(start_s, dtype=np.float64)


def good_runs(ok: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ok.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def bad_labels(stream: RecordedStream, scale: NDArray[np.float64]) -> list[str]:
    """Return the labels of the EEG channels that are bad for more than `BAD_SHARE` of a recording.

    Parameters
    ----------
    stream : RecordedStream
        The EEG of a recording.
    scale : ndarray, shape (n_stream_chans,)
        Volts per number of each channel.
    """
    names = stream.info.ch_names
    return [names[i] for i in np.flatnonzero(bad_channels(stream, scale)) if names[i]]


class _KnownStamps:
    """The times of a recording's samples and its breaks, known beforehand."""

    jitter_s = 0.0

    def __init__(self, sfreq: float, t: NDArray[np.float64], breaks: Sequence[int]) -> None:
        self.rate_hz = sfreq
        self._t, self._breaks = t, breaks
        self._n = 0

    def update(self, stamps: ArrayLike) -> tuple[NDArray[np.float64], list[StampEvent]]:
        """Return the known times of the next samples, and a `GAP` where they break."""
        first, self._n = self._n, self._n + len(np.asarray(stamps))
        events = [StampEvent(i, StampKind.GAP, i, 0.0, 0.0, self.rate_hz) for i in self._breaks if first <= i < self._n]
        return self._t[first : self._n], events

    def reset(self) -> None:
        """A recording is one stream from beginning to end."""


def _run(
    stream: RecordedStream, matrix: NDArray[np.float64], scale: NDArray[np.float64], spec: PreprocessSpec
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """Condition a recording; return x, seconds from its first sample, and which samples are good."""
    sfreq, n = stream.info.sfreq, len(stream)
    t, breaks = _fit_stamps(stream)
    conditioner = Conditioner(spec, matrix, scale, sfreq, stamps=_KnownStamps(sfreq, t, breaks))
    runs: list[list[Stretch]] = [[]]
    holes, touched = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    for start, stop in stream.marked_bad:
        touched[start:stop] = True
    input_bad: list[tuple[int, float]] = []
    for a, b in _pieces(0, n, sfreq):
        for piece in conditioner.push(stream.data[a:b], t[a:b]):
            if isinstance(piece, Stretch):
                runs[-1].append(piece)
            elif isinstance(piece, InputChange):
                input_bad.append((piece.index, float(piece.lost)))
            elif isinstance(piece, Hole):
                holes[piece.index :] = piece.condemned
            elif isinstance(piece, Touched):
                touched[piece.index : piece.last + 1] = True
            elif isinstance(piece, StampEvent):
                runs.append([])
    stretches = [stretch for run in runs for stretch in run]
    x = np.concatenate([s.y for s in stretches])
    newest = np.concatenate([s.newest for s in stretches])
    ok = np.concatenate([_settled_and_good(run, conditioner.settle_samples, spec.sfreq) for run in runs])
    bad = _marked(input_bad, n, sfreq) | holes | touched
    return x, np.concatenate([s.t for s in stretches]) - t[0], ok & ~bad[newest]


def _settled_and_good(run: Sequence[Stretch], settle: int, sfreq: float) -> NDArray[np.bool_]:
    """Tell which outputs of a run without a break are settled and not bad within the EEG band."""
    n = sum(len(stretch.y) for stretch in run)
    ok = np.zeros(n, dtype=np.bool_)
    if n > settle:
        begin = run[0].first + settle
        changes = [(c.index - begin, _judged_s(c.verdicts)) for stretch in run for c in stretch.band]
        ok[settle:] = ~_marked(changes, n - settle, sfreq)
    return ok


def _judged_s(verdicts: NDArray[np.int8]) -> float:
    """Seconds that bad verdicts are about; 0 where all are good."""
    return seconds_judged(verdicts) if verdicts.any() else 0.0


def _marked(changes: list[tuple[int, float]], n: int, sfreq: float) -> NDArray[np.bool_]:
    """Mark what was judged bad, from sample index and seconds before it that are bad (0: it is good again)."""
    block = max(2, round(sfreq / BLOCKS))
    bad = np.zeros(n, dtype=np.bool_)
    since: int | None = None
    for index, seconds in changes:
        if seconds:
            begin = max(0, index - round(seconds * BLOCKS) * block)
            bad[begin:index] = True
            since = begin if since is None else min(since, begin)
        elif since is not None:
            bad[since : max(since, index - block)] = True
            since = None
    if since is not None:
        bad[since:] = True
    return bad


def _fit_stamps(stream: RecordedStream) -> tuple[NDArray[np.float64], list[int]]:
    """Return a smooth stamp for each sample, and the samples at which the filters are to start anew."""
    n, period = len(stream), 1.0 / stream.info.sfreq
    if n < 2 or _is_even(stream.timestamps, period):
        return stream.timestamps, []
    if all(_is_even(stream.timestamps[a:b], period) for a, b in stream.segments):
        return stream.timestamps, sorted({a for a, _ in stream.segments if 0 < a < n})
    fitted, events = StampFit(stream.info.sfreq).update(stream.timestamps)
    # live a break is noticed a little late; here it is also known where it began
    cuts = {index for event in events if event.breaks for index in (event.first, event.index)}
    return fitted, sorted(index for index in cuts if 0 < index < n)


def _is_even(stamps: NDArray[np.float64], period: float) -> bool:
    return float(np.abs(np.diff(stamps) - period).max(initial=0.0)) < 1e-3 * period


def _pieces(start: int, stop: int, sfreq: float) -> Iterator[tuple[int, int]]:
    size = max(1, round(PIECE_S * sfreq))
    for a in range(start, stop, size):
        yield a, min(a + size, stop)


def _first_at(cleaned: Cleaned, starts_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the first sample at or after each start; n_times (out of reach) if that is none near."""
    stamps, period = cleaned.stamps, 1.0 / cleaned.sfreq
    if not len(stamps):
        return np.zeros(len(starts_s), dtype=np.int64)
    if (np.diff(stamps) >= 0).all():
        found = np.searchsorted(stamps, starts_s - _EPS_S)
    else:  # the clock stepped back somewhere: the nearest sample speaks
        found = np.array([int(np.abs(stamps - (s + period / 2)).argmin()) for s in starts_s])
    near = np.zeros(len(found), dtype=np.bool_)
    valid = found < len(stamps)
    near[valid] = np.abs(stamps[found[valid]] - starts_s[valid]) <= 1.5 * period
    return np.where(near, found, len(stamps)).astype(np.int64)
