"""The figures of masked reconstructions: traces, and errors beside simple rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.network.companding import expand
from neuript.training.pictures import style
from neuript.training.pictures.reconstruction import interpolated
from neuript.training.windows.cleaning import good_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuript.montages import Montage
    from neuript.training.pictures.reconstruction import ErrorReport, Reconstruction

ORIGINAL, MODEL, LINE = "0.25", "#D55E00", "#0072B2"
_MASK = "#f6ebc8"
_CELLS = 70


def microvolts(companded: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return microvolts of companded values."""
    return expand(torch.as_tensor(np.asarray(companded, dtype=np.float64))).numpy()


def traces_figure(
    parts: Sequence[Reconstruction],
    window: int,
    montage: Montage,
    channels: Sequence[int],
    times_s: NDArray[np.float64],
) -> Figure:
    """Draw one window: channels as rows, a column per kind of masking.

    Parameters
    ----------
    parts : sequence of Reconstruction
        Reconstructions of the same windows, one for each kind of masking.
    window : int
        Index of the window to draw.
    montage : Montage
        Names of the channels.
    channels : sequence of int
        Indices of the channels to draw.
    times_s : ndarray, shape (n_times,)
        Times of the samples in seconds.
    """
    figure = style.new_figure(0.7 * len(channels) + 0.75)
    axes = figure.subplots(len(channels), len(parts), squeeze=False, sharex=True, sharey="row")
    for column, part in zip(axes.T, parts, strict=True):
        for panel, c in zip(column, channels, strict=True):
            _trace(panel, part, window, c, times_s)
        column[0].set_title(part.name)
        column[-1].set_xlabel("s")
    for row, c in zip(axes, channels, strict=True):
        row[0].set_ylabel(montage.ch_names[c], rotation=0, ha="right", va="center")
        row[0].set_ylim(_limits([microvolts(part.target[window, c]) for part in parts]))
        for panel in row:
            panel.set_xlim(times_s[0], times_s[-1])
            panel.locator_params(axis="y", nbins=3)
            if panel is not row[0]:
                panel.tick_params(labelleft=False)
    lines = axes[0, 0].get_lines()
    patch = axes[0, 0].fill_between([], [], color=_MASK)
    figure.legend(
        [lines[0], lines[2], lines[1], patch],
        ["recorded (µV)", "model at hidden samples", "straight line", "hidden"],
        loc="outside upper center",
        ncols=4,
    )
    return figure


def _limits(recorded: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Limits of an axis from what was recorded: a model that knows nothing yet may be anywhere, companded or not."""
    low, high = min(float(x.min()) for x in recorded), max(float(x.max()) for x in recorded)
    margin = 0.2 * (high - low) or 1.0
    return low - margin, high + margin


def _two(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"


def _density(axes: Axes, truth: NDArray[np.float32], guess: NDArray[np.float32]) -> None:
    low, high = (float(v) for v in np.quantile(truth, [0.002, 0.998]))
    margin = 0.12 * (high - low)
    low, high = low - margin, high + margin
    counts, *_ = np.histogram2d(guess, truth, bins=_CELLS, range=[[low, high]] * 2)
    shown = np.where(counts > 0, np.log1p(counts), np.nan)
    axes.imshow(shown, extent=(low, high, low, high), origin="lower", cmap="Greys", vmin=0.0)
    axes.plot([low, high], [low, high], color=MODEL, linewidth=0.7)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="auto")


def _trace(axes: Axes, part: Reconstruction, window: int, c: int, times_s: NDArray[np.float64]) -> None:
    hidden = part.masked[window, c]
    line = interpolated(part.target[window, c], hidden)
    step = times_s[1] - times_s[0] if len(times_s) > 1 else 1.0
    for start, stop in good_runs(hidden):
        axes.axvspan(times_s[start] - step / 2, times_s[stop - 1] + step / 2, color=_MASK, lw=0)
    axes.plot(times_s, microvolts(part.target[window, c]), color=ORIGINAL, linewidth=0.7)
    for values, colour, width in ((line, LINE, 0.6), (part.prediction[window, c], MODEL, 1.0)):
        shown = np.where(hidden, microvolts(values), np.nan)
        axes.plot(times_s, shown, ".-", color=colour, linewidth=width, markersize=1.6)


def errors_figure(parts: Sequence[tuple[str, ErrorReport, Reconstruction]]) -> Figure:
    """Draw, per kind of masking, predicted against true values and the error by amplitude."""
    figure = style.new_figure(3.7, min(style.WIDTH_IN, 2.4 * len(parts) + 0.4))
    axes = figure.subplots(2, len(parts), squeeze=False, sharex="col")
    for (name, report, part), (scatter, curve) in zip(parts, axes.T, strict=True):
        truth, guess = part.target[part.masked], part.prediction[part.masked]
        _density(scatter, truth, guess)
        scatter.set_title(name)
        scatter.text(
            0.04,
            0.95,
            f"r = {_two(report.correlation)}, within channels {_two(report.correlation_within)}",
            va="top",
            transform=scatter.transAxes,
        )
        middle = (report.bins[1:] + report.bins[:-1]) / 2
        colours = {
            "model": MODEL,
            "linear interpolation": LINE,
            "mean of the visible": style.GREY,
            "best constant": "k",
        }
        for label, colour in colours.items():
            curve.plot(middle, report.by_amplitude[label], ".-", color=colour, label=label, markersize=3)
        rules = [value for label, values in report.by_amplitude.items() if label != "model" for value in values]
        tallest = min(max(map(float, report.by_amplitude["model"])), 2 * max(map(float, rules)))
        curve.set_ylim(0, 1.08 * max(tallest, *map(float, rules)))  # a model may be wrong by any factor
        curve.set_xlabel("recorded value (companded)")
    axes[0, 0].set_ylabel("model's value")
    axes[1, 0].set_ylabel("mean squared error")
    figure.legend(handles=axes[1, 0].get_lines(), loc="outside lower center", ncols=4)
    return figure
