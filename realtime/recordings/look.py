"""A look at a signal: which channels are EEG, how many volts a number is, what is bad, whether there is mains.

Live decoding, calibration, corpus, evaluation and `neuript inspect` all look here, so that they cannot disagree about a
recording. Live looks at the first seconds, the others at a stretch from the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.names import names_electrode
from neuript.montages.stream_labels import exg_inputs, is_eeg_channel
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.preprocess import measure_mains
from neuript.realtime.chain.quality import QualityMonitor
from neuript.realtime.chain.units import UnitScale, band_rms, is_silent, scale_of, to_volts, unit_name
from neuript.realtime.recordings.recording import RecordedStream, Recording

LOOK_S = 30.0
"""Seconds from the middle of a recording that speak for its amplitude and mains."""
MIN_S = 2.0
"""Seconds that a recording must have; a shorter one holds nothing that filters could settle on."""
BAD_SHARE = 0.2
"""A channel that is bad for more than this share of a recording counts as absent."""
TYPICAL_EEG_V = 15e-6
"""Median 1-40 Hz rms in volts to which a recording is scaled whose numbers have no known unit."""
_PIECE_S = 16.0
"""Channels are judged in pieces of so many seconds, so that little is held in volts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Some seconds of a signal that speak for all of it.

    Attributes
    ----------
    info : SignalInfo
        What the signal says about itself.
    x : ndarray, shape (n_times, n_chans)
        Samples as sent, in the signal's own numbers.
    channels : tuple of int
        The channels that are judged; of the others nothing is wanted.
    """

    info: SignalInfo
    x: NDArray[np.float32]
    channels: tuple[int, ...]

    @property
    def judged(self) -> NDArray[np.float32]:
        """The judged channels, shape (n_times, n_judged)."""
        return self.x[:, list(self.channels)]

    @property
    def silent(self) -> bool:
        """True if no judged channel ever changes: flat, or not a number."""
        x = np.nan_to_num(self.judged)
        return not (x != x[:1]).any()

    def scale(self, unit: str | None = None) -> UnitScale:
        """Return the volts per number of each channel, shape (n_chans,), 1 for those that are not judged.

        Its unit is asked of those alone that may have one (`judged_channels`).

        Parameters
        ----------
        unit : str, optional
            Unit that the user gives; None takes what the signal says.

        Raises
        ------
        NeuriptError
            If a unit is unknown, or the amplitude cannot be that of EEG; the sentence holds the fix.
        """
        at = judged_channels(self.info, self.channels)
        found = scale_of(self.info, self.x, at, unit)
        every = self._everywhere(float(np.median(found.scale)), found.note)
        every.scale[list(at)] = found.scale
        for i in set(self.channels) - set(at):
            if unit is None and self.info.units and unit_name(self.info.units[i]):
                every.scale[i] = to_volts(self.info.units[i])
        return every

    def rescaled(self) -> UnitScale:
        """Return the scale that gives the median judged channel the amplitude of EEG, whatever its unit.

        Raises
        ------
        NeuriptError
            If no channel shows a signal.
        """
        rms = band_rms(self.judged, self.info.sfreq)
        alive = rms[np.isfinite(rms) & (rms > 0)]
        if not len(alive):
            raise NeuriptError("no channel shows a signal to scale by")
        factor = TYPICAL_EEG_V / float(np.median(alive))
        return self._everywhere(factor, f"rescaled: one unit of the file taken as {factor * 1e6:.4g} µV")

    def mains_hz(self, scale: NDArray[np.float64], channels: tuple[int, ...] | None = None) -> float | None:
        """Return 50, 60 or None, heard on the judged channels, or on some others."""
        at = list(self.channels if channels is None else channels)
        return measure_mains(self.x[:, at] * scale[at], self.info.sfreq)

    def verdicts(self, scale: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return the `Verdict` of each channel at the end of the stretch, shape (n_chans,)."""
        monitor = QualityMonitor(self.x.shape[1], self.info.sfreq)
        monitor.update(self.x * scale)
        return monitor.verdicts

    def _everywhere(self, scale: NDArray[np.float64] | float, note: str) -> UnitScale:
        every = np.ones(self.x.shape[1])
        every[list(self.channels)] = scale
        return UnitScale(every, note)


def eeg_channels(info: SignalInfo) -> tuple[int, ...]:
    """Return the indices of the channels that count as EEG by type and label; all of them if none does."""
    types = info.ch_types or ("",) * len(info.ch_names)
    inputs = exg_inputs(info.ch_names, types)
    channels = enumerate(zip(types, info.ch_names, strict=True))
    return (
        inputs or tuple(i for i, (kind, label) in channels if is_eeg_channel(kind, label)) or tuple(range(len(types)))
    )


