"""What the replay and the digital twin share: streams of one program, published at the pace of the LSL clock."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Any, Self
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.library import lsl_clock, pylsl
from neuript.realtime.lsl.stream_info import stream_info

TICK_S = 0.05
"""Longest sleep in seconds, so that Ctrl-C is answered at once."""


class Broadcast(ABC):
    """Some streams that are opened and closed together; a `with` block does both.

    A subclass opens its streams in `open` and pushes what falls due; each stream has a key of the subclass's choice.
    """

    def __init__(self) -> None:
        self.started_at: float | None = None
        """LSL time of the first sample in seconds; None until there is one."""
        self.n_samples = 0
        """Samples published so far."""
        self._outlets: dict[Hashable, pylsl.StreamOutlet] = {}

    @abstractmethod
    def open(self) -> None:
        """Create the outlets; the streams become visible, nothing is sent yet."""

    @property
    @abstractmethod
    def main(self) -> Hashable:
        """Key of the stream that others come for."""

    def close(self) -> None:
        """Withdraw the streams; harmless when called twice."""
        self._outlets.clear()

    def __enter__(self) -> Self:
        """Open."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def wait_for_consumers(self, timeout_s: float, *, others_s: float = 1.0) -> bool:
        """Wait until somebody listens to the main stream, then a little for the other streams.

        LSL drops what nobody has subscribed to, so without this the first samples may be lost.

        Returns
        -------
        bool
            False if nobody came within `timeout_s`.
        """
        main = self._outlets.get(self.main)
        if main is None or not main.wait_for_consumers(timeout_s):
            return False
        deadline = time.monotonic() + others_s
        for outlet in self._outlets.values():
            outlet.wait_for_consumers(max(0.0, deadline - time.monotonic()))
        return True

    def publish(self, key: Hashable, info: SignalInfo, desc: Element) -> None:
        """Put a stream on the network, as `stream_info` describes it; one that is there already stays."""
        if key not in self._outlets:
            self._outlets[key] = pylsl.StreamOutlet(stream_info(info, desc))

    def uid_of(self, key: Hashable) -> str:
        """Return the unique id that liblsl has given a stream; empty where it is not published."""
        outlet = self._outlets.get(key)
        return "" if outlet is None else str(outlet.get_info().uid())

    def withdraw(self, key: Hashable) -> None:
        """Take a stream off the network, as if its device were unplugged."""
        self._outlets.pop(key, None)

    def push(self, key: Hashable, values: NDArray[Any] | Sequence[Sequence[Any]], stamps: list[float]) -> None:
        """Send values, shape (n, n_channels), with their LSL times."""
        rows = values if isinstance(values, np.ndarray) else [list(row) for row in values]
        self._outlets[key].push_chunk(rows, stamps)

    def sleep_until(
        self, wanted: float, stop: Callable[[], bool] = lambda: False, tick: Callable[[float], None] = lambda now: None
    ) -> bool:
        """Sleep in short pieces until `wanted` on the LSL clock.

        Parameters
        ----------
        wanted : float
            Time in seconds on the LSL clock.
        stop : callable
            Asked before each piece.
        tick : callable
            Told the time before each piece that another one follows.

        Returns
        -------
        bool
            False if asked to stop.
        """
        while (left := wanted - lsl_clock()) > 0:
            if stop():
                return False
            if left > TICK_S:
                tick(wanted - left)
            time.sleep(min(left, TICK_S))
        return not stop()
