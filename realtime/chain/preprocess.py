"""The causal chain from volts at any rate to what the model sees; live, replay and training share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript import specs
from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN, can_decode
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.filters import (
    F64,
    ModalResampler,
    highpass_sos,
    lowpass_modes,
    notch_sos,
    sos_group_delay_s,
)

LIMIT_V = 10.0
"""No amplifier for EEG delivers more than 10 V; such numbers are treated as missing."""
BASELINE_FROM_S, BASELINE_TO_S = 0.75, 1.25
"""The offset that is left behind the notch is measured between these times after a reset."""
BITE = 2048
"""A longer chunk is worked off in pieces of this many samples."""
RINGING_S = 0.3
"""Time that the low-pass takes to forget a step."""


LOWEST_HIGHPASS_HZ = 1e-3
"""Below that the high-pass is no filter in doubles any more."""


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """What the chain does to the signal; stored in the model file."""

    sfreq: float = 64.0
    """Sampling rate of the output in Hz."""
    highpass_hz: float = 0.1
    """Cut-off (-3 dB) of the second-order Butterworth high-pass, in Hz."""
    stop_hz: float = 34.0
    """Frequency in Hz from which on at least 40 dB are gone; the default of 34 Hz keeps what is below 30 Hz (-1.8 dB
    there)."""
    mains_hz: float | None = None
    """Fundamental of the mains to remove, in Hz, or None for no notch."""
    alignment: AlignmentSpec | None = None
    """How windows are recentred behind the chain; None leaves them as they are."""

    def __post_init__(self) -> None:
        specs.check_types(self, ValueError)
        if not self.sfreq > 0 or not LOWEST_HIGHPASS_HZ <= self.highpass_hz < self.stop_hz:
            raise ValueError(
                f"sfreq={self.sfreq}, highpass_hz={self.highpass_hz}, stop_hz={self.stop_hz}: "
                f"need sfreq > 0 and {LOWEST_HIGHPASS_HZ:g} <= highpass_hz < stop_hz"
            )
        if self.sfreq + 1e-9 < self.stop_hz * 64 / 34:
            raise ValueError(
                f"sfreq={self.sfreq} would fold what is kept below stop_hz={self.stop_hz}; "
                f"use at least {self.stop_hz * 64 / 34:g} Hz"
            )
        if self.mains_hz is not None and not 40 <= self.mains_hz <= 70:
            raise ValueError(f"mains_hz={self.mains_hz} is no mains frequency; use 50, 60 or None")
        if self.alignment is not None and self.alignment.highest_hz >= self.sfreq / 2:
            raise ValueError(
                f"alignment: a band up to {self.alignment.highest_hz:g} Hz needs more than sfreq={self.sfreq:g}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PreprocessSpec:
        """Rebuild a spec; ValueError where a field is unknown or missing, or its value is not allowed."""
        spec = specs.from_dict(cls, data, "the preprocessing", error=ValueError, complete=True)
        if spec.alignment is not None:
            specs.check_keys(AlignmentSpec, data["alignment"], "the alignment", error=ValueError, complete=True)
        return spec


class CausalChain:
    """Channel matrix, mains notch, high-pass, low-pass and resampling with carried state.

    The same signal cut in any way gives the same output to the last bit, and no output depends on
    a later sample.  There is no transient from an electrode's offset: the first finite sample of each
    channel is subtracted, and a good second later the mean that is left is measured behind the
    notch and removed as well, so that a strong mains at the first sample does not linger in the high-pass.

    A sample that is missing (NaN, infinite, beyond 10 V) is replaced by the last good one of its channel,
    so that the filters survive; telling that the channel is bad is the work of `quality`.

    Parameters
    ----------
    spec : PreprocessSpec
        Settings of the chain: notch, high-pass, low-pass and rate.
    matrix : array_like, shape (n_out, n_in)
        Weights of the stream's channels (columns) in each channel of the model (rows): selection, interpolation,
        derivation and reference in one.
    sfreq_in : float
        Nominal rate of the stream in Hz, 100 to 20 000.

    Raises
    ------
    NeuriptError
        If the rate is outside these limits, or not above the rate of the model.
    ValueError
        If the matrix is not 2-D and finite.
    """

    def __init__(self, spec: PreprocessSpec, matrix: ArrayLike, sfreq_in: float) -> None:
        if not can_decode(sfreq_in):
            raise NeuriptError(
                f"the stream has {sfreq_in:g} Hz; neuript decodes rates from {SFREQ_MIN:g} to "
                f"{SFREQ_MAX:g} Hz, so set the amplifier to a rate in this range"
            )
        if sfreq_in <= spec.sfreq:
            raise NeuriptError(
                f"the stream has {sfreq_in:g} Hz, and the model works at {spec.sfreq:g} Hz: it needs a stream of a "
                "higher rate than its own"
            )
        full = np.array(matrix, dtype=np.float64)
        if full.ndim != 2 or not np.isfinite(full).all():
            raise ValueError(f"matrix of shape {full.shape} must be 2-D and finite")
        self.spec, self.sfreq_in = spec, float(sfreq_in)
        self.n_chans_in = full.shape[1]
        self._used = np.flatnonzero(full.any(axis=0))
        self._mix = np.ascontiguousarray(full[:, self._used].T)
        # all steps are linear and alike for all channels: mix where there are fewer to filter
        self._mix_first = self._mix.shape[0] > self._mix.shape[1]
        n_filtered = min(self._mix.shape)
        self._notch = np.zeros((0, 6))
        if spec.mains_hz is not None:
            self._notch = notch_sos(spec.mains_hz, sfreq_in)
        self._highpass = highpass_sos(spec.highpass_hz, sfreq_in)
        self._modes = lowpass_modes(spec.stop_hz)
        self._resampler = ModalResampler(self._modes, sfreq_in, spec.sfreq, n_filtered, self._notch, self._highpass)
        to_outputs = (round(t * spec.sfreq) for t in (BASELINE_FROM_S, BASELINE_TO_S))
        self._baseline = [self._resampler.inputs_for(k) for k in to_outputs]
        self.reset()

    @property
    def n_in(self) -> int:
        """Number of input samples since the last reset."""
        return self._n_in

    @property
    def settle_s(self) -> float:
        """Seconds after a reset during which the output is to be flagged as warming up."""
        return BASELINE_TO_S + RINGING_S

    @property
    def settle_samples(self) -> int:
        """`settle_s` in output samples."""
        return int(np.ceil(self.settle_s * self.spec.sfreq))

    def group_delay_s(self, freq_hz: float) -> float:
        """Return the delay of the whole chain in seconds at `freq_hz`."""
        return self._modes.group_delay_s(freq_hz) + sum(
            sos_group_delay_s(sos, freq_hz, self.sfreq_in) for sos in (self._notch, self._highpass)
        )

    def reset(self) -> None:
        """Start over, as after construction: the next sample is number 0."""
        self._n_in = 0
        self._origin: F64 = np.full(len(self._used), np.nan)
        self._last: F64 = np.zeros(len(self._used))
        self._sum: F64 = np.zeros(min(self._mix.shape))
        self._resampler.reset()

    def process(self, x_volts: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Take the next samples and return what the model sees.

        Parameters
        ----------
        x_volts : ndarray, shape (n_times, n_in)
            Samples in volts, oldest first; any number of them, none included.  Left alone.

        Returns
        -------
        y : ndarray of float32, shape (m, n_out)
            Output samples in volts.
        newest : ndarray of int64, shape (m,)
            Index, since the last reset, of the newest input sample in each output.

        Raises
        ------
        ValueError
            If `x_volts` has another number of channels.
        """
        if x_volts.ndim != 2 or x_volts.shape[1] != self.n_chans_in:
            raise ValueError(f"x_volts has shape {x_volts.shape}; expected (n_times, {self.n_chans_in})")
        if len(x_volts) > BITE:
            parts = [
                self.process(x_volts[i : i + BITE]) for i in range(0, len(x_volts), BITE)
            ]  # keeps the intermediate arrays small
            return np.concatenate([y for y, _ in parts]), np.concatenate([n for _, n in parts])
        x = self._finite(np.array(x_volts[:, self._used], dtype=np.float64))
        if self._mix_first:
            x = _mix(x, self._mix)
        y, newest = self._filter(x)
        if not self._mix_first:
            y = _mix(y, self._mix)
        return y.astype(np.float32), newest

    def _filter(self, x: F64) -> tuple[F64, NDArray[np.int64]]:
        """Filter and resample, pausing where the offset is to be measured."""
        parts = []
        for mark in self._baseline:
            left = mark - self._n_in
            if 0 < left <= len(x):
                parts.append(self._advance(x[:left]))
                x = x[left:]
                self._measure_offset()
        if not parts:
            return self._advance(x)
        parts.append(self._advance(x))
        return np.concatenate([y for y, _ in parts]), np.concatenate([n for _, n in parts])

    def _advance(self, x: F64) -> tuple[F64, NDArray[np.int64]]:
        self._n_in += len(x)
        return self._resampler.process(x)

    def _measure_offset(self) -> None:
        """At the first mark remember the sum behind the notch, at the second one rest on the mean."""
        begin, end = self._baseline
        if self._n_in == begin:
            self._sum = self._resampler.clean_sum
        else:
            mean = (self._resampler.clean_sum - self._sum) / (end - begin)
            self._resampler.rest_on_mean(mean)

    def _finite(self, x: F64) -> F64:
        """Subtract each channel's first good sample and hold the last good one where it is missing."""
        if not len(x):
            return x
        if np.abs(x).max() <= LIMIT_V and not np.isnan(self._origin).any():
            x -= self._origin
            self._last = x[-1].copy()
            return x
        good = np.abs(x) <= LIMIT_V
        for c in np.flatnonzero(np.isnan(self._origin)):
            where = np.flatnonzero(good[:, c])
            if len(where):
                self._origin[c] = x[where[0], c]
        x -= np.where(np.isnan(self._origin), 0.0, self._origin)
        rows = np.where(good, np.arange(len(x))[:, None], -1)
        rows = np.maximum.accumulate(rows, axis=0)
        held = np.take_along_axis(x, np.maximum(rows, 0), axis=0)
        x = np.where(rows < 0, self._last, held)
        self._last = x[-1].copy()
        return x


