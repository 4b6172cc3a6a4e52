"""`neuript-train clinical`: sensitivity, specificity and false alarms of an evaluation at a chosen operating point."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neuript.cli.arguments import command
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript-train evaluate chb-mit --data chbmit --methods ts-lr,scratch --out results
  neuript-train clinical results --at sensitivity=0.95
  neuript-train clinical results --at false-alarms=1 --consecutive 3 --out clinical.json --curves curves.png

The threshold is chosen on the validation people of the evaluation and judged on its test people. Decision curves weigh
false alarms against hits; they take the probabilities as they are."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript-train clinical", "Judge an evaluation of two classes at an operating point.", _EXAMPLES)
    add = parser.add_argument
    add("results", metavar="RESULTS", help="folder that neuript-train evaluate wrote to")
    add(
        "--at",
        default="sensitivity=0.95",
        metavar="GOAL=X",
        help="sensitivity, specificity (of windows) or false-alarms (per hour) on the validation people "
        "(default sensitivity=0.95)",
    )
    add("--consecutive", type=int, default=1, metavar="N", help="windows in a row that make an alarm (default 1)")
    add("--out", metavar="FILE.json", help="also write all numbers, decision curves among them")
    add("--curves", metavar="FILE.png", help="also draw the decision curves")
    return parser


def run(argv: list[str]) -> int:
    """Choose, judge, print; return the exit code."""
    args = build_parser().parse_args(argv)
    goal, _, value = args.at.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise NeuriptError(f"--at {args.at!r} must be GOAL=X, such as sensitivity=0.95") from None

    from neuript.files import json_safe, write_json
    from neuript.training.evaluate.alarm_counts import AlarmTarget
    from neuript.training.evaluate.clinical_report import clinical_rows, clinical_table

    wanted: Any = goal
    target = AlarmTarget(goal=wanted, value=number, n_consecutive=args.consecutive)
    rows = clinical_rows(args.results, target)
    print(clinical_table(rows, target))
    if args.out:
        write_json(Path(args.out), json_safe([row.to_dict() for row in rows]))
    if args.curves:
        from neuript.training.pictures.decision_curves import draw_decision_curves

        draw_decision_curves(rows, Path(args.curves))
    return 0
