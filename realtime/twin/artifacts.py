"""What is in an EEG but not from the brain: eyes, muscles, mains, electrodes, electronics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from neuript.realtime.twin.background import SlowNoise, place
from neuript.realtime.twin.headmodel import HEAD_CENTRE_M, HEAD_RADIUS_M, on_scalp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neuript.realtime.twin.subject import SessionConditions, Subject

EYES_M = np.array([[-0.030, 0.058, -0.048], [0.032, 0.058, -0.048]])
"""Centres of the eyes in metres, shape (2, 3)."""
_ABOVE_EYES = (-0.291, 0.95, -0.108)  # direction of Fp1
_BESIDE_EYES = (-0.765, 0.622, -0.168)  # direction of F7


class PoissonTrain:
    """Times of random events with a shortest distance, worked out as far as asked."""

    def __init__(self, per_min: float, rng: np.random.Generator, min_gap_s: float = 0.0) -> None:
        self._rng = rng
        self._mean_s = max(60.0 / per_min - min_gap_s, 1e-3) if per_min > 0 else np.inf
        self._gap_s = min_gap_s
        self._next_s = self._draw()

    def _draw(self) -> float:
        if not np.isfinite(self._mean_s):
            return float("inf")
        return self._gap_s + float(self._rng.exponential(self._mean_s))

    def until(self, end_s: float) -> list[float]:
        """Return the events before `end_s` that were not returned yet."""
        times = []
        while self._next_s < end_s:
            times.append(self._next_s)
            self._next_s += self._draw()
        return times


def eye_field(points_m: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float64]:
    """Potential of two equal dipoles in the eyes in a uniform conductor (the eyes lie outside the sphere's brain).

    Arbitrary scale, shape (n_points,).
    """
    total = np.zeros(len(points_m))
    for eye in EYES_M:
        away = on_scalp(points_m) - eye
        total += away @ moment / np.linalg.norm(away, axis=1) ** 3
    return total


class Eyes:
    """Blinks (vertical) and saccades (horizontal)."""

    def __init__(self, subject: Subject, electrodes_m: NDArray[np.float64], rng: np.random.Generator) -> None:
        up, right = np.array([0.0, 0.35, 0.94]), np.array([1.0, 0.0, 0.0])
        above, beside = place(_ABOVE_EYES, 1.0), place(_BESIDE_EYES, 1.0)
        self._up = subject.blink_uv * eye_field(electrodes_m, up) / eye_field(above, up)
        self._right = subject.saccade_uv * eye_field(electrodes_m, right)
        self._right /= abs(float(eye_field(beside, right)[0]))
        self._rng = rng
        self._blinks = PoissonTrain(subject.blinks_per_min, rng, min_gap_s=0.6)
        self._saccades = PoissonTrain(subject.saccades_per_min, rng, min_gap_s=0.25)
        self._open: list[tuple[float, float, float]] = []  # peak time, height, width
        self._gaze: list[tuple[float, float]] = [(-1.0, 0.0)]  # time of the jump, gaze after it
        self.blink_times_s: list[float] = []

    def block(self, t: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
        """Return the next samples at times `t`, shape (n_chans, n_times), microvolts."""
        rng = self._rng
        for start in self._blinks.until(end_s):
            width = 0.055 * float(rng.lognormal(0.0, 0.15))
            self._open.append((start + 0.25, float(rng.lognormal(0.0, 0.2)), width))
            self.blink_times_s.append(start + 0.25)
        for start in self._saccades.until(end_s):
            self._gaze.append((start, float(rng.normal())))
        self._open = [b for b in self._open if b[0] > t[0] - 1.5]
        while len(self._gaze) > 1 and self._gaze[1][0] < t[0] - 0.1:
            self._gaze.pop(0)
        lid = np.zeros_like(t)
        for peak, height, width in self._open:
            since = t - peak
            wide = np.where(since < 0, width, 1.7 * width)  # opens more slowly than it closes
            lid += height * np.exp(-0.5 * (since / wide) ** 2)
        gaze = np.full_like(t, self._gaze[0][1])
        for (_, old), (when, new) in zip(self._gaze[:-1], self._gaze[1:], strict=True):
            gaze += (new - old) * np.clip((t - when) / 0.04, 0.0, 1.0)
        return np.outer(self._up, lid) + np.outer(self._right, gaze)


class Muscles:
    """Broad-band muscle activity: a faint constant level, and bursts of one muscle at a time."""

    places = ((-0.93, 0.26, -0.26), (0.93, 0.26, -0.26), (0.0, 0.98, 0.0), (-0.35, -0.88, -0.33), (0.35, -0.88, -0.33))
    tonic = 0.05

    def __init__(
        self, subject: Subject, electrodes_m: NDArray[np.float64], sfreq: float, rng: np.random.Generator
    ) -> None:
        sources = place(self.places, np.ones(len(self.places)))
        distance = np.linalg.norm(on_scalp(electrodes_m)[:, None] - sources[None], axis=2)
        self._mix = subject.muscle_uv * np.exp(-0.5 * (distance / 0.035) ** 2)
        band = (20.0, min(250.0, 0.42 * sfreq))
        self._sos = signal.butter(1, band, btype="bandpass", fs=sfreq, output="sos")
        self._scale = (0.5 * sfreq / (band[1] - band[0])) ** 0.5
        self._state = np.zeros((len(self._sos), len(self.places), 2))
        self._train = PoissonTrain(subject.muscle_bursts_per_min, rng)
        self._bursts: list[tuple[float, float, float, int]] = []  # start, end, height, which
        self._rng = rng

    def block(self, t: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
        """Return the next samples at times `t`, shape (n_chans, n_times), microvolts."""
        rng = self._rng
        for start in self._train.until(end_s):
            duration = float(rng.uniform(0.3, 1.5))
            which = int(rng.integers(len(self.places)))
            self._bursts.append((start, start + duration, float(rng.lognormal(0.0, 0.4)), which))
        self._bursts = [b for b in self._bursts if b[1] > t[0] - 0.2]
        level = np.full((len(self.places), len(t)), self.tonic)
        for start, stop, height, which in self._bursts:
            edge = np.clip(np.minimum(t - start, stop - t) / 0.1, 0.0, 1.0)
            level[which] += height * edge
        white = rng.standard_normal((len(self.places), len(t)))
        noise, self._state = signal.sosfilt(self._sos, white, axis=1, zi=self._state)
        return np.asarray(self._mix @ (self._scale * noise * level))


class Mains:
    """Hum of the mains with its third and fifth harmonic where the rate can carry them."""

    def __init__(self, conditions: SessionConditions, n_chans: int, sfreq: float, rng: np.random.Generator) -> None:
        self._hz = conditions.mains_hz
        weights = {1: 1.0, 3: 0.25, 5: 0.1}
        self._orders = [k for k in weights if k * self._hz < 0.45 * sfreq]
        height = 2.0**0.5 * conditions.mains_uv * rng.lognormal(-0.1, 0.45, size=n_chans)
        phase = float(rng.uniform(0, 2 * np.pi)) + 0.3 * rng.standard_normal(n_chans)
        columns = []
        for k in self._orders:
            columns += [weights[k] * height * np.cos(k * phase), weights[k] * height * np.sin(k * phase)]
        self._mix = np.stack(columns, axis=1) if columns else np.zeros((n_chans, 0))

    def block(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the samples at times `t`, shape (n_chans, n_times), microvolts."""
        if not self._orders:
            return np.zeros((len(self._mix), len(t)))
        turns = np.mod(self._hz * t, 1.0) + 0.05 * np.sin(2 * np.pi * t / 23.0)
        angle = 2.0 * np.pi * turns
        waves = [wave(k * angle) for k in self._orders for wave in (np.sin, np.cos)]
        return np.asarray(self._mix @ np.stack(waves))


class Electrodes:
    """Offsets, slow drift, pops and the electronics' white noise; each channel its own."""

    def __init__(self, conditions: SessionConditions, n_chans: int, sfreq: float, rng: np.random.Generator) -> None:
        self._offset = conditions.offset_uv * rng.standard_normal((n_chans, 1))
        self._drift_uv = conditions.drift_uv * rng.lognormal(-0.05, 0.3, size=(n_chans, 1))
        self._drift = SlowNoise(n_chans, 0.03, sfreq, rng)
        self._noise_uv = conditions.sensor_nv_per_rthz * 1e-3 * (0.5 * sfreq) ** 0.5
        self._train = PoissonTrain(conditions.pops_per_min, rng)
        self._pops: list[tuple[float, float, float, int]] = []  # time, height, decay, channel
        self._n_chans = n_chans
        self._rng = rng

    def block(self, t: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
        """Return the next samples at times `t`, shape (n_chans, n_times), microvolts."""
        rng = self._rng
        for when in self._train.until(end_s):
            height = float(rng.choice([-1.0, 1.0]) * 60.0 * rng.lognormal(0.0, 0.4))
            self._pops.append((when, height, float(rng.uniform(0.2, 0.8)), int(rng.integers(self._n_chans))))
        self._pops = [p for p in self._pops if p[0] + 8.0 * p[2] > t[0]]
        out = rng.standard_normal((self._n_chans, len(t)), dtype=np.float32) * self._noise_uv
        out = out + self._offset + self._drift_uv * self._drift.block(len(t))
        for when, height, decay, chan in self._pops:
            since = t - when
            out[chan] += np.where(since >= 0, height * np.exp(-np.maximum(since, 0) / decay), 0.0)
        return np.asarray(out)


def ear_positions() -> NDArray[np.float64]:
    """Linked-ears reference sites A1 and A2, shape (2, 3)."""
    directions = np.array([[-0.765, -0.085, -0.638], [0.765, -0.085, -0.638]])
    return np.array(HEAD_CENTRE_M) + HEAD_RADIUS_M * directions
