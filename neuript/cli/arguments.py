"""Arguments that several verbs share: each is defined once. Only argparse, so that `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
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
        help="which marker starts which class; repeat for each class, and for further markers of a class (a session "
        "with cues of neuript says it itself)",
    )
    parser.add_argument(
        "--trial-start", metavar="MARKER", help="marker that starts a trial of several events (BCI Essentials)"
    )


def add_eeg(parser: argparse._ActionsContainer) -> None:
    """Add `--eeg` of recordings."""
    parser.add_argument(
        "--eeg",
        metavar="NAME",
        help="the recording's stream to take as EEG (name, source id or type), if its type does not say so or there "
        "are several",
    )


def add_sfreq(parser: argparse._ActionsContainer) -> None:
    """Add `--sfreq` of streams and recordings."""
    parser.add_argument("--sfreq", type=float, metavar="HZ", help="true rate of the EEG, where a wrong one is declared")


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
        help="mains frequency to notch out (default auto: measured)",
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


def add_engine(parser: argparse._ActionsContainer) -> None:
    """Add `--engine` of whatever decodes; the names are checked where engines are known."""
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="what computes the network: cpu, openvino, onnxruntime, compiled, eager, or on a GPU tensorrt, "
        "torch-tensorrt, cuda (default auto: the fastest of those that are installed, measured once)",
    )


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


def refuse(given: Mapping[str, str], names: Collection[str], why: str) -> None:
    """Refuse options that would change nothing.

    Parameters
    ----------
    given : mapping of str to str
        As `given_options` returns it.
    names : collection of str
        Destinations of the options that do nothing here.
    why : str
        Why they do nothing.

    Raises
    ------
    NeuriptError
        If one of them was given.
    """
    if extra := sorted(given[name] for name in names if name in given):
        raise NeuriptError(f"{', '.join(extra)}: leave out; {why}")
