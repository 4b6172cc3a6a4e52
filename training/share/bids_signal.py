"""The EEG of a recording as an evenly sampled signal in volts, as BIDS wants it, and where in it a moment lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import Montage, canonical_name, load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import to_volts, unit_name
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.file_marks import joined_spans
from neuript.realtime.recordings.look import bad_channels, eeg_channels, look_at, short_name, volts_per_number
from neuript.realtime.recordings.recording import RecordedStream, Recording

if TYPE_CHECKING:
    from mne.channels import DigMontage
    from mne.io import BaseRaw

_TEMPLATE = "10-05"
_KINDS = {"EOG": "eog", "ECG": "ecg", "EMG": "emg"}
"""Voltages beside the EEG, by their type in a stream; all others are written as the numbers that they are."""


@dataclass(frozen=True, eq=False)
class BidsSignal:
    """A recording's EEG stream with its gaps filled by zeros.

    Attributes
    ----------
    raw : BaseRaw
        Signal in volts with types, bad channels, mains and positions, without annotations.
    info : SignalInfo
        What is known of the stream.
    times_s : ndarray, shape (n_recorded,)
        Time of each recorded sample in seconds, on the clock of the recording, even within a stretch and ascending.
    samples : ndarray, shape (n_recorded,)
        Index of each of them in `raw`.
    gaps : tuple of (int, int)
        First sample and number of samples of each stretch of zeros.
    marked_bad : tuple of (int, int)
        The same of each stretch that the recording calls bad.
    note : str
        A sentence about the unit, or empty.
    """

    raw: BaseRaw
    info: SignalInfo
    times_s: NDArray[np.float64]
    samples: NDArray[np.int64]
    gaps: tuple[tuple[int, int], ...]
    marked_bad: tuple[tuple[int, int], ...] = ()
    note: str = ""

    def sample_of(self, times_s: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the sample nearest to each time, shape (n,); -1 for what lies before the first or after the last."""
        t = np.asarray(times_s, dtype=np.float64)
        half = 0.5 / self.info.sfreq
        inside = (t >= self.times_s[0] - half) & (t <= self.times_s[-1] + half)
        found = np.rint(np.interp(t, self.times_s, self.samples)).astype(np.int64)
        return np.where(inside, found, -1)


def bids_signal(
    recording: Recording,
    cap: Montage | None = None,
    unit: str | None = None,
    mains: float | str | None = "auto",
    left_out: Sequence[int] = (),
) -> BidsSignal:
    """Turn the EEG stream of a recording into what BIDS wants.

    Parameters
    ----------
    recording : Recording
        With an EEG stream.
    cap : Montage, optional
        What was on the head: names the channels of a stream without labels; None takes the names that it has.
    unit : str, optional
        Unit of the numbers, where the stream says nothing or the wrong thing.
    mains : float, "auto" or None
        Mains frequency in Hz; "auto" measures it, None says that it is not known.
    left_out : sequence of int
        Channels that are not wanted, by their place in the stream.

    Raises
    ------
    NeuriptError
        If a channel has no name or that of another one, the unit is not known, or more is missing than was recorded.
    """
    import mne

    recording = _without(recording, left_out) if left_out else recording
    stream, name = recording.eeg, short_name(recording)
    info = explained(stream.info, cap, unit)
    _check_names(info.ch_names, name)
    scale = volts_per_number(recording, unit)
    samples, gaps = _filled(stream, name)
    x = np.zeros((len(info.ch_names), int(samples[-1]) + 1))
    kinds, factors = _kinds(info, scale.scale)
    x[:, samples] = stream.data.T * factors[:, None]
    head = mne.create_info(list(info.ch_names), info.sfreq, kinds)
    head["line_freq"] = look_at(stream, unbroken=True).mains_hz(scale.scale) if mains == "auto" else mains
    raw = mne.io.RawArray(x, head, verbose="error")
    bad = bad_channels(stream, scale.scale)
    raw.info["bads"] = [n for n, is_bad in zip(info.ch_names, bad, strict=True) if is_bad]
    positions = _positions(info, cap)
    if positions is not None:
        raw.set_montage(positions, on_missing="ignore", verbose="error")
    times = _even_times(stream)
    order = np.argsort(times, kind="stable")
    spans = joined_spans(stream.marked_bad)
    bad_runs = tuple((int(samples[a]), int(samples[b - 1] + 1 - samples[a])) for a, b in spans)
    return BidsSignal(raw, info, times[order], samples[order], gaps, bad_runs, scale.note)


