"""A decoder's real streams, published by this process, that say what a test wants."""

from __future__ import annotations

import threading
import uuid

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id

HOP_S = 0.05


class Publisher:
    """Says every hop what its attributes ask for, from the begin of a `with` block to its end or to `fall_silent`.

    Parameters
    ----------
    header : DecoderHeader, optional
        What the streams say of themselves; None makes up a decoder of three classes with a name of its own.

    Attributes
    ----------
    held : str or None
        Class that is commanded.
    state : State
        State of the rows.
    age_s : float
        Age of the newest sample in seconds.
    """

    def __init__(self, header: DecoderHeader | None = None) -> None:
        self.header = header or DecoderHeader(
            task=f"b{uuid.uuid4().hex[:8]}",
            classes=("left_hand", "right_hand", "rest"),
            eeg_source_id="nobody",
            idle_class="rest",
            threshold=0.65,
            simulated=True,
        )
        self.source_id = decoder_source_id(self.header, "proba")
        self.held: str | None = None
        self.state = State.OK
        self.age_s = 0.0
        self._committed: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Publisher:
        self._outlets = DecisionOutlets(self.header, stim=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.fall_silent()
        self._outlets.close()

    def fall_silent(self) -> None:
        """Publish nothing any more, and leave the streams where they are."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(HOP_S):
            self._outlets.publish(self._row(self.held, self.state))

    def _row(self, held: str | None, state: State) -> Decision:
        common = {"t": lsl_clock() - self.age_s, "window_index": 0, "state": state, "sample_age_ms": 1.0}
        if state is not State.OK:
            self._committed = None
            return Decision(**common)
        begins = held is not None and held != self._committed
        self._committed = held
        proba = {name: 0.7 if name == (held or "rest") else 0.15 for name in self.header.classes}
        return Decision(
            **common, proba=proba, evidence=proba, decision=held, confidence=0.7, committed=begins,
            latency_ms={"total": 2.0},
        )  # fmt: skip
