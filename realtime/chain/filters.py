"""Streaming filters: mains notch, high-pass, and a low-pass that resamples to any rate.

All of them work on channel-major float64 blocks `(n_chans, n_times)`, carry their state from block to
block, and do the same arithmetic on each sample however the signal is cut, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

NOTCH_WIDTH_HZ = 5.0
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
        Width of one section in Hz, between its points of -3 dB.

    Returns
    -------
    ndarray, shape (n_sections, 6)
        Gain 1 at 0 Hz.
    """
    nyquist = sfreq / 2
    folded = abs((mains_hz + nyquist) % sfreq - nyquist)
    sections: list[F64] = []
    if folded > 36.0:
        sections += [_notch_section(folded, sfreq, width_hz * folded / mains_hz)] * 2
    sections += [_notch_section(k * mains_hz, sfreq, width_hz) for k in (2, 3) if k * mains_hz < nyquist - 0.5]
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
        return np.asarray(np.where(t < 0, 0.0, h))

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


_STOP_BAND_ZEROS = np.array([0.98419, 0.86298, 0.64652, 0.36614, 0.17695])
"""(stop_hz / zero_hz)^2 of the low-pass.  The lobes between them are equal but the last two, which are
6 and 4 dB lower: there twice and six times 32 Hz lie, where images add up in step at 128 and 192 Hz."""


def lowpass_modes(stop_hz: float, attenuation_db: float = 46.5) -> AnalogModes:
    """Analog low-pass of order 13 in modes: flat below, at least `attenuation_db` from `stop_hz` on.

    Like a Chebyshev II filter, but one pair of its zeros is moved to infinity.  Chebyshev's own response
    to an impulse begins with a jump, whose spectrum falls so slowly that at low input rates the
    images add up to -32 dB.  With three zeros at infinity the response begins smoothly, the
    attenuation grows by 18 dB per octave beyond the lobes, and what folds stays with all images
    together below -40 dB at any rate from 100 Hz on.  For 34 Hz: -1.8 dB at 30 Hz, and 23 ms at 10 Hz.

    Parameters
    ----------
    stop_hz : float
        Edge of the stop band in Hz.
    attenuation_db : float
        Least attenuation in the stop band.
    """
    n_zeros = len(_STOP_BAND_ZEROS)
    order = 2 * n_zeros + 3
    ripple = float(np.prod(1 - _STOP_BAND_ZEROS))
    # in x = (f / stop)^2:  |H|^2 = P^2 / (P^2 + e^2 x^order),  P = product of (1 - u x)
    numerator = np.poly1d([1.0])
    for u in _STOP_BAND_ZEROS:
        numerator *= np.poly1d([-u, 1.0])
    level = ripple**2 * (10 ** (attenuation_db / 10) - 1)
    squared = (numerator * numerator + np.poly1d([level] + [0.0] * order)).roots
    poles = -np.sqrt(-squared.astype(np.complex128))  # left half plane, one per root
    zeros = 1j / np.sqrt(_STOP_BAND_ZEROS)
    zeros = np.concatenate([zeros, -zeros])
    gain = (np.prod(-poles) / np.prod(-zeros)).real
    first = poles[np.argsort(np.abs(poles.imag))]
    chosen = np.concatenate([first[:1].real, first[1:][first[1:].imag > 0]]).astype(np.complex128)
    residues = np.array(
        [gain * np.prod(p - zeros) / np.prod(p - np.delete(poles, np.argmin(np.abs(poles - p))))
         for p in chosen],
        dtype=np.complex128,
    )  # fmt: skip
    residues[1:] *= 2
    return AnalogModes(chosen * 2 * pi * stop_hz, residues * 2 * pi * stop_hz)


