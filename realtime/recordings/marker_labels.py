"""The label of a marker: one spelling for what arrives live, stands in a file, and is typed after `--event`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from neuript.realtime.recordings.text_encoding import read_text

ANYTHING = "*"
"""What stands for any text in a marker that is typed."""
FEW_LABELS = 8
"""So many labels are simply listed."""
MOST_PATTERNS = 20
"""More patterns than this tell nobody what labels have in common."""
_MOST_WHOLE = 2.0**64
"""Whole numbers up to here are written with all their digits."""
_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_REPEATS = 3
"""A number that each of its values has so often, on average, tells classes apart; one that comes once is a counter."""


def plain_label(text: str) -> str:
    """Return the label that a marker's text is known by.

    Blanks and control characters at the ends are padding (fixed columns, line feeds, C strings), and one in the middle
    is a blank, which can be typed. A whole number loses its decimals: a recorder's `1.000000000000000` is `1`.
    """
    if not text.isprintable():
        text = "".join(" " if _is_unseen(c) else c for c in text)
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    return text if whole is None else whole[1]


def number_label(value: float | np.generic) -> str:
    """Return the label of a number: whole ones exactly (`769`, not `769.0`), others as short as they come back."""
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, int):
        return str(number)
    if float(number).is_integer() and abs(number) < _MOST_WHOLE:
        return str(int(number))
    return str(value) if isinstance(value, np.floating) else repr(float(number))


def sample_label(row: Iterable[Any]) -> str:
    """Return the label of one sample of a marker stream; those of several channels with commas between."""
    return plain_label(",".join(one if isinstance(one, str) else number_label(one) for one in row))


def received_label(row: Iterable[Any]) -> str:
    """Return `sample_label` of a sample as LSL delivers it, whose texts are bytes in the sender's encoding."""
    return sample_label(read_text(one) if isinstance(one, bytes) else one for one in row)


def fits(label: str, marker: str) -> bool:
    """Tell whether a label is a marker as it is typed, in which `*` stands for any text, also for none."""
    if ANYTHING not in marker:
        return label == marker
    first, *middle, last = marker.split(ANYTHING)
    if len(label) < len(first) + len(last) or not (label.startswith(first) and label.endswith(last)):
        return False
    at, end = len(first), len(label) - len(last)
    for piece in middle:  # the first place is as good as any later one
        if (found := label.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True


def patterns_of(labels: Collection[str]) -> dict[str, int]:
    """Return what many different labels have in common, as markers with `*`, and how often each occurs.

    A number in a label is `*` where it hardly ever repeats: a time, a trial's number.

    Returns
    -------
    dict of str to int
        Empty where that says no more than the labels, or there would be more than 20.
    """
    kinds: dict[tuple[str, ...], list[list[str]]] = {}
    for label in labels:
        kinds.setdefault(tuple(_NUMBER.split(label)), []).append(_NUMBER.findall(label))
    found: Counter[str] = Counter()
    for kind, numbers in kinds.items():
        if len(kind) > 1:
            repeats = [len(set(column)) * _REPEATS <= len(column) for column in zip(*numbers, strict=True)]
            found.update(_pattern(kind, row, repeats) for row in numbers)
        else:
            found[kind[0]] += len(numbers)
    n_labels = len(set(labels))
    useful = FEW_LABELS < n_labels >= 2 * len(found) and len(found) <= MOST_PATTERNS and set(found) != {ANYTHING}
    return dict(found.most_common()) if useful else {}


def _pattern(pieces: Sequence[str], numbers: Sequence[str], keep: Sequence[bool]) -> str:
    said = (number if kept else ANYTHING for number, kept in zip(numbers, keep, strict=True))
    return pieces[0] + "".join(f"{number}{piece}" for number, piece in zip(said, pieces[1:], strict=True))


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs")
