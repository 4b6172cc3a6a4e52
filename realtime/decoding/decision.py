"""One row of output: what the decoder says about one window, and who listens."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from neuript.realtime.decoding.states import State

STAGES = ("pull", "filter", "window", "infer", "decide", "publish", "total")
"""What a decision's time is made of, in order; `total` is from the pull to the publication."""


@dataclass(slots=True)
class Decision:
    """One decoder row.

    Attributes
    ----------
    t : float
        LSL clock (or recording clock) at the newest sample of the window, from the fitted stamps.
    window_index : int
        Hops since the decoder started, skipped ones included.
    state : State
        What kept the row from being valid, or `OK`.
    proba : dict of str to float, or None
        Probability of each class for this window; None where there is no valid window.
    evidence : dict of str to float, or None
        Accumulated evidence of each class, skipped hops considered; None where there is no valid window.
    decision : str or None
        Class that is commanded at the moment; None is "no command".
    confidence : float
        Accumulated evidence of the leading class (what is compared with the threshold).
    committed : bool
        True in the row where `decision` begins.
    rec_t : float or None
        Seconds since the recording's first EEG sample (replay only).
    sample_age_ms : float
        Age of the newest sample at the moment it was pulled; NaN in a replay without a clock.
    latency_ms : dict of str to float
        Milliseconds in `pull`, `filter`, `window` (alignment and cutting), `infer`, `decide`, `publish`, and in `total`
        from pull to publication.
    """

    t: float
    window_index: int
    state: State
    proba: dict[str, float] | None = None
    evidence: dict[str, float] | None = None
    decision: str | None = None
    confidence: float = 0.0
    committed: bool = False
    rec_t: float | None = None
    sample_age_ms: float = math.nan
    latency_ms: dict[str, float] = field(default_factory=dict)

    def to_json_line(self, *, trained_on: bool = False) -> str:
        """Return the row as one line of strict JSON (numbers that are not finite become null).

        Parameters
        ----------
        trained_on : bool
            True says in the line that the model has learnt from the recording that is decoded.
        """
        row: dict[str, Any] = {"t": round(self.t, 6)}
        if self.rec_t is not None:
            row["rec_t"] = round(self.rec_t, 6)
        row["proba"] = self.proba
        row["decision"] = self.decision
        row["confidence"] = self.confidence
        row["state"] = str(self.state)
        row["sample_age_ms"] = _number(self.sample_age_ms)
        row["latency_ms"] = {k: _number(v) for k, v in self.latency_ms.items()}
        if trained_on:
            row["trained_on"] = True
        return json.dumps(row, allow_nan=False)


class Sink(Protocol):
    """Anything that takes decision rows: an LSL outlet, a JSON writer, the ledger of the report."""

    def publish(self, decision: Decision) -> None:
        """Take one row; must not block."""
        ...


def _number(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