class ModalResampler:
    """Digital filters, an analog low-pass and the change of rate, computed where an output is due.

    The samples first pass digital second-order sections at their own rate.  Then they are impulses of an
    analog signal, x(t) = sum of T x[n] delta(t - nT), which the analog low-pass smooths.  Its output is needed
    at the instants k / sfreq_out alone, and its modes decay exactly between samples.  So one filter
    removes both what would fold and the images of the input rate, for any ratio of rates and with
    no delay but its own.

    Output k belongs to time k / sfreq_out after the first sample, in exact integer arithmetic on the
    nominal rates, and appears with the newest input sample that is not later than that.  The gain of the
    low-pass at 0 Hz is made exactly 1 at each output instant, which removes the images of slow drift too.

    All of it is one linear system, advanced from output to output by two small matrix products whose
    shapes do not depend on the chunks; therefore neither do the bits of the result.

    Parameters
    ----------
    modes : AnalogModes
        Modes of the analog low-pass.
    sfreq_in, sfreq_out : float
        Nominal rates in Hz; taken as fractions with a denominator up to 1000.
    n_chans : int
        Number of channels.
    notch, highpass : ndarray, shape (n_sections, 6)
        Digital sections at the input rate, in this order; the mean between them can be taken away
        with `rest_on_mean`.
    """

    def __init__(
        self,
        modes: AnalogModes,
        sfreq_in: float,
        sfreq_out: float,
        n_chans: int,
        notch: F64 | None = None,
        highpass: F64 | None = None,
    ) -> None:
        rate_in = as_rate(sfreq_in)
        ratio = rate_in / as_rate(sfreq_out)
        if ratio <= 1:
            raise ValueError(f"sfreq_in={sfreq_in} must be above sfreq_out={sfreq_out}")
        self._num, self._den = ratio.numerator, ratio.denominator  # input samples per output
        self._longest = -(-self._num // self._den)
        self._system = _System(modes, 1 / float(rate_in), _sections(notch), _sections(highpass))
        self._build(self._system, self._longest)
        self._emit = self._system.emit(self._den)[:, None, :]
        self._back = np.arange(-self._longest, 0)
        self._n_chans = n_chans
        self.reset()

    def _build(self, system: _System, longest: int) -> None:
        """Tabulate the step over `longest` samples (index 0) and over one fewer (index 1)."""
        weights = [system.input]
        for _ in range(longest - 1):
            weights.append(system.step @ weights[-1])
        full = np.ascontiguousarray(np.stack(weights[::-1], axis=1))
        fewer = full.copy()
        fewer[:, 0] = 0.0
        self._weigh = np.stack([full, fewer])
        powers = [np.linalg.matrix_power(system.step, longest - i) for i in (0, 1)]
        self._decay = [np.ascontiguousarray(p) for p in powers]

    def reset(self) -> None:
        """Start over: the next sample is sample 0, and output 0 is due with it."""
        self._n_in = 0
        self._n_out = 0
        # as many zeros before the first sample as an output looks back
        self._tail: F64 = np.zeros((self._longest - 1, self._n_chans))
        self._state: F64 = np.zeros((self._system.size, self._n_chans))

    @property
    def n_out(self) -> int:
        """Number of outputs since the reset."""
        return self._n_out

    def outputs_by(self, n_in: int) -> int:
        """Return how many outputs are due once `n_in` samples have come since the reset."""
        return -(-n_in * self._den // self._num)

    def inputs_for(self, n_out: int) -> int:
        """Return how many samples since the reset the first `n_out` outputs need."""
        return (n_out - 1) * self._num // self._den + 1 if n_out else 0

    @property
    def clean_sum(self) -> F64:
        """Sum of all samples behind the notch, up to the newest output; shape (n_chans,)."""
        return np.array(self._state[-1])

    def rest_on_mean(self, mean: F64) -> None:
        """Let high-pass and low-pass forget what they saw: as if `mean` had always been their input."""
        self._state[self._system.after_notch] = 0.0
        self._state[self._system.highpass] = self._system.rest[:, None] * mean

    def process(self, x_TC: F64) -> tuple[F64, NDArray[np.int64]]:
        """Take the next samples and return the outputs that are due.

        Parameters
        ----------
        x_TC : ndarray of float64, shape (n_times, n_chans)
            Input samples.

        Returns
        -------
        y : ndarray of float64, shape (n_outputs, n_chans)
            Output samples.
        newest : ndarray of int64, shape (n_outputs,)
            Index of the newest input sample in each output (0: first since the reset).
        """
        x = np.concatenate([self._tail, x_TC])
        first = self._n_in - len(self._tail)  # index of x[0]
        self._n_in += len(x_TC)
        done = self.outputs_by(self._n_in)
        k = np.arange(self._n_out, done)
        newest, phase = np.divmod(k * self._num, self._den)
        m = len(k)
        if m:
            before = (k - 1) * self._num // self._den  # output 0 sees zeros before its one sample
            fewer = (newest - before < self._longest).astype(np.intp)
            blocks = x[(newest - first + 1)[:, None] + self._back]
            added = np.matmul(self._weigh[fewer], blocks)
            states = np.empty_like(added)
            state = self._state
            for i, short in enumerate(fewer.tolist()):
                nxt = states[i]
                np.matmul(self._decay[short], state, out=nxt)
                nxt += added[i]
                state = nxt
            self._state = state.copy()
            self._n_out = done
            y = np.matmul(self._emit[phase], states)[:, 0]
        else:
            y = np.empty((0, self._n_chans))
        # an output still to come looks back `longest` samples from its newest
        keep = self._n_in - self.inputs_for(self._n_out + 1) + self._longest
        self._tail = x[len(x) - keep :].copy()
        return y, newest


@dataclass(frozen=True)
class _Section:
    """A second-order section as a linear system: state' = a state + b x, y = state[0] + d x."""

    a: F64
    b: F64
    c: F64
    d: float

    @classmethod
    def of(cls, sos: F64) -> _Section:
        b, a = sos[:3] / sos[3], sos[3:] / sos[3]
        step = np.array([[-a[1], 1.0], [-a[2], 0.0]])
        drive = b[1:] - a[1:] * b[0]
        real, square = -a[1] / 2, a[2] - (a[1] / 2) ** 2
        if square > 0:  # complex poles: turn the state into a rotation, which keeps its digits
            imag = np.sqrt(square)
            basis = np.array([[1.0, 0.0], [-real, imag]])
            drive = np.linalg.solve(basis, drive)
            step = np.array([[real, imag], [-imag, real]])
        return cls(step, drive, np.array([1.0, 0.0]), float(b[0]))


def _sections(sos: F64 | None) -> list[_Section]:
    return [] if sos is None else [_Section.of(row) for row in sos]


class _System:
    """Notch, high-pass and low-pass as one step per input sample: state' = step state + input x.

    The state holds, in this order, the real and imaginary parts of the modes, the high-pass, the notch and
    the sum of what came out of the notch.
    """

    def __init__(self, modes: AnalogModes, period: float, notch: list[_Section], highpass: list[_Section]) -> None:
        self._period, self._modes = period, modes
        p = modes.poles
        is_real = np.abs(p.imag) < 1e-9 * np.abs(p)
        self._keep = np.concatenate([np.ones(len(p), bool), ~is_real])
        n_modes, n_high = int(self._keep.sum()), 2 * len(highpass)
        self.after_notch = slice(0, n_modes + n_high)
        self.highpass = slice(n_modes, n_modes + n_high)
        self.size = n_modes + n_high + 2 * len(notch) + 1
        z = np.exp(p * period)
        rotate = np.block([[np.diag(z.real), -np.diag(z.imag)], [np.diag(z.imag), np.diag(z.real)]])[
            np.ix_(self._keep, self._keep)
        ]
        push = np.concatenate([np.full(len(p), period), np.zeros(len(p))])[self._keep]

        def advance(state: F64, x: F64) -> F64:
            """One sample, for many states side by side: (size, m) and (m,)."""
            new = np.empty_like(state)
            at = n_modes + n_high
            for i, part in enumerate(notch):
                x = _advance(part, state, new, slice(at + 2 * i, at + 2 * i + 2), x)
            new[-1] = state[-1] + x
            for i, part in enumerate(highpass):
                x = _advance(part, state, new, slice(n_modes + 2 * i, n_modes + 2 * i + 2), x)
            new[:n_modes] = rotate @ state[:n_modes] + push[:, None] * x
            return new

        self.step = advance(np.eye(self.size), np.zeros(self.size))
        self.input = advance(np.zeros((self.size, 1)), np.ones(1))[:, 0]
        high = self.step[self.highpass, self.highpass]
        # behind the notch a constant 1 drives the high-pass through the sections' own inputs
        unit = np.zeros((self.size, 1))
        drive = np.zeros((n_high, 1))
        x = np.ones(1)
        for i, part in enumerate(highpass):
            x = _advance(part, unit[self.highpass], drive, slice(2 * i, 2 * i + 2), x)
        self.rest = np.linalg.solve(np.eye(n_high) - high, drive)[:, 0]

    def emit(self, n_phases: int) -> F64:
        """Return state -> output for an output due j / n_phases of a sample after the newest sample.

        Shape (n_phases, size); gain 1 at 0 Hz for each.
        """
        p = self._modes.poles
        tau = np.arange(n_phases)[:, None] * (self._period / n_phases)
        z = self._modes.residues * np.exp(p * tau)
        dc_gain = self._period * (z / (1 - np.exp(p * self._period))).sum(1).real
        out = np.zeros((n_phases, self.size))
        n_modes = int(self._keep.sum())
        out[:, :n_modes] = np.hstack([z.real, -z.imag])[:, self._keep] / dc_gain[:, None]
        return out


def _advance(part: _Section, state: F64, new: F64, rows: slice, x: F64) -> F64:
    """Advance one section inside `new` and return its output."""
    new[rows] = part.a @ state[rows] + part.b[:, None] * x
    return np.asarray(part.c @ state[rows] + part.d * x)


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
