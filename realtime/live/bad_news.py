"""Says on the events stream which channels the decoder finds bad, between two steps of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neuript.realtime.decoding.bad_channels import BAD, bad_text

if TYPE_CHECKING:
    from neuript.realtime.chain.quality import Verdict
    from neuript.realtime.decoding.decoder import Decoder
    from neuript.realtime.lsl.outlet import DecisionOutlets

AGAIN_S = 5.0
"""Seconds after which bad channels are named again, for who comes later."""


class BadNews:
    """Publishes each change, and repeats it while a channel is bad.

    Parameters
    ----------
    decoder : Decoder
        Whose verdicts they are.
    outlets : DecisionOutlets or None
        Where they go, with the electrodes' names that their header has; a channel that is no electrode has its label,
        else its number from 1. None in a replay, which publishes nothing.
    """

    def __init__(self, decoder: Decoder, outlets: DecisionOutlets | None) -> None:
        self._decoder, self._outlets = decoder, outlets
        self._names = [label or str(k + 1) for k, label in enumerate(decoder.source.info.ch_names)]
        for electrode in outlets.header.electrodes if outlets is not None else ():
            if electrode.channel is not None:
                self._names[electrode.channel] = electrode.name
        self._told: dict[int, Verdict] = {}
        self._told_at_s = -math.inf

    def tell(self, now_s: float) -> None:
        """Publish what is new, or due again; `now_s` is any clock, in seconds."""
        bad = self._decoder.contacts.bad
        due = bad != self._told or (bool(bad) and now_s - self._told_at_s >= AGAIN_S)
        if self._outlets is None or not due:
            return
        self._told, self._told_at_s = bad, now_s
        self._outlets.tell(BAD, bad_text({self._names[k]: verdict for k, verdict in bad.items()}))
