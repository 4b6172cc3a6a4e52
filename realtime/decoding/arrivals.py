"""The rate at which samples come, whatever their stamps say, and how many did not come while a sender was away."""

from __future__ import annotations

import logging
import math

from neuript.realtime.chain.chunk import Chunk, SignalInfo
from neuript.realtime.chain.sample_rate import RateMeter, RateVerdict

logger = logging.getLogger(__name__)

MIN_S = 10.0
"""Seconds for which arrivals are counted before they say anything of the rate."""
AGREE_S = 1.0
"""Seconds by which the stamps of two instances of a stream may differ from the time that passed here between them."""


class Arrivals:
    """Counts what arrives, live; of a replay, whose chunks do not say when they came, it knows nothing.

    Parameters
    ----------
    info : SignalInfo
        What the stream says about itself.
    """

    def __init__(self, info: SignalInfo) -> None:
        self._name = info.name
        self._meter = RateMeter(info.sfreq * info.speed, MIN_S)
        self._at = math.nan
        self.wrong = False

    def arrived(self, chunk: Chunk) -> None:
        """Count a chunk, and say it once where the rate is not the declared one."""
        self._at = chunk.pulled_at
        self._meter.arrived(len(chunk), chunk.pulled_at)
        wrong = self._meter.verdict is RateVerdict.WRONG
        if wrong and not self.wrong:
            said = self._meter.said(self._name)
            logger.warning("%s, whatever its stamps say: nothing is commanded until both agree", said)
        self.wrong = wrong

    def reset(self) -> None:
        """Count anew: the stream was interrupted."""
        self._meter.reset()

    def lost_before(self, chunk: Chunk, newest_t: float, sfreq: float) -> int:
        """Samples that are missing between an instance of a stream, which ended at `newest_t`, and a chunk of the next.

        By their stamps, where these agree with the time that passed here, else by that time.
        """
        passed_s, stamped_s = chunk.pulled_at - self._at, float(chunk.timestamps[0]) - newest_t
        lost_s = stamped_s if abs(passed_s - stamped_s) < AGREE_S else passed_s
        return max(0, round(lost_s * sfreq) - 1) if math.isfinite(lost_s) else 0
