"""Is the signal good enough to begin, and if not, what is the one thing to put right first? Arithmetic alone.

The decoder's own rules decide (`look`, `quality`, `channel_plan`); here they are put into one answer, electrode by
electrode, for whoever stands beside the person with the gel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuript.durations import clock
from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN, can_decode
from neuript.montages import Montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.plausibility import PlausibilityMonitor, wrong_with_all
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.chain.sample_rate import WRONG_SHARE
from neuript.realtime.chain.units import UnitScale, unit_name
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.electrode_signs import MAINS_EVERYWHERE_V, ElectrodeSigns, Symptom, electrode_signs, find
from neuript.realtime.live.intake import LISTEN_S
from neuript.realtime.live.worn_cap import WornCap, WornElectrode, judged, worn_cap
from neuript.realtime.recordings.gaps import find_gaps
from neuript.realtime.recordings.look import Look

MIN_RATE_S = 8.0
"""Seconds of stamps that tell the rate: chunks of 100 ms make those of fewer uncertain."""
MAINS_CHANNELS = 32
"""The frequency of mains is heard on about so many channels."""
_UNIT_HINT = "say which unit the numbers have, for example --unit microvolts"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCheck:
    """What the last seconds of a stream are worth."""

    electrodes: tuple[WornElectrode, ...]
    """Every electrode of the cap with its place, level and reason."""
    sentences: tuple[str, ...]
    """What is true of the whole: unit, mains, lobes, rate, gaps."""
    go: bool
    """True if a decoder would take this signal."""
    fix: str
    """The most useful thing to do next; empty if nothing is wrong."""
    scale: NDArray[np.float64] | None
    """Volts per number of each of the stream's channels; None while nobody knows the unit."""
    unit: str
    """The unit that the stream says or the user gives; empty where there is none."""
    mains_hz: float | None
    """50, 60, or None where none is heard."""
    mains_v: float
    """Median rms of mains; NaN where none is heard."""
    sfreq_measured: float
    """Samples per second by the stamps; NaN where they do not tell."""
    n_gaps: int
    """Times that samples were missing."""

    def with_level(self, *levels: Level) -> tuple[WornElectrode, ...]:
        """Return the electrodes that have one of these levels."""
        return tuple(e for e in self.electrodes if e.level in levels)

    @property
    def verdict(self) -> str:
        """One line: go, or what to do first."""
        if self.go:
            return f"GO, though better first: {self.fix}" if self.fix else "GO: every electrode is in order"
        return f"NOT YET: {self.fix}"


def check_signal(
    info: SignalInfo,
    x: NDArray[np.floating],
    timestamps: NDArray[np.float64] | None = None,
    *,
    cap: Montage | None = None,
    wanted: Montage | None = None,
    unit: str | None = None,
) -> SignalCheck:
    """Judge the last seconds of a stream once; `check_worn` is for many times.

    Parameters
    ----------
    info : SignalInfo
        What the stream says about itself.
    x : ndarray, shape (n_times, n_chans)
        The samples as sent, at least one second; four are better.
    timestamps : ndarray, shape (n_times,), optional
        Their stamps, or those of more seconds that end with them, for the rate and the gaps; None tells neither.
    cap : Montage, optional
        What is on the head; None where the labels say it.
    wanted : Montage, optional
        What a decoder needs; None takes all that the stream measures.
    unit : str, optional
        Unit that the user gives; None takes what the stream says.

    Raises
    ------
    ValueError
        If there is less than a second.
    """
    return check_worn(worn_cap(info, cap, wanted), x, timestamps, unit=unit)


