"""How the targets of a session ended, and the rates with their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.scoring import exact_interval


class TargetEnd(StrEnum):
    """How a target ended."""

    HIT = "hit"
    MISS = "miss"
    """Another class was given."""
    TIMEOUT = "timeout"
    """Nothing was given in time."""
    VOID = "void"
    """The decoder could not say anything; the target is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """One target."""

    number: int
    target: str
    """Class that was asked for."""
    t: float
    """When it was shown, in seconds on the LSL clock."""
    outcome: TargetEnd
    answer: str | None
    """Class that was given."""
    time_s: float
    """Seconds from showing it to its end, without what was paused or silent."""
    state: str = "OK"
    """State of the decoder that made it void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRate:
    """Of all targets, or of those of one class."""

    n_hits: int
    n_targets: int
    """Without those that were void."""
    median_hit_s: float | None
    """Median time to a hit in seconds; None without one, and where nothing had to be done but stay."""

    @property
    def rate(self) -> float | None:
        """Share of hits; None without a target."""
        return self.n_hits / self.n_targets if self.n_targets else None

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the rate."""
        return exact_interval(self.n_hits, self.n_targets) if self.n_targets else (0.0, 1.0)

    @property
    def words(self) -> str:
        """The rate as a person reads it."""
        if self.rate is None:
            return "no target yet"
        low, high = self.interval
        return f"{self.n_hits} of {self.n_targets} hit: {100 * self.rate:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "rate": self.rate, "interval_95": list(self.interval)}


def hit_rate(results: Sequence[TargetResult], idle_class: str | None, target: str | None = None) -> HitRate:
    """Count hits among the targets of one class, or of all where `target` is None."""
    counted = [r for r in results if r.outcome is not TargetEnd.VOID and target in (None, r.target)]
    hits = [r for r in counted if r.outcome is TargetEnd.HIT]
    times = [r.time_s for r in hits if r.target != idle_class]
    return HitRate(n_hits=len(hits), n_targets=len(counted), median_hit_s=median(times) if times else None)


def results_to_dict(
    results: Sequence[TargetResult], header: DecoderHeader, settings: dict[str, Any], classes: Sequence[str]
) -> dict[str, Any]:
    """Return everything about a session as plain values for JSON."""
    return {
        "simulated": header.simulated or header.model_simulated,
        "decoder": {"task": header.task, "model": header.model_name, "model_sha256": header.model_sha256},
        "settings": settings,
        "all": hit_rate(results, header.idle_class).to_dict(),
        "per_class": {name: hit_rate(results, header.idle_class, name).to_dict() for name in classes},
        "n_void": sum(r.outcome is TargetEnd.VOID for r in results),
        "targets": [asdict(r) for r in results],
    }
