"""The head from above: where channels sit, maps between them, links from one to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.montages.interpolation import CENTRE_M, directions, interpolation_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuript.montages import Montage

FEWEST_FOR_A_MAP = 8
"""With fewer channels a map between them would be invention; they are drawn as discs."""
MOST_NAMES = 32
"""Names of more channels than this would cover each other."""
FARTHEST_M = 0.05
"""Along the head, to the nearest channel; farther away a map stays empty. Neighbours in 10-20 are 6 cm apart."""
_GRID = 140
_RADIUS_M = 0.098


def project(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Return (n, 2): the angle from the vertex becomes the distance, 1 at the equator."""
    unit = directions(pos_m)
    angle = np.arccos(np.clip(unit[:, 2], -1.0, 1.0)) / (math.pi / 2)
    length = np.maximum(np.hypot(unit[:, 0], unit[:, 1]), 1e-9)
    return np.asarray(unit[:, :2] / length[:, None] * angle[:, None])


def unproject(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the places on the sphere of the head, metres, (n, 3); the inverse of `project`."""
    length = np.hypot(*xy.T)
    angle = length * (math.pi / 2)
    flat = xy * (np.sin(angle) / np.maximum(length, 1e-9))[:, None]
    unit = np.concatenate([flat, np.cos(angle)[:, None]], axis=1)
    return np.asarray(unit * _RADIUS_M + CENTRE_M)


def draw_head(axes: Axes, *, radius: float = 1.0, width: float = 0.8) -> None:
    """Draw the outline: circle, nose, ears."""
    style: dict[str, Any] = {"color": "0.25", "linewidth": width, "solid_capstyle": "round"}
    around = np.linspace(0.0, 2.0 * math.pi, 200)
    axes.plot(radius * np.cos(around), radius * np.sin(around), **style)
    nose = radius * np.array([0.993, 1.12, 0.993])
    axes.plot([-0.12 * radius, 0.0, 0.12 * radius], nose, **style)
    ear = np.linspace(-0.5 * math.pi, 0.5 * math.pi, 40)
    for side in (-1, 1):
        across = side * radius * (1.0 + 0.07 * np.cos(ear))
        axes.plot(across, 0.2 * radius * np.sin(ear), **style)
    axes.set(xlim=(-1.1 * radius, 1.1 * radius), ylim=(-1.06 * radius, 1.15 * radius), aspect="equal")
    axes.axis("off")


def head_radius(montage: Montage) -> float:
    """Return the radius of an outline around all channels, the equator's 1 or a little more."""
    return max(1.0, float(np.hypot(*project(montage.pos_m).T).max()) + 0.05)


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
    axes : Axes
        Where to draw.
    montage : Montage
        Names and positions of the channels.
    values : ndarray, shape (n_chans,)
        Value of each channel in any unit; may not hold NaN.
    limit : float
        Value of the darkest colour; the scale runs from -limit to limit.
    marked : ndarray of bool, shape (n_chans,), optional
        Channels that get a ring; None marks none.
    names : bool
        Write the channels' names, up to `MOST_NAMES` of them.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        The drawn values, for a colour bar.
    """
    from matplotlib.patheffects import withStroke

    xy = project(montage.pos_m)
    scale: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if len(values) >= FEWEST_FOR_A_MAP:
        drawn = _interpolated(axes, montage, values, scale)
        axes.plot(*xy.T, "o", color="0.2", markersize=1.1, zorder=4)
        ring = 16.0
    else:
        ring = 130.0
        drawn = axes.scatter(xy[:, 0], xy[:, 1], c=values, s=ring, edgecolors="0.3", linewidths=0.5, **scale)
    draw_head(axes, radius=head_radius(montage))
    if marked is not None and marked.any():
        axes.scatter(xy[marked, 0], xy[marked, 1], s=ring, facecolors="none", edgecolors="k", linewidths=0.8, zorder=5)
    if names and montage.n_chans <= MOST_NAMES:
        halo: list[Any] = [withStroke(linewidth=0.8, foreground="white", alpha=0.8)]
        for name, at in zip(montage.ch_names, xy, strict=True):
            text = axes.text(at[0], at[1] - 0.05, name, ha="center", va="top", fontsize=3.4)
            text.set_path_effects(halo)
    return drawn


def _interpolated(axes: Axes, montage: Montage, values: NDArray[np.float64], scale: dict[str, Any]) -> Any:
    """Draw the values between channels by kriging on the sphere of the head."""
    from matplotlib.patches import Circle

    reach = head_radius(montage)
    side = np.linspace(-reach, reach, _GRID)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    estimate = between_channels(montage.pos_m, unproject(points), values)
    image = axes.imshow(
        estimate.reshape(_GRID, _GRID),
        extent=(-reach, reach, -reach, reach),
        origin="lower",
        interpolation="bilinear",
        **scale,
    )
    image.set_clip_path(Circle((0.0, 0.0), reach, transform=axes.transData))
    return image


def between_channels(
    pos_m: ArrayLike, points_m: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Krige values to places on the head: never beyond the values themselves, and NaN where no channel is near.

    Parameters
    ----------
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres.
    points_m : ndarray, shape (n, 3)
        Places on the sphere of the head, in metres.
    values : ndarray, shape (n_chans,)
        Value of each channel.
    """
    estimate = np.clip(interpolation_matrix(pos_m, points_m) @ values, values.min(), values.max())
    cosine = directions(points_m) @ directions(pos_m).T
    away_m = _RADIUS_M * np.arccos(np.clip(cosine.max(axis=1), -1.0, 1.0))
    return np.asarray(np.where(away_m <= FARTHEST_M, estimate, np.nan))


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
    axes : Axes
        Where to draw.
    montage : Montage
        Names and positions of the channels.
    pairs : sequence of (int, int, float)
        Two channels and the weight of their link, the strongest last: darker and thicker.
    node : ndarray, shape (n_chans,)
        Value of each channel.
    node_limits, link_limits : tuple of two floats
        Values of the lightest and darkest colour of the discs and of the arcs.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        The drawn discs, for a colour bar.
    """
    from matplotlib.patches import FancyArrowPatch

    xy = project(montage.pos_m)
    draw_head(axes, radius=head_radius(montage))
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
        xy[:, 0],
        xy[:, 1],
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
