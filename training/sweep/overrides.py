"""Entries over those of a sweep's table, from KEY=VALUE texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from neuript.errors import NeuriptError
from neuript.strict_yaml import parse_yaml


def nested_values(texts: Sequence[str], start: Mapping[str, Any]) -> dict[str, Any]:
    """Put `SECTION.FIELD=VALUE` (or `FIELD=VALUE`) into nested tables, over those of `start`; values are YAML.

    Raises
    ------
    NeuriptError
        If a text is not of that form.
    """
    values = deepcopy(dict(start))
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise NeuriptError(f"--set {text!r} must be KEY=VALUE, such as pretrain.batch_size=8")
        *path, last = key.split(".")
        place = values
        for word in path:
            place = place.setdefault(word, {})
        place[last] = parse_yaml(value, f"--set {text!r}")
    return values
