"""What the last seconds say about each electrode's contact: figures in volts, and the one that matters most in words.

Limits are those of ordinary wet caps. A figure that only one electrode has points to its contact; one that all of them
have points to the reference, the ground, the room or the person, and is said once (`signal_check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.quality import BAND_LIMITS, Verdict
from neuript.realtime.chain.units import rms_in_bands
from neuript.realtime.dashboard.head_points import Level

MAINS_DOUBTFUL_V, MAINS_BAD_V = 25e-6, 100e-6
"""Rms of mains on an electrode that has several times as much as the others."""
MAINS_OUTLIER, MAINS_OUTLIER_BAD = 3.0, 6.0
"""So many times the median electrode's mains."""
MAINS_EVERYWHERE_V = 100e-6
"""Median rms of mains beyond which the room or the ground is to blame; the chain's notch still takes it out."""
DRIFT_V_PER_S = 75e-6
"""Slope of the whole stretch: a contact that settles, or sweat."""
RESTLESS_V = 100e-6
"""Rms from 1 to 40 Hz beyond which a channel is restless: scalp EEG has about 5 to 30 µV, 60 µV with a blink."""
MUSCLE_V = 15e-6
"""Rms from 20 to 45 Hz beyond which a muscle is heard."""
SILENT_V = 0.5e-6
"""Rms from 1 to 40 Hz below which an electrode hardly hears anything."""
POP_V = 100e-6
"""Step within one period of mains that no EEG makes; a blink rises by about 40 µV in that time."""
_POP_FACTOR = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectrodeSigns:
    """Figures of each channel over the last seconds, shape (n_chans,) each; NaN where samples are missing."""

    rms_v: NDArray[np.float64]
    """Rms from 1 to 40 Hz."""
    muscle_v: NDArray[np.float64]
    """Rms from 20 to 45 Hz."""
    mains_v: NDArray[np.float64]
    """Rms of mains."""
    drift_v_per_s: NDArray[np.float64]
    """Slope."""
    swing_v: NDArray[np.float64]
    """Largest peak-to-peak amplitude within any one second, mains and the slope taken away."""
    n_pops: NDArray[np.int64]
    """Number of steps."""


def electrode_signs(x_volts: NDArray[np.floating[Any]], sfreq: float, mains_hz: float | None) -> ElectrodeSigns:
    """Measure a stretch.

    Parameters
    ----------
    x_volts : ndarray, shape (n_times, n_chans)
        Signal in volts as it came, at least one second; four are better.
    sfreq : float
        Sampling rate in Hz.
    mains_hz : float or None
        Frequency of mains; None where none is heard, and then 50 Hz is measured.
    """
    mains = mains_hz or 50.0
    rms, muscle, hum = rms_in_bands(x_volts, sfreq, ((1.0, 40.0), (20.0, 45.0), (mains - 2.0, mains + 2.0)))
    block = max(1, round(sfreq / mains))  # a period, in whose mean nothing of mains is left
    n_blocks = len(x_volts) // block
    means = x_volts[len(x_volts) - n_blocks * block :].reshape(n_blocks, block, -1).mean(axis=1, dtype=np.float64)
    t = (np.arange(n_blocks) - (n_blocks - 1) / 2) * block / sfreq
    slope = t @ means / max(float(t @ t), 1e-12)
    means -= t[:, None] * slope
    step = np.abs(np.diff(means, axis=0))
    usual = np.median(step, axis=0) if len(step) else np.zeros(means.shape[1])
    return ElectrodeSigns(
        rms_v=rms,
        muscle_v=muscle,
        mains_v=hum,
        drift_v_per_s=slope,
        swing_v=_swing(means, max(2, round(sfreq / block))),
        n_pops=_rises(step > np.maximum(POP_V, _POP_FACTOR * usual)),
    )


