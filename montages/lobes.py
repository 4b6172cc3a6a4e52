"""Which channels look at which part of the cortex: the groups that the model pools over.

For the montages of the NeurIPT paper the groups are its own; for any other montage they follow from
the names: Fp, AF, F frontal; FT, T, TP temporal by side; FC, C, CP, P central-parietal; PO, O
occipital. Pairs follow the pattern of the paper's table: one that reaches the occipital electrodes is
occipital, two frontal electrodes are frontal, and otherwise the pair belongs to the lobes of its
electrodes behind the frontal ones, so that T7-C3 is both temporal and central-parietal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from neuript.montages.names import canonical_name, electrode_name, split_pair

LOBES = ("frontal", "central-parietal", "occipital", "temporal-left", "temporal-right")
"""The names that the rule gives, in the paper's order."""

_RULES = (
    (re.compile(r"(?:N|Fp|AF|F(?![TC]))"), "frontal"),
    (re.compile(r"(?:FFT|FT|T|A|M)"), "temporal"),
    (re.compile(r"(?:PO|O|I)"), "occipital"),
    (re.compile(r"(?:FC|C|P)"), "central-parietal"),
)


def electrode_lobe(name: str) -> str | None:
    """Return the lobe of one electrode by the rule, or None for a name outside the 10-5 system."""
    electrode = electrode_name(name)
    if electrode is None:
        return None
    for pattern, lobe in _RULES:
        if pattern.match(electrode):
            if lobe != "temporal":
                return lobe
            return f"temporal-{_side(electrode)}"
    return None


def _side(electrode: str) -> str:
    digits = re.sub(r"\D", "", electrode)
    return "left" if int(digits or "1") % 2 else "right"


def channel_lobes(ch_name: str) -> tuple[str, ...]:
    """Return the lobes of a channel, one electrode or a pair, by the rule (may be empty)."""
    pair = split_pair(canonical_name(ch_name))
    if pair is None:
        lobe = electrode_lobe(ch_name)
        return () if lobe is None else (lobe,)
    found = {_lobe_in_pair(electrode) for electrode in pair} - {None}
    if "occipital" in found:
        return ("occipital",)
    if found == {"frontal"}:
        return ("frontal",)
    return tuple(lobe for lobe in LOBES if lobe in found and lobe != "frontal")


def _lobe_in_pair(electrode: str) -> str | None:
    """In the paper's pairs T5 and T6 (P7 and P8) count as temporal."""
    if electrode in ("P7", "P8", "P9", "P10"):
        return f"temporal-{_side(electrode)}"
    return electrode_lobe(electrode)


def lobes_by_rule(ch_names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return lobe -> channel indices for a montage, without the lobes that have no channel."""
    groups: dict[str, list[int]] = {lobe: [] for lobe in LOBES}
    for index, ch_name in enumerate(ch_names):
        for lobe in channel_lobes(ch_name):
            groups[lobe].append(index)
    return {lobe: tuple(indices) for lobe, indices in groups.items() if indices}
