"""What the scrolling traces show of an EEG stream, for any window or console view; without Qt and without LSL.

No clock of its own: the caller passes `now` on the LSL clock. Not locked: the client that feeds it holds the lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.timestamps import STEP_S
from neuript.realtime.chain.units import to_volts, unit_name
from neuript.realtime.dashboard.traces import DisplayFilter, EnvelopeRing, GapFinder


class TraceModel:
    """Collects the samples of an EEG stream as columns to draw.

    Parameters
    ----------
    column_s : float
        Wished length of one drawn column in seconds.
    n_columns : int
        How many columns are kept for drawing.
    """

    def __init__(self, *, column_s: float = 0.01, n_columns: int = 4096) -> None:
        self._column_s, self._n_columns = column_s, n_columns
        self.eeg: SignalInfo | None = None
        self.ring: EnvelopeRing | None = None
        self.ring_generation = 0
        """Counts the rings: a view that sees a new number starts its picture anew."""
        self.wide_filter = False
        self._declared_uv: NDArray[np.float32] | None = None
        self._filter: DisplayFilter | None = None
        self._gaps: GapFinder | None = None
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=512)
        self._n_samples = 0
        self._last_eeg_at: float | None = None

    def connect_eeg(self, info: SignalInfo) -> None:
        """Take the header of the EEG stream and start its traces anew."""
        names = tuple(name or str(k + 1) for k, name in enumerate(info.ch_names))
        self.eeg = replace(info, ch_names=names)
        self._declared_uv = declared_uv(info.units)
        sfreq = info.sfreq or 250.0
        n_chans = len(info.ch_names)
        self.ring = EnvelopeRing(n_chans, sfreq, column_s=self._column_s, n_columns=self._n_columns)
        self.ring_generation += 1
        self._gaps = GapFinder(sfreq)
        self._arrivals.clear()
        self._n_samples = 0
        self._new_filter()

    def disconnect_eeg(self) -> None:
        """Note that the EEG stream is gone; its traces stay on screen."""
        self._arrivals.clear()

    def toggle_filter(self) -> None:
        """Switch the display filter between band-pass and high-pass alone."""
        self.wide_filter = not self.wide_filter
        self._new_filter()

    def _new_filter(self) -> None:
        if self.eeg is None:
            return
        high = None if self.wide_filter else 45.0
        self._filter = DisplayFilter(len(self.eeg.ch_names), self.eeg.sfreq or 250.0, high_hz=high)

    @property
    def scale_uv(self) -> NDArray[np.float32] | None:
        """Microvolts per stream unit, one per channel; None where nobody knows."""
        return None if self.eeg is None else self._declared_uv

    @property
    def unit(self) -> str:
        """The unit that drawn numbers are in."""
        return "µV" if self.scale_uv is not None else "stream units"

    def add_eeg(self, x: NDArray[np.float32], stamps: NDArray[np.float64], now: float) -> None:
        """Add EEG samples as sent.

        Parameters
        ----------
        x : ndarray, shape (n_times, n_chans)
            Samples in the stream's own unit.
        stamps : ndarray, shape (n_times,)
            Time stamps in seconds on this computer's LSL clock.
        now : float
            The LSL clock at arrival, in seconds.
        """
        if self.ring is None or self._filter is None or self._gaps is None or len(x) == 0:
            return
        self._last_eeg_at = now
        self._n_samples += len(x)
        self._arrivals.append((now, self._n_samples))
        scale = self.scale_uv
        if scale is not None:
            x = x * scale
        gap = self._gaps.find(stamps)
        if gap is None:
            self._extend(self.ring, self._filter, x, stamps)
            return
        at, missing_s = gap
        self._extend(self.ring, self._filter, x[:at], stamps[:at])
        # a jump that the decoder takes for a step of the clock is no hole of that length
        self.ring.append_gap(missing_s if missing_s <= STEP_S else 0.0, float(stamps[at]))
        self._break_off(self._filter)
        self._extend(self.ring, self._filter, x[at:], stamps[at:])

    def _extend(
        self, ring: EnvelopeRing, chain: DisplayFilter, x: NDArray[np.float32], stamps: NDArray[np.float64]
    ) -> None:
        """Take samples that join on to those so far."""
        ring.append(chain.process(x), stamps)

    def _break_off(self, chain: DisplayFilter) -> None:
        """Note a hole in the samples."""
        chain.reset()

    def verdicts(self) -> list[str]:
        """Say in a word what is wrong with each channel; empty where nothing is, or nobody has said anything."""
        return [""] * (len(self.eeg.ch_names) if self.eeg is not None else 0)

    @property
    def display_filter(self) -> str:
        """What was done to the traces for drawing."""
        return self._filter.words if self._filter else ""

    def silence_s(self, now: float) -> float | None:
        """Seconds since samples arrived; None before the first."""
        return None if self._last_eeg_at is None else max(0.0, now - self._last_eeg_at)

    def measured_rate(self, now: float) -> float | None:
        """Samples per second over the last ten seconds of arrivals, once five are there."""
        while self._arrivals and now - self._arrivals[0][0] > 10.0:
            self._arrivals.popleft()
        if len(self._arrivals) < 2:
            return None
        (t0, n0), (t1, n1) = self._arrivals[0], self._arrivals[-1]
        return (n1 - n0) / (t1 - t0) if t1 - t0 > 5.0 else None


class TraceClient(Protocol):
    """Whoever feeds a `TraceModel` in a thread of its own."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held while the model is read or written."""
        ...

    @property
    def model(self) -> TraceModel:
        """What has arrived."""
        ...


def declared_uv(units: Sequence[str]) -> NDArray[np.float32] | None:
    """Return microvolts per number of each channel, or None where no unit is known.

    A trigger or counter has no unit in volts; it is drawn in the unit of the first channel that has one.
    """
    known = [1e6 * to_volts(unit) if unit_name(unit) else None for unit in units]
    common = next((scale for scale in known if scale is not None), None)
    if common is None:
        return None
    return np.array([common if scale is None else scale for scale in known], np.float32)
