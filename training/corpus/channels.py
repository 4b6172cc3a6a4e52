"""Which channels of a recording go into a corpus, and where they sit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache

from neuript.errors import NeuriptError
from neuript.montages import Montage, draft_plan, fit_montage, load_montage, parse_montage
from neuript.montages.loader import TEMPLATE, template_positions
from neuript.montages.names import canonical_name, electrode_name, split_pair
from neuript.montages.stream_labels import EARS, is_eeg_channel

PAPER_MONTAGE = "double-banana"
"""The 20 bipolar pairs of the paper."""


def choose_montage(
    ch_names: Sequence[str],
    ch_types: Sequence[str] = (),
    *,
    montage: str = "auto",
    cap: Montage | None = None,
    bads: Collection[str] = (),
    min_chans: int = 2,
) -> Montage:
    """Return the channels to make of a recording.

    Parameters
    ----------
    ch_names, ch_types : sequence of str
        Labels and types of the recording.
    montage : str
        "auto": the paper's 20 pairs where the recording has all their electrodes, else the part of `cap` that it
        has, else its own electrodes (or its own pairs) as far as the 10-5 system knows their places.  Else the name
        or file of a montage.
    cap : Montage, optional
        Montage of what was on the head; it names channels without labels and gives positions. None: not known.
    bads : collection of str
        Labels that carry no signal; they do not become channels of their own.
    min_chans : int
        Least number of channels with a known place; fewer are refused.

    Raises
    ------
    NeuriptError
        When fewer than `min_chans` channels have a known place.
    """
    if montage != "auto":
        return load_montage(montage)
    paper = load_montage(PAPER_MONTAGE)
    plan = draft_plan(ch_names, paper, cap, ch_types=ch_types)
    if not plan.problems and not plan.expected_error.any():
        return paper
    if cap is not None:
        return _named(fit_montage(ch_names, cap, bads=bads, ch_types=ch_types))
    singles, pairs = _places(ch_names, ch_types, bads)
    if max(len(singles), len(pairs)) < min_chans:
        raise NeuriptError(_unplaced(ch_names, len(singles) + len(pairs), min_chans))
    return _own(singles) if len(singles) >= min_chans else _own_pairs(pairs)


def montage_key(montage: Montage) -> str:
    """Return a short hash of the channels and their places; equal keys may share a batch."""
    parts = [list(montage.ch_names), montage.pos_m.round(6).tolist(), montage.reference]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]


def _places(ch_names: Sequence[str], ch_types: Sequence[str], bads: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the electrodes and the pairs among the labels that have a known place, in montage order."""
    known = template_positions()
    order = {name: i for i, name in enumerate(known)}
    types = ch_types or [""] * len(ch_names)
    singles, pairs = set(), []
    for label, kind in zip(ch_names, types, strict=True):
        if not is_eeg_channel(kind) or label in bads:
            continue
        name = canonical_name(label)
        pair = split_pair(name)
        single = electrode_name(name)
        if pair is not None and set(pair) <= set(known) and not set(pair) & set(EARS):
            pairs.append(f"{pair[0]}-{pair[1]}")
        elif single is not None and single in known and single not in EARS:
            singles.add(single)
    return sorted(singles, key=order.__getitem__), list(dict.fromkeys(pairs))


@lru_cache(maxsize=256)
def _own_cached(names: tuple[str, ...]) -> Montage:
    return _named(load_montage(TEMPLATE).pick(names))


def _own(names: Sequence[str]) -> Montage:
    return _own_cached(tuple(names))


def _own_pairs(pairs: Sequence[str]) -> Montage:
    electrodes = sorted({e for pair in pairs for e in pair.split("-")})
    table = {"name": "pairs", "electrodes": electrodes, "channels": list(pairs)}
    return _named(parse_montage(json.dumps(table), name="pairs"))


def _named(montage: Montage) -> Montage:
    kind = "pairs" if montage.reference == "bipolar" else "electrodes"
    return replace(
        montage,
        name=f"{kind}-{montage.n_chans}-{montage_key(montage)[:6]}",
        description=f"{montage.n_chans} {kind} as recorded",
        aliases={},
    )


def _unplaced(ch_names: Sequence[str], found: int, wanted: int) -> str:
    shown = ", ".join(name or "(none)" for name in ch_names[:6])
    more = f", {len(ch_names) - 6} more" if len(ch_names) > 6 else ""
    return (
        f"{found} of its {len(ch_names)} channels ({shown}{more}) carry a signal and have a known place "
        f"on the head, at least {wanted} are needed; name the cap with --cap, or the montage with --montage"
    )
