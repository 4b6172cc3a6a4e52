"""GDF event codes of what markers say: one table for the decoder's `stim` stream and the twin's cues."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

TRIAL_CODES: dict[str, int] = {"trial_start": 768, "trial_end": 800}
"""Start of a trial, and its end as OpenViBE numbers it."""
PHASE_CODES: dict[str, int] = {**TRIAL_CODES, "cross": 786, "beep": 785, "feedback": 781, "rejected": 1023}
"""Everything else that happens in a trial with cues."""
UNKNOWN_CUE = 783
"""Cue of a trial whose class is not told: practice, from which no program is to learn."""
CLASS_CODES: dict[str, int] = {
    "left_hand": 769,
    "right_hand": 770,
    "feet": 771,
    "foot": 771,
    "tongue": 772,
    "both_hands": 774,
    "rest": 779,
}
"""Graz codes of the cues; `both_hands` and `rest` have no official one: class 6 and class 11 are ours."""
_FREE = (775, 776, 777, 778, 780, 773, *range(1, 256))
"""Codes for other classes: the cue codes that no class above has, then 1 to 255, which GDF leaves to the user. Not 781
and up, which mean feedback, an unknown cue, a beep and so on; not 0x8000 and up, where the high bit marks the end of an
event and OpenViBE keeps codes of its own."""


def gdf_codes(classes: Sequence[str]) -> dict[str, int]:
    """Return one GDF code for each class, all different.

    Raises
    ------
    ValueError
        If there are more classes than codes.
    """
    taken: dict[str, int] = {}
    free = chain(_FREE)
    for name in classes:
        known = CLASS_CODES.get(name)
        code = next(free, None) if known is None or known in taken.values() else known
        if code is None:
            raise ValueError(f"{len(classes)} classes are more than GDF has codes for; at most {len(_FREE)}")
        taken[name] = code
    return taken
