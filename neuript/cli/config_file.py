"""`--config FILE.yaml`: options of a verb from a file, as if they stood on the command line, which wins.

A key is the name of an option without its dashes (`source-id`), or of an argument (`out` of `neuript record`). What
stands at the top is for every verb that has such an option; a table under the name of a verb (`live`, `record`,
`calibrate`, `population`) is for that verb alone. Paths are seen from the folder in which the command runs, as on a
command line.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from neuript.cli.config_tokens import given_on_line, tokens_of
from neuript.errors import NeuriptError

VERBS = {"live": "live", "record": "record", "calibrate": "calibrate", "population": "train.population"}
"""Verb to its module below `neuript.cli`: those whose options a file may hold."""
NEVER_IN_A_FILE = {"trust": "a program is trusted by a person, on the command line, one file at a time"}
"""Options that a file may not hold, each with the reason: a file can come from somebody else."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`; `parse_with_config` reads it."""
    parser.add_argument(
        "--config",
        metavar="FILE.yaml",
        help="options from a file (neuript init writes one); what stands on the command line wins",
    )


def parse_with_config(verb: str, parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line together with the file that its `--config` names.

    Raises
    ------
    NeuriptError
        If the file cannot be read, has a key that no option has, or a value that its option does not take.
    """
    path = _config_of(argv)
    if path is None:
        return parser.parse_args(argv)
    values = _options_for(verb, read_config(path), path)
    by_key = {_key(action): action for action in parser._actions}
    on_line = given_on_line(parser, argv)
    tokens: list[str] = []
    places: list[str] = []
    for key, value in values.items():
        action = by_key[key]
        if action.dest not in on_line:
            (tokens if action.option_strings else places).extend(tokens_of(action, value, f"--config {path}: {key}"))
    _check(parser, tokens, f"--config {path}")
    # arguments first: an option that takes several words would swallow them
    return parser.parse_args([*places, *tokens, *argv])


def read_config(path: str | Path) -> dict[str, Any]:
    """Read a table of options.

    Raises
    ------
    NeuriptError
        If there is no such file, or it is no YAML, or no table.
    """
    from neuript.strict_yaml import read_yaml

    values = read_yaml(path, f"--config {path}")
    if not isinstance(values, dict | None) or not all(isinstance(key, str) for key in values or {}):
        raise NeuriptError(f"--config {path} must be a table of options, such as `hop: 0.125`")
    return values or {}


def _options_for(verb: str, table: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return what of a file is for one verb, every key known to some verb."""
    known = {name: _keys_of(module) for name, module in VERBS.items()}
    found: dict[str, Any] = {}
    for written, value in table.items():
        key = written.replace("_", "-")
        if key in VERBS and isinstance(value, dict | None):
            for inner, own in (value or {}).items():
                _require(str(inner).replace("_", "-"), known[key], f"--config {path}: {key}: {inner}")
                if key == verb:
                    found[str(inner).replace("_", "-")] = own
            continue
        _require(key, set.union(*known.values()), f"--config {path}: {written}")
        if key in known[verb]:
            found.setdefault(key, value)
    return {key: value for key, value in found.items() if value is not None}


def _require(key: str, known: set[str], what: str) -> None:
    if key in NEVER_IN_A_FILE:
        raise NeuriptError(f"{what} must not stand in a file: {NEVER_IN_A_FILE[key]}; write --{key} there")
    if key in known:
        return
    from difflib import get_close_matches

    close = get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
    raise NeuriptError(f"{what} is no option; {hint}")


def _keys_of(module: str) -> set[str]:
    parser: argparse.ArgumentParser = importlib.import_module(f"neuript.cli.{module}").build_parser()
    return {_key(action) for action in parser._actions} - {"help", "config"}


def _key(action: argparse.Action) -> str:
    """Name of an option without its dashes; of an argument its destination."""
    return action.option_strings[-1].lstrip("-") if action.option_strings else action.dest


def _config_of(argv: Sequence[str]) -> str | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    path: str | None = finder.parse_known_args(argv)[0].config
    return path


def _check(parser: argparse.ArgumentParser, tokens: Sequence[str], what: str) -> None:
    """Let the parser judge the values of the file by themselves, so that a refusal names the file."""

    def refuse(message: str) -> NoReturn:
        raise NeuriptError(f"{what}: {message}")

    required = [action for action in parser._actions if action.required]
    error, parser.error = parser.error, refuse  # type: ignore[method-assign]
    try:
        for action in required:
            action.required = False
        parser.parse_known_args([*tokens])
    finally:
        parser.error = error  # type: ignore[method-assign]
        for action in required:
            action.required = True
