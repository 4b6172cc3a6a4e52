"""What each stage of the decoder takes, as its events stream tells it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neuript.realtime.decoding.latency import AGE, read_latency_text


@dataclass(frozen=True)
class StageTimes:
    """Percentiles over the decoder's session; nothing in them before it says."""

    rows: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """Milliseconds (p50, p95, p99) of the sample age and of each stage, by name."""

    @classmethod
    def read(cls, text: str) -> StageTimes:
        """Read the text of an event `neuript/latency/...`."""
        return cls(read_latency_text(text))

    @property
    def words(self) -> str:
        """The stage that takes longest, with p50 and p99."""
        stages = {name: row for name, row in self.rows.items() if name not in (AGE, "total")}
        if not stages:
            return "–"
        slowest = max(stages, key=lambda name: stages[name][2])
        p50, _, p99 = stages[slowest]
        return f"{slowest} {p50:.1f} / {p99:.1f} ms"

    @property
    def table(self) -> str:
        """All of them, a line each; empty before the decoder says."""
        rows = [f"{name}: {p50:.2f} / {p95:.2f} / {p99:.2f} ms" for name, (p50, p95, p99) in self.rows.items()]
        return "\n".join(["p50 / p95 / p99 over the session", *rows]) if rows else ""
