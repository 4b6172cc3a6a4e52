"""How samples leave the twin's amplifier: which are lost, when the others go, in which order, with which stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuript.realtime.twin.signal_faults import nth

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from neuript.realtime.twin.faults import Fault


_LOSE_OR_STAMP = ("gap", "lose", "thin", "lag", "clock", "jitter", "stall", "lumps", "burst", "nostamp")


@dataclass(frozen=True)
class Packet:
    """Samples that leave together.

    Attributes
    ----------
    due_s : float
        Time in seconds of the session at which the samples leave.
    data : ndarray, shape (n_times, n_chans)
        Samples in microvolts, float32.
    stamps_s : ndarray, shape (n_times,)
        Times in seconds of the session at which the amplifier says that the samples were taken.
    """

    due_s: float
    data: NDArray[np.float32]
    stamps_s: NDArray[np.float64]


class PaceScript:
    """Seconds of samples against seconds of the session, where samples come at another pace than declared."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._parts = [(f.at_s, f.duration_s, f.value / (100.0 + f.value)) for f in faults if f.kind == "pace"]
        edges = {0.0, *(a for a, _, _ in self._parts), *(a + d for a, d, _ in self._parts if np.isfinite(d))}
        self._at = np.array([*sorted(edges), max(edges) + 1.0])
        self._sent = self.sent_s(self._at)

    def sent_s(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return when samples leave that would be due at `t` by the declared rate."""
        t = np.asarray(t, dtype=np.float64)
        out = t.copy()
        for at, duration, share in self._parts:
            out -= share * np.clip(t - at, 0.0, duration)
        return out

    def due_s(self, sent: float) -> float:
        """Return the opposite of `sent_s`."""
        if sent <= self._sent[-1]:
            return float(np.interp(sent, self._sent, self._at))
        slope = (self._at[-1] - self._at[-2]) / (self._sent[-1] - self._sent[-2])
        return float(self._at[-1] + slope * (sent - self._sent[-1]))


class Delivery:
    """Turns chunks of samples into packets, as the script breaks them.

    Parameters
    ----------
    faults : sequence of Fault
        All faults; those of the numbers and of the stream itself are left to others.
    sfreq : float
        Rate in Hz.
    rng : numpy.random.Generator
        For jitter and shuffling.
    """

    def __init__(self, faults: Sequence[Fault], sfreq: float, rng: np.random.Generator) -> None:
        self._faults, self._sfreq, self._rng = tuple(faults), sfreq, rng
        self._lag_s = 0.0
        self._waiting: list[Packet] = []  # until they can be put into a wrong order
        self._again: dict[Fault, list[Packet]] = {f: [] for f in self._faults if f.kind == "twice"}
        self.pace = PaceScript(faults)

    def packets(self, data: NDArray[np.float32], t: NDArray[np.float64]) -> list[Packet]:
        """Return what leaves with or after a chunk that was sampled at the times `t`, seconds of the session."""
        out: list[Packet] = []
        packet = self._packet(data, t)
        if packet is not None:
            out += self._in_some_order(packet, t)
        for fault, kept in self._again.items():
            if t[-1] >= fault.end_s and kept:
                out += [Packet(float(t[-1]), p.data, p.stamps_s) for p in kept]
                kept.clear()
        return [self._paced(p) for p in self._one_by_one(out, t)]

    def _active(self, t: NDArray[np.float64], *kinds: str) -> list[Fault]:
        return [f for f in self._faults if f.kind in kinds and f.at_s <= t[-1] and t[0] < f.end_s - 1e-9]

    def _packet(self, data: NDArray[np.float32], t: NDArray[np.float64]) -> Packet | None:
        """Lose samples, stamp the others, and say when they leave; None if nothing is left."""
        due, stamps = float(t[-1]), t - self._lag_s
        keep = np.ones(len(t), dtype=bool)
        for fault in self._active(t, *_LOSE_OR_STAMP):
            inside = (t >= fault.at_s - 1e-9) & (t < fault.end_s - 1e-9)
            if fault.kind == "gap":
                keep &= ~inside
            elif fault.kind == "lose":
                keep &= ~(inside & nth(fault, t, self._sfreq))
            elif fault.kind == "thin":
                keep &= ~inside | nth(fault, t, self._sfreq)
            elif fault.kind == "lag":
                lost = inside & nth(fault, t, self._sfreq)
                keep &= ~lost
                stamps -= np.cumsum(lost) / self._sfreq
                self._lag_s += np.count_nonzero(lost) / self._sfreq
            elif fault.kind == "nostamp":
                stamps[inside] = np.nan
            elif fault.kind == "clock":
                stamps[t >= fault.at_s] += fault.value
            elif fault.kind == "jitter":
                stamps += 1e-3 * fault.value * self._rng.standard_normal()
            elif fault.kind == "stall":
                due = max(due, fault.end_s)
            else:
                lumps = np.floor((t[-1] - fault.at_s) / fault.value) + 1
                due = min(fault.at_s + lumps * fault.value, fault.end_s)
                stamps += due - t if fault.kind == "burst" else 0.0
        return Packet(due, data[keep], stamps[keep]) if keep.any() else None

    def _in_some_order(self, packet: Packet, t: NDArray[np.float64]) -> list[Packet]:
        for fault in self._active(t, "twice"):
            self._again[fault].append(packet)
        for _ in self._active(t, "reverse"):
            packet = Packet(packet.due_s, packet.data[::-1].copy(), packet.stamps_s[::-1].copy())
        kinds = self._active(t, "swap", "shuffle")
        if not kinds:
            out, self._waiting = [*self._waiting, packet], []
            return [Packet(packet.due_s, p.data, p.stamps_s) for p in out]
        self._waiting.append(packet)
        fault, waiting = kinds[0], self._waiting
        n = sum(len(p.data) for p in waiting)
        if fault.kind == "swap" and len(waiting) == 2:
            self._waiting = []
            return [Packet(packet.due_s, p.data, p.stamps_s) for p in waiting[::-1]]
        if fault.kind == "shuffle" and n >= 1e-3 * fault.value * self._sfreq - 1e-9:
            self._waiting = []
            order = self._rng.permutation(n)
            data, stamps = np.concatenate([p.data for p in waiting]), np.concatenate([p.stamps_s for p in waiting])
            return [Packet(packet.due_s, data[order], stamps[order])]
        return []

    def _one_by_one(self, packets: list[Packet], t: NDArray[np.float64]) -> list[Packet]:
        if not self._active(t, "single"):
            return packets
        return [
            Packet(min(p.due_s, float(t[0]) + i / self._sfreq), p.data[i : i + 1], p.stamps_s[i : i + 1])
            for p in packets
            for i in range(len(p.data))
        ]

    def _paced(self, packet: Packet) -> Packet:
        due = float(self.pace.sent_s(packet.due_s))
        return Packet(due, packet.data, self.pace.sent_s(packet.stamps_s))
