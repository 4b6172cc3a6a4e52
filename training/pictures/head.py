"""The head from above: where channels sit, maps between them, links from one to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.montages.interpolation import directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuript.montages import Montage

FEWEST_FOR_A_MAP = 8
"""With fewer channels a map between them would be invention; they are drawn as discs."""
_LIMITS = (-1.28, 1.28)


def project(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Return (n, 2): the angle from the vertex becomes the distance, 1 at the equator."""
    unit = directions(pos_m)
    angle = np.arccos(np.clip(unit[:, 2], -1.0, 1.0)) / (math.pi / 2)
    length = np.maximum(np.hypot(unit[:, 0], unit[:, 1]), 1e-9)
    return np.asarray(unit[:, :2] / length[:, None] * angle[:, None])


def draw_head(axes: Axes, *, width: float = 0.8) -> None:
    """Draw the outline: circle, nose, ears."""
    style: dict[str, Any] = {"color": "0.25", "linewidth": width, "solid_capstyle": "round"}
    around = np.linspace(0.0, 2.0 * math.pi, 200)
    axes.plot(np.cos(around), np.sin(around), **style)
    axes.plot([-0.12, 0.0, 0.12], [0.993, 1.13, 0.993], **style)
    ear = np.linspace(-0.5 * math.pi, 0.5 * math.pi, 40)
    for side in (-1, 1):
        axes.plot(side * (1.0 + 0.07 * np.cos(ear)), 0.2 * np.sin(ear), **style)
    axes.set(xlim=_LIMITS, ylim=(-1.15, 1.25), aspect="equal")
    axes.axis("off")


def draw_map(
    axes: Axes,
    montage: Montage,
    values: NDArray[np.float64],
    *,
    limit: float,
    marked: NDArray[np.bool_] | None = None,
    names: bool = False,
) -> Any:
    """Draw one value per channel, blue below zero and red above.

    Parameters
    ----------
    axes, montage
        Where, and which channels.
    values : ndarray, shape (n_chans,)
        May not hold NaN.
    limit
        Value of the darkest colour.
    marked : ndarray of bool, optional
        Channels with a ring.
    names
        Write the channels' names.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        For a colour bar.
    """
    xy = project(montage.pos_m)
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if len(values) >= FEWEST_FOR_A_MAP:
        drawn = _interpolated(axes, xy, values, limit)
        axes.plot(*xy.T, "o", color="0.2", markersize=1.1, zorder=4)
        ring = 16.0
    else:
        ring = 130.0
        drawn = axes.scatter(*xy.T, c=values, s=ring, edgecolors="0.3", linewidths=0.5, **scale)
    draw_head(axes)
    if marked is not None and marked.any():
        axes.scatter(*xy[marked].T, s=ring, facecolors="none", edgecolors="k", linewidths=0.8, zorder=5)
    if names:
        for name, at in zip(montage.ch_names, xy, strict=True):
            axes.text(at[0], at[1] - 0.05, name, ha="center", va="top", fontsize=3.2, color="0.15")
    return drawn


def _interpolated(
    axes: Axes, xy: NDArray[np.float64], values: NDArray[np.float64], limit: float
) -> Any:
    from mne.viz import plot_topomap

    image, _ = plot_topomap(
        values,
        xy,
        axes=axes,
        show=False,
        sphere=(0.0, 0.0, 0.0, 1.0),
        extrapolate="head",
        outlines=None,
        sensors=False,
        contours=0,
        res=200,
        cmap="RdBu_r",
        vlim=(-limit, limit),
    )
    return image


def draw_links(
    axes: Axes,
    montage: Montage,
    pairs: Sequence[tuple[int, int, float]],
    node: NDArray[np.float64],
    *,
    node_limits: tuple[float, float],
    link_limits: tuple[float, float],
) -> Any:
    """Draw channels as discs coloured by `node`, and arcs between the pairs of channels.

    Parameters
    ----------
    axes, montage
        Where, and which channels.
    pairs
        (channel, channel, weight), the strongest last: darker and thicker.
    node : ndarray, shape (n_chans,)
        Value of each channel.
    node_limits, link_limits
        Values of the lightest and darkest colour.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        Of the discs, for a colour bar.
    """
    from matplotlib.patches import FancyArrowPatch

    xy = project(montage.pos_m)
    draw_head(axes)
    low, high = link_limits
    for i, j, weight in pairs:
        share = min(max((weight - low) / max(high - low, 1e-12), 0.0), 1.0)
        arc = FancyArrowPatch(
            tuple(xy[i]),
            tuple(xy[j]),
            arrowstyle="-",
            connectionstyle=f"arc3,rad={_bend(xy[i], xy[j])}",
            linewidth=0.4 + 1.6 * share,
            color="#2b2b6b",
            alpha=0.25 + 0.6 * share,
            zorder=2,
            shrinkA=0,
            shrinkB=0,
        )
        axes.add_patch(arc)
    return axes.scatter(
        *xy.T,
        c=node,
        s=17,
        cmap="YlOrRd",
        vmin=node_limits[0],
        vmax=node_limits[1],
        edgecolors="0.2",
        linewidths=0.4,
        zorder=3,
    )


def _bend(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Bend an arc a little towards the centre of the head."""
    cross = a[0] * b[1] - a[1] * b[0]
    return 0.18 if cross > 0 else -0.18
