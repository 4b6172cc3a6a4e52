"""The figures of experts, perturbation, latent space and reconstruction, from numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.training.pictures import style
from neuript.training.pictures.head import draw_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuript.montages import Montage
    from neuript.training.pictures.expert_use import Participation
    from neuript.training.pictures.latent import Separation


def experts_figure(layers: Sequence[Participation], classes: Sequence[str]) -> Figure:
    """Draw expert participation, a panel per layer, and the distances of profiles below."""
    blocks = list(dict.fromkeys(layer.layer.rsplit(" ", 1)[0] for layer in layers))
    stages = list(dict.fromkeys(layer.layer.rsplit(" ", 1)[1] for layer in layers))
    labels = list(classes) or ["all windows"]
    figure = style.new_figure(1.35 * len(stages) + 1.75)
    grid = figure.add_gridspec(
        len(stages) + 1,
        len(blocks),
        height_ratios=[1.0] * len(stages) + [1.1],
        width_ratios=[3 + layer.share.shape[1] for layer in layers[:: len(stages)]],
    )
    by_name = {layer.layer: layer for layer in layers}
    first: Axes | None = None
    for row, stage in enumerate(stages):
        for column, block in enumerate(blocks):
            axes = figure.add_subplot(grid[row, column], sharey=first)
            first = first or axes
            _expert_panel(axes, by_name[f"{block} {stage}"], len(labels))
            if row == 0:
                axes.set_title(block)
            if column == 0:
                axes.set_ylabel(f"{stage} stage\nshare of the gates")
            else:
                axes.tick_params(labelleft=False)
            if row == len(stages) - 1:
                axes.set_xlabel("expert")
            if row == 0 and column == 0:
                style.tag(axes, "a", dx=-0.3)
    handles: list[Any] = [figure.axes[0].bar(0, 0, color=style.class_colour(i)) for i in range(len(labels))]
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    _distance_panel(figure.add_subplot(grid[-1, :]), layers)
    return figure


def _expert_panel(axes: Axes, layer: Participation, n_classes: int) -> None:
    n_experts = layer.share.shape[1]
    width = 0.8 / n_classes
    for c in range(n_classes):
        at = np.arange(n_experts) + (c - (n_classes - 1) / 2) * width
        error = np.nan_to_num(layer.error[c])
        axes.bar(at, layer.share[c], width * 0.92, color=style.class_colour(c))
        if error.any():
            axes.errorbar(at, layer.share[c], error, fmt="none", ecolor="0.15", elinewidth=0.6)
    axes.axhline(1 / n_experts, color="0.3", linewidth=0.6, linestyle=(0, (4, 3)))
    axes.set_xticks(range(n_experts), [str(e + 1) for e in range(n_experts)])
    axes.set_xlim(-0.6, n_experts - 0.4)


def _distance_panel(axes: Axes, layers: Sequence[Participation]) -> None:
    kinds = (
        ("two people, same class", "between_subjects", "s", "#6A6A6A"),
        ("two classes, same person", "between_classes", "o", "#C2185B"),
        ("halves of one (chance)", "within", "_", "0.5"),
    )
    at = np.arange(len(layers))
    for label, field, marker, colour in kinds:
        values = np.array([getattr(layer, field) for layer in layers])
        if np.isfinite(values).any():
            axes.plot(at, values, marker, color=colour, label=label, markersize=4.5)
    axes.set_xticks(at, [layer.layer.replace(" ", "\n", 2).replace("block\n", "block ") for layer in layers])
    axes.set_ylabel("distance of profiles\n(total variation)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handletextpad=0.3)
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    style.tag(axes, "b", dx=-0.09)


def perturbation_figure(
    montage: Montage, classes: Sequence[str], maps: Mapping[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]
) -> Figure:
    """Draw a head for each class (columns) and kind of perturbation (rows).

    Parameters
    ----------
    montage : Montage
        Names and positions of the channels.
    classes : sequence of str
        Names of the classes.
    maps : mapping of str to (ndarray, ndarray)
        For each kind of perturbation, the effect in log-odds and which channels are marked (bool), each of shape
        (n_classes, n_chans).
    """
    titles = {"swap": "channel of another\nwindow", "zero": "channel silenced"}
    columns = max(len(classes), 3)
    side = min(style.WIDTH_IN / (columns + 0.6), 2.1)
    figure = style.new_figure(side * len(maps) + 0.25, (len(classes) + 0.75) * side)
    axes = figure.subplots(len(maps), len(classes), squeeze=False)
    for row, (kind, (effect, marked)) in zip(axes, maps.items(), strict=True):
        limit = float(np.nanmax(np.abs(effect))) or 1.0
        drawn: Any = None
        for c, panel in enumerate(row):
            drawn = draw_map(panel, montage, np.nan_to_num(effect[c]), limit=limit, marked=marked[c], names=True)
            if kind == next(iter(maps)):
                panel.set_title(classes[c])
        row[0].text(
            -0.03,
            0.5,
            titles.get(kind, kind),
            transform=row[0].transAxes,
            rotation=90,
            ha="right",
            va="center",
            multialignment="center",
        )
        bar = figure.colorbar(drawn, ax=list(row), shrink=0.7, aspect=16, pad=0.02)
        bar.set_label("fall of the class's\nlog-odds")
        bar.outline.set_linewidth(0.4)
    return figure


def latent_figure(
    maps: Mapping[str, NDArray[np.float64]],
    y: NDArray[np.int64],
    classes: Sequence[str],
    subject: NDArray[Any],
    numbers: Separation,
) -> Figure:
    """Draw the maps of the windows, by class above and by subject below, and the shares beside.

    Parameters
    ----------
    maps : mapping of str to ndarray, each of shape (n_windows, 2)
        Coordinates of the windows for each title.
    y : ndarray, shape (n_windows,)
        Class indices of the windows.
    classes : sequence of str
        Names of the classes; empty where there are no labels.
    subject : ndarray, shape (n_windows,)
        Person of each window.
    numbers : Separation
        How much of the features is class and how much is person.
    """
    labelled = bool(classes)
    figure = style.new_figure(4.5 if labelled else 2.5)
    n_rows = 2 if labelled else 1
    grid = figure.add_gridspec(n_rows, len(maps) + 1, width_ratios=[1.0] * len(maps) + [0.62])
    people = sorted(set(map(str, subject)))
    palette = style.shades(len(people))
    for column, (title, xy) in enumerate(maps.items()):
        if labelled:
            axes = figure.add_subplot(grid[0, column])
            for c, name in enumerate(classes):
                _cloud(axes, xy[y == c], style.class_colour(c), name)
            axes.set_title(f"{title}, by class")
            if column == 0:
                axes.legend(loc="best", markerscale=1.8, handletextpad=0.1)
        axes = figure.add_subplot(grid[n_rows - 1, column])
        for colour, person in zip(palette, people, strict=True):
            _cloud(axes, xy[subject == person], colour, person.rsplit("/", 1)[-1])
        axes.set_title(f"{title}, by person")
        if column == 0 and len(people) <= 10:
            axes.legend(loc="best", markerscale=1.8, handletextpad=0.1, fontsize=5.5)
    _separation_panels(figure, grid, n_rows, numbers, labelled)
    return figure


def _cloud(axes: Axes, xy: NDArray[np.float64], colour: Any, label: str) -> None:
    axes.scatter(xy[:, 0], xy[:, 1], s=5, color=colour, alpha=0.75, linewidths=0, label=label)
    axes.set(xticks=[], yticks=[])
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)


def _separation_panels(figure: Figure, grid: Any, n_rows: int, numbers: Separation, labelled: bool) -> None:
    variance = figure.add_subplot(grid[0, -1])
    _two_bars(variance, (numbers.class_variance, numbers.subject_variance))
    variance.set_title("variance explained")
    if not labelled:
        return
    neighbour = figure.add_subplot(grid[n_rows - 1, -1])
    chances = numbers.class_chance, numbers.subject_chance
    _two_bars(neighbour, (numbers.class_neighbour, numbers.subject_neighbour), chances)
    for at, chance in enumerate(chances):
        if np.isfinite(chance):
            neighbour.plot([at - 0.4, at + 0.4], [chance] * 2, color="k", linewidth=1.2)
    neighbour.set_ylim(0, 1)
    neighbour.set_title("nearest neighbour from\nelsewhere agrees\n(line: chance)")


def _two_bars(axes: Axes, values: tuple[float, float], chances: tuple[float, float] = (0.0, 0.0)) -> None:
    for at, (value, colour) in enumerate(zip(values, ("#C2185B", "#8A8A8A"), strict=True)):
        shown = value if np.isfinite(value) else 0.0
        chance = chances[at] if np.isfinite(chances[at]) else 0.0
        axes.bar(at, shown, 0.8, color=colour)
        text = f"{round(100 * value) + 0:d} %" if np.isfinite(value) else "–"
        axes.text(at, max(shown, chance), text, ha="center", va="bottom")
    axes.set_xticks([0, 1], ["class", "person"])
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
