"""What a recording is, in figures: its streams and events, and what the amplitudes of its EEG say."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.chain.units import band_rms
from neuript.realtime.recordings.look import Look, look_at
from neuript.realtime.recordings.recording import Gap, RecordedStream, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """One channel of the EEG stream; amplitudes are in the file's own numbers."""

    label: str
    kind: str
    """Type of the channel as recorded: `EEG`, `EOG`, ..."""
    unit: str
    rms_1_40hz: float
    """Rms between 1 and 40 Hz in the file's own numbers; NaN where samples are missing."""
    median: float
    verdict: str
    """`ok`, what is odd, or empty for an inconspicuous channel that is not EEG."""

    @property
    def odd(self) -> bool:
        """True if there is something to say against the channel."""
        return self.verdict not in ("ok", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class EegReport:
    """What the amplitudes of the EEG say."""

    channels: tuple[ChannelReport, ...]
    """All channels of the stream; none if there is less than a second to judge by."""
    unit_verdict: str
    """A sentence: plausible, guessed, or why the unit cannot be right and what to do."""
    unit_ok: bool
    mains_hz: float | None
    """Mains frequency in Hz: 50, 60, or None if neither was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """One stream of a recording."""

    name: str
    stype: str
    source_id: str
    n_chans: int
    channel_format: str
    units: tuple[str, ...]
    sfreq: float
    """Nominal rate in Hz; 0 for events."""
    effective_sfreq: float
    """Measured rate in Hz; NaN where it cannot be told."""
    n_times: int
    duration_s: float
    gaps: tuple[Gap, ...]
    gaps_after_s: tuple[float, ...]
    """Time at which each gap begins, in seconds from the first sample."""
    n_clock_resets: int
    is_eeg: bool
    """True for the one stream that is taken as the EEG."""
    may_be_eeg: bool
    """True if its type says EEG, and it has a rate and samples."""
    is_markers: bool
    events: dict[str, int]
    """Label to number of times, in order of appearance; empty for sampled signals."""
    cue_classes: tuple[str, ...]
    """Classes of the session whose cues this stream holds; none for any other stream."""
    n_positions: int
    """Number of electrodes with a position."""
    reference: str
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingReport:
    """What a recording is."""

    path: Path
    file_format: str
    n_bytes: int
    warnings: tuple[str, ...]
    """What was noticed while reading it."""
    streams: tuple[StreamReport, ...]
    eeg: EegReport | None
    """Figures of the EEG; None for a recording without EEG."""

    @property
    def duration_s(self) -> float:
        """Length of the longest stream in seconds."""
        return max((stream.duration_s for stream in self.streams), default=0.0)


def report_of(recording: Recording) -> RecordingReport:
    """Return what a recording is."""
    return RecordingReport(
        path=recording.path,
        file_format=recording.file_format,
        n_bytes=recording.path.stat().st_size,
        warnings=tuple(recording.warnings),
        streams=tuple(_stream(s, i == recording.eeg_index) for i, s in enumerate(recording.streams)),
        eeg=None if recording.eeg_index is None else eeg_report(recording.eeg),
    )


def _stream(stream: RecordedStream, is_eeg: bool) -> StreamReport:
    info = stream.info
    return StreamReport(
        name=info.name,
        stype=info.stype,
        source_id=info.source_id,
        n_chans=len(info.ch_names),
        channel_format=info.channel_format,
        units=info.units,
        sfreq=info.sfreq,
        effective_sfreq=stream.effective_sfreq,
        n_times=len(stream),
        duration_s=stream.duration_s,
        gaps=stream.gaps,
        gaps_after_s=tuple(float(stream.timestamps[g.index - 1] - stream.timestamps[0]) for g in stream.gaps),
        n_clock_resets=stream.n_clock_resets,
        is_eeg=is_eeg,
        may_be_eeg=is_eeg_stream(info.stype) and info.sfreq > 0 and len(stream) > 0 and not stream.is_text,
        cue_classes=stream.cue_classes,
        is_markers=stream.is_markers,
        events=dict(Counter(stream.event_labels)) if stream.is_markers else {},
        n_positions=len(info.positions_m),
        reference=info.reference,
        simulated=info.simulated,
    )


def eeg_report(stream: RecordedStream) -> EegReport:
    """Judge amplitudes and units on up to 30 s from the middle of the longest stretch without gaps."""
    look = look_at(stream, unbroken=True)
    if len(look.x) < look.info.sfreq:
        return EegReport(
            channels=(), unit_verdict="too short to judge (less than a second)", unit_ok=False, mains_hz=None
        )
    rms = band_rms(look.x, look.info.sfreq)
    verdict, ok, mains_hz = _unit(look, rms)
    return EegReport(channels=_channels(look, rms), unit_verdict=verdict, unit_ok=ok, mains_hz=mains_hz)


def _unit(look: Look, rms: NDArray[np.float64]) -> tuple[str, bool, float | None]:
    """Return the verdict on the unit, whether it can be used, and the mains."""
    try:
        found = look.scale()
    except NeuriptError as error:
        return str(error), False, None
    eeg = list(look.channels)
    micro = float(np.nanmedian(rms[eeg] * found.scale[eeg])) * 1e6
    verdict = found.note or f"plausible: a typical channel has {micro:.3g} µV rms, 1-40 Hz"
    return verdict, True, look.mains_hz(found.scale)


def _channels(look: Look, rms: NDArray[np.float64]) -> tuple[ChannelReport, ...]:
    info, eeg = look.info, rms[list(look.channels)]
    typical = float(np.nanmedian(eeg)) if np.isfinite(eeg).any() else math.nan
    median, blank = np.median(look.x, axis=0), ("",) * len(info.ch_names)
    return tuple(
        ChannelReport(
            label=label,
            kind=kind,
            unit=unit,
            rms_1_40hz=float(rms[i]),
            median=float(median[i]),
            verdict=_verdict(look.x[:, i], float(rms[i]), typical if i in look.channels else math.nan),
        )
        for i, (label, kind, unit) in enumerate(
            zip(info.ch_names, info.ch_types or blank, info.units or blank, strict=True)
        )
    )


def _verdict(x: NDArray[Any], rms: float, typical: float) -> str:
    if not np.isfinite(x).all():
        return f"{100 * np.mean(~np.isfinite(x)):.1f} % not a number"
    if np.ptp(x) == 0:
        return "flat"
    if (np.diff(x) > 0).mean() > 0.95:
        return "counts up: a sample counter?"
    rail = max(np.mean(x == x.max()), np.mean(x == x.min()))
    if rail > 0.05:
        return f"{100 * rail:.0f} % at the rail"
    if rms > 10 * typical:
        return "much larger than the others"
    if rms < 0.1 * typical:
        return "much smaller than the others"
    return "ok" if math.isfinite(typical) else ""
