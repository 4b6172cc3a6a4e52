"""Decision curves: what acting on a classifier is worth, by how bad a false alarm is beside a miss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.files import write_atomically
from neuript.training.evaluate.clinical_report import THRESHOLDS
from neuript.training.pictures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuript.training.evaluate.clinical_report import ClinicalRow


def draw_decision_curves(rows: Sequence[ClinicalRow], out: Path) -> None:
    """Write the net benefit of each method, of acting always and never, as a PNG.

    Raises
    ------
    NeuriptError
        If the file cannot be written.
    """
    with style.looks():
        write_atomically(out, style.rendered(decision_figure(rows)))


def decision_figure(rows: Sequence[ClinicalRow]) -> Figure:
    """Draw the net benefit per window by the threshold probability; limits come from acting always and never."""
    figure = style.new_figure(2.6, 4.2)
    axes = figure.subplots()
    axes.plot(THRESHOLDS, rows[0].treat_all, color=style.GREY, label="act always")
    axes.axhline(0.0, color="0.25", linewidth=0.8, label="act never")
    for i, row in enumerate(rows):
        axes.plot(THRESHOLDS, row.net_benefit, color=style.class_colour(i), label=row.method)
    best = max(float(rows[0].treat_all.max()), *(float(row.net_benefit.max()) for row in rows), 1e-3)
    axes.set(xlim=(0, 1), ylim=(-0.35 * best, 1.15 * best))
    axes.set_xlabel("threshold probability t (a false alarm costs t : (1 - t) hits)")
    axes.set_ylabel("net benefit per window")
    axes.legend(loc="upper right")
    return figure
