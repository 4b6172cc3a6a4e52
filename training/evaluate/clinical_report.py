"""What a classifier of two classes is worth in a clinic, at a point chosen on validation and judged on test people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.training.evaluate.alarm_counts import (
    AlarmTarget,
    ScoredWindows,
    choose_threshold,
    counts_by_subject,
    net_benefit,
    rates,
)
from neuript.training.evaluate.evaluation import load_predictions
from neuript.training.evaluate.result_tables import results_by_method
from neuript.training.fitting.intervals import LEVEL, N_BOOT, draw_subjects, percentile_bounds

THRESHOLDS = np.arange(1, 100) / 100
"""Threshold probabilities of a decision curve."""


@dataclass(frozen=True, eq=False)
class ClinicalRow:
    """One method at its operating point.

    Attributes
    ----------
    method : str
        Name of the method.
    thresholds : tuple of float
        Threshold of each seed, chosen on the validation people.
    rates : dict of str to tuple of three floats
        Mean over seeds and 95 % bounds over test people, keyed by the names of `alarm_counts.rates`.
    net_benefit, treat_all : ndarray, shape (n_thresholds,)
        Net benefit per window at `THRESHOLDS`, mean over seeds, and of acting on every window.
    n_people : int
        Number of test people.
    """

    method: str
    thresholds: tuple[float, ...]
    rates: dict[str, tuple[float, float, float]]
    net_benefit: NDArray[np.float64] = field(repr=False)
    treat_all: NDArray[np.float64] = field(repr=False)
    n_people: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        curves = {"at": THRESHOLDS.tolist(), "model": self.net_benefit.tolist(), "all": self.treat_all.tolist()}
        return {
            "method": self.method,
            "thresholds": list(self.thresholds),
            "rates": {name: list(values) for name, values in self.rates.items()},
            "net_benefit": curves,
            "n_people": self.n_people,
        }


def clinical_rows(folder: str | Path, target: AlarmTarget) -> list[ClinicalRow]:
    """Choose an operating point for each method of an evaluation, and say what it does on the test people.

    Only results on all training windows count. Every seed has a threshold of its own.

    Parameters
    ----------
    folder : str or Path
        Folder that `evaluation.evaluate` wrote to.
    target : AlarmTarget
        What is to be reached on the validation people.

    Raises
    ------
    NeuriptError
        If there are no results, not two classes, no validation windows, or the folder is of an older version.
    """
    groups, windows = results_by_method(folder)
    if len(windows["classes"]) != 2:
        raise NeuriptError(f"an operating point needs two classes; {folder} has {', '.join(windows['classes'])}")
    if "recording_test" not in windows:
        raise NeuriptError(
            f"{folder} was made by a version that did not note the recordings; give the same neuript-train evaluate "
            "command once more, which adds them and repeats nothing"
        )
    found = []
    for group in groups:
        if float(group[0]["fraction"]) == 1 and group[0]["about"].get("test_rows") is None:
            scores = {split: load_predictions(Path(folder), group, split) for split in ("val", "test")}
            found.append(_row(str(group[0]["method"]), scores, windows, target))
    if not found:
        raise NeuriptError(
            f"{folder} has no method that learnt from all training windows and was tested on all test windows; give "
            "the neuript-train evaluate command without --fractions"
        )
    return found


def _row(
    method: str, scores: dict[str, list[NDArray[np.float64]]], windows: dict[str, Any], target: AlarmTarget
) -> ClinicalRow:
    thresholds, tables, benefits = [], [], []
    for val, test in zip(scores["val"], scores["test"], strict=True):
        threshold = choose_threshold(_scored(windows, "val", val), target)
        tables.append(counts_by_subject(_scored(windows, "test", test), threshold, target.n_consecutive)[1])
        thresholds.append(threshold)
        benefits.append(net_benefit(windows["y_test"], test[:, 1], THRESHOLDS))
    stacked_RSF = np.stack(tables)
    n_people = stacked_RSF.shape[1]
    draws_BS = draw_subjects(np.random.default_rng(0), N_BOOT, n_people).astype(np.float64)
    weights = np.concatenate([np.ones((1, n_people)), draws_BS])
    found = {}
    for name, values_RB in rates(np.einsum("bs,rsf->rbf", weights, stacked_RSF)).items():
        mean = values_RB.mean(axis=0)
        bounds = percentile_bounds(mean[1:], LEVEL) if n_people > 1 else (np.nan, np.nan)
        found[name] = (float(mean[0]), float(bounds[0]), float(bounds[1]))
    model, treat_all = (np.mean(values, axis=0) for values in zip(*benefits, strict=True))
    return ClinicalRow(method, tuple(thresholds), found, model, treat_all, n_people)


def _scored(windows: dict[str, Any], split: str, proba: NDArray[np.float64]) -> ScoredWindows:
    fields = {name: windows[f"{name}_{split}"] for name in ("y", "subject", "recording", "start_s")}
    return ScoredWindows(score=proba[:, 1], window_s=float(windows["window_s"]), **fields)


def clinical_table(rows: list[ClinicalRow], target: AlarmTarget) -> str:
    """Return the operating points as a Markdown table, with what to know of them."""
    names = list(rows[0].rates) if rows else []
    lines = ["| " + " | ".join(["method", "seeds", "threshold", *names]) + " |", "|" + "---|" * (len(names) + 3)]
    for row in rows:
        cells = [row.method, str(len(row.thresholds)), f"{np.mean(row.thresholds):.3f}"]
        cells += [_cell(name, *values) for name, values in row.rates.items()]
        lines.append("| " + " | ".join(cells) + " |")
    per = " per hour" if target.goal == "false-alarms" else ""
    n = rows[0].n_people if rows else 0
    note = (
        f"Threshold: {target.goal} {target.value:g}{per} on the validation people. All else: {n} test people, mean "
        "over seeds [95 % bootstrap over people]. Sensitivity and specificity count windows; an event is a run of "
        f"windows of the second class, an alarm {target.n_consecutive} or more windows in a row at or above the "
        "threshold, false where it overlaps no event. Hours are those of the windows that were kept."
    )
    return "\n".join([*lines, "", note])


def _cell(name: str, value: float, low: float, high: float) -> str:
    scale, digits = (1.0, 2) if name == "false alarms per hour" else (100.0, 1)
    if not np.isfinite(value):
        return "–"
    text = f"{scale * value:.{digits}f}"
    return text if not np.isfinite(low) else f"{text} [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
