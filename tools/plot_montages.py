"""Draw montages from above, one colour per lobe: ``python tools/plot_montages.py OUT.png [NAME ...]``.

Needs matplotlib. The head is drawn by the azimuthal equidistant projection of the template head.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuript.montages import available_montages, load_montage
from neuript.montages.interpolation import directions
from neuript.montages.lobes import LOBES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuript.montages import Montage

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")


def project(pos_m: np.ndarray) -> np.ndarray:
    """Return (n, 2): the angle from the vertex becomes the distance, 1 at the equator."""
    unit = directions(pos_m)
    angle = np.arccos(np.clip(unit[:, 2], -1.0, 1.0)) / (math.pi / 2)
    length = np.maximum(np.hypot(unit[:, 0], unit[:, 1]), 1e-9)
    return unit[:, :2] / length[:, None] * angle[:, None]


def draw(axes: Axes, montage: Montage) -> None:
    """Draw one montage: electrodes as dots, pairs as lines from the first to the second."""
    electrode_xy, xy = project(montage.electrode_pos_m), project(montage.pos_m)
    around = np.linspace(0.0, 2.0 * math.pi, 200)
    axes.plot(np.cos(around), np.sin(around), color="0.6")
    axes.plot([-0.1, 0.0, 0.1], [0.995, 1.1, 0.995], color="0.6")
    others = [lobe for lobe in montage.lobes if lobe not in LOBES]
    fixed = dict(zip([*LOBES, *others], COLOURS, strict=False))
    colours = {lobe: fixed.get(lobe, "0.5") for lobe in montage.lobes}
    crowded = montage.n_chans > 70
    for c, name in enumerate(montage.ch_names):
        lobes = montage.lobes_of(c)
        if montage.reference == "bipolar":
            ends = [int(np.argmax(montage.derivation[c])), int(np.argmin(montage.derivation[c]))]
            for k, lobe in enumerate(lobes):  # a pair of two lobes is dashed in both colours
                style = "-" if len(lobes) == 1 else (4 * k, (4, 4))
                axes.plot(*electrode_xy[ends].T, color=colours[lobe], linestyle=style, linewidth=3)
        else:
            axes.plot(*xy[c], "o", color=colours[lobes[0]], markersize=2 if crowded else 14)
            if not crowded:
                axes.text(*xy[c], name, ha="center", va="center", fontsize=5, color="white")
    if montage.reference == "bipolar":
        axes.plot(*electrode_xy.T, "o", color="0.15", markersize=13)
        for name, at in zip(montage.electrodes, electrode_xy, strict=True):
            axes.text(*at, name, ha="center", va="center", fontsize=5, color="white")
    for lobe, colour in colours.items():
        axes.plot([], [], color=colour, linewidth=3, label=lobe)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=5, frameon=False)
    axes.set_title(f"{montage.name} ({montage.n_chans})", fontsize=9)
    axes.set(xlim=(-1.45, 1.45), ylim=(-1.55, 1.35), aspect="equal")
    axes.axis("off")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="picture to write (.png, .svg, .pdf)")
    parser.add_argument("names", nargs="*", help="montages; all that come with the package if none")
    parser.add_argument("--columns", type=int, default=4)
    arguments = parser.parse_args(argv)
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    montages = [load_montage(name) for name in arguments.names or available_montages()]
    n_columns = min(arguments.columns, len(montages))
    n_rows = math.ceil(len(montages) / n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(3.4 * n_columns, 4.0 * n_rows), squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for panel, montage in zip(axes.flat, montages, strict=False):
        draw(panel, montage)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=150)
    print(arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