def judged_channels(info: SignalInfo, channels: Sequence[int]) -> tuple[int, ...]:
    """Return those of some channels that speak for the unit: the ones that name an electrode, where most do.

    Senders type all their channels as EEG, also a time in seconds or the quality of a contact; where labels are mere
    numbers, what has a unit that is none of voltage stays out.
    """
    named = tuple(i for i in channels if names_electrode(info.ch_names[i]))
    if 2 * len(named) > len(channels):
        return named
    units = info.units or ("",) * len(info.ch_names)
    return tuple(i for i in channels if is_silent(units[i]) or unit_name(units[i])) or tuple(channels)


def look_at(stream: RecordedStream, *, unbroken: bool = False) -> Look:
    """Look at up to 30 s from the middle of a recording.

    Parameters
    ----------
    stream : RecordedStream
        The sampled signal to look at.
    unbroken : bool
        True looks at the middle of the longest stretch without a gap instead: the figures are those of the signal
        alone, but a recording of mere scraps shows less than two seconds.
    """
    start, stop = 0, len(stream)
    if unbroken:
        start, stop = max(stream.segments, key=lambda s: s[1] - s[0], default=(start, stop))
    n = min(stop - start, round(LOOK_S * stream.info.sfreq))
    first = start + (stop - start - n) // 2
    return Look(info=stream.info, x=stream.data[first : first + n], channels=eeg_channels(stream.info))


def volts_per_number(recording: Recording, unit: str | None = None, *, rescale: bool = False) -> UnitScale:
    """Return the volts per number of each channel of a recording's EEG stream, 1 for channels that are not EEG.

    Parameters
    ----------
    recording : Recording
        A recording that has an EEG stream.
    unit : str, optional
        Unit of the numbers, where the file says nothing or the wrong thing; None takes what it says.
    rescale : bool
        True brings the median channel to the amplitude of EEG, whatever the unit.

    Returns
    -------
    UnitScale
        Volts per number of each channel, and a note: a sentence for the user, or empty.

    Raises
    ------
    NeuriptError
        If the recording is shorter than 2 s or has nothing but flat channels, or its unit is unknown or cannot be
        right.
    """
    stream, name = recording.eeg, short_name(recording)
    seconds = len(stream) / stream.info.sfreq
    if seconds < MIN_S:
        raise NeuriptError(f"{name} holds {seconds:.2g} s of EEG; at least {MIN_S:g} s are needed")
    look = look_at(stream)
    if look.silent:
        raise NeuriptError(
            f"{name}: every channel is flat or missing in the middle {LOOK_S:g} s; was the amplifier measuring?"
        )
    try:
        return look.rescaled() if rescale else look.scale(unit)
    except NeuriptError as error:
        raise type(error)(f"{name}: {error}") from error


def bad_channels(stream: RecordedStream, scale: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which EEG channels are bad for more than `BAD_SHARE` of a recording, or called bad by it.

    Bad is what is flat, stuck, missing or huge.

    Parameters
    ----------
    stream : RecordedStream
        The EEG of a recording.
    scale : ndarray, shape (n_chans,)
        Volts per number of each channel.

    Returns
    -------
    ndarray of bool, shape (n_chans,)
        True for a bad channel; False for channels that are not EEG.
    """
    n_chans, size = len(stream.info.ch_names), max(1, round(_PIECE_S * stream.info.sfreq))
    monitor = QualityMonitor(n_chans, stream.info.sfreq)
    factor = scale.astype(np.float32)
    n_bad = np.zeros(n_chans)
    since, verdict = 0, monitor.bad
    for start in range(0, len(stream), size):
        for change in monitor.update(stream.data[start : start + size] * factor):
            n_bad += verdict * (change.index - since)
            since, verdict = change.index, change.verdicts != 0
    n_bad += verdict * (len(stream) - since)
    bad = np.zeros(n_chans, dtype=np.bool_)
    eeg = list(eeg_channels(stream.info))
    bad[eeg] = n_bad[eeg] > BAD_SHARE * len(stream)
    return bad | called_bad(stream.info)


def called_bad(info: SignalInfo) -> NDArray[np.bool_]:
    """Return which channels the recording itself calls bad, shape (n_chans,)."""
    return np.array([name in info.bads for name in info.ch_names], dtype=np.bool_)


def short_name(recording: Recording) -> str:
    """Folder and file: many recorders call every file `eeg.edf`."""
    path = recording.path.resolve()
    return f"{path.parent.name}/{path.name}".lstrip("/")
