"""What each stage of the decoder takes, told to whoever listens: now and then, in the events stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuript.realtime.decoding.latency import ENGINE, LATENCY, latency_text

if TYPE_CHECKING:
    from neuript.modelfile.engines import Engine
    from neuript.realtime.decoding.latency import LatencyLedger
    from neuript.realtime.lsl.outlet import DecisionOutlets

TELL_EVERY_S = 10.0


class LatencyNews:
    """Publishes the percentiles of the session so far.

    Parameters
    ----------
    engine : Engine
        What computes; when another engine goes on with the network, that is told at once.
    ledger : LatencyLedger
        What was measured.
    outlets : DecisionOutlets or None
        The streams; None tells nobody.
    """

    def __init__(self, engine: Engine, ledger: LatencyLedger, outlets: DecisionOutlets | None) -> None:
        self._engine, self._ledger, self._outlets = engine, ledger, outlets
        self._name = engine.name
        self._next_s = 0.0

    def tell(self, now_s: float) -> None:
        """Publish what there is, at most every ten seconds of `now_s`, and another engine at once."""
        if self._outlets is not None and self._engine.name != self._name:
            self._name = self._engine.name
            self._outlets.tell(ENGINE, self._name)
        if self._outlets is None or now_s < self._next_s or not self._ledger.windows:
            return
        self._next_s = now_s + TELL_EVERY_S
        self._outlets.tell(LATENCY, latency_text(self._ledger))
