"""`--channels` of every verb that has an EEG: what each of its channels is. Only argparse: `--help` is instant."""

from __future__ import annotations

import argparse


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
