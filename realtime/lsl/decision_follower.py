"""A decoder's published rows, followed: the one decoder that is meant, its header, and what may be acted on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.decoding.dead_man import DeadMan
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader, read_decoder_header
from neuript.realtime.lsl.discovery import RIVALS_S, StreamSummary, quoted
from neuript.realtime.lsl.follower import StreamFollower
from neuript.realtime.lsl.library import lsl_clock, pylsl

ANY_DECODER = "type='Predictions' and starts-with(name,'neuript-')"
"""Predicate of the rows of any decoder."""
_LOOK_EVERY_S = 0.1


def find_decoder(source_id: str | None, on_wait: Callable[[], None]) -> str:
    """Wait for a decoder and return the source id of its rows, by which it is known also after a restart.

    Parameters
    ----------
    source_id : str, optional
        The one that is meant, which need not be there yet; None takes the only one that there is.
    on_wait : callable
        Called between looks; it may raise to give up.

    Raises
    ------
    NeuriptError
        If there are several: what moves should move by the right person.
    """
    if source_id is not None:
        return source_id
    resolver = pylsl.ContinuousResolver(pred=ANY_DECODER)
    while not resolver.results():
        on_wait()
        time.sleep(_LOOK_EVERY_S)
    found = pylsl.resolve_bypred(ANY_DECODER, len(resolver.results()) + 1, RIVALS_S)
    streams = {s.source_id: s for s in map(StreamSummary.of, (*found, *resolver.results()))}
    if len(streams) > 1:
        lines = "\n".join(f"  {s.describe()}" for s in streams.values())
        raise NeuriptError(
            f"{len(streams)} decoders are publishing, and the wrong one would move things as well; choose with "
            f"--source-id:\n{lines}"
        )
    return next(iter(streams))


class DecisionFollower:
    """Follows the rows of one decoder and tells which may be acted on.

    Parameters
    ----------
    source_id : str
        Of the stream of rows, as from `find_decoder`.
    dead_man : DeadMan
        Judges the rows; asked for the state.
    on_decision : callable
        Takes each row that may be acted on, in order.
    on_header : callable
        Takes what a decoder says about itself when its stream is found, or found again; it raises NeuriptError where
        that decoder cannot be used, which ends the following.
    """

    def __init__(
        self,
        source_id: str,
        dead_man: DeadMan,
        *,
        on_decision: Callable[[Decision], None],
        on_header: Callable[[DecoderHeader], None],
    ) -> None:
        self._dead_man, self._on_decision, self._on_header = dead_man, on_decision, on_header
        self._refused: NeuriptError | None = None
        self._stream = StreamFollower(
            "decoder",
            lambda: f"source_id={quoted(source_id)}",
            on_open=self._open,
            on_data=self._rows,
            on_close=dead_man.disconnect,
        )

    def step(self, now: float) -> None:
        """Find or pull the stream once, at `now` on the LSL clock.

        Raises
        ------
        NeuriptError
            If what was found cannot be used.
        """
        self._stream.step(now)
        if self._refused is not None:
            raise self._refused

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        self._stream.close()

    def _open(self, header: Element) -> None:
        try:
            said = read_decoder_header(header)
            self._on_header(said)
        except NeuriptError as error:
            self._refused = error  # the next thing that `step` does is to raise it
            return
        self._dead_man.connect(said.classes, lsl_clock())

    def _rows(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        now = lsl_clock()
        for row, stamp in zip(values, stamps, strict=True):
            decision = self._dead_man.take(row, float(stamp), now)
            if decision is not None:
                self._on_decision(decision)
