"""Stochastic building blocks: 1/f noise, narrow-band rhythms, slow modulation; and the brain's background activity.

All generators here yield blocks of one fixed length, so that each block is the same computation and the signal never
depends on how it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from neuript.realtime.twin.headmodel import HEAD_CENTRE_M, HEAD_RADIUS_M, lead_field, scalp_grid, unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from neuript.realtime.twin.subject import Subject

N_BACKGROUND = 120
"""Dipoles of the background."""
VISUAL_S = 2.5
"""Seconds for which a cue is seen in the occipital rhythm."""


def pink_sos(slope: float, sfreq: float, low_hz: float = 0.15) -> NDArray[np.float64]:
    """Second-order sections that turn white noise into noise with power ~ 1 / f ** slope.

    Poles and zeros alternate at equal steps of log frequency (Oustaloup's approximation, six pairs), from `low_hz` to
    0.45 of the rate; below it the spectrum is flat. Scaled so that white noise of variance one leaves with variance
    one between 1 and 40 Hz.
    """
    n_pairs = 6
    edges = np.geomspace(low_hz, 0.45 * sfreq, n_pairs + 1)
    step = edges[1] / edges[0]
    poles_hz = edges[:-1] * step ** (0.5 - slope / 4.0)
    zeros_hz = poles_hz * step ** (slope / 2.0)
    zeros, poles = (np.exp(-2.0 * np.pi * f / sfreq) for f in (zeros_hz, poles_hz))
    f = np.arange(1.0, min(40.0, 0.45 * sfreq), 0.25)
    _, response = signal.freqz_zpk(zeros, poles, 1.0, worN=f, fs=sfreq)
    power = float((np.abs(response) ** 2).sum() * 0.25 * 2.0 / sfreq)
    return np.asarray(signal.zpk2sos(zeros, poles, power**-0.5), dtype=np.float64)


class Rhythms:
    """Independent narrow-band complex processes of unit rms (their real part): waxing, waning spindles.

    Complex white noise through two equal one-pole low-passes, turned up to the centre frequency.

    Parameters
    ----------
    freqs_hz : array_like, shape (n,)
        Centre frequencies in Hz.
    bandwidth_hz : float
        Full width of the spectral peak at half power, in Hz.
    sfreq : float
        Sampling rate in Hz.
    rng : Generator
        Own generator of these processes.
    """

    def __init__(self, freqs_hz: ArrayLike, bandwidth_hz: float, sfreq: float, rng: np.random.Generator) -> None:
        self._freqs = np.atleast_1d(np.asarray(freqs_hz, dtype=np.float64))[:, None]
        pole = float(np.exp(-2.0 * np.pi * bandwidth_hz / 1.287 / sfreq))
        self._b = np.array([((1.0 - pole**2) ** 3 / (1.0 + pole**2)) ** 0.5])
        self._a = np.array([1.0, -2.0 * pole, pole**2])
        self._state = np.zeros((len(self._freqs), 2), dtype=np.complex128)
        self._rng = rng

    def block(self, t: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the next samples, at times `t` (seconds, shape (n_times,)); shape (n, n_times)."""
        white = self._rng.standard_normal((len(self._freqs), len(t), 2)).view(np.complex128)[..., 0]
        slow, self._state = signal.lfilter(self._b, self._a, white, axis=1, zi=self._state)
        return np.asarray(slow * np.exp(2j * np.pi * np.mod(self._freqs * t, 1.0)))


class SlowNoise:
    """Independent slow processes of unit variance (first-order low-pass noise)."""

    def __init__(self, n: int, cutoff_hz: float, sfreq: float, rng: np.random.Generator) -> None:
        self._n = n
        self._pole = float(np.exp(-2.0 * np.pi * cutoff_hz / sfreq))
        self._state = rng.standard_normal((n, 1)) * self._pole
        self._rng = rng

    def block(self, n_times: int) -> NDArray[np.float64]:
        """Return the next samples, shape (n, n_times)."""
        white = self._rng.standard_normal((self._n, n_times))
        gain = (1.0 - self._pole**2) ** 0.5
        out, self._state = signal.lfilter([gain], [1.0, -self._pole], white, axis=1, zi=self._state)
        return np.asarray(out)


def place(directions: ArrayLike, eccentricity: ArrayLike) -> NDArray[np.float64]:
    """Positions of points at a fraction of the head radius along directions."""
    radius = HEAD_RADIUS_M * np.asarray(eccentricity, dtype=np.float64).reshape(-1, 1)
    return np.asarray(np.array(HEAD_CENTRE_M) + radius * unit(directions))


def scaled_patch(
    electrodes_m: NDArray[np.float64], dipoles_m: NDArray[np.float64], moments: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lead field of a patch of equal, independent dipoles, scaled to one where it is strongest on the scalp.

    The scale is that of the whole scalp against its average, so it does not depend on the cap.

    Parameters
    ----------
    electrodes_m : ndarray, shape (n_chans, 3)
        Positions of the electrodes in metres.
    dipoles_m, moments : ndarray, shape (n_dipoles, 3)
        Positions in metres, and directions, of the dipoles.

    Returns
    -------
    ndarray, shape (n_chans, n_dipoles)
        Lead field, without a unit.
    """
    everywhere = lead_field(scalp_grid(), dipoles_m, moments)
    everywhere -= everywhere.mean(axis=0)
    peak = float(np.sqrt((everywhere**2).sum(axis=1)).max())
    return lead_field(electrodes_m, dipoles_m, moments) / peak


class Background:
    """Broad-band 1/f activity of many cortical dipoles, in microvolts at the electrodes."""

    def __init__(
        self, subject: Subject, electrodes_m: NDArray[np.float64], sfreq: float, rng: np.random.Generator
    ) -> None:
        anatomy = np.random.default_rng([subject.seed, 21])
        directions = unit(anatomy.standard_normal((4 * N_BACKGROUND, 3)))
        directions = directions[directions[:, 2] > -0.35][:N_BACKGROUND]
        dipoles = place(directions, anatomy.uniform(0.55, 0.86, size=len(directions)))
        moments = unit(0.8 * directions + 0.6 * anatomy.standard_normal(directions.shape))
        everywhere = lead_field(scalp_grid(), dipoles, moments)
        everywhere -= everywhere.mean(axis=0)
        rms = float(np.sqrt((everywhere**2).sum(axis=1).mean()))
        self._mix = lead_field(electrodes_m, dipoles, moments) * (subject.background_uv / rms)
        self._sos = pink_sos(subject.background_slope, sfreq)
        self._state = np.zeros((len(self._sos), len(directions), 2))
        self._rng = rng

    def block(self, n_times: int) -> NDArray[np.float64]:
        """Return the next samples, shape (n_chans, n_times), microvolts."""
        white = self._rng.standard_normal((self._mix.shape[1], n_times))
        pink, self._state = signal.sosfilt(self._sos, white, axis=1, zi=self._state)
        return np.asarray(self._mix @ pink)


class OccipitalAlpha:
    """Posterior alpha that waxes and wanes, falls after a cue, plus the brain's answer to the cue."""

    directions = (
        (0.0, -0.99, 0.10),
        (-0.32, -0.95, 0.06),
        (0.32, -0.95, 0.06),
        (-0.28, -0.86, 0.43),
        (0.28, -0.86, 0.43),
        (0.0, -0.83, 0.55),
    )

    def __init__(
        self,
        subject: Subject,
        alpha_gain: float,
        electrodes_m: NDArray[np.float64],
        sfreq: float,
        rng: np.random.Generator,
    ) -> None:
        anatomy = np.random.default_rng([subject.seed, 22])
        directions = unit(np.array(self.directions) + 0.05 * anatomy.standard_normal((6, 3)))
        moments = unit(directions + 0.35 * anatomy.standard_normal((6, 3)))
        dipoles = place(directions, np.full(6, 0.78))
        self._mix = scaled_patch(electrodes_m, dipoles, moments)
        self._visual_mix = scaled_patch(electrodes_m, dipoles[:1], moments[:1])[:, 0]
        self._uv = subject.alpha_uv * alpha_gain
        self._visual_uv = subject.visual_uv
        freqs = subject.alpha_hz + 0.25 * anatomy.standard_normal(6)
        self._rhythms = Rhythms(freqs, subject.alpha_bandwidth_hz, sfreq, rng)
        self._waxing = SlowNoise(1, 0.1, sfreq, rng)

    def block(self, t: NDArray[np.float64], cues_s: list[float]) -> NDArray[np.float64]:
        """Return the next samples at times `t`, shape (n_chans, n_times), microvolts."""
        level = np.exp(0.45 * self._waxing.block(len(t))[0] - 0.2)  # rms stays near one
        answer = np.zeros_like(t)
        for cue in cues_s:
            since = t - cue
            level = level * (1.0 - 0.35 * _bump(since, 0.7, 0.35))
            answer += 0.8 * _bump(since, 0.11, 0.025) - _bump(since, 0.17, 0.03)
            answer += 0.7 * _bump(since, 0.36, 0.09)
        out = self._mix @ (self._uv * level * self._rhythms.block(t).real)
        if cues_s:
            out += np.outer(self._visual_mix, self._visual_uv * answer)
        return np.asarray(out)


def _bump(x: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    """Gaussian of height one."""
    return np.asarray(np.exp(-0.5 * ((x - centre) / width) ** 2))