def _without(recording: Recording, left_out: Sequence[int]) -> Recording:
    """Return a recording whose EEG lacks some of its channels."""
    info, data = recording.eeg.info, recording.eeg.data
    keep = [i for i in range(len(info.ch_names)) if i not in left_out]

    def kept(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values[i] for i in keep) if values else values

    fewer = replace(info, ch_names=kept(info.ch_names), ch_types=kept(info.ch_types), units=kept(info.units))
    stream = replace(recording.eeg, info=fewer, values=data[:, keep], _data=None)
    streams = [stream if i == recording.eeg_index else s for i, s in enumerate(recording.streams)]
    return replace(recording, streams=streams)


def _check_names(names: Sequence[str], recording: str) -> None:
    if "" in names or len(set(names)) < len(names):
        raise NeuriptError(
            f"{recording}: not every channel has a name of its own ({', '.join(n or 'none' for n in names)}); say what "
            "was on the head with --montage"
        )


def _filled(stream: RecordedStream, name: str) -> tuple[NDArray[np.int64], tuple[tuple[int, int], ...]]:
    """Return where each recorded sample lies once the gaps are filled, and the gaps."""
    missing = np.zeros(len(stream), dtype=np.int64)
    for gap in stream.gaps:
        missing[gap.index] += max(0, gap.n_missing)
    if missing.sum() > len(stream):
        raise NeuriptError(
            f"{name}: {int(missing.sum())} samples are missing and {len(stream)} were recorded; this is not written as "
            "one recording"
        )
    samples = np.arange(len(stream)) + np.cumsum(missing)
    at = np.flatnonzero(missing)
    return samples, tuple((int(samples[i] - missing[i]), int(missing[i])) for i in at)


def _kinds(info: SignalInfo, scale: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the kind of each channel in MNE's words, and what its numbers are to be multiplied by."""
    eeg, blank = set(eeg_channels(info)), ("",) * len(info.ch_names)
    kinds, factors = [], np.ones(len(info.ch_names))
    for i, (sent, unit) in enumerate(zip(info.ch_types or blank, info.units or blank, strict=True)):
        kind = "eeg" if i in eeg else _kind(sent, info.ch_names[i])
        known = unit_name(unit)
        if kind not in ("eeg", "misc"):
            kind = "misc" if known is None else kind
            factors[i] = 1.0 if known is None else to_volts(unit)
        elif kind == "eeg":
            factors[i] = scale[i]
        kinds.append(kind)
    return kinds, factors


def _kind(sent: str, label: str) -> str:
    """Kind of a channel that is no EEG: by its type, or by its label where the type says EEG all the same."""
    said = (sent, *(kind for kind in _KINDS if kind in label.upper()))
    return next((_KINDS[kind] for kind in said if kind in _KINDS), "misc")


def _positions(info: SignalInfo, cap: Montage | None) -> DigMontage | None:
    """Return the places of the named electrodes on MNE's template head; None if none is known."""
    import mne

    montage = cap or load_montage(_TEMPLATE)
    where = dict(zip(montage.electrodes, montage.electrode_pos_m, strict=True))
    eeg = [info.ch_names[i] for i in eeg_channels(info)]
    named = {label: montage.aliases.get(label, canonical_name(label)) for label in eeg}
    found = {label: where[name] for label, name in named.items() if name in where}
    if not found:
        return None
    head = mne.channels.make_standard_montage("colin27_1005" if _has_colin() else "standard_1005").get_positions()
    landmarks = {key: head[key] for key in ("nasion", "lpa", "rpa")}
    return mne.channels.make_dig_montage(found, **landmarks, coord_frame=head["coord_frame"])


def _has_colin() -> bool:
    import mne

    return "colin27_1005" in mne.channels.get_builtin_montages()


def _even_times(stream: RecordedStream) -> NDArray[np.float64]:
    """Return the stamps with each stretch between gaps on a straight line: they come in bursts, samples do not."""
    times = stream.timestamps.copy()
    for start, stop in stream.segments:
        if stop - start > 2:
            at = np.arange(stop - start) - (stop - start) / 2
            slope, middle = np.polyfit(at, stream.timestamps[start:stop], 1)
            times[start:stop] = middle + slope * at
    return times
