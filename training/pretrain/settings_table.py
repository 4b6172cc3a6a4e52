"""Settings of a pretraining from a YAML table and from single values that count more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.strict_yaml import parse_yaml, read_yaml


def read_table(path: str | Path) -> dict[str, Any]:
    """Read fields of `PretrainRun` from a YAML file.

    Raises
    ------
    NeuriptError
        If the file cannot be read, or is no table.
    """
    table = read_yaml(path, f"--config {path}")
    if not isinstance(table, dict):
        raise NeuriptError(f"--config {path} is not a table of settings, such as `steps: 1000`")
    return table


def over(
    table: Mapping[str, Any], given: Mapping[str, Any], objective: Mapping[str, Any], model: Mapping[str, Any]
) -> dict[str, Any]:
    """Put values over those of a table.

    Parameters
    ----------
    table : mapping
        Fields of `PretrainRun`.
    given : mapping
        Fields of `PretrainRun`; None means "not given". A length in steps replaces one in epochs, and the other way
        round.
    objective, model : mapping
        Fields of `PretrainSpec` and of `NetworkConfig`.

    Raises
    ------
    NeuriptError
        If `spec` or `overrides` of the table is no table itself.
    """
    settings = dict(table)
    values = {name: value for name, value in given.items() if value is not None}
    for one, other in (("steps", "epochs"), ("epochs", "steps")):
        if one in values and other not in values:
            settings.pop(other, None)
    settings |= values
    settings["spec"] = {**_inner(settings, "spec"), **objective}
    settings["overrides"] = {**_inner(settings, "overrides"), **model}
    return settings


def field_values(texts: Sequence[str]) -> dict[str, Any]:
    """Read FIELD=VALUE; values are YAML, lists are written with commas.

    Raises
    ------
    NeuriptError
        If a text is not of that form.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise NeuriptError(f"{text!r} is not of the form FIELD=VALUE")
        as_list = f"[{value}]" if "," in value and not value.startswith("[") else value
        found[name.replace("-", "_")] = parse_yaml(as_list, f"the value of {text!r}")
    return found


def _inner(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = settings.get(name) or {}
    if not isinstance(value, dict):
        raise NeuriptError(f"{name}={value!r} must be a table of fields")
    return value
