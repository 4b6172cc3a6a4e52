"""What the command line says of itself is true: defaults, commands to paste, extras to install."""

from __future__ import annotations

import argparse
import ast
import importlib
import math
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from neuript.cli import VERBS
from neuript.cli.train import VERBS as TRAINING
from neuript.realtime.live.options import LiveOptions

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("neuript", "realtime", "training", "montages")
MODULES = [*VERBS, *(f"train.{verb}" for verb in TRAINING)]
_COMMAND = re.compile(r"\bneuript(?:-(live|calibrate|replay|train))?(?: +(?!-)([a-z]+))?(?: +(?!-)([a-z]+))?")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def parser_of(module: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = importlib.import_module(f"neuript.cli.{module}").build_parser()
    return parser


def words_of(value: object) -> list[str]:
    """How a default is written in a line of help."""
    values = value if isinstance(value, list | tuple) else [value]
    return ["max" if v == math.inf else f"{v:g}" if isinstance(v, float) else str(v) for v in values]


@pytest.mark.parametrize("module", MODULES)
def test_every_option_has_help_that_states_its_default(module):
    for action in parser_of(module)._actions:
        assert action.help, f"{module}: {action.dest} has no help"
        if action.default in (None, False, True, argparse.SUPPRESS, "") or action.default == []:
            continue
        assert "default" in action.help, f"{module}: --help of {action.option_strings} does not say the default"
        for word in words_of(action.default):
            assert word in action.help, f"{module}: --help of {action.option_strings} does not say the default {word}"


def test_the_help_of_live_states_the_defaults_of_its_settings():
    """Its parser has none: what is not given is left to `LiveOptions`."""
    for action in parser_of("live")._actions:
        value = getattr(LiveOptions, action.dest, None)
        if value in (None, False):
            continue
        assert "default" in action.help, action.dest
        assert words_of(value)[0] in action.help, f"{action.dest}: {value}"


# -- commands in messages ----------------------------------------------------------------------


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring; what is put into it is `{}`."""
    tree = tree_of(path)
    docs = {id(node.body[0].value) for node in ast.walk(tree) if has_docstring(node)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | inside:
            yield node.lineno, node.value


def has_docstring(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return isinstance(node, kinds) and bool(node.body) and isinstance(node.body[0], ast.Expr)


SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def named_parser(match: re.Match[str]) -> argparse.ArgumentParser | None:
    """The parser of a command that a text names; None where it is no command (`neuript decodes ...`)."""
    script, first, second = match.groups()
    if script == "train":
        return parser_of(f"train.{first}") if first in TRAINING else parser_of("train")
    if script:
        return parser_of(script)
    if first == "train" and second in TRAINING:
        return parser_of(f"train.{second}")
    return parser_of(first) if first in VERBS else None


def said_commands() -> Iterator[tuple[str, re.Match[str], str]]:
    """Where, the command, and what follows it up to the next sentence or command."""
    for path in SOURCES:
        for line, text in texts(path):
            commands = list(_COMMAND.finditer(text))
            ends = [*(c.start() for c in commands[1:]), len(text)]
            for command, end in zip(commands, ends, strict=False):
                yield f"{path.name}:{line}", command, re.split(r"[;:,.)`\n]", text[command.end() : end])[0]


def test_commands_and_options_in_messages_exist():
    n_options = 0
    for where, command, tail in said_commands():
        parser = named_parser(command)
        for option in _OPTION.findall(tail) if parser is not None else ():
            assert option in {*parser._option_string_actions, "--verbose"}, f"{where}: {command[0]} has no {option}"
            n_options += 1
    assert n_options > 30


def test_what_is_put_into_a_command_is_quoted():
    """A file name goes into a printed command through `pasteable`, or it breaks at its first blank."""
    for where, command, tail in said_commands():
        if named_parser(command) is not None and not tail.startswith("-"):  # neuript-replay-<digits> is a source id
            assert not re.search(r"\{\}|%s", tail), f"{where}: use pasteable for {command[0]}{tail}"


def pasted() -> list[tuple[str, list[str]]]:
    """Every `pasteable(...)` of the house, with a name that has a blank in the place of what is not known yet."""
    found = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "pasteable":
                known = [word for word in node.args if not isinstance(word, ast.Starred)]
                words = [word.value if isinstance(word, ast.Constant) else "my file" for word in known]
                found.append((f"{path.name}:{node.lineno}", words))
    return found


@pytest.mark.parametrize(("where", "words"), pasted())
def test_every_command_to_paste_parses(where, words):
    program, *arguments = shlex.split(shlex.join(words))
    verb = program.removeprefix("neuript-") if program != "neuript" else arguments.pop(0)
    if verb == "train":
        verb = f"train.{arguments.pop(0)}"
    try:
        parser_of(verb).parse_args(arguments)
    except SystemExit:
        pytest.fail(f"{where}: {shlex.join(words)} is refused")


def test_extras_in_install_hints_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pages = [*SOURCES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    hints = [
        (path.name, extra)
        for path in pages
        for names in re.findall(r"(?:neuript|install [^\n]*\"\.)\[([a-z,]+)\]", path.read_text("utf-8"))
        for extra in names.split(",")
    ]
    assert len(hints) > 8
    for name, extra in hints:
        assert extra in project["optional-dependencies"], f"{name}: there is no extra {extra}"
