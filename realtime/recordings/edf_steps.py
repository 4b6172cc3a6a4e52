"""Where the data records of an EDF+ or BDF+ file pause, judged by when each of them begins.

Recorders round these times, and their clocks drift, so not each step that is longer than a record is a pause. Rounding
and scatter make steps too short as often as too long; pauses only make them longer. That tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.sample_rate import WRONG_SHARE

LINE = 10
"""Records that a stretch must have, so that its own rate can be told."""
_AGREE = 0.9
"""Share of the records whose distances must agree, before these count instead of the declared length."""
_SCATTERS = 6
"""A step is none while it is below so many times the scatter of the begins."""
_FINEST_S = 0.001
"""Recorders that write milliseconds round to them; nobody pauses for one."""
_EXACT_S = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class RecordSteps:
    """When the records of a file begin, and where it pauses.

    Attributes
    ----------
    begins_s : ndarray, shape (n_records,)
        When each record begins in seconds.
    jumps : tuple of int
        Records before which time is missing.
    missing_s : float
        Seconds that are missing in all.
    scatter_s : float
        How far a begin may lie beside where it should, in seconds.
    note : str
        A sentence for the user, or empty.
    """

    begins_s: NDArray[np.float64]
    jumps: tuple[int, ...] = ()
    missing_s: float = 0.0
    scatter_s: float = 0.0
    note: str = ""


def judged_steps(
    path: Path, begins: NDArray[np.float64], record_s: float, kind: str, sfreq: float, *, continuous: bool
) -> RecordSteps:
    """Find where time is missing between records.

    Parameters
    ----------
    path : Path
        The file, for sentences.
    begins : ndarray, shape (n_records,)
        When each record begins in seconds, as the file says.
    record_s : float
        Declared length of a record in seconds.
    kind : str
        What the file says it is (`EDF+C`, `EDF+D` and so on).
    sfreq : float
        Rate of its fastest channel in Hz.
    continuous : bool
        Whether it calls itself continuous.

    Raises
    ------
    NeuriptError
        If a record begins before the one before it ends, or nobody knows where time is missing.
    """
    steps = np.diff(begins)
    if not len(steps):
        return RecordSteps(begins)
    grain_s = _grain(begins)
    usual = _usual(steps, record_s, grain_s) if continuous else record_s
    away = steps - usual
    rounded_s = _rounded(away, usual, grain_s, sfreq)
    jitter_s = _jitter(away[np.abs(away) <= 0.5 * record_s], rounded_s)
    limit = max(1.5 / sfreq - _EXACT_S, rounded_s, _SCATTERS * jitter_s)
    back = np.flatnonzero((away < -limit) | (steps <= 0))
    if len(back):
        late = begins[-1] - begins[0] - record_s * len(steps)
        if continuous and _only_rough(steps, float(late), max(record_s, grain_s)):
            said = "all the same" if not steps.any() else "rounded to more than its records are long"
            return RecordSteps(
                begins[0] + record_s * np.arange(len(begins)),
                note=f"the begins of its data records are {said}; the file calls itself continuous "
                f"({kind or 'EDF+'}), so they are taken as following one another",
            )
        i = int(back[0])
        raise NeuriptError(
            f"{path}: its data records run backwards (record {i + 2} begins at {begins[i + 1]:g} s, the one before "
            f"it at {begins[i]:g} s and lasts {record_s:g} s), so nobody knows when its annotations happened; "
            "export it again from the recorder"
        )
    is_jump = away > limit
    least = rounded_s if (away < -_EXACT_S).any() else 0.0  # where no step is too short, nothing was rounded
    if not continuous and _is_off(away, is_jump, record_s, least, sfreq):
        is_jump = away > max(0.5 / sfreq, least)  # too many short pauses for a drift
        if _is_off(away, is_jump, record_s, least, sfreq):
            raise NeuriptError(
                f"{path}: its data records last {record_s:g} s and begin {steps[~is_jump].mean():.4g} s apart, and it "
                f"says that it pauses ({kind}), so nobody knows where its samples belong; export it again from the "
                "recorder"
            )
    jumps = (np.flatnonzero(is_jump) + 1).tolist()
    return RecordSteps(begins, tuple(jumps), float(away[is_jump].sum()), max(rounded_s, 2 * jitter_s))


def _grain(begins: NDArray[np.float64]) -> float:
    """Return the coarsest decimal place in seconds that all begins are rounded to; 0 where it is none down to 1 µs."""
    for place in range(7):
        scaled = begins * 10.0**place
        if np.abs(scaled - np.rint(scaled)).max() < 1e-3:
            return 10.0**-place
    return 0.0


def _off_grid(length_s: float, grain_s: float) -> bool:
    return grain_s > 0 and abs(length_s / grain_s - round(length_s / grain_s)) > 1e-3


def _usual(steps: NDArray[np.float64], record_s: float, grain_s: float) -> float:
    """Return how far apart the records of a continuous file begin: as declared, or as nearly all of them say.

    What the file says of its rate is judged by this. Few records whose begins lie too far apart may as well pause.
    """
    middle = float(np.median(steps))
    agree = np.mean(np.abs(steps - middle) <= 0.01 * abs(middle)) >= _AGREE
    enough = len(steps) + 1 >= LINE or middle < record_s
    rounding = grain_s if _off_grid(record_s, grain_s) else 0.0
    return middle if agree and enough and abs(middle - record_s) > rounding else record_s


def _rounded(away: NDArray[np.float64], usual: float, grain_s: float, sfreq: float) -> float:
    """Return by how much rounding makes a step longer or shorter, in seconds."""
    shows = _off_grid(usual, grain_s) and bool((away < -_EXACT_S).any())
    return grain_s + _EXACT_S if shows or grain_s <= max(2 / sfreq, _FINEST_S) else 0.0


def _jitter(near: NDArray[np.float64], rounded_s: float) -> float:
    """Return how much the steps scatter beyond what rounding does; those too long alone may be pauses."""
    if not len(near):
        return 0.0
    beyond = np.where(np.abs(near) > rounded_s, near, 0.0)
    return min(float(np.percentile(np.maximum(side * beyond, 0.0), 80)) for side in (1, -1))


def _only_rough(steps: NDArray[np.float64], late_s: float, most_s: float) -> bool:
    """Tell whether begins that are no times of records still say that nothing is missing."""
    return bool((steps >= 0).all()) and (not steps.any() or abs(late_s) <= most_s + _EXACT_S)


def _is_off(
    away: NDArray[np.float64], is_jump: NDArray[np.bool_], record_s: float, rounded_s: float, sfreq: float
) -> bool:
    """Tell whether the records between jumps come at another rate than declared, more than a clock can be wrong."""
    kept = away[~is_jump]
    some = 1.5 / sfreq + rounded_s * (1 + np.count_nonzero(is_jump))
    return bool(abs(kept.sum()) > max(some, WRONG_SHARE * record_s * len(kept)))
