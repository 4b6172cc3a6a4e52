"""A value of a `--config` file as the words that would stand on a command line, and what stands on one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuript.errors import NeuriptError
from neuript.specs import short


def tokens_of(action: argparse.Action, value: Any, what: str) -> Iterator[str]:
    """Write a value as it would stand on a command line."""
    option = action.option_strings[-1:]
    if action.nargs == 0:  # a switch
        if not isinstance(value, bool):
            raise NeuriptError(f"{what} is a switch; write true or false, not {short(value)}")
        yield from option if value else ()
    elif isinstance(action, argparse._AppendAction):
        for one in _pairs(value):
            yield from (*option, one)
    elif action.nargs is None or action.nargs == "?":
        joined = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
        yield from (f"{option[0]}={joined}",) if option else (joined,)
    else:
        yield from option
        yield from map(_text, value if isinstance(value, list) else [value])


def _pairs(value: Any) -> Iterator[str]:
    """`{left_hand: 769}` as `left_hand=769`; a marker list or a plain list one by one."""
    if isinstance(value, Mapping):
        for name, markers in value.items():
            for marker in markers if isinstance(markers, list) else [markers]:
                yield f"{name}={_text(marker)}"
    else:
        yield from map(_text, value if isinstance(value, list) else [value])


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NeuriptError(f"a value of --config is {short(value)}; it must be text or a number, perhaps in quotes")
    return str(value)


def given_on_line(parser: argparse.ArgumentParser, argv: Sequence[str]) -> set[str]:
    """Return the destinations of what stands on the command line, complete or not."""
    loose = argparse.ArgumentParser(
        add_help=False, allow_abbrev=parser.allow_abbrev, argument_default=argparse.SUPPRESS
    )
    for action in parser._actions:
        if action.option_strings and action.dest != "help":
            switch = {"action": "store_true"} if action.nargs == 0 else {"nargs": action.nargs}
            loose.add_argument(*action.option_strings, dest=action.dest, **switch)
    found, rest = loose.parse_known_args(argv)
    places = {action.dest for action in parser._actions if not action.option_strings}
    return set(vars(found)) | (places if any(not word.startswith("-") for word in rest) else set())
