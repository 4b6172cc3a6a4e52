"""Latency and state bookkeeping with bounded memory: percentiles from logarithmic bins."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.decision import STAGES, Decision

LATENCY = "latency"
"""What an event of the ledger is about: the second part of `neuript/latency/...`."""
ENGINE = "engine"
"""What an event is about that names the engine which goes on."""
AGE = "age"
"""Name of the sample age beside the names of the stages."""
QUANTILES = (50, 95, 99)
_LOW_MS, _HIGH_MS, _PER_DECADE = 1e-3, 1e6, 200


class LatencyHistogram:
    """Counts of durations in bins 1.16 % wide, 1 microsecond to 1000 s; memory never grows."""

    def __init__(self) -> None:
        decades = math.log10(_HIGH_MS / _LOW_MS)
        self._counts: NDArray[np.int64] = np.zeros(round(decades * _PER_DECADE) + 1, np.int64)
        self.n = 0
        self.max_ms = math.nan
        self._sum_ms = 0.0

    def add(self, value_ms: float) -> None:
        """Count one duration; values that are not finite are left out."""
        if not math.isfinite(value_ms):
            return
        clipped = min(max(value_ms, _LOW_MS), _HIGH_MS)
        self._counts[round(math.log10(clipped / _LOW_MS) * _PER_DECADE)] += 1
        self.n += 1
        self._sum_ms += value_ms
        self.max_ms = value_ms if self.n == 1 else max(self.max_ms, value_ms)

    def percentile(self, q: float) -> float:
        """Return the duration in ms that a share `q` (0..100) does not exceed; NaN when empty."""
        if self.n == 0:
            return math.nan
        rank = max(1, math.ceil(q / 100 * self.n))
        index = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(_LOW_MS * math.pow(10.0, index / _PER_DECADE), self.max_ms)

    def summary(self) -> dict[str, float | int | None]:
        """Return n, mean, p50, p95, p99 and max in ms for the report."""
        if self.n == 0:
            return {"n": 0, "mean": None, "p50": None, "p95": None, "p99": None, "max": None}
        values = {f"p{q}": round(self.percentile(q), 4) for q in QUANTILES}
        mean = round(self._sum_ms / self.n, 4)
        return {"n": self.n, "mean": mean, **values, "max": round(self.max_ms, 4)}


class LatencyLedger:
    """A sink that keeps the whole session's latencies, states and commands in constant memory."""

    def __init__(self) -> None:
        self.stages = {stage: LatencyHistogram() for stage in STAGES}
        self.sample_age = LatencyHistogram()
        self.sample_to_decision = LatencyHistogram()
        self.states: Counter[str] = Counter()
        self.commits: Counter[str] = Counter()
        self.rows = 0
        self.windows = 0

    def publish(self, decision: Decision) -> None:
        """Count one row; latencies only of rows that carry a decoded window."""
        self.rows += 1
        self.states[str(decision.state)] += 1
        if decision.committed and decision.decision is not None:
            self.commits[decision.decision] += 1
        if decision.proba is None:
            return
        self.windows += 1
        self.sample_age.add(decision.sample_age_ms)
        self.sample_to_decision.add(decision.sample_age_ms + decision.latency_ms.get("total", math.nan))
        for stage, histogram in self.stages.items():
            histogram.add(decision.latency_ms.get(stage, math.nan))

    def summary(self) -> dict[str, Any]:
        """Return the ledger as plain values for `report.json`."""
        return {
            "rows": self.rows,
            "windows_decoded": self.windows,
            "states": dict(self.states),
            "commands": dict(self.commits),
            "latency_ms": {stage: h.summary() for stage, h in self.stages.items()},
            "sample_age_ms": self.sample_age.summary(),
            "sample_to_decision_ms": self.sample_to_decision.summary(),
        }


def latency_text(ledger: LatencyLedger) -> str:
    """Return percentiles of the sample age and of each stage as one line of JSON: `{"age": [p50, p95, p99], ...}`."""
    histograms = {AGE: ledger.sample_age, **ledger.stages}
    rows = {name: [round(h.percentile(q), 3) for q in QUANTILES] for name, h in histograms.items() if h.n}
    return json.dumps(rows, separators=(",", ":"))


def read_latency_text(text: str) -> dict[str, tuple[float, float, float]]:
    """Read what `latency_text` wrote, whoever sent it: what is no such row is left out."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    rows = {}
    for name in (AGE, *STAGES) if isinstance(said, dict) else ():
        values = said.get(name)
        if isinstance(values, list) and len(values) == len(QUANTILES) and all(map(_is_time, values)):
            p50, p95, p99 = map(float, values)
            rows[name] = (p50, p95, p99)
    return rows


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
