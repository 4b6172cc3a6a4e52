"""Arguments that several verbs share: each is defined once. Only argparse, so that `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError


def command(prog: str, description: str, examples: str = "", **options: Any) -> argparse.ArgumentParser:
    """Return a parser whose examples keep their lines."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=examples or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


def add_events(parser: argparse._ActionsContainer) -> None:
    """Add how markers name classes: `--event`, `--trial-start`."""
    parser.add_argument(
        "--event",
        action="append",
        default=[],
        metavar="CLASS=MARKER",
        help="which marker starts which class; repeat for each class, and for further markers of a class",
    )
    parser.add_argument(
        "--trial-start", metavar="MARKER", help="marker that starts a trial of several events (BCI Essentials)"
    )


def add_eeg(parser: argparse._ActionsContainer) -> None:
    """Add `--eeg` of recordings."""
    parser.add_argument("--eeg", metavar="NAME", help="the stream to take as EEG, if its type does not say so")


def add_unit(parser: argparse._ActionsContainer) -> None:
    """Add `--unit` of files."""
    parser.add_argument(
        "--unit", metavar="UNIT", help="unit of the recordings' numbers, if the files do not say it or say it wrongly"
    )


def add_mains(parser: argparse._ActionsContainer) -> None:
    """Add `--mains`; `mains_hz` reads it."""
    parser.add_argument(
        "--mains",
        choices=("auto", "50", "60", "none"),
        default="auto",
        help="mains frequency to notch out (default: measured)",
    )


def mains_hz(given: str) -> float | str | None:
    """Read `--mains`: a frequency, "auto", or None for no notch."""
    if given == "auto":
        return given
    return None if given == "none" else float(given)


def add_seed(parser: argparse._ActionsContainer, what: str) -> None:
    """Add `--seed` of weights, draws and the like."""
    parser.add_argument("--seed", type=int, default=520, metavar="N", help=f"seed of {what} (default 520)")


def add_montage(parser: argparse._ActionsContainer, text: str, default: str | None = None) -> None:
    """Add `--montage`: a name of `neuript montages`, or a YAML file."""
    parser.add_argument("--montage", default=default, metavar="NAME|FILE", help=text)


def add_json(parser: argparse.ArgumentParser, text: str = "machine-readable") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=text)


def add_set(parser: argparse.ArgumentParser, text: str) -> None:
    """Add `--set KEY=VALUE`, which may be repeated."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=text)


class _NotGiven:
    """Stands where an option was not given at all."""


def given_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> dict[str, str]:
    """Return what stands on a command line, also where it says the default: option or argument by its destination."""
    there = argparse.Namespace()
    for action in parser._actions:
        setattr(there, action.dest, None if isinstance(action, argparse._AppendAction) else _NotGiven)
    parser.parse_args(argv, there)
    return {
        action.dest: action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)
        for action in parser._actions
        if getattr(there, action.dest, None) not in (_NotGiven, None)
    }


def words(text: str | None) -> tuple[str, ...]:
    """Split a comma-separated list."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Split a comma-separated list of numbers."""
    try:
        return tuple(float(word) for word in words(text))
    except ValueError:
        raise NeuriptError(f"{option} {text!r} must be numbers joined by commas") from None


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Split a comma-separated list of whole numbers."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise NeuriptError(f"{option} {text!r} must be whole numbers joined by commas, such as 0,1,2") from None


def some_of(option: str, text: str | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """Choose by a comma-separated list of names, all without one; in the order of `allowed`."""
    if text is None:
        return tuple(allowed)
    names = words(text)
    if not names or not set(names) <= set(allowed):
        raise NeuriptError(f"{option} {text!r} must be some of {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def named_folders(texts: Sequence[str], option: str = "--data") -> dict[str, Path]:
    """Read NAME=DIR, each name once."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, sign, folder = text.partition("=")
        if not sign or not name or not folder:
            raise NeuriptError(f"{option} {text!r} must be NAME=DIR, such as mental-arithmetic=eegmat")
        if name in folders:
            raise NeuriptError(f"{option} names {name} twice; give each data set once")
        folders[name] = Path(folder)
    return folders