def _mix(x: F64, matrix: F64) -> F64:
    """Multiply each sample by the matrix on its own, so that chunking cannot change a bit."""
    return np.asarray(np.matmul(x[:, None, :], matrix)[:, 0, :])


def measure_mains(x_volts: NDArray[np.floating[Any]], sfreq: float) -> float | None:
    """Tell from a stretch of signal whether mains of 50 or 60 Hz is in it.

    Parameters
    ----------
    x_volts : ndarray, shape (n_times, n_chans)
        Signal in volts, at least one second; a few seconds are better.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    float or None
        50.0 or 60.0, whichever stands out more above its surroundings; None if neither does.
    """
    n = len(x_volts)
    if n < sfreq:
        return None
    x = np.asarray(x_volts, dtype=np.float64)
    x = x[:, np.isfinite(x).all(axis=0)]
    if not x.shape[1]:
        return None
    power = np.abs(np.fft.rfft((x - x.mean(0)) * np.hanning(n)[:, None], axis=0)) ** 2
    freq = np.fft.rfftfreq(n, 1 / sfreq)
    best, best_ratio = None, 10.0
    half = max(1.0, 3 * sfreq / n)
    for mains in (50.0, 60.0):
        near = np.abs(freq - mains)
        line, around = near <= half, (near > half) & (near <= half + 5) & (freq > 36)
        if mains > sfreq / 2 or not line.any() or not around.any():
            continue
        floor = np.median(power[around], axis=0) + 1e-40
        ratio = float(np.median(power[line].max(axis=0) / floor))
        if ratio > best_ratio:
            best, best_ratio = mains, ratio
    return best