def check_worn(
    worn: WornCap, x: NDArray[np.floating], timestamps: NDArray[np.float64] | None = None, *, unit: str | None = None
) -> SignalCheck:
    """Judge the last seconds of a stream whose labels were read; the arguments are those of `check_signal`."""
    info = worn.info
    if len(x) < info.sfreq:
        raise ValueError(f"{len(x)} samples at {info.sfreq:g} Hz are too few; give at least a second")
    at = list(worn.channels)
    newest = x[-math.ceil(LISTEN_S * info.sfreq) :]  # as a decoder hears before it begins
    look = Look(info=info, x=np.asarray(newest, dtype=np.float32), channels=worn.channels)
    scaled, unknown = _scale(look, unit)
    mains_hz = look.mains_hz(scaled.scale, worn.channels[:: 1 + len(at) // MAINS_CHANNELS]) if at else None
    volts = x[:, at] * scaled.scale[at].astype(np.float32)
    signs = electrode_signs(volts, info.sfreq, mains_hz)
    findings = find(signs, look.verdicts(scaled.scale)[at], mains_hz)
    heard = zip(worn.electrodes, findings, strict=False)  # those without a channel come last
    electrodes = tuple(judged(e, f.level, f.why) for e, f in heard) + worn.electrodes[len(findings) :]
    mains_v = float(np.nanmedian(signs.mains_v)) if mains_hz and np.isfinite(signs.mains_v).any() else math.nan
    rate, n_gaps = _timing(timestamps, info.sfreq)
    bads = [e.name for e in electrodes if e.level is Level.BAD]
    touching = [k for k, finding in enumerate(findings) if finding.level is not Level.BAD]
    trouble = unknown or _no_eeg(volts[:, touching], info.sfreq, mains_hz)
    blocks = _blocks(worn, look, findings, trouble, rate, bads)
    return SignalCheck(
        electrodes=electrodes,
        sentences=tuple(_sentences(worn, scaled.note or unknown, signs, mains_hz, mains_v, rate, n_gaps, bads)),
        go=not blocks,
        fix=blocks[0] if blocks else _advice(worn, findings, mains_hz, mains_v),
        scale=None if unknown else scaled.scale,
        unit=unit or _declared(info),
        mains_hz=mains_hz,
        mains_v=mains_v,
        sfreq_measured=rate,
        n_gaps=n_gaps,
    )


def without_samples(check: SignalCheck, silent_s: float) -> SignalCheck:
    """Return the last check of a stream that has been silent for so many seconds: nothing of it holds any more."""
    fix = f"no samples for {clock(silent_s) if silent_s >= 60 else f'{silent_s:.0f} s'}: is the amplifier on?"
    return replace(check, go=False, fix=fix, electrodes=tuple(replace(e, why=fix) for e in check.electrodes))


# --- the parts -----------------------------------------------------------------------------------


def _no_eeg(volts: NDArray[np.floating], sfreq: float, mains_hz: float | None) -> str:
    """What shows that the electrodes that touch hear no head at all, by the decoder's own verdict; else empty."""
    if not can_decode(sfreq) or not volts.shape[1]:
        return ""
    every = np.eye(volts.shape[1])
    chain = CausalChain(PreprocessSpec(mains_hz=mains_hz), every, sfreq)
    monitor = PlausibilityMonitor(every, chain.spec.sfreq)
    monitor.update(chain.process(volts)[0][chain.settle_samples :])
    return wrong_with_all(monitor.verdicts)


def _scale(look: Look, unit: str | None) -> tuple[UnitScale, str]:
    """Volts per number, or those of a typical EEG and what is wrong with the unit."""
    if look.silent:  # no amplitude that a unit could be judged by
        return UnitScale(np.full(look.x.shape[1], 1e-6)), ""
    try:
        return look.scale(unit), ""
    except NeuriptError as error:
        try:
            return UnitScale(look.rescaled().scale), str(error)
        except NeuriptError:  # nothing but flat channels
            return UnitScale(np.full(look.x.shape[1], 1e-6)), ""


def _timing(timestamps: NDArray[np.float64] | None, sfreq: float) -> tuple[float, int]:
    """Measured rate in Hz, and the number of gaps."""
    if timestamps is None or len(timestamps) < 2 or not np.isfinite(timestamps).all():
        return math.nan, 0
    gaps = find_gaps(timestamps, sfreq)
    span = float(timestamps[-1] - timestamps[0]) - sum(gap.seconds for gap in gaps)
    return ((len(timestamps) - 1) / span if span > MIN_RATE_S else math.nan), len(gaps)


def _rate_is_off(rate: float, sfreq: float) -> bool:
    return bool(abs(rate / sfreq - 1) > WRONG_SHARE)


def _declared(info: SignalInfo) -> str:
    return next((unit for unit in info.units if unit_name(unit)), "")


def _blocks(
    worn: WornCap, look: Look, findings: Sequence[Symptom], trouble: str, rate: float, bads: Sequence[str]
) -> list[str]:
    """What keeps a decoder from beginning, the first thing to do first."""
    info, out = worn.info, []
    if not can_decode(info.sfreq):
        out.append(
            f"set the amplifier to between {SFREQ_MIN:g} and {SFREQ_MAX:g} Hz; this stream runs at {info.sfreq:g} Hz"
        )
    if findings and (look.silent or len(bads) == len(findings)):
        what = "every channel is flat" if look.silent else "every electrode is bad"
        out.append(f"{what}: see first that the amplifier measures and that reference and ground touch")
    if worn.problem:
        out.append(worn.problem)
    if trouble:
        out.append(trouble)
    if _rate_is_off(rate, info.sfreq):
        said = f"the stream says {info.sfreq:g} Hz and sends {rate:.1f} samples a second"
        out.append(f"{said}: restart the amplifier's LSL output")
    if not out and (missing := worn.missing_for_decoding(bads)):
        out.append(_worst(worn, findings) or missing)
    return out


def _advice(worn: WornCap, findings: Sequence[Symptom], mains_hz: float | None, mains_v: float) -> str:
    """What to do although a decoder could begin."""
    if mains_v > MAINS_EVERYWHERE_V and not any(f.level is Level.BAD for f in findings):
        return (
            f"{1e6 * mains_v:.0f} µV of mains ({mains_hz:g} Hz) on every electrode: see to ground and reference, and "
            "move chargers and cables away"
        )
    return _worst(worn, findings)


def _worst(worn: WornCap, findings: Sequence[Symptom]) -> str:
    """The electrode that should be seen to first, and how; empty if all are good."""
    wrong = [(f.level is Level.BAD, f.severity, -k) for k, f in enumerate(findings) if f.level is not Level.GOOD]
    if not wrong:
        return ""
    bad, _, at = max(wrong)
    name, finding = worn.electrodes[-at].name, findings[-at]
    others = sum(is_bad == bad for is_bad, _, _ in wrong) - 1
    more = f" ({others} more {'is' if others == 1 else 'are'} {'bad' if bad else 'doubtful'})" if others else ""
    return f"{name} {finding.why}: {finding.remedy}{more}"


def _sentences(
    worn: WornCap,
    unit_note: str,
    signs: ElectrodeSigns,
    mains_hz: float | None,
    mains_v: float,
    rate: float,
    n_gaps: int,
    bads: Sequence[str],
) -> list[str]:
    info = worn.info
    out = [unit_note] if unit_note else []
    if "gives no unit" in unit_note:
        out[0] += f"; {_UNIT_HINT}"
    if worn.problem:
        out.append(worn.problem)
    if mains_hz:
        most = np.nanargmax(signs.mains_v)
        out.append(
            f"mains: {mains_hz:g} Hz, {1e6 * mains_v:.1f} µV rms; most on {worn.electrodes[most].name} "
            f"({1e6 * signs.mains_v[most]:.1f} µV)"
        )
    else:
        out.append("mains: none heard")
    out += [f"no good electrode over the lobe {lobe}" for lobe in worn.empty_lobes(bads)]
    if absent := [e.name for e in worn.electrodes if e.channel is None]:
        out.append(f"not in the stream: {', '.join(absent[:12])}{' and more' if len(absent) > 12 else ''}")
    if math.isfinite(rate):
        off = ", which is off" if _rate_is_off(rate, info.sfreq) else ""
        out.append(f"rate: {rate:.1f} Hz measured, {info.sfreq:g} Hz declared{off}")
    if n_gaps:
        out.append(f"samples were lost {n_gaps} time{'s' * (n_gaps != 1)}: check the radio link or the cable")
    return out
