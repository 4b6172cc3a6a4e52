"""A sweep's results as Markdown tables, beside the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuript.training.evaluate.paper import BA, reported
from neuript.training.sweep.jobs import Cell, SweepPlan
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.statistics import Estimate, interaction, over_runs, over_subjects, paired, sum_over_subjects

_AUROC = "auroc"
_KINDS = {"svm": "SVM on frozen features", "finetune": "fine-tuned", "transfer": "change of the channel set"}


@dataclass
class TableEntry:
    """The finished runs of one row: by seed, all metrics and the test subjects' confusions."""

    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    confusions: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def values(self, metric: str) -> dict[int, float]:
        """Return one metric by seed, in percent; where it is not defined it is left out."""
        found = {seed: metrics.get(metric) for seed, metrics in self.metrics.items()}
        return {seed: 100 * v for seed, v in found.items() if v is not None and math.isfinite(v)}


Rows = dict[tuple[str, str, str], dict[str, TableEntry]]
"""(kind, data, condition) -> setting -> entry."""


def collect(plan: SweepPlan, store: ResultsFolder) -> Rows:
    """Gather the results of all finished jobs of a plan."""
    rows: Rows = {}
    for cell in plan.cells:
        for result in store.results(cell.job_id):
            _add(rows, cell, result)
    return rows


def tabulate(plan: SweepPlan, store: ResultsFolder) -> str:
    """Return the report of a sweep in Markdown; what is not finished is said at its head."""
    rows = collect(plan, store)
    sweep = plan.sweep
    parts = [f"# {sweep.title}", ""]
    if sweep.note:
        parts += [sweep.note, ""]
    parts += [_progress(plan, store), ""]
    for kind, data, condition in sorted(rows):
        entries = rows[kind, data, condition]
        name = f"{data} · {_KINDS[kind]}" + (f" · {condition}" if condition else "")
        parts += [f"## {name}", "", *_table(plan, kind, data, entries), ""]
        if lines := _interactions(plan, entries):
            parts += [*lines, ""]
    if rows:
        parts += [_FOOTNOTE, ""]
    return "\n".join(parts)


_FOOTNOTE = """\
Percent. `seeds`: mean and 95 % Student interval over seeds. `people`: 95 % percentile interval over
test people (too narrow below about ten; none for one). `against`: paired difference to the
reference row over the same seeds, and over people; an interval that holds 0 shows no difference.
`interaction`: (a - b) - (c - d), what the two factors do together beyond the sum of what each does.
`paper`: as printed, other data sizes and another model size unless said."""


def _add(rows: Rows, cell: Cell, result: Mapping[str, Any]) -> None:
    key = (cell.kind, cell.data, str(result.get("condition", "")))
    entry = rows.setdefault(key, {}).setdefault(cell.setting, TableEntry())
    entry.metrics[cell.seed] = dict(result["metrics"])
    if subjects := result.get("subjects"):
        entry.confusions[cell.seed] = subjects


def _table(plan: SweepPlan, kind: str, data: str, entries: Mapping[str, TableEntry]) -> list[str]:
    reference = entries.get(plan.sweep.reference)
    metrics = {m for e in entries.values() for v in e.metrics.values() for m in v}
    ranks = sorted(metrics & {_AUROC})  # two classes: a score without a threshold, also compared
    others = sorted(metrics - {BA, _AUROC})
    against = f"against {plan.sweep.reference}"
    head = ["setting", "seeds", "BA (seeds)", "BA (people)", against, "same (people)"]
    head += [text for name in ranks for text in (f"{name} (seeds)", against)]
    head += [*others, "paper BA"]
    lines = [_line(head), _line(["---"] * len(head))]
    for setting in plan.sweep.settings:
        if setting not in entries:
            continue
        entry = entries[setting]
        own = setting == plan.sweep.reference or reference is None
        cells = [setting, str(len(entry.metrics)), _show(over_runs([*entry.values(BA).values()]))]
        cells.append(_people(entry, None))
        cells.append("" if own else _show(paired(entry.values(BA), _ba(reference)), signed=True))
        cells.append("" if own else _people(entry, reference))
        for name in ranks:
            found = entry.values(name)
            cells.append(_show(over_runs([*found.values()])))
            compared = {} if reference is None else reference.values(name)
            cells.append("" if own else _show(paired(found, compared), signed=True))
        cells += [_mean(entry.values(metric).values()) for metric in others]
        cells.append(_paper(plan, setting, kind, data))
        lines.append(_line(cells))
    return lines


