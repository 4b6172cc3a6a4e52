"""The faults that change the numbers of a stream: what arrives is in time, and is no EEG, or not all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from neuript.realtime.twin.faults import Fault

SINE_HZ = 10.0
"""Frequency of the test signal."""
POP_DECAY_S = 0.15
"""Time constant with which an electrode that popped comes back."""
_RAIL_NOISE_UV = 1.0


class SignalFaults:
    """Applies the faults of the numbers, in order of time. Pure but for held values and noise.

    Parameters
    ----------
    faults : sequence of Fault
        All faults; those that are not of the numbers are left to the amplifier.
    ch_names : sequence of str
        Channels of the stream.
    sfreq : float
        Rate in Hz.
    mains_hz : float
        Frequency of the hum in Hz.
    seed : int
        Seed of the noise.

    Raises
    ------
    NeuriptError
        If a fault names a channel that the stream does not have.
    """

    def __init__(
        self, faults: Sequence[Fault], ch_names: Sequence[str], sfreq: float, mains_hz: float = 50.0, seed: int = 0
    ) -> None:
        self._sfreq, self._mains_hz = sfreq, mains_hz
        self._rng = np.random.default_rng([seed, 37])
        self._held: dict[int, NDArray[np.float32]] = {}
        self._newest: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None  # the sample before those that a fault changes
        how: dict[str, Callable[[Fault, NDArray[np.float32], NDArray[np.float64], int], NDArray[np.float32]]] = {
            "flat": self._flat,
            "nan": lambda fault, x, t, i: np.full_like(x, np.nan),
            "holes": self._holes,
            "held": self._repeat,
            "rail": lambda fault, x, t, i: self._noise(x.shape, _RAIL_NOISE_UV) + np.float32(fault.value),
            "mains": self._hum,
            "sine": self._sine,
            "white": lambda fault, x, t, i: self._noise(x.shape, fault.value),
            "same": lambda fault, x, t, i: np.repeat(x[:, :1], x.shape[1], axis=1),
            "gain": lambda fault, x, t, i: np.float32(fault.value) * x,
            "pop": self._pop,
        }
        self._faults = [(f, how[f.kind], _columns(f, ch_names)) for f in faults if f.kind in how]

    def apply(self, data: NDArray[np.float32], t: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the data with the faults in it.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_chans)
            Samples in microvolts.
        t : ndarray, shape (n_times,)
            Seconds of session time of each sample.
        """
        out = data
        for i, (fault, change, columns) in enumerate(self._faults):
            when = (t >= fault.at_s - 1e-9) & (t < fault.end_s - 1e-9)
            if not when.any():
                continue
            out = out.copy() if out is data else out
            rows = np.flatnonzero(when)
            cells = np.ix_(rows, columns)
            self._before = self._newest if rows[0] == 0 else out[rows[0] - 1]
            out[cells] = change(fault, out[cells], t[when], i)
        if len(out):
            self._newest = out[-1].copy()
        return out

    def _noise(self, shape: tuple[int, ...], rms_uv: float) -> NDArray[np.float32]:
        return self._rng.normal(0.0, rms_uv, shape).astype(np.float32)

    def _flat(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        held = self._held.setdefault(i, x[0].copy())
        return np.broadcast_to(held, x.shape)

    def _nth(self, fault: Fault, t: NDArray[np.float64]) -> NDArray[np.bool_]:
        return nth(fault, t, self._sfreq)

    def _holes(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        return np.where(self._nth(fault, t)[:, None], np.float32(np.nan), x)

    def _repeat(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        first = x[0] if self._before is None else self._before
        before = np.concatenate([first[None], x[:-1]])
        return np.where(self._nth(fault, t)[:, None], before, x)

    def _hum(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        hum = np.sin(2 * np.pi * np.mod(self._mains_hz * t, 1.0))
        weight = 2**0.5 * fault.value * (1.0 + 0.3 * np.cos(np.arange(x.shape[1])))
        return x + (hum[:, None] * weight[None, :]).astype(np.float32)

    def _sine(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        wave = fault.value * np.sin(2 * np.pi * SINE_HZ * (t - fault.at_s))
        return np.repeat(wave[:, None].astype(np.float32), x.shape[1], axis=1)

    def _pop(self, fault: Fault, x: NDArray[np.float32], t: NDArray[np.float64], i: int) -> NDArray[np.float32]:
        jump = fault.value * np.exp(-np.mod(t - fault.at_s, 1.0) / POP_DECAY_S)
        return x + jump[:, None].astype(np.float32)


def nth(fault: Fault, t: NDArray[np.float64], sfreq: float) -> NDArray[np.bool_]:
    """Tell which samples are every N-th since the fault began, the first one among them."""
    number = np.rint((t - fault.at_s) * sfreq).astype(np.int64)
    return np.asarray(number % int(fault.value) == 0)


def _columns(fault: Fault, ch_names: Sequence[str]) -> NDArray[np.int64]:
    if fault.channel is None:
        return np.arange(len(ch_names))
    if fault.channel not in ch_names:
        raise NeuriptError(
            f"fault '{fault.kind}' names channel '{fault.channel}'; the stream has {', '.join(ch_names)}"
        )
    return np.array([list(ch_names).index(fault.channel)])
