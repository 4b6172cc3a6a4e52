"""`--channels` of every verb that has an EEG: what each of its channels is. Only argparse: `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def add_channels(parser: argparse._ActionsContainer) -> None:
    """Add `--channels` of whatever has an EEG; `given_channels` reads it."""
    parser.add_argument(
        "--channels",
        metavar="NAME,NAME,-,...",
        help="what each channel of the EEG is, in its order (- leaves one out), if it does not say so itself",
    )


def given_channels(args: argparse.Namespace) -> tuple[str, ...] | None:
    """Read `--channels`; None without it."""
    if args.channels is None:
        return None
    from neuript.realtime.recordings.given_channels import check_channels, parse_channels

    names = parse_channels(args.channels)
    if getattr(args, "montage", None) is None:  # else the montage may have names of its own
        check_channels(names)
    return names


def joined(argv: Sequence[str]) -> list[str]:
    """Tie `--channels` to a value that begins with a channel left out, which argparse would take for an option."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--channels" and word.startswith("-,"):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words
