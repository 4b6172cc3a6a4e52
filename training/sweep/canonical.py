"""One text, and one short id, for each configuration."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

ID_LENGTH = 12
"""Hexadecimal digits of an id: 48 bits, plenty for some thousand runs."""
_VERSION = 1


def plain(value: Any) -> Any:
    """Return `value` with mappings as dicts, sequences as lists and whole floats as ints.

    Two ways to write the same configuration (a tuple or a list, 1 or 1.0, any order of keys) get
    the same id by this.

    Raises
    ------
    ValueError
        If something in it has no place in JSON (also NaN and infinity).
    """
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be part of a configuration")
        return int(value) if value.is_integer() else value
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    raise ValueError(f"{value!r} cannot be part of a configuration")


def canonical(config: Mapping[str, Any]) -> str:
    """Return the configuration as JSON with sorted keys and without spaces."""
    return json.dumps(plain(config), sort_keys=True, separators=(",", ":"), allow_nan=False)


def config_id(config: Mapping[str, Any]) -> str:
    """Return the id of a configuration: the head of the SHA-256 of `canonical`."""
    text = f"neuript-sweep-{_VERSION}:{canonical(config)}"
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def merged(*layers: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge mappings, later over earlier, mappings inside them likewise.

    None switches an entry off (`pretrain: null` is "from scratch"); a mapping in a later layer
    switches it on again, with what the layers before the None said.
    """
    given = [layer for layer in layers if layer]
    result: dict[str, Any] = {}
    for key in dict.fromkeys(key for layer in given for key in layer):
        values = [layer[key] for layer in given if key in layer]
        if isinstance(values[-1], Mapping):
            result[key] = merged(*(value for value in values if isinstance(value, Mapping)))
        else:
            result[key] = values[-1]
    return result
