"""`neuript dashboard`: the dashboard of a decoder that runs, opened again."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import command, given_options
from neuript.cli.view_options import add_window, check_window

_EXAMPLES = """\
examples:
  neuript dashboard                     of the one decoder on the network
  neuript dashboard --console           on the terminal

It watches only: closing it changes nothing for the decoder, and it may be opened as often as you like.
exit codes: 0 closed · 2 bad input or usage · 3 no decoder is running · 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript dashboard", "Show a decoder that runs: neuript-live opens the same.", _EXAMPLES)
    add = parser.add_argument
    add("--source-id", metavar="ID", help="source id of the decoder's Predictions stream, where there are several")
    add("--wait", dest="wait_s", type=float, default=5.0, metavar="S", help="seconds to look for it (default 5)")
    add_window(parser)
    return parser


def run(argv: list[str]) -> int:
    """Find the decoder, show it, return the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_window(given_options(parser, argv))

    from neuript.realtime.dashboard.show import DashboardOptions, find_decoder, show

    found = find_decoder(args.source_id, wait_s=args.wait_s)
    return show(
        DashboardOptions(
            proba_source_id=found.source_id,
            console=args.console,
            theme=args.theme,
            screenshot=Path(args.screenshot) if args.screenshot else None,
            after=args.after,
            size=args.size,
        )
    )
