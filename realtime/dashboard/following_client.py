"""An LSL client of a view: one thread that finds, pulls and re-finds streams, under a lock that the drawing shares."""

from __future__ import annotations

import logging
import threading
from typing import Self

from neuript.realtime.lsl.follower import StreamFollower
from neuript.realtime.lsl.library import lsl_clock

logger = logging.getLogger(__name__)

PERIOD_S = 0.02


class FollowingClient:
    """Follows streams in a thread of its own; who draws takes `lock` for the moment it copies what it needs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.failure: Exception | None = None
        """What ended the thread, if anything did."""
        self.followers: tuple[StreamFollower, ...] = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow the streams in a thread."""
        self._thread = threading.Thread(target=self._run, name="view-lsl", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread and close the streams; harmless when called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stop.wait(PERIOD_S):
                self.step(lsl_clock())
        except Exception as error:  # the views end and say it, rather than show an old picture
            logger.exception("the thread that follows LSL failed")
            self.failure = error
        for stream in self.followers:
            stream.close()

    def step(self, now: float) -> None:
        """Find or pull each stream once."""
        for stream in self.followers:
            stream.step(now)
