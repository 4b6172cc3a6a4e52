"""Results of an evaluation as Markdown, beside the numbers of the paper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.training.evaluate.evaluation import ResultStore, load_predictions
from neuript.training.evaluate.paper import reported
from neuript.training.fitting.intervals import Interval, intervals
from neuript.training.fitting.metrics import BINARY, MULTICLASS, SHORT, at_base_rate

FEW_SUBJECTS = 10
_TABLES = {2: "pretrained (Table 2)", 11: "from scratch (Table 11)"}


@dataclass(frozen=True)
class ResultRow:
    """A method on one share of the training data.

    Attributes
    ----------
    method : str
        Name of the method that was run.
    fraction : float
        Share of the training windows it had, in (0, 1].
    n_train : int
        Number of windows in that share.
    val : float
        Balanced accuracy on validation windows, mean over seeds; it decided what was selected.
    test : dict of str to Interval
        Scores of the test windows with their intervals, keyed by metric.
    at_rate : Interval, optional
        Balanced accuracy at the threshold of `metrics.at_base_rate`; None unless there are two
        classes and validation windows.
    variants : int
        How many settings are among the results of this method; more than 1 needs a look.
    """

    method: str
    fraction: float
    n_train: int
    val: float
    test: dict[str, Interval]
    at_rate: Interval | None
    variants: int


def rows(folder: str | Path, metrics: Sequence[str] | None = None) -> list[ResultRow]:
    """Gather the results of a folder: one row per method and share, over its seeds.

    Parameters
    ----------
    folder : str or Path
        Folder that `evaluation.evaluate` wrote to.
    metrics : sequence of str, optional
        Names of `metrics.METRICS`; None takes the paper's for two or more classes.

    Raises
    ------
    NeuriptError
        If there is no result, or results of several data sets.
    """
    groups, windows = results_by_method(folder)
    metrics = metrics or (BINARY if len(windows["classes"]) == 2 else MULTICLASS)
    return [_row(Path(folder), group, windows, metrics) for group in groups]


def results_by_method(folder: str | Path) -> tuple[list[list[dict[str, Any]]], dict[str, Any]]:
    """Return the newest results of a folder, one group for each method and share with its seeds, and its windows.

    The windows are arrays: labels and people of each split (`y_test`, `subject_val`, ...), and `classes`.

    Raises
    ------
    NeuriptError
        If there is no result, or results of several data sets.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NeuriptError(f"there is no folder {folder} with results")
    store = ResultStore(folder)
    groups: dict[tuple[float, str], list[dict[str, Any]]] = defaultdict(list)
    newest = {_key(result): result for result in store}
    for result in newest.values():
        groups[(-float(result["fraction"]), str(result["method"]))].append(result)
    if not groups:
        raise NeuriptError(f"{folder} holds no results yet")
    if len({result["windows"] for result in newest.values()}) > 1:
        raise NeuriptError(
            f"{folder} holds results of different windows; they cannot stand in one table: "
            "use a folder for each data set"
        )
    with np.load(store.windows_path(next(iter(newest.values()))["windows"])) as arrays:
        windows = dict(arrays)
    return [group for _, group in sorted(groups.items(), key=_order)], windows


def table(folder: str | Path, metrics: Sequence[str] | None = None) -> str:
    """Return the results of a folder and the paper's as a Markdown table, with what to know of it."""
    found = rows(folder, metrics)
    first = next(iter(ResultStore(Path(folder))))
    names = list(found[0].test)
    rated = any(row.at_rate for row in found)
    head = ["method", "training windows", "seeds", "val BA", *(SHORT[name] for name in names)]
    head += ["BA at base rate"] if rated else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found:
        seeds = next(iter(row.test.values())).n_seeds
        mark = f" ({row.variants} settings)" if row.variants > 1 else ""
        cells = [row.method + mark, f"{row.n_train} ({row.fraction:.3g})", seeds, _percent(row.val)]
        cells += [_cell(row.test[m]) for m in names]
        cells += [_cell(row.at_rate) if row.at_rate else ""] if rated else []
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for number, label in _TABLES.items():
        printed = _printed(number, str(first["protocol"]))
        if printed:
            cells = [f"NeurIPT, paper, {label}", "", "", "", *(printed.get(m, "") for m in names)]
            cells += [""] if rated else []
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    n_subjects = next(iter(found[0].test.values())).n_subjects
    notes = [
        "Per cent; mean over seeds ± standard deviation over seeds [95 % bootstrap over test "
        f"subjects and seeds]. Test: {n_subjects} subjects."
    ]
    if rated:
        notes.append(
            "BA takes the more probable class. BA at base rate moves the threshold to where as "
            "many validation windows lie above it as belong to the second class."
        )
    if n_subjects < FEW_SUBJECTS:
        notes.append(
            "With so few test subjects the true intervals are wider than these: differences of "
            "several points mean little."
        )
    return "\n".join([*lines, "", *notes, *_low_data(found, names, str(first["protocol"]))]) + "\n"