def _interactions(plan: SweepPlan, entries: Mapping[str, TableEntry]) -> list[str]:
    """A row for each difference of differences whose four settings have results."""
    rows = []
    ranked = any(_AUROC in metrics for entry in entries.values() for metrics in entry.metrics.values())
    for title, labels in plan.sweep.interactions.items():
        if not set(labels) <= set(entries):
            continue
        four = [entries[label] for label in labels]
        seeds = sorted(set.intersection(*(set(entry.confusions) for entry in four)))
        cells = [title, "({} - {}) - ({} - {})".format(*labels)]
        cells.append(_show(interaction([entry.values(BA) for entry in four]), signed=True))
        terms = [(w, [e.confusions[s] for s in seeds]) for w, e in zip((1.0, -1.0, -1.0, 1.0), four, strict=True)]
        cells.append(_show(_percent(sum_over_subjects(terms)), signed=True) if seeds else "–")
        cells += [_show(interaction([entry.values(_AUROC) for entry in four]), signed=True)] if ranked else []
        rows.append(_line(cells))
    if not rows:
        return []
    head = ["interaction", "of", "BA (seeds)", "BA (people)", *([f"{_AUROC} (seeds)"] if ranked else [])]
    return [_line(head), _line(["---"] * len(head)), *rows]


def _ba(entry: TableEntry | None) -> dict[int, float]:
    return {} if entry is None else entry.values(BA)


def _people(entry: TableEntry, reference: TableEntry | None) -> str:
    seeds = sorted(entry.confusions)
    other = None
    if reference is not None:
        seeds = [seed for seed in seeds if seed in reference.confusions]
        other = [reference.confusions[seed] for seed in seeds]
    if not seeds:
        return "–"
    estimate = over_subjects([entry.confusions[seed] for seed in seeds], other)
    return _show(_percent(estimate), signed=reference is not None, only_interval=reference is None)


def _percent(share: Estimate) -> Estimate:
    return Estimate(100 * share.mean, 100 * share.low, 100 * share.high, share.n)


def _paper(plan: SweepPlan, setting: str, kind: str, data: str) -> str:
    tables = tuple(plan.sweep.paper_tables.get(kind, ()))
    if not tables or setting not in plan.sweep.paper:
        return "–"
    found = reported(table=tables, setting=plan.sweep.paper[setting], data=data, metric=BA)
    return f"{found[0].value:.2f} (T{found[0].table})" if found else "–"


def _progress(plan: SweepPlan, store: ResultsFolder) -> str:
    states = [store.state(job.id) for job in plan.jobs]
    text = f"{states.count('done')} of {len(states)} jobs are done"
    failed = [job for job, state in zip(plan.jobs, states, strict=True) if state == "failed"]
    for job in failed[:5]:
        text += f"\n- failed: {job.label} ({job.id}): {store.failure(job.id)}"
    return text if not failed else text + "\n"


def _show(estimate: Estimate, *, signed: bool = False, only_interval: bool = False) -> str:
    if not math.isfinite(estimate.mean):
        return "–"
    sign = "+" if signed else ""
    interval = ""
    if math.isfinite(estimate.low):
        interval = f"[{estimate.low:{sign}.1f}, {estimate.high:{sign}.1f}]"
    if only_interval:
        return interval or "–"
    return f"{estimate.mean:{sign}.1f} {interval}".strip()


def _mean(values: Iterable[float]) -> str:
    numbers = list(values)
    return f"{sum(numbers) / len(numbers):.1f}" if numbers else "–"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
