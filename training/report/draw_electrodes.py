"""Pictures of electrodes, from the figures of a report and the montage: what is used, and how the contact was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.montages import Montage
from neuript.training.pictures.head import draw_head, draw_map, head_radius, project
from neuript.training.pictures.style import GREY, class_colour, new_figure
from neuript.training.report.draw_decisions import WIDTH_IN, short
from neuript.training.report.electrode_quality import WHY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 16
"""Electrodes in a list beside the head, the most important first."""
MOST_ROWS = 40
"""Electrodes in the picture of the contact over time; beyond that only those that were condemned."""

Figures = Mapping[str, Any]


def draw_use(figures: Figures, montage: Montage) -> Figure:
    """Head map of what each electrode is worth, and the most important ones with their error."""
    from matplotlib.ticker import MaxNLocator

    use = figures["electrodes"]["use"]
    loss, error = np.array(use["loss"]), np.array(use["loss_error"], dtype=float)
    order = np.argsort(-loss)[:MOST_BARS][::-1]
    figure = new_figure(max(2.9, 0.6 + 0.17 * len(order)), WIDTH_IN)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    limit = max(float(np.abs(loss).max()), 1e-3)
    drawn = draw_map(left, montage, loss, limit=limit, marked=loss > 2 * error)
    _names(left, montage)
    left.set_title("Where the decoder looks (ring: sure)")
    bar = figure.colorbar(drawn, ax=left, orientation="horizontal", shrink=0.75, pad=0.02)
    bar.set_label("loss, nats per trial")
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    for place, k in enumerate(order):
        right.plot([loss[k] - 2 * error[k], loss[k] + 2 * error[k]], [place, place], color=GREY, linewidth=2)
        right.plot(loss[k], place, "o", color=class_colour(1), markersize=4)
    right.axvline(0, color="0.3", linewidth=0.8)
    right.set_yticks(range(len(order)), [short(use["electrodes"][k]) for k in order])
    right.set(ylim=(-0.6, len(order) - 0.4), xlabel="loss, nats per trial (± 2 standard errors)")
    right.locator_params(axis="x", nbins=5)
    right.set_title("Most important electrodes")
    return figure


def draw_quality(figures: Figures, montage: Montage) -> Figure:
    """When which electrode was condemned, and for how much of the time."""
    quality = figures["electrodes"]["quality"]
    lengths = quality["recording_s"]
    begin = np.concatenate([[0.0], np.cumsum(lengths)])
    bad = {spell["electrode"] for spell in quality["spells"]}
    names = [name for name in quality["electrodes"] if name in bad or len(quality["electrodes"]) <= MOST_ROWS]
    figure = new_figure(max(2.6, 0.7 + 0.15 * len(names)), WIDTH_IN)
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    colours = {why: class_colour(k) for k, why in enumerate(WHY.values(), start=1)}
    place = {name: i for i, name in enumerate(reversed(names))}
    for spell in quality["spells"]:
        at = begin[spell["recording"]]
        across = ((at + spell["begin_s"]) / 60, max(spell["end_s"] - spell["begin_s"], 0.5) / 60)
        left.broken_barh([across], (place[spell["electrode"]] - 0.4, 0.8), color=colours[spell["why"]])
    for edge in begin[1:-1]:
        left.axvline(edge / 60, color="0.4", linewidth=0.8, linestyle=":")
    left.set(xlim=(0, max(begin[-1] / 60, 0.1)), ylim=(-0.6, max(len(names), 1) - 0.4), xlabel="minutes of recording")
    left.set_yticks(range(len(names)), [short(name) for name in reversed(names)])
    left.set_title("Condemned electrodes over time")
    _legend(left, colours, {spell["why"] for spell in quality["spells"]})
    _shares(right, montage, np.array(quality["bad_share"]))
    return figure


def _shares(axes: Axes, montage: Montage, share: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """Share of the time in which each electrode was condemned, as discs on the head."""
    xy = project(montage.pos_m)
    draw_head(axes, radius=head_radius(montage))
    most = max(float(share.max(initial=0.0)), 0.05)
    drawn = axes.scatter(xy[:, 0], xy[:, 1], c=share, s=60, cmap="Reds", vmin=0, vmax=most, edgecolors="0.3", zorder=4)
    bar = axes.figure.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02, ticks=[0, most])
    bar.set_ticklabels(["0 %", f"{most:.0%}"])
    bar.set_label("of the time")
    axes.set_title("Share of the time")


def _legend(axes: Axes, colours: Mapping[str, str], used: set[str]) -> None:
    from matplotlib.patches import Patch

    shown = [Patch(color=colour, label=why) for why, colour in colours.items() if why in used]
    axes.legend(handles=shown, loc="upper right", frameon=True, framealpha=0.9)


def _names(axes: Axes, montage: Montage) -> None:
    """Names beside the electrodes of a small cap."""
    if montage.n_chans > 32:
        return
    from matplotlib.patheffects import withStroke

    for name, (x, y) in zip(montage.ch_names, project(montage.pos_m), strict=True):
        text = axes.text(x, y + 0.05, short(name), ha="center", va="bottom", fontsize=6)
        text.set_path_effects([withStroke(linewidth=1.2, foreground="white", alpha=0.85)])