def _swing(x: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Largest peak to peak within `width` rows that follow each other, in pieces of half a width."""
    half = max(1, width // 2)
    starts = np.arange(0, max(1, len(x) - half), half)
    low, high = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)
    if len(starts) > 1:
        low, high = np.minimum(low[:-1], low[1:]), np.maximum(high[:-1], high[1:])
    swing: NDArray[np.float64] = (high - low).max(axis=0)
    return swing


def _rises(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count in each column how often a run of True begins."""
    before = np.concatenate([np.zeros_like(flags[:1]), flags[:-1]])
    return np.asarray((flags & ~before).sum(axis=0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Symptom:
    """The one thing to know about an electrode."""

    level: Level = Level.GOOD
    severity: float = 0.0
    """For electrodes of one level: the larger, the sooner it should be seen to."""
    why: str = ""
    remedy: str = ""


_PRESS = "add gel and press it down"
_VERDICTS = {
    Verdict.MISSING: Symptom(Level.BAD, 9.0, "sends no numbers", "see to its plug and to the amplifier's settings"),
    Verdict.FLAT: Symptom(Level.BAD, 8.0, "is flat", "see that it is plugged in and does not touch the reference"),
    Verdict.RAIL: Symptom(Level.BAD, 7.0, "is stuck at the amplifier's limit, it does not touch", _PRESS),
    Verdict.HUGE: Symptom(Level.BAD, 7.0, "is far too large, it does not touch", _PRESS),
}


def find(signs: ElectrodeSigns, verdicts: NDArray[np.int8], mains_hz: float | None) -> list[Symptom]:
    """Return what matters most about each channel.

    Parameters
    ----------
    signs : ElectrodeSigns
        What was measured.
    verdicts : ndarray, shape (n_chans,)
        The decoder's own `Verdict` of each channel, which goes before everything else.
    mains_hz : float or None
        Frequency of mains, for the words; None where none is heard, and then mains blame no electrode.
    """
    alive = (verdicts == Verdict.OK) & np.isfinite(signs.rms_v)
    usual = float(np.median(signs.mains_v[alive])) if alive.any() else 0.0
    return [_finding(signs, k, Verdict(int(v)), usual, mains_hz) for k, v in enumerate(verdicts)]


def _finding(signs: ElectrodeSigns, k: int, verdict: Verdict, usual_v: float, mains_hz: float | None) -> Symptom:
    if verdict is not Verdict.OK:
        return _VERDICTS[verdict]
    if not np.isfinite(signs.rms_v[k]):
        return Symptom(Level.DOUBTFUL, 3.0, "has missing samples", "see to its plug")
    swing, hum = float(signs.swing_v[k]), float(signs.mains_v[k])
    if swing > BAND_LIMITS.huge_pp_v:
        return Symptom(Level.BAD, 6.0, f"hardly touches: swings of {1e3 * swing:.1f} mV", _PRESS)
    times = hum / max(usual_v, 1e-9)
    if mains_hz and hum > MAINS_DOUBTFUL_V and times > MAINS_OUTLIER:
        bad = hum > MAINS_BAD_V and times > MAINS_OUTLIER_BAD
        words = f"{_uv(hum)} of mains, {times:.0f} times what the others have"
        if bad:
            return Symptom(Level.BAD, 5.0 + min(0.9, hum / 1e-2), f"hardly touches: {words}", _PRESS)
        return Symptom(Level.DOUBTFUL, 2.5 + min(0.4, hum / 1e-3), f"touches poorly: {words}", _PRESS)
    return _doubt(signs, k)


def _doubt(signs: ElectrodeSigns, k: int) -> Symptom:
    """What may be a poor contact, or the person."""
    pops, drift, rms = int(signs.n_pops[k]), float(signs.drift_v_per_s[k]), float(signs.rms_v[k])
    if pops:
        times = "once" if pops == 1 else f"{pops} times"
        return Symptom(Level.DOUBTFUL, 2.0 + min(0.4, 0.1 * pops), f"pops {times}", "press it down and fix its cable")
    if abs(drift) > DRIFT_V_PER_S:
        words = f"drifts by {_uv(abs(drift))} a second"
        return Symptom(
            Level.DOUBTFUL, 1.0 + min(0.9, abs(drift) / 1e-2), words, "wait until it has settled, or add gel"
        )
    muscle = float(signs.muscle_v[k])
    if muscle > MUSCLE_V:
        words = f"hears a muscle ({_uv(muscle)} from 20 to 45 Hz)"
        return Symptom(Level.DOUBTFUL, 0.5 + min(0.4, muscle / 1e-3), words, "let jaw and neck go loose")
    if rms > RESTLESS_V:
        return Symptom(Level.DOUBTFUL, 0.9, f"is restless ({_uv(rms)} rms)", "sit still, or press it down")
    if rms < SILENT_V:
        words = f"hardly hears anything ({_uv(rms)} rms)"
        return Symptom(Level.DOUBTFUL, 1.5, words, "see that no gel bridges it to the reference")
    return Symptom()


def _uv(volts: float) -> str:
    value = 1e6 * volts
    return f"{value:.1f} µV" if value < 10 else f"{value:.0f} µV"
