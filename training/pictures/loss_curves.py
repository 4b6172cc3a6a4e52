"""Losses of pretrainings, run by run: what their logs say, and the figure of them (Fig. 7 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.training.pictures import style
from neuript.training.pretrain.logbook import LOG, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHED = 9
"""Number of logged steps, at most, that a line of the training loss is the running mean of."""
_SCORES = {"r2": "variance explained,\nall hidden samples", "r2_within": "variance explained\nwithin each channel"}


@dataclass(frozen=True, eq=False)
class LossCurves:
    """Losses of the runs of one setting, one for each seed.

    Attributes
    ----------
    label : str
        What the setting is called.
    step : ndarray, shape (n_steps,)
        Optimiser steps that all runs have logged.
    rec : ndarray, shape (n_runs, n_steps)
        Reconstruction loss in training, companded units to the power of the loss.
    val_step : ndarray, shape (n_validations,)
        Steps after which all runs were validated.
    r2, r2_within : ndarray, shape (n_runs, n_validations)
        Share of the variance of the hidden samples of held-out people that is explained, over all of them, and within
        each window and channel; NaN where a log does not say it.
    """

    label: str
    step: NDArray[np.int64]
    rec: NDArray[np.float64]
    val_step: NDArray[np.int64]
    r2: NDArray[np.float64]
    r2_within: NDArray[np.float64]


def read_curves(runs: Mapping[str, Sequence[Path]]) -> list[LossCurves]:
    """Read the logs of pretrainings.

    Parameters
    ----------
    runs : mapping of str to sequence of Path
        Folders of the pretrainings of each setting, by its label.

    Raises
    ------
    NeuriptError
        If a folder has no log, or nothing was logged in it yet.
    """
    return [_read(label, folders) for label, folders in runs.items()]


def _read(label: str, folders: Sequence[Path]) -> LossCurves:
    for folder in folders:
        if not (folder / LOG).is_file():
            raise NeuriptError(
                f"{folder} has no {LOG}; give the folder of a pretraining (neuript-train pretrain --out)"
            )
    step, train = _common(folders, "train", ("rec",))
    val_step, val = _common(folders, "validation", ("r2", "r2_within"))
    if not len(step):
        raise NeuriptError(f"{label}: no step was logged in {', '.join(map(str, folders))} yet")
    return LossCurves(label, step, train["rec"], val_step, val["r2"], val["r2_within"])


def _common(
    folders: Sequence[Path], kind: str, names: Sequence[str]
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Steps that all runs have entries of, and their values, (n_runs, n_steps)."""
    logs = [{int(entry["step"]): entry for entry in read_log(folder, kind)} for folder in folders]
    steps = sorted(set.intersection(*(set(log) for log in logs)))
    found = {
        name: np.array([[log[step].get(name, np.nan) for step in steps] for log in logs], dtype=np.float64)
        for name in names
    }
    return np.array(steps, dtype=np.int64), found


def curves_figure(curves: Sequence[LossCurves]) -> Figure:
    """Draw the training loss, and what validation explains, by step: means over runs, thin lines for each."""
    figure = style.new_figure(2.4)
    loss, *scores = figure.subplots(1, 1 + len(_SCORES))
    for i, curve in enumerate(curves):
        colour = style.class_colour(i)
        _lines(loss, curve.step, np.array([smoothed(run) for run in curve.rec]), colour, curve.label)
        for panel, name in zip(scores, _SCORES, strict=True):
            _lines(panel, curve.val_step, getattr(curve, name), colour, curve.label, marker=".")
    loss.set_ylabel("reconstruction loss")
    loss.set_yscale("log")
    for panel, (name, title) in zip(scores, _SCORES.items(), strict=True):
        panel.set_ylabel(title)
        panel.axhline(0.0, color="0.3", linewidth=0.6, linestyle=(0, (4, 3)))
        lowest = min((float(np.nanmin(getattr(c, name), initial=0.0)) for c in curves), default=0.0)
        panel.set_ylim(max(lowest, -1.0) - 0.05, 1.0)
    for panel, letter in zip((loss, *scores), "abc", strict=False):
        panel.set_xlabel("step")
        panel.set_xlim(0, 1.02 * max(int(c.step[-1]) for c in curves))
        style.tag(panel, letter, dx=-0.18)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=max(len(curves), 1))
    return figure


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running mean over `SMOOTHED` entries, of what there is at the ends."""
    half = SMOOTHED // 2
    return np.array([values[max(0, i - half) : i + half + 1].mean() for i in range(len(values))])


def _lines(
    axes: Axes, x: NDArray[np.int64], y_RN: NDArray[np.float64], colour: str, label: str, marker: str = ""
) -> None:
    if len(y_RN) > 1:
        axes.plot(x, y_RN.T, color=colour, linewidth=0.4, alpha=0.5)
    axes.plot(x, y_RN.mean(axis=0), color=colour, label=label, marker=marker, markersize=3)


def draw_curves(runs: Mapping[str, Sequence[Path]], out: Path) -> list[LossCurves]:
    """Draw the curves of some runs into a file, and return them.

    Raises
    ------
    NeuriptError
        If a log is missing or empty, or the file cannot be written or is neither PNG nor PDF.
    """
    kind = out.suffix.removeprefix(".")
    if kind not in ("png", "pdf"):
        raise NeuriptError(f"--out {out} must end in .png or .pdf")
    curves = read_curves(runs)
    with style.looks():
        content = style.rendered(curves_figure(curves), kind)
    write_atomically(out, content)
    return curves


def last_scores(curves: Sequence[LossCurves]) -> str:
    """Return the last losses and validations of each setting as a Markdown table, means over its runs."""
    lines = ["| setting | runs | step | loss | r2 | r2 within channels |", "|---|---|---|---|---|---|"]
    for c in curves:
        loss = np.mean([smoothed(run)[-1] for run in c.rec])
        scores = [f"{values[:, -1].mean():.3f}" if values.size else "–" for values in (c.r2, c.r2_within)]
        lines.append(f"| {c.label} | {len(c.rec)} | {c.step[-1]} | {loss:.3f} | {' | '.join(scores)} |")
    return "\n".join(lines)
