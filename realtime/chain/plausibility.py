"""Whether a signal can be EEG at all: not a test signal, not an open input, not one wire to all electrodes.

Each limit is a statement about scalp EEG that noise, test signals and broken references do not keep, with the room that
real recordings need (`LIMITS`). Judged is the signal behind the chain (0.1-30 Hz): drift and mains do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.chain.quality import BLOCKS, QualityChange, Verdict

F64 = NDArray[np.float64]

SPAN_S = 4.0
"""Seconds that are judged together, the newest ones; fewer after a start, from `LEAST_S` on."""
LEAST_S = 2.0
"""Seconds from which on there is a verdict."""
MANY = 2
"""Channels that share nothing are a sign only where there are more than so many."""
CAP = 6
"""One channel that shares nothing is a sign only among so many: the four of a headband are far apart."""
_AROUND = 5
"""Samples before and after a jump that say whether it was one."""
_BAND_HZ = (2.0, 30.0)
LEVEL_HZ = (4.0, 28.0)
"""Where the size of the signal is measured."""
_LOW_HZ, _HIGH_HZ = (2.0, 8.0), (16.0, 28.0)
_UV = 1e6


@dataclass(frozen=True, kw_only=True)
class Plausible:
    """Limits of what scalp EEG does.

    Set on 84 277 windows of six public sets with sound contact (Peterson 2022, eegmmidb, eegmat, Kalunga 2016,
    muse-n170, EEGLAB's sample) and the sessions of BCI Essentials, of which they cost 0.27 % (docs/signal-chain.md).
    """

    own_rms_v: float = 0.5e-6
    """Rms of what the channels do not share, 2-30 Hz, in volts: less, and one wire feeds them all."""
    peak_share: float = 0.998
    """Largest share of the power within 1 Hz, in the median channel: more is a test signal (a pure tone has 0.9995)."""
    flat_db: float = 3.0
    """Power density at 2-8 Hz over that at 16-28 Hz, either way: nearer to none it is as flat as noise. Muscles can be
    as flat, but several electrodes hear them."""
    shared: float = 0.25
    """The median channel's strongest correlation with another: less, and together with a flat spectrum it is noise."""
    flat_one_db: float = 2.5
    shared_one: float = 0.2
    """The same two for one channel among others that carry EEG."""
    faint: float = 0.2
    shared_faint: float = 0.3
    """A channel with less than this part of the median channel's rms is noise with any spectrum, if it shares less."""
    small_v: float = 0.8e-6
    """Rms of the median channel, 4-28 Hz, below which it is no scalp."""
    large_v: float = 60e-6
    """The same, above which it is no brain."""
    times_usual: float = 5.0
    """The same, so many times more or less than the person had when the model was made."""
    pop_v: float = 150e-6
    """Step from one sample at 64 Hz to the next, on one electrode alone, that a contact makes and no brain."""
    pop_alone: float = 5.0
    """So many times the step that any other channel makes at that moment."""


LIMITS = Plausible()


WORDS: dict[Verdict, str] = {
    Verdict.SAME: "all {n} channels carry the same signal: is the reference connected?",
    Verdict.TONE: "all {n} channels carry one frequency and nothing else: does the amplifier send a test signal?",
    Verdict.NOISE: "all {n} channels carry noise that no two of them share: is the cap on the head, and plugged in?",
    Verdict.SMALL: "the signal is too small for this person's EEG: is the unit right, and the gain?",
    Verdict.LARGE: "the signal is too large for this person's EEG: are unit and gain right, does the person sit still?",
}
"""What is wrong where it is wrong with all channels; `n` is their number."""


def wrong_with_all(verdicts: NDArray[np.int8]) -> str:
    """Say what makes the signal as a whole no EEG; empty where nothing does.

    Parameters
    ----------
    verdicts : ndarray, shape (n_chans,)
        The `Verdict` of each channel.
    """
    said: list[Verdict] = [verdict for verdict in WORDS if verdict is not Verdict.NOISE and (verdicts == verdict).any()]
    if not said and len(verdicts) > 1 and (verdicts == Verdict.NOISE).all():
        said = [Verdict.NOISE]
    return WORDS[said[0]].format(n=len(verdicts)) if said else ""


def seconds_judged(verdicts: NDArray[np.int8]) -> float:
    """Return how many of the newest seconds verdicts are about."""
    late = (verdicts >= Verdict.SAME) & (verdicts <= Verdict.LARGE)
    return SPAN_S if late.any() else 1.0


class PlausibilityMonitor:
    """Judge the newest seconds of the signal behind the chain, once for every quarter of a second.

    The verdicts depend on absolute sample counts alone, not on the chunks.

    Parameters
    ----------
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        Weights of the stream's channels in each channel of the model. What is derived from common electrodes is
        correlated even where there is nothing but noise; that much is taken away before it counts.
    sfreq : float
        Rate of the signal in Hz.
    usual_v : float, optional
        Rms of the person's median channel within 4-28 Hz when the model was made, in volts; None: not known.
    limits : Plausible
        What scalp EEG does.
    """

    def __init__(
        self, matrix: ArrayLike, sfreq: float, usual_v: float | None = None, limits: Plausible = LIMITS
    ) -> None:
        weights = np.asarray(matrix, dtype=np.float64)
        self.limits, self.usual_v = limits, usual_v
        self._n_chans = len(weights)
        self._sfreq = sfreq
        self._block = max(2, round(sfreq / BLOCKS))
        self._span = self._block * round(SPAN_S * sfreq / self._block)
        self._least = self._block * round(LEAST_S * sfreq / self._block)
        self._unmix = _unmixing(weights)
        self._single = np.flatnonzero((np.abs(weights) > 0).sum(axis=1) == 1)
        self.reset()

    def reset(self) -> None:
        """Forget all samples; everything counts as plausible until there is enough to judge."""
        self._ring: F64 = np.zeros((self._span, self._n_chans))
        self._total = 0
        self._filled = 0
        self.verdicts: NDArray[np.int8] = np.zeros(self._n_chans, dtype=np.int8)
        """The `Verdict` of each channel now, shape (n_chans,)."""

    def update(self, y: NDArray[np.floating[Any]]) -> list[QualityChange]:
        """Look at the next samples in volts, shape (n_times, n_chans).

        Returns
        -------
        list of QualityChange
            One entry for each block after which a verdict was different.
        """
        changes: list[QualityChange] = []
        at = 0
        while at < len(y):
            n = min(self._block - self._filled, len(y) - at)
            first = self._total % self._span
            self._ring[first : first + n] = y[at : at + n]
            at, self._total, self._filled = at + n, self._total + n, self._filled + n
            if self._filled == self._block:
                self._filled = 0
                verdicts = self._judge()
                if (verdicts != self.verdicts).any():
                    self.verdicts = verdicts
                    changes.append(QualityChange(self._total, verdicts))
        return changes

    def _judge(self) -> NDArray[np.int8]:
        x = self._newest(self._span)
        verdicts = np.zeros(self._n_chans, dtype=np.int8)
        if len(x) < self._least:
            return verdicts
        signs = _signs(x * _UV, self._sfreq, self._unmix)
        whole = self._of_all(signs)
        if whole is not Verdict.OK:
            verdicts[:] = whole
            return verdicts
        verdicts[self._lonely(signs)] = Verdict.NOISE
        verdicts[self._popped()] = Verdict.POPS
        return verdicts

    def _newest(self, n: int) -> F64:
        """Return the newest samples, oldest first, at most `n`."""
        at = self._total % self._span
        x = np.concatenate([self._ring[at:], self._ring[:at]])
        return x[self._span - min(n, self._total, self._span) :]

    def _of_all(self, signs: _Signs) -> Verdict:
        """What is true of the cap as a whole."""
        limits, level_v = self.limits, signs.level / _UV
        large = limits.large_v
        small = limits.small_v
        if self.usual_v:
            large = min(large, limits.times_usual * self.usual_v)
            small = max(small, self.usual_v / limits.times_usual)
        if self._n_chans > 1 and signs.own < limits.own_rms_v * _UV and level_v > limits.small_v:
            return Verdict.SAME
        if signs.peak > limits.peak_share:
            return Verdict.TONE
        if self._n_chans > MANY and abs(signs.slope) < limits.flat_db and np.median(signs.shared) < limits.shared:
            return Verdict.NOISE
        if level_v < small:
            return Verdict.SMALL
        return Verdict.LARGE if level_v > large else Verdict.OK

    def _lonely(self, signs: _Signs) -> NDArray[np.bool_]:
        """Which channels carry noise among others that carry EEG; channels made of several are left out."""
        lonely = np.zeros(self._n_chans, dtype=np.bool_)
        if len(self._single) >= CAP:
            limits, among = self.limits, signs.covariance[np.ix_(self._single, self._single)]
            shared, rms = _strongest(among), np.sqrt(np.diag(among))
            noise = (np.abs(signs.slopes[self._single]) < limits.flat_one_db) & (shared < limits.shared_one)
            faint = (rms < limits.faint * np.median(rms)) & (shared < limits.shared_faint)
            lonely[self._single] = noise | faint
        return lonely

    def _popped(self) -> NDArray[np.bool_]:
        """Which channels lately jumped to another level, while no other moved."""
        popped = np.zeros(self._n_chans, dtype=np.bool_)
        x = self._newest(self._block + 2 * _AROUND)
        step = np.abs(np.diff(x, axis=0))
        if self._n_chans <= MANY or step.max(initial=0.0) <= self.limits.pop_v:
            return popped
        nearby = step.copy()  # the largest from one sample before to one after
        nearby[1:] = np.maximum(nearby[1:], step[:-1])
        nearby[:-1] = np.maximum(nearby[:-1], step[1:])
        judged = step[_AROUND : len(step) - _AROUND + 1]
        for row, channel in np.argwhere(judged > self.limits.pop_v):
            at = row + _AROUND
            others = np.delete(nearby[at], channel).max()
            before, after = x[at - _AROUND : at, channel], x[at + 2 : at + 2 + _AROUND, channel]
            shift = abs(after.mean() - before.mean())
            stays = shift > max(0.5 * self.limits.pop_v, float(np.ptp(after)), 2 * float(np.ptp(before)))
            popped[channel] |= bool(stays and step[at, channel] > self.limits.pop_alone * others)
        return popped


@dataclass(frozen=True, slots=True)
class _Signs:
    """What the newest seconds show, in microvolts and Hz."""

    own: float
    level: float
    peak: float
    slope: float
    slopes: F64
    shared: F64
    covariance: F64


def _signs(x: F64, sfreq: float, unmix: F64) -> _Signs:
    """Measure some seconds of signal, shape (n_times, n_chans), in microvolts."""
    n = len(x)
    drift, taper = _fixed(n)
    x = x - drift @ (drift.T @ x)
    frequency: F64 = np.asarray(np.fft.rfftfreq(n, 1 / sfreq), dtype=np.float64)
    power = np.abs(np.fft.rfft(x * taper, axis=0)) ** 2 * (2 / (n * float((taper**2).sum())))
    inside = _between(frequency, _BAND_HZ)
    spectrum = np.fft.rfft(x, axis=0)
    spectrum[~inside] = 0.0
    z = np.fft.irfft(spectrum, n, axis=0)
    covariance = z.T @ z / n
    eigenvalues = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    slopes = _decibel(power, frequency)
    return _Signs(
        own=float(np.sqrt(eigenvalues[:-1].sum() / len(eigenvalues))),
        level=float(np.median(np.sqrt(power[_between(frequency, LEVEL_HZ)].sum(axis=0)))),
        peak=float(np.median(_peak(power[inside], frequency[1]))),
        slope=float(np.median(slopes)),
        slopes=slopes,
        shared=_strongest(unmix @ covariance @ unmix),
        covariance=covariance,
    )


@lru_cache(maxsize=16)
def _fixed(n: int) -> tuple[F64, F64]:
    """What is the same for every `n` samples: a basis of slow drift (n, 4), also of a large step's, and the taper."""
    drift = np.linalg.qr(np.vander(np.linspace(-1, 1, n), 4))[0]
    return np.asarray(drift), np.hanning(n)[:, None]


def _between(frequency: F64, edges_hz: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((frequency >= edges_hz[0]) & (frequency <= edges_hz[1]))


def _decibel(power: F64, frequency: F64) -> F64:
    """Power density at low over that at high frequencies, of each channel."""
    low, high = (power[_between(frequency, edges)].mean(axis=0) for edges in (_LOW_HZ, _HIGH_HZ))
    return np.asarray(10 * np.log10((low + 1e-12) / (high + 1e-12)))


def _peak(power: F64, step_hz: float) -> F64:
    """Largest share of each channel's power that lies within 1 Hz."""
    width = max(5, round(1.0 / step_hz) | 1)  # what the taper makes of one frequency
    total = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    return np.asarray((total[width:] - total[:-width]).max(axis=0) / np.maximum(total[-1], 1e-12))


def _strongest(covariance: F64) -> F64:
    """Each channel's strongest correlation with another, without its sign."""
    sd = np.sqrt(np.diag(covariance)) + 1e-9
    correlation = np.abs(covariance / np.outer(sd, sd))
    np.fill_diagonal(correlation, 0.0)
    return np.asarray(correlation.max(axis=0))


def _unmixing(weights: F64) -> F64:
    """What makes noise of the same size on all electrodes uncorrelated in the model's channels again."""
    values, vectors = np.linalg.eigh(weights @ weights.T)
    inverse = np.where(values > 0.01 * values[-1], 1 / np.sqrt(np.maximum(values, 1e-12)), 0.0)
    return np.asarray((vectors * inverse) @ vectors.T)
