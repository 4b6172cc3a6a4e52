"""The pictures of a report, as PNG files in memory; Matplotlib is imported here and nowhere before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from neuript.montages import Montage
from neuript.training.pictures.style import looks, rendered
from neuript.training.report import draw_decisions as decisions
from neuript.training.report import draw_electrodes as electrodes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def report_pictures(figures: Mapping[str, Any], montage: Montage) -> dict[str, bytes]:
    """Draw every picture whose figures are there.

    Parameters
    ----------
    figures : mapping of str to Any
        As `report_figures` returned them.
    montage : Montage
        Electrodes of the model.

    Returns
    -------
    dict of str to bytes
        PNG files by the name of what they show.
    """
    drawers: dict[str, Callable[[], Figure]] = {}
    if figures["electrodes"]["quality"]["spells"]:
        drawers["quality"] = partial(electrodes.draw_quality, figures, montage)
    if figures["electrodes"]["use"] is not None:
        drawers["use"] = partial(electrodes.draw_use, figures, montage)
    if figures["decoders"] is not None:
        for name in ("decoders", "confusion", "course", "commands", "certainty"):
            drawers[name] = partial(getattr(decisions, f"draw_{name}"), figures)
    if figures["learning_curve"] is not None and figures["learning_curve"]["points"]:
        drawers["learning_curve"] = partial(decisions.draw_learning_curve, figures)
    with looks(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks
        import matplotlib as mpl

        mpl.rcParams["text.parse_math"] = False  # a name with two dollar signs is a name
        mpl.rcParams.update({"font.size": 7.5, "axes.titlesize": 8.5, "axes.labelsize": 7.5, "legend.fontsize": 7})
        return {name: rendered(draw()) for name, draw in drawers.items()}
