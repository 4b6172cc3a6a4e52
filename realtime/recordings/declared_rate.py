"""The rate that a recording declares, against its stamps, and the one that a person knows better."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np

from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN, can_decode
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.sample_rate import ODD_SHARE, WRONG_SHARE, RateVerdict
from neuript.realtime.recordings.gaps import find_gaps, segments_between
from neuript.realtime.recordings.recording import Gap, RecordedStream, Recording

_EXACT_S = 1e-6


def with_rate(info: SignalInfo, sfreq: float | None) -> SignalInfo:
    """Return a header with the rate in Hz that a person gives; as it is with None.

    Raises
    ------
    NeuriptError
        If nothing can be decoded at this rate.
    """
    if sfreq is None:
        return info
    if not can_decode(sfreq):
        raise NeuriptError(f"--sfreq {sfreq:g} must be {SFREQ_MIN:g} Hz to {SFREQ_MAX / 1000:g} kHz")
    return replace(info, sfreq=float(sfreq))


def at_rate(recording: Recording, sfreq: float | None) -> Recording:
    """Return a recording whose EEG has the rate in Hz that a person gives; itself with None.

    The gaps that were known stay where at this rate samples are missing, and those that the stamps show are added.
    """
    if sfreq is None or recording.eeg_index is None:
        return recording
    out = copy.copy(recording)
    out.streams = [*recording.streams]
    out.streams[recording.eeg_index] = eeg = copy.copy(recording.eeg)
    eeg.info = with_rate(eeg.info, sfreq)
    other_cuts = {start for start, _ in eeg.segments} - {gap.index for gap in eeg.gaps} - {0}
    eeg.gaps = _gaps_at(recording.eeg, sfreq)
    eeg.segments = segments_between(len(eeg), [*other_cuts, *(gap.index for gap in eeg.gaps)])
    return out


def _gaps_at(eeg: RecordedStream, sfreq: float) -> tuple[Gap, ...]:
    """Return the gaps of a stream at another rate than it declares."""
    steps, known = np.diff(eeg.timestamps), []
    for gap in eeg.gaps:
        step = float(steps[gap.index - 1])
        counted = abs(step - gap.seconds - 1.0 / eeg.info.sfreq) < _EXACT_S  # of the declared period, not of stamps
        seconds = step - 1.0 / sfreq if counted else gap.seconds
        if round(seconds * sfreq) >= 1:
            known.append(Gap(gap.index, seconds, round(seconds * sfreq)))
    at, near = np.array([gap.index for gap in known]), max(int(sfreq), 8)
    more = [gap for gap in find_gaps(eeg.timestamps, sfreq) if not (np.abs(at - gap.index) <= near).any()]
    return tuple(sorted([*known, *more], key=lambda gap: gap.index))


def judged_rate(stream: RecordedStream) -> tuple[RateVerdict, str]:
    """Return what the stamps of a sampled signal say of its declared rate, and a sentence, empty where it is fine.

    Stamps scatter and come in lumps: what these can make of the difference is taken off it.
    """
    declared, measured = stream.info.sfreq, stream.effective_sfreq
    away = abs(measured / declared - 1.0) - _doubt(stream) if math.isfinite(measured) and declared > 0 else 0.0
    if not away > ODD_SHARE:
        return RateVerdict.FINE, ""
    said = f"'{stream.info.name}' declares {declared:g} Hz, and its stamps say {measured:.4g} Hz"
    if not away > WRONG_SHARE:
        return RateVerdict.ODD, f"{said}: more than a crystal is off, so samples may be missing"
    return (
        RateVerdict.WRONG,
        f"{said}: all its frequencies would be wrong; if the stamps are right, --sfreq {measured:.4g}",
    )


def _doubt(stream: RecordedStream) -> float:
    """Largest share of the rate by which the measured one may be wrong."""
    runs = [stream.timestamps[start:stop] for start, stop in stream.segments if stop - start > 1]
    passed = sum(float(run[-1] - run[0]) for run in runs)
    rough = max((float(np.abs(np.diff(run) - 1.0 / stream.info.sfreq).max()) for run in runs), default=math.inf)
    return 2 * rough * len(runs) / passed if passed > 0 else math.inf
