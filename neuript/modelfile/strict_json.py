"""JSON out of a model file, parsed strictly: what is unclear is refused, not guessed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from neuript.errors import ModelRefusedError

MAX_DIGITS = 18
"""Digits of a whole number, which then fits into 64 bits."""


def strict_json(text: str | bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object: no key twice, every number finite, whole ones of at most 18 digits.

    Raises
    ------
    ModelRefusedError
        If it is anything else; the message begins with `what`.
    """
    try:
        values = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
        )
        json.dumps(values, ensure_ascii=False).encode()  # half of a surrogate pair cannot be written or shown
    except (ValueError, RecursionError) as error:
        raise ModelRefusedError(f"{what} is not valid JSON: {str(error)[:200]}") from error
    if not isinstance(values, dict):
        raise ModelRefusedError(f"{what} is not a JSON object")
    return values


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key[:80]!r} appears twice")
        values[key] = value
    return values


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _no_number(text[:40])
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"the number {text[:20]}... has {len(text)} digits")
    return int(text)