def _row(
    folder: Path, group: Sequence[dict[str, Any]], windows: Mapping[str, Any], metrics: Sequence[str]
) -> ResultRow:
    proba = load_predictions(folder, group)
    val = [result["val"]["balanced_accuracy"] for result in group if "val" in result]
    settings = {repr(sorted(result["settings"].items())) for result in group}
    return ResultRow(
        method=str(group[0]["method"]),
        fraction=float(group[0]["fraction"]),
        n_train=int(group[0]["n_train"]),
        val=float(np.mean(val)) if val else float("nan"),
        test=_test(group, proba, windows, metrics),
        at_rate=_at_rate(folder, group, proba, windows),
        variants=len(settings),
    )


def _test(
    group: Sequence[dict[str, Any]],
    proba: Sequence[NDArray[np.float64]],
    windows: Mapping[str, Any],
    metrics: Sequence[str],
) -> dict[str, Interval]:
    y, subject = windows["y_test"], windows["subject_test"]
    if group[0]["about"].get("test_rows") is None:
        return intervals(y, proba, subject, metrics)
    parts = []  # each seed drew its own test windows: its intervals, averaged
    for result, p in zip(group, proba, strict=True):
        at = result["about"]["test_rows"]
        parts.append(intervals(y[at], [p[at]], subject[at], metrics))
    return {m: _mean([part[m] for part in parts]) for m in metrics}


def _at_rate(
    folder: Path, group: Sequence[dict[str, Any]], proba: Sequence[NDArray[np.float64]], windows: Mapping[str, Any]
) -> Interval | None:
    if len(windows["classes"]) != 2 or len(windows["y_val"]) == 0:
        return None
    val = load_predictions(folder, group, "val")
    if any(len(p) != len(windows["y_val"]) for p in val):
        return None
    moved = [at_base_rate(v, windows["y_val"], p) for v, p in zip(val, proba, strict=True)]
    name = "balanced_accuracy"
    return _test(group, moved, windows, (name,))[name]


def _mean(parts: Sequence[Interval]) -> Interval:
    values = [part.value for part in parts]
    return Interval(
        float(np.mean(values)),
        float(np.mean([part.low for part in parts])),
        float(np.mean([part.high for part in parts])),
        float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        len(values),
        parts[0].n_subjects,
    )


def _key(result: Mapping[str, Any]) -> tuple[str, int, float]:
    return str(result["method"]), int(result["seed"]), float(result["fraction"])


def _order(item: tuple[tuple[float, str], Any]) -> tuple[float, int]:
    from neuript.training.evaluate.methods import METHODS

    (minus_fraction, method), _ = item
    return minus_fraction, list(METHODS).index(method) if method in METHODS else len(METHODS)


def _cell(interval: Interval) -> str:
    spread = f" ± {100 * interval.sd_seeds:.1f}" if np.isfinite(interval.sd_seeds) else ""
    bounds = ""
    if np.isfinite(interval.low) and interval.n_subjects > 1:
        bounds = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return f"{100 * interval.value:.1f}{spread}{bounds}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if np.isfinite(value) else ""


def _printed(number: int, protocol: str) -> dict[str, str]:
    setting = "3D" if number == 11 else None
    return {
        entry.metric: f"{entry.value:.2f}" + (f" ± {entry.std:.2f}" if entry.std else "")
        for entry in reported(table=number, setting=setting, data=protocol)
    }


def _low_data(found: Sequence[ResultRow], names: Sequence[str], protocol: str) -> list[str]:
    """Return the table of the paper's Table 12: per cent of the result with all data."""
    full = {row.method: row for row in found if row.fraction == 1}
    low = [row for row in found if row.fraction < 1 and row.method in full]
    if not low:
        return []
    head = ["share", "method", *(SHORT[name] for name in names)]
    lines = ["", "Per cent of the same method's result with all training windows:", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in low:
        whole = full[row.method].test
        shares = [f"{100 * row.test[m].value / whole[m].value:.1f}" for m in names]
        lines.append("| " + " | ".join([f"{row.fraction:.3g}", row.method, *shares]) + " |")
    for entry in sorted({e.setting for e in reported(table=12, data=protocol)}):
        printed = {e.metric: f"{e.value:.2f}" for e in reported(table=12, setting=entry, data=protocol)}
        cells = [entry, "NeurIPT, paper (Table 12)", *(printed.get(m, "") for m in names)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines
