"""Volume conduction: electrical potential of dipoles in a four-shell sphere, in closed form.

Brain, fluid, skull and scalp are concentric shells with relative radii 0.90, 0.92, 0.97, 1 and conductivities 0.33,
1, 0.004, 0.33 S/m, which is MNE's default. The shells are replaced by one homogeneous sphere with three scaled copies
of each dipole (Berg and Scherg 1994, doi:10.1016/0013-4694(94)90113-9), whose potential is known in closed form
(Zhang 1995, doi:10.1088/0031-9155/40/3/001). A test compares the result with MNE's sphere model; nothing here imports
MNE, so the twin starts at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from neuript.montages import Montage

HEAD_CENTRE_M = (0.001, -0.0155, 0.0043)
"""Centre of the sphere that fits the 10-20 electrodes of MNE's template head (colin27_1005), metres in its frame."""
HEAD_RADIUS_M = 0.0959
"""Radius of that sphere in metres."""
BRAIN_RADIUS = 0.90
"""Radius of the brain, as a fraction of the head."""

_BERG_ECCENTRICITY = (0.94483715, 0.6677453, -0.29201162)
_BERG_MAGNITUDE = (0.4147419, 2.07180076, -0.0308772)  # 1 / (S/m)


@dataclass(frozen=True)
class Cap:
    """Electrodes on a head.

    Attributes
    ----------
    name : str
        Name of the layout.
    ch_names : tuple of str
        Labels of the electrodes.
    pos_m : ndarray, shape (n_chans, 3)
        Positions in metres, in the frame of MNE's template head as all montages (x right, y front, z up).
    """

    name: str
    ch_names: tuple[str, ...]
    pos_m: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the shapes."""
        pos = np.array(self.pos_m, dtype=np.float64)
        if pos.shape != (len(self.ch_names), 3) or not len(self.ch_names):
            raise ValueError(f"pos_m has shape {pos.shape}; expected ({len(self.ch_names)}, 3)")
        if not np.isfinite(pos).all():
            raise ValueError("pos_m has values that are not finite")
        pos.setflags(write=False)
        object.__setattr__(self, "pos_m", pos)

    @classmethod
    def of(cls, layout: Cap | Montage | str) -> Cap:
        """Take a cap, a montage (its electrodes, not its bipolar pairs) or the name of a montage.

        Raises
        ------
        NeuriptError
            If there is no such montage, or it has no electrodes.
        """
        if isinstance(layout, Cap):
            return layout
        if isinstance(layout, str):
            from neuript.montages import load_montage

            layout = load_montage(layout)
        if not len(layout.electrodes):
            raise NeuriptError(f"montage {layout.name} has no electrodes to simulate")
        return cls(layout.name, tuple(layout.electrodes), np.asarray(layout.electrode_pos_m))

    def moved(self, shift_mm: tuple[float, float, float], jitter_m: ArrayLike = 0.0) -> Cap:
        """Return the cap slid over the scalp and each electrode displaced.

        Parameters
        ----------
        shift_mm : tuple of three floats
            Slide to the right, to the front and, seen from above, anticlockwise around the vertical axis, in
            millimetres along the scalp.
        jitter_m : array_like, broadcastable to (n_chans, 3)
            Displacement in metres that is added to each position.
        """
        right, front, turn = (mm / 1000.0 / HEAD_RADIUS_M for mm in shift_mm)
        rotation = _rotation(1, right) @ _rotation(0, -front) @ _rotation(2, turn)
        centre = np.array(HEAD_CENTRE_M)
        pos = (self.pos_m - centre) @ rotation.T + centre + np.asarray(jitter_m, dtype=np.float64)
        return Cap(self.name, self.ch_names, pos)


def _rotation(axis: int, angle: float) -> NDArray[np.float64]:
    """Rotation matrix around one axis, right-handed."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def unit(vector: ArrayLike) -> NDArray[np.float64]:
    """Return vectors scaled to length one along the last axis."""
    v = np.asarray(vector, dtype=np.float64)
    return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True), dtype=np.float64)


def on_scalp(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Project positions (metres) radially onto the sphere."""
    centre = np.array(HEAD_CENTRE_M)
    return centre + HEAD_RADIUS_M * unit(np.asarray(pos_m, dtype=np.float64) - centre)


def scalp_grid(n: int = 240) -> NDArray[np.float64]:
    """Return `n` evenly spread points of the scalp above ear level, shape (n, 3)."""
    k = np.arange(n) + 0.5
    z = 1.0 - k / n * 1.2  # down to 12 degrees below the centre, where caps end
    angle = np.pi * (1.0 + 5.0**0.5) * k
    rho = np.sqrt(1.0 - z**2)
    directions = np.stack([rho * np.cos(angle), rho * np.sin(angle), z], axis=1)
    return np.array(HEAD_CENTRE_M) + HEAD_RADIUS_M * directions


def lead_field(electrodes_m: ArrayLike, dipoles_m: ArrayLike, moments: ArrayLike) -> NDArray[np.float64]:
    """Potential at each electrode of unit-strength dipoles, against infinity.

    Parameters
    ----------
    electrodes_m : array_like, shape (n_chans, 3)
        Positions in metres; projected onto the sphere.
    dipoles_m : array_like, shape (n_dipoles, 3)
        Positions in metres, inside the brain (0.9 of the radius).
    moments : array_like, shape (n_dipoles, 3)
        Dipole moments in ampere metres.

    Returns
    -------
    ndarray, shape (n_chans, n_dipoles)
        Potentials in volts.

    Raises
    ------
    ValueError
        If a dipole lies outside the brain.
    """
    centre = np.array(HEAD_CENTRE_M)
    points = on_scalp(electrodes_m) - centre
    dipoles = np.atleast_2d(np.asarray(dipoles_m, dtype=np.float64)) - centre
    if (np.linalg.norm(dipoles, axis=1) >= BRAIN_RADIUS * HEAD_RADIUS_M).any():
        raise ValueError("a dipole lies outside the brain (0.9 of the head radius)")
    q = np.atleast_2d(np.asarray(moments, dtype=np.float64))
    total = np.zeros((len(points), len(dipoles)))
    r2 = HEAD_RADIUS_M**2
    for eccentricity, magnitude in zip(_BERG_ECCENTRICITY, _BERG_MAGNITUDE, strict=True):
        rd = eccentricity * dipoles
        rd2 = np.maximum((rd**2).sum(axis=1), 1e-18)[None, :]
        a_vec = points[:, None, :] - rd[None, :, :]
        a = np.linalg.norm(a_vec, axis=2)
        along = points @ rd.T
        a3 = 2.0 / a**3
        c1 = a3 * (along - rd2) + 1.0 / a - 1.0 / HEAD_RADIUS_M
        c2 = a3 + (a + HEAD_RADIUS_M) / (HEAD_RADIUS_M * a * (HEAD_RADIUS_M * a + r2 - along))
        q_rd = (rd * q).sum(axis=1)[None, :]
        q_point = points @ q.T
        total += magnitude / rd2 * ((c1 - c2 * along) * q_rd + c2 * rd2 * q_point)
    return total / (4.0 * np.pi)
