"""Learned positions of an encoder for another network: those of the channels and samples that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

POSITION_KEYS = ("pe_time.", "pe_space.")
"""Encoder entries that belong to one montage and window length."""


def carried(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], rows: Sequence[int | None]
) -> tuple[dict[str, Tensor], list[str]]:
    """Pick out of the learned position tables of an encoder what holds for a network.

    Parameters
    ----------
    given : mapping of str to Tensor
        State of the encoder to take them from.
    own : mapping of str to Tensor
        State of the encoder that is to have them; not changed.
    rows : sequence of (int or None)
        For each channel of `own` the index of the same channel in `given`; None where it has none.

    Returns
    -------
    tables : dict of str to Tensor
        Tables for `own`. What has no counterpart is as in `own`.
    new : list of str
        What stays new, in words.
    """
    tables, new = {}, []
    for key, table in own.items():
        if not key.startswith(POSITION_KEYS):
            continue
        if key not in given or given[key].shape[1:] != table.shape[1:]:
            new.append(f"{key} (the encoder learned none of this shape)")
        elif key == "pe_space.table":
            tables[key], missing = _of_channels(given[key], table, rows)
            new += [f"the positions of {missing} of {len(table)} channels"] if missing else []
        elif len(given[key]) < len(table):
            new.append(f"the positions in time (the encoder learned {len(given[key])} of {len(table)} samples)")
        else:
            tables[key] = given[key][: len(table)]
    return tables, new


def _of_channels(given: Tensor, own: Tensor, rows: Sequence[int | None]) -> tuple[Tensor, int]:
    """Rows of the channels that both have, over those of `own`, and the number of the others."""
    known = [(i, row) for i, row in enumerate(rows) if row is not None and row < len(given)]
    table = own.clone()
    if known:
        to, of = (torch.tensor(index) for index in zip(*known, strict=True))
        table[to] = given[of].to(table)
    return table, len(own) - len(known)
