"""Channels that were dead when a session began, and carry a signal later: said once, for they stay interpolated."""

from __future__ import annotations

import logging
from collections.abc import Collection

from neuript.realtime.chain.quality import Verdict
from neuript.realtime.decoding.decoder import Decoder

logger = logging.getLogger(__name__)

AWAKE_S = 10.0
"""Seconds for which a channel must be well before it is told."""


class WokenChannels:
    """Looks, between two steps of a decoder, at the channels that the session does without.

    Parameters
    ----------
    decoder : Decoder
        The decoder that judges them.
    dead : collection of str
        Labels of the channels that were dead at the start.
    """

    def __init__(self, decoder: Decoder, dead: Collection[str]) -> None:
        self._decoder = decoder
        self._well_since = {
            i: decoder.conditioner.n_in for i, name in enumerate(decoder.source.info.ch_names) if name in dead
        }

    def tell(self) -> None:
        """Log each channel that has been well for `AWAKE_S`, once."""
        if not self._well_since:
            return
        n, names = self._decoder.conditioner.n_in, self._decoder.source.info.ch_names
        verdicts = self._decoder.conditioner.input_quality.verdicts
        for i, since in list(self._well_since.items()):
            if verdicts[i] != Verdict.OK:
                self._well_since[i] = n
            elif n - since > AWAKE_S * self._decoder.conditioner.sfreq:
                del self._well_since[i]
                logger.warning(
                    "%s was dead at the start and is interpolated; it carries a signal now: start again to use it",
                    names[i],
                )
