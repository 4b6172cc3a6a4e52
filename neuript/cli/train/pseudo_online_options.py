"""`neuript-train evaluate --pseudo-online`: its options, and which of the verb's options it refuses."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import given_options
from neuript.cli.window_options import add_window_options
from neuript.errors import NeuriptError

TITLE = "with --pseudo-online"
BOTH = {"help", "pseudo_online", "out"}
"""Destinations of the options that both ways of the verb take."""

NOT_WITH_PEOPLE = {"network"}
"""Destinations of the options that earlier people leave nothing to do."""


def add_pseudo_online_options(parser: argparse.ArgumentParser) -> None:
    """Add them, as a group of their own."""
    parser.add_argument(
        "--pseudo-online",
        action="store_true",
        help="instead of a protocol: run the live decoder over recordings, hop by hop, and count what it commands",
    )
    group = parser.add_argument_group(TITLE)
    add = group.add_argument
    add("--calibrate", nargs="+", metavar="FILE", help="earlier recordings of one person, in order of time")
    add("--test", nargs="+", metavar="FILE", help="later recordings of this person, which are decoded")
    add(
        "--people",
        nargs="+",
        metavar="FOLDER|ALIAS=PATH",
        help="many people instead (as for neuript-train population): the earlier half of each one's recordings "
        "calibrates, the rest is decoded",
    )
    add_window_options(group, "what was on the heads")
    add("--population", metavar="FILE|shipped", help="begin with what earlier people say (neuript-train population)")
    add("--trials", metavar="N,N,...", help="repeat with the first so many trials per class (default 5,10,20,40)")
    add(
        "--cs-mode",
        metavar="NAME",
        help="what of the person may be used beside --population, by the names of MOABB's CrossSubjectMode: "
        "TRAIN_TRIALWISE, TRAIN_AND_TARGET_UNLABELED_20P or _50P, TRAIN_AND_TARGET_LABELED_20P or _50P (default: all "
        "of --calibrate, with labels)",
    )
    add("--window-end", type=float, nargs=2, metavar=("FROM", "TO"), help="windows that say a trial's class end then")
    add(
        "--network",
        default="pretrained",
        metavar="{pretrained,none,FILE}",
        help="as for neuript-calibrate (default pretrained)",
    )
    add("--max-false-per-minute", type=float, default=1.0, metavar="N", help="as for neuript-calibrate (default 1)")
    add("--folds", type=int, default=4, metavar="N", help="blocks of the cross-validation (default 4)")


def check_mode(parser: argparse.ArgumentParser, argv: list[str]) -> None:
    """Refuse options that the chosen way of the verb would ignore."""
    given = given_options(parser, argv)
    (group,) = [group for group in parser._action_groups if group.title == TITLE]
    own = {action.dest for action in group._group_actions}
    if "pseudo_online" in given:
        ignored = [name for dest, name in given.items() if dest not in own | BOTH]
        if ignored:
            raise NeuriptError(f"--pseudo-online does not use {ignored[0]}; leave it out")
        ignored = [name for dest, name in given.items() if dest in NOT_WITH_PEOPLE and "population" in given]
        if ignored:
            raise NeuriptError(f"with --population {ignored[0]} is not used; leave it out")
        return
    ignored = [name for dest, name in given.items() if dest in own]
    if ignored:
        raise NeuriptError(f"{ignored[0]} is for --pseudo-online; add that, or leave it out")
