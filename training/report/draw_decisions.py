"""Pictures of decisions, from the figures of a report alone: decoders, confusion, time course, commands, certainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.training.pictures.style import GREY, class_colour, matrix, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 6.4
"""Narrower than a page, so that the letters come out larger."""
LONGEST = 18
"""Characters of a name that fit into a picture."""
LINES = ("-", "--", "-.", ":")

Figures = Mapping[str, Any]


def short(name: str) -> str:
    """Return a name as it fits into a picture; a blank before an underscore, which would hide it in a legend."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return f" {name}" if name.startswith("_") else name


def draw_decoders(figures: Figures) -> Figure:
    """Balanced accuracy of every decoder with its exact interval, and what guessing reaches."""
    rows = figures["decoders"][::-1]
    figure = new_figure(0.95 + 0.27 * len(rows), WIDTH_IN)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        low, high = row["interval_95"]
        colour = class_colour(0) if row["published"] else GREY
        axes.plot([low, high], [place, place], color=colour, linewidth=3 if row["published"] else 1.5, alpha=0.45)
        axes.plot(row["accuracy"], place, "o", color=colour, markersize=6 if row["published"] else 4, clip_on=False)
        axes.text(1.03, place, f"{row['accuracy']:.0%}", va="center", fontsize=8)
    bound = next(iter(figures["calibration"]["decoders"].values()))["chance_bound_5"]
    axes.axvspan(0, bound, color="0.93", zorder=0)
    axes.text(
        bound - 0.01, len(rows) - 0.45, "guessing reaches this", ha="right", va="center", fontsize=7, color="0.35"
    )
    axes.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.1), xlabel="accuracy of held-out trials, exact 95 % interval")
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])  # ours, and longer than those of classes
    axes.set_title("Every decoder on the same held-out trials")
    _percent(axes, "x")
    return figure


def draw_confusion(figures: Figures) -> Figure:
    """What was cued against what was decoded, in trials and in shares of each row."""
    table = np.array(figures["confusion"]["table"], dtype=float)
    names = [short(name) for name in figures["confusion"]["classes"]]
    columns = [*names, "nothing"]
    if not table[:, -1].any():
        table, columns = table[:, :-1], names
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = new_figure(1.15 + 0.55 * len(names), WIDTH_IN)
    axes = figure.subplots()
    image = matrix(axes, share, rows=names, columns=columns, cmap="Blues", vmin=0, vmax=1)
    for (i, k), n in np.ndenumerate(table):
        ink = "white" if share[i, k] > 0.6 else "black"
        axes.text(k, i, f"{int(n)}\n{share[i, k]:.0%}", ha="center", va="center", color=ink, fontsize=7.5)
    axes.set(xlabel="decoded", ylabel="cued", title="Confusion of held-out trials")
    if max(map(len, columns)) > 9:
        axes.tick_params(axis="x", rotation=25)
    bar = figure.colorbar(image, ax=axes, shrink=0.9, ticks=[0, 0.5, 1])
    bar.set_ticklabels(["0 %", "50 %", "100 %"])
    return figure


def draw_course(figures: Figures) -> Figure:
    """Probability of every class around the cue, a panel for the trials of each class."""
    course, classes = figures["course"], figures["classes"]
    n_columns = min(len(classes), 2)
    n_rows = -(-len(classes) // n_columns)
    figure = new_figure(0.95 + 1.9 * n_rows, WIDTH_IN)
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    t = np.array(course["t_s"])
    for panel, cued in zip(panels, classes, strict=False):
        for k, name in enumerate(classes):
            part = {key: _numbers(values) for key, values in course["cued"][cued]["proba"][name].items()}
            panel.plot(t, part["mean"], LINES[k % len(LINES)], color=class_colour(k), linewidth=1.6, label=short(name))
            panel.fill_between(t, part["q25"], part["q75"], color=class_colour(k), alpha=0.15, linewidth=0)
        panel.axvline(0, color="0.3", linewidth=0.8)
        panel.set_title(f"cued: {short(cued)} ({max(course['cued'][cued]['n'], default=0)} trials)")
        panel.set(ylim=(0, 1), xlim=(t[0], t[-1]))
        _percent(panel, "y")
    for panel in panels[len(classes) :]:
        panel.axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), title="probability of")
    for panel in panels[max(0, len(classes) - n_columns) : len(classes)]:
        panel.set_xlabel("end of the window, seconds after the cue")
        panel.tick_params(labelbottom=True)
    figure.suptitle("Probability over time, mean and middle half of the held-out trials", fontsize=8.5)
    return figure


