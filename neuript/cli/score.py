"""`neuript score`: published decisions against the markers of the recording they were made from."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_eeg, add_events, add_json, command
from neuript.cli.progress import say

if TYPE_CHECKING:
    from neuript.realtime.decoding.scoring import ScoreCard

_EXAMPLES = """\
examples:
  neuript score session.xdf                          recorded with neuript-live --record, cues of neuript beside it

  neuript-live --replay run4.xdf --model mi.ts --headless --json > run4.jsonl
  neuript score run4.jsonl --recording run4.xdf --event left_hand=769 --event right_hand=770

  neuript-replay run4.xdf --json > replay.json &      decisions made over LSL carry LSL stamps;
  neuript-live --model mi.ts --headless --json > live.jsonl
  neuript score live.jsonl --recording run4.xdf --replay-log replay.json --event ...

A trial's class is the one with the highest mean probability over the windows that end within --window-end
seconds after its event; fix that interval before you look at the result.
The same from Python: `neuript.score`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript score",
        "Score the decisions of neuript-live --json against the markers of the recording, trial by trial.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("decisions", help="lines that neuript-live --json printed, or an .xdf that holds decisions and markers")
    add("--recording", metavar="FILE", help="the recording with the markers")
    add_eeg(parser)
    add_events(parser)
    ends = "seconds after an event between which a trial's windows end (default 4 4.5)"
    add("--window-end", type=float, nargs=2, default=(4.0, 4.5), metavar=("FROM", "TO"), help=ends)
    add("--replay-log", metavar="FILE", help="what neuript-replay --json printed, for decisions made over LSL")
    add_json(parser, "print the figures as JSON")
    return parser


def run(argv: list[str]) -> int:
    """Score and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.training.calibration.score_recording import score
    from neuript.training.windows.events import parse_event_map

    card = score(
        args.decisions,
        args.recording,
        parse_event_map(args.event),
        window_end_s=tuple(args.window_end),
        trial_start=args.trial_start,
        replay_log=args.replay_log,
        eeg=args.eeg,
        say=say,
    )
    if args.json:
        print(json.dumps(card.to_dict(), indent=1))
    else:
        _print(card)
    return 0


def _print(card: ScoreCard) -> None:
    from rich.table import Table

    from neuript.safe_console import Report

    low, high = card.interval
    console = Report()
    console.print(
        f"{card.n_hits} of {card.n_trials} trials: accuracy {card.accuracy:.1%} (95 % interval {low:.0%} - "
        f"{high:.0%}), balanced {card.balanced_accuracy:.1%}; {card.against_guessing}"
    )
    table = Table(title="cued (rows) and decoded (columns)")
    table.add_column("")
    for name in (*card.classes, "nothing"):
        table.add_column(name, justify="right")
    for name, counts in zip(card.classes, card.confusion(), strict=True):
        table.add_row(name, *map(str, counts))
    console.print(table)
