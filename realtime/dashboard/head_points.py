"""Electrodes on a head that is seen from above: where each one is drawn, and how good its signal is. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.dashboard.words import Tone

CENTRE_M = (0.0, -0.016, -0.004)
"""The middle of the template head that montages are given in, from which electrodes are seen under their angles."""
RIM = 0.8
"""Radius of the head's outline in the unit disc: what lies lower than the middle of the head is drawn outside."""
_LOWEST = 0.5 * math.pi / RIM
"""Angle from the vertex that is drawn on the edge of the disc."""


class Level(StrEnum):
    """How good the signal of an electrode is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    ABSENT = "absent"
    """The stream has no channel for this electrode."""

    @property
    def tone(self) -> Tone:
        """The colour's name; the mark says the same without colour."""
        return _TONES[self]

    @property
    def mark(self) -> str:
        """One character whose shape differs per level."""
        return _MARKS[self]


_TONES = {Level.GOOD: Tone.GOOD, Level.DOUBTFUL: Tone.WARN, Level.BAD: Tone.BAD, Level.ABSENT: Tone.BUSY}
_MARKS = {Level.GOOD: "●", Level.DOUBTFUL: "▲", Level.BAD: "■", Level.ABSENT: "○"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPoint:
    """An electrode as a head map draws it."""

    name: str
    x: float
    """To the right, in the unit disc; NaN where nobody knows the place."""
    y: float
    """To the front, in the unit disc; NaN where nobody knows the place."""
    level: Level = Level.GOOD
    why: str = ""
    """What is wrong, in words, or what else there is to say of it; empty where nothing is."""
    channel: int | None = None
    """Index of the stream's channel that carries it; None if no single one does."""
    used: bool = True
    """False for an electrode that the decoder leaves alone."""
    share: float = math.nan
    """How strong its rhythm is, from 0 for the weakest on the map to 1; NaN shows how good it is instead."""

    @property
    def placed(self) -> bool:
        """True if the place is known."""
        return math.isfinite(self.x) and math.isfinite(self.y)


def top_view(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Project places on the head to a disc, the nose up: azimuthal equidistant about the vertex.

    Distances from the vertex are true to the angle, as on the maps of MNE-Python and EEGLAB.

    Parameters
    ----------
    pos_m : array_like, shape (n, 3)
        Places in metres; x to the right, y to the front, z up, in the frame of the template head.

    Returns
    -------
    ndarray, shape (n, 2)
        x to the right and y to the front, inside the unit disc; NaN for a place that is not finite.
    """
    seen = np.asarray(pos_m, dtype=np.float64).reshape(-1, 3) - CENTRE_M
    flat = np.hypot(seen[:, 0], seen[:, 1])
    radius = np.minimum(np.arctan2(flat, seen[:, 2]) / _LOWEST, 1.0)
    along = np.divide(radius, flat, out=np.zeros_like(flat), where=flat > 0)
    out: NDArray[np.float64] = seen[:, :2] * along[:, None]
    out[~np.isfinite(seen).all(axis=1)] = np.nan
    return out


def nearest_px(xy: NDArray[np.float64]) -> float:
    """Return the smallest distance between two of the points, shape (n, 2); infinity for fewer than two."""
    points = xy[np.isfinite(xy).all(axis=1)]
    if len(points) < 2:
        return math.inf
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return float(distance[~np.eye(len(points), dtype=bool)].min())