def draw_commands(figures: Figures) -> Figure:
    """How many tasks were commanded by when, and what became of all."""
    commands = figures["commands"]
    figure = new_figure(2.3, WIDTH_IN)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    delays = np.sort(commands["delays_s"])
    n_events = max(commands["events"], 1)
    last = max(6.0, float(delays.max(initial=0.0)) + 0.5)
    steps = np.concatenate([[0.0], delays, [last]])
    shares = np.concatenate([[0.0], np.arange(1, len(delays) + 1), [len(delays)]]) / n_events
    left.step(steps, shares, where="post", color=class_colour(0), linewidth=1.6)
    left.set(xlim=(0, last), ylim=(0, 1), xlabel="seconds after the cue", ylabel="tasks commanded rightly")
    left.set_title("Time to detect")
    _percent(left, "y")
    kinds = (("right", commands["hits"], 0), ("wrong", commands["wrong"], 1), ("none", commands["missed"], 7))
    for place, (_, n, colour) in enumerate(kinds):
        right.bar(place, n, color=class_colour(colour), width=0.65)
        right.text(place, n, str(n), ha="center", va="bottom", fontsize=8)
    right.set_xticks(range(3), [name for name, _, _ in kinds])
    right.yaxis.get_major_locator().set_params(integer=True)
    right.set(ylim=(0, 1.15 * n_events), ylabel="tasks", title="First command of a task")
    return figure


def draw_certainty(figures: Figures) -> Figure:
    """Calibration curve, and errors left among the most certain trials."""
    figure = new_figure(2.7, WIDTH_IN)
    left, right = figure.subplots(1, 2)
    points = figures["calibration_curve"]["points"]
    lowest = min(1 / len(figures["classes"]), *(point["certainty"] for point in points))
    left.plot([lowest, 1], [lowest, 1], color=GREY, linestyle="--", linewidth=1)
    for point in points:
        left.plot([point["certainty"]] * 2, point["interval_95"], color=class_colour(0), alpha=0.45, linewidth=2)
    certain = [point["certainty"] for point in points]
    left.plot(certain, [point["right"] for point in points], "o", color=class_colour(0), markersize=4.5, clip_on=False)
    left.set(xlim=(lowest - 0.02, 1.01), ylim=(0, 1.03), xlabel="how certain it was", ylabel="how often it was right")
    left.set_title("Calibration curve (dashed: as it should be)")
    curve = figures["risk_coverage"]["curve"]
    right.plot(curve["coverage"], curve["risk"], color=class_colour(1), linewidth=1.6)
    right.set(xlim=(0, 1), ylim=(0, max(0.5, max(curve["risk"]) * 1.05)))
    right.set(xlabel="share of the trials, most certain first", ylabel="errors among them")
    right.set_title("Risk and coverage")
    for axes in (left, right):
        _percent(axes, "x")
        _percent(axes, "y")
    return figure


def draw_learning_curve(figures: Figures) -> Figure:
    """Accuracy against the number of trials learnt from, and where more would lead."""
    curve = figures["learning_curve"]
    points, forecast = curve["points"], curve["forecast"]
    figure = new_figure(2.5, WIDTH_IN)
    axes = figure.subplots()
    sizes, found = [p["n_trials"] for p in points], [p["balanced_accuracy"] for p in points]
    low, high = zip(*(p["interval_95"] for p in points), strict=True)
    axes.fill_between(sizes, low, high, color=class_colour(0), alpha=0.15, linewidth=0, label="exact 95 % interval")
    axes.plot(sizes, found, "o-", color=class_colour(0), markersize=4.5, clip_on=False, label="held-out blocks")
    if forecast is not None:
        at = forecast["n_now"] + forecast["more"]
        gains = [min(forecast["now"] + gain, 1.0) for gain in forecast["interval_90"]]
        axes.plot([at, at], gains, color=class_colour(1), linewidth=3, alpha=0.6, label="forecast, 90 %")
        axes.plot(
            at, min(forecast["now"] + forecast["gain"], 1.0), "D", color=class_colour(1), markersize=5, clip_on=False
        )
        axes.axvline(forecast["n_now"], color="0.5", linewidth=0.8, linestyle=":")
        axes.text(
            forecast["n_now"], 0.02, " trials now", fontsize=7, color="0.35", rotation=90, va="bottom", ha="right"
        )
    chance = 1 / len(figures["classes"])
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlim=(0, None), ylim=(0, 1.02), xlabel="trials learnt from", ylabel="balanced accuracy")
    axes.set_title("Accuracy against the number of trials (Riemannian branch; dashed: guessing)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.02, 0.02))
    _percent(axes, "y")
    return figure


def _numbers(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values])


def _percent(axes: Axes, side: str) -> None:
    from matplotlib.ticker import PercentFormatter

    (axes.xaxis if side == "x" else axes.yaxis).set_major_formatter(PercentFormatter(1.0, decimals=0))
