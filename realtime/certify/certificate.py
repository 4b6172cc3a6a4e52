"""The verdict on a computer: what each stage took, against the budget, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neuript.realtime.decoding.decision import STAGES

WHOLE = "sample to decision"
"""Age of the newest sample and the time from its pull to the publication, for each decision."""
MIN_DECIDED = 0.9
"""Share of the decisions that fell due which must have been made."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was measured, and what it means."""

    budget_ms: float
    expected: float
    """Decisions that fell due in the time that was asked for."""
    report: dict[str, Any] = field(repr=False)
    """The session's report, as `neuript-live --report` writes it."""
    settings: dict[str, Any]
    computer: dict[str, str]
    gpu: dict[str, Any] | None = None
    """What was tested on the GPU; None without one."""

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Percentiles in milliseconds of the sample age, each stage and the whole, by name."""
        report = self.report
        between = {stage: report["latency_ms"][stage] for stage in STAGES}
        return {"sample age": report["sample_age_ms"], **between, WHOLE: report["sample_to_decision_ms"]}

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each thing that is not as it must be; none is PASS."""
        report, p99 = self.report, self.stages[WHOLE]["p99"]
        asked, found = self.settings["engine"], report["engine"]["name"]
        reasons = []
        if p99 is None or p99 > self.budget_ms:
            shown = "is unknown" if p99 is None else f"of {p99:.1f} ms is above the budget of {self.budget_ms:g} ms"
            reasons.append(f"the p99 from sample to decision {shown}")
        if report["skipped_hops"]:
            reasons.append(f"{report['skipped_hops']} hops were skipped, since the computer was late")
        if report["windows_decoded"] < MIN_DECIDED * self.expected:
            reasons.append(
                f"{report['windows_decoded']} windows were decoded of about {self.expected:.0f} that were due"
            )
        if asked not in ("auto", found):
            why = (report["engine"]["steps_down"] or ["no reason given"])[0]
            reasons.append(f"the engine {asked} was asked for and {found} decodes: {why}")
        if self.gpu is not None:
            reasons += self.gpu["reasons"]
        return tuple(reasons)

    @property
    def passed(self) -> bool:
        """Whether this computer is fast enough."""
        return not self.reasons

    def lines(self) -> list[str]:
        """Return it in words."""
        engine, cost = self.report["engine"], self.report["cost"]
        rows = [f"{'stage':<20}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}  ms"]
        for name, row in self.stages.items():
            cells = "".join(f"{_two_digits(row[q]):>9}" for q in ("p50", "p95", "p99", "max"))
            rows.append(f"{name:<20}{cells}")
        rows.append(
            f"engine {engine['name']} ({engine['precision']}, {engine['device']}); "
            f"{cost['cpu_percent_of_one_core']:.0f} % of one core, {cost['rss_mb_max']:.0f} MB"
        )
        if self.gpu is not None:
            rows += self.gpu["lines"]
        rows.append("PASS" if self.passed else "FAIL: " + "; ".join(self.reasons))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "budget_ms": self.budget_ms,
            "stages_ms": self.stages,
            "settings": self.settings,
            "computer": self.computer,
            "gpu": self.gpu,
            "decisions_due": round(self.expected),
            "report": self.report,
        }


def _two_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
