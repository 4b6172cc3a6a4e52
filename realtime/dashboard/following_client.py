"""An LSL client of a view: one thread that finds, pulls and re-finds streams, under a lock that the drawing shares."""

from __future__ import annotations

import logging
import threading
from typing import Protocol, Self

from neuript.errors import NeuriptError
from neuript.realtime.lsl.library import lsl_clock

logger = logging.getLogger(__name__)


class Follower(Protocol):
    """Something that follows a stream a bounded step at a time (`StreamFollower`, `DecisionFollower`)."""

    def step(self, now: float) -> None:
        """Find or pull, at `now` on the LSL clock."""
        ...

    def close(self) -> None:
        """Let go of the stream."""
        ...


class NotWantedError(Exception):
    """Nobody waits any more for what is being looked for."""


class FollowingClient:
    """Follows streams in a thread of its own; who draws takes `lock` for the moment it copies what it needs."""

    period_s = 0.02
    """Seconds between two steps."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.failure: Exception | None = None
        """What ended the thread, if anything did."""
        self.followers: tuple[Follower, ...] = ()
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

    def check(self) -> None:
        """Raise NotWantedError once the client is to stop: for what takes long within a step."""
        if self._stop.is_set():
            raise NotWantedError

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.period_s):
                self.step(lsl_clock())
        except NotWantedError:
            pass
        except NeuriptError as error:
            self.failure = error
        except Exception as error:  # the views end and say it, rather than show an old picture
            logger.exception("the thread that follows LSL failed")
            self.failure = error
        for stream in self.followers:
            stream.close()

    def step(self, now: float) -> None:
        """Find or pull each stream once."""
        for stream in self.followers:
            stream.step(now)
