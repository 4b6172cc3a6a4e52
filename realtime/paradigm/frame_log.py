"""How punctual the frames were: delays of the cues, and the time between two frames."""

from __future__ import annotations

from collections import deque

import numpy as np

LATE_FRAMES = 1.5
"""A frame that comes more frames late than this was missed."""
_REMEMBER = 200_000


class FrameLog:
    """Collects stamps while a block runs.

    Parameters
    ----------
    period_s : float
        Time between two frames in seconds, as the screen has it.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._delays_s: deque[float] = deque(maxlen=_REMEMBER)
        self._intervals_s: deque[float] = deque(maxlen=_REMEMBER)
        self._n_late = 0
        self._last: float | None = None

    def frame(self, stamp: float) -> bool:
        """Note a frame; return False if one was missed since the last."""
        last, self._last = self._last, stamp
        if last is None:
            return True
        self._intervals_s.append(stamp - last)
        return stamp - last <= (1 + LATE_FRAMES) * self.period_s

    def rest(self) -> None:
        """Frames stop here for a while, on purpose."""
        self._last = None

    def cue(self, due: float, stamp: float) -> bool:
        """Note the frame that showed a cue; return False if it was late."""
        self._delays_s.append(stamp - due)
        return stamp - due <= LATE_FRAMES * self.period_s

    def late(self) -> None:
        """Note a trial in which something was late."""
        self._n_late += 1

    def figures(self) -> dict[str, float | int | None]:
        """What to report.

        Returns
        -------
        dict
            `n` cues, their delay after the time that was meant (`p50_ms`, `p99_ms`), `late` trials, and the time
            between two frames (`frame_p50_ms`, `frame_p99_ms`; None where frames are drawn only on a change).
        """
        p50, p99 = _percentiles(self._delays_s)
        frame_p50, frame_p99 = _percentiles(self._intervals_s)
        return {
            "n": len(self._delays_s),
            "p50_ms": p50,
            "p99_ms": p99,
            "late": self._n_late,
            "frame_p50_ms": frame_p50,
            "frame_p99_ms": frame_p99,
        }


def _percentiles(seconds: deque[float]) -> tuple[float, float] | tuple[None, None]:
    if not seconds:
        return None, None
    p50, p99 = np.percentile(np.asarray(seconds) * 1e3, [50, 99])
    return round(float(p50), 3), round(float(p99), 3)
