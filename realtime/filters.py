"""Streaming filters: mains notch, high-pass, and a low-pass that resamples to any rate.

All of them work on channel-major float64 blocks `(n_chans, n_times)`, carry their state from block to
block, and do the same arithmetic on each sample however the signal is cut, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

NOTCH_WIDTH_HZ = 6.0
"""Width of a notch (-3 dB).  Wide, because nothing above 30 Hz is kept: it then forgives a mains
frequency that drifts, and forgets a transient within a few tenths of a second."""


def notch_sos(mains_hz: float, sfreq: float, width_hz: float = NOTCH_WIDTH_HZ) -> F64:
    """Second-order sections that remove mains: two at the fundamental, one at harmonics 2 and 3.

    A fundamental above the Nyquist frequency is removed where it folds to, if that is outside the
    band that is kept (above 36 Hz); at the Nyquist frequency itself by a zero at z = -1.

    Parameters
    ----------
    mains_hz : float
        Mains frequency in Hz.
    sfreq : float
        Sampling rate in Hz.
    width_hz : float
        -3 dB width of one section.

    Returns
    -------
    ndarray, shape (n_sections, 6)
        Gain 1 at 0 Hz.
    """
    nyquist = sfreq / 2
    folded = abs((mains_hz + nyquist) % sfreq - nyquist)
    sections: list[F64] = []
    if folded > 36.0:
        sections += [_notch_section(folded, sfreq, width_hz)] * 2
    sections += [
        _notch_section(k * mains_hz, sfreq, width_hz)
        for k in (2, 3)
        if k * mains_hz < nyquist - 0.5
    ]
    return np.array(sections, dtype=np.float64).reshape(-1, 6)


def _notch_section(freq_hz: float, sfreq: float, width_hz: float) -> F64:
    if freq_hz > sfreq / 2 - 0.5:
        radius = 1 - pi * width_hz / sfreq
        b, a = np.array([1.0, 1.0, 0.0]), np.array([1.0, radius, 0.0])
    else:
        b, a = signal.iirnotch(freq_hz, freq_hz / width_hz, sfreq)
    return np.concatenate([b * (a.sum() / b.sum()), a])


def highpass_sos(cutoff_hz: float, sfreq: float) -> F64:
    """Butterworth high-pass of order 2 with an exact zero at 0 Hz, shape (1, 6)."""
    sos = np.asarray(signal.butter(2, cutoff_hz, "highpass", fs=sfreq, output="sos"), np.float64)
    gain = sos[0, 0]
    sos[0, :3] = gain, -2 * gain, gain
    return sos


class SosFilter:
    """A cascade of second-order sections with carried state.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
        Sections as in `scipy.signal`; none means the signal passes unchanged.
    n_chans : int
        Number of channels.
    """

    def __init__(self, sos: F64, n_chans: int) -> None:
        self.sos = np.ascontiguousarray(sos, dtype=np.float64).reshape(-1, 6)
        self.state: F64 = np.zeros((len(self.sos), n_chans, 2))

    def process(self, x_CT: F64) -> F64:
        """Filter the next block `(n_chans, n_times)`; the input is left alone."""
        if not len(self.sos) or not x_CT.shape[1]:
            return x_CT
        y, self.state = signal.sosfilt(self.sos, x_CT, axis=-1, zi=self.state)
        return y

    def reset(self) -> None:
        """Forget everything: as if all samples before had been zero."""
        self.state = np.zeros_like(self.state)


@dataclass(frozen=True)
class AnalogModes:
    """A low-pass as a sum of decaying modes: h(t) = sum over k of residue_k exp(pole_k t), t >= 0."""

    poles: C128
    """rad/s; one real pole first, then one of each conjugate pair."""
    residues: C128
    """1/s; those of pairs already doubled, so that h(t) is the real part of the sum."""

    def impulse_response(self, t_s: ArrayLike) -> F64:
        """Return h(t) in 1/s; 0 before t = 0."""
        t = np.asarray(t_s, dtype=np.float64)
        h = (self.residues * np.exp(np.maximum(t, 0)[..., None] * self.poles)).sum(-1).real
        return np.where(t < 0, 0.0, h)

    def response(self, freq_hz: ArrayLike) -> C128:
        """Return the complex gain at each frequency in Hz."""
        s = 2j * pi * np.asarray(freq_hz, dtype=np.float64)[..., None]
        r, p = self.residues / 2, self.poles
        return np.asarray((r / (s - p) + r.conj() / (s - p.conj())).sum(-1), dtype=np.complex128)

    def group_delay_s(self, freq_hz: float) -> float:
        """Return the group delay in seconds at `freq_hz`."""
        s = 2j * pi * freq_hz
        r, p = self.residues / 2, self.poles
        h = (r / (s - p) + r.conj() / (s - p.conj())).sum()
        slope = -(r / (s - p) ** 2 + r.conj() / (s - p.conj()) ** 2).sum()
        return float(-(slope * 1j / h).imag)


def chebyshev2_modes(stop_hz: float, attenuation_db: float = 43.0, order: int = 11) -> AnalogModes:
    """Analog Chebyshev II low-pass of odd order, in modes.

    An odd order has one pole more than zeros, so the response to an impulse is bounded and a sum of
    decaying modes alone; with 43 dB from `stop_hz` = 34 Hz on, order 11 is 3 dB down at 30 Hz and
    delays 10 Hz by 19 ms.

    Parameters
    ----------
    stop_hz : float
        Edge of the stop band in Hz.
    attenuation_db : float
        Least attenuation in the stop band.
    order : int
        Odd.
    """
    if order % 2 == 0:
        raise ValueError(f"order={order} is even: its response has a direct term; use an odd order")
    zeros, poles, gain = signal.cheby2(
        order, attenuation_db, 2 * pi * stop_hz, analog=True, output="zpk"
    )
    upper = poles[poles.imag > 1e-6 * abs(poles)]
    real = poles[np.abs(poles.imag) <= 1e-6 * abs(poles)].real
    chosen = np.concatenate([real, upper]).astype(np.complex128)
    residues = np.array(
        [gain * np.prod(p - zeros) / np.prod(p - np.delete(poles, np.argmin(abs(poles - p))))
         for p in chosen]
    )  # fmt: skip
    residues[len(real) :] *= 2
    return AnalogModes(chosen, residues)


class ModalResampler:
    """Low-pass and change of rate in one step: an analog filter, evaluated where an output is due.

    The input samples are impulses of an analog signal, x(t) = sum of T x[n] delta(t - nT).  An analog
    low-pass smooths them, and its output is computed at the instants k / sfreq_out alone, from a
    handful of modes that decay exactly between samples.  The one filter thus removes what would
    fold and the images of the input rate, for any ratio of rates and with no delay but its own.

    Output k belongs to time k / sfreq_out after the first sample, in exact integer arithmetic on the
    nominal rates, and appears with the newest input sample that is not later than that.  The gain
    at 0 Hz is made exactly 1 at each output instant, which removes the images of slow drift too.

    Parameters
    ----------
    modes : AnalogModes
        The low-pass.
    sfreq_in, sfreq_out : float
        Nominal rates in Hz; taken as fractions with a denominator up to 1000.
    n_chans : int
        Number of channels.
    """

    def __init__(self, modes: AnalogModes, sfreq_in: float, sfreq_out: float, n_chans: int) -> None:
        ratio = as_rate(sfreq_in) / as_rate(sfreq_out)
        self._num, self._den = ratio.numerator, ratio.denominator  # input samples per output
        period = 1.0 / float(as_rate(sfreq_in))
        self._longest = -(-self._num // self._den)
        self._table(modes, period)
        self._hold: F64 = np.zeros((n_chans, 0))
        self._modes: F64 = np.zeros((n_chans, self._emit.shape[1]))
        self.reset()

    def _table(self, modes: AnalogModes, period: float) -> None:
        """Real matrices of the recursion: state -> state, samples -> state, state -> output."""
        p, r = modes.poles, modes.residues
        is_real = np.abs(p.imag) < 1e-9 * np.abs(p)
        keep = np.concatenate([np.ones(len(p), bool), ~is_real])  # real parts, imaginary parts

        def rotation(z: C128) -> F64:
            full = np.block([[np.diag(z.real), np.diag(z.imag)],
                             [np.diag(-z.imag), np.diag(z.real)]])  # fmt: skip
            return np.ascontiguousarray(full[np.ix_(keep, keep)])

        # one output takes `longest` new samples, or one fewer
        self._decay = [rotation(np.exp(p * period * n)) for n in self._counts]
        self._weigh = []
        for n in self._counts:
            z = period * np.exp(p * period * np.arange(n - 1, -1, -1.0)[:, None])
            self._weigh.append(np.ascontiguousarray(np.hstack([z.real, z.imag])[:, keep]))
        # per phase: the newest sample is tau seconds old when the output is due
        step = gcd(self._num, self._den)
        assert step == 1
        tau = np.arange(self._den)[:, None] * (period / self._den)
        z = r * np.exp(p * tau)
        dc_gain = period * (z / (1 - np.exp(p * period))).sum(1).real
        self._emit = np.hstack([z.real, -z.imag])[:, keep] / dc_gain[:, None]

    @property
    def _counts(self) -> tuple[int, int]:
        return self._longest, max(self._longest - 1, 0)

    def reset(self) -> None:
        """Start over: the next sample is sample 0, and output 0 is due with it."""
        self._n_in = 0
        self._n_out = 0
        self._hold = np.zeros((self._hold.shape[0], 0))
        self._modes = np.zeros_like(self._modes)

    def silence(self) -> None:
        """Forget the signal but not the time: as if all samples so far had been zero."""
        self._hold = np.zeros_like(self._hold)
        self._modes = np.zeros_like(self._modes)

    def process(self, x_CT: F64) -> tuple[F64, NDArray[np.int64]]:
        """Take the next samples and return the outputs that are due.

        Parameters
        ----------
        x_CT : ndarray, shape (n_chans, n_times)
            Input samples.

        Returns
        -------
        y : ndarray, shape (n_outputs, n_chans)
            Output samples.
        newest : ndarray, shape (n_outputs,)
            For each output the index of the newest input sample in it (0: first since the reset).
        """
        x = np.concatenate([self._hold, x_CT], axis=1)
        first = self._n_in - self._hold.shape[1]  # index of x[:, 0]
        self._n_in += x_CT.shape[1]
        n_done = -(-self._n_in * self._den // self._num)  # outputs due by now
        k = np.arange(self._n_out, n_done, dtype=np.int64)
        newest, phase = np.divmod(k * self._num, self._den)
        states = np.empty((len(k), *self._modes.shape))
        state, at = self._modes, 0
        for i, end in enumerate((newest - first + 1).tolist()):
            n = end - at
            if n == 1 and self._n_out + i == 0:
                np.multiply(x[:, :1], self._first_weight(), out=states[i])
            else:
                shorter = self._longest - n
                new = states[i]
                np.matmul(x[:, at:end], self._weigh[shorter], out=new)
                new += np.matmul(state, self._decay[shorter])
            state, at = states[i], end
        if len(k):
            self._modes = state.copy()
            self._n_out = n_done
        self._hold = x[:, at:].copy()
        y = np.matmul(states, self._emit[phase][:, :, None])[:, :, 0]
        return y, newest

    def _first_weight(self) -> F64:
        return self._weigh[0][-1]


def as_rate(sfreq: float) -> Fraction:
    """Return a nominal rate as an exact fraction (denominator at most 1000)."""
    return Fraction(sfreq).limit_denominator(1000)


def sos_group_delay_s(sos: F64, freq_hz: float, sfreq: float) -> float:
    """Return the group delay in seconds of digital second-order sections at `freq_hz`."""
    z = np.exp(-2j * pi * freq_hz / sfreq) ** np.arange(3)
    total = 0.0
    for section in sos:
        for sign, c in ((1.0, section[:3]), (-1.0, section[3:])):
            total += sign * float(((c * np.arange(3) * z).sum() / (c * z).sum()).real)
    return total / sfreq
