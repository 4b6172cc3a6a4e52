"""`neuript bridge`: a decoder's commands to OSC, web pages and key presses."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import command

_EXAMPLES = """\
examples:
  neuript bridge --osc 9000                                  to a program on this computer
  neuript bridge --osc 192.168.1.20:9000                     to another computer (not encrypted)
  neuript bridge --websocket                                 prints the address that a web page opens
  neuript bridge --keys left_hand=left,right_hand=right      taps the arrow keys, wherever the focus is

It needs pip install "neuript[bridge]" and a decoder that runs (neuript-live). Where no row comes for --max-age, or the
decoder's state is not OK, everything is told to stop and returns to neutral; so it is when the bridge ends. Messages
and their meaning: docs/applications.md. Research use only: let nothing be steered that can hurt someone.
exit codes: 0 the time was over · 2 bad input · 130 ended by Ctrl-C (everything told to stop)"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript bridge", "Pass a decoder's commands on, by OSC, WebSocket or key presses, until Ctrl-C.", _EXAMPLES
    )
    add = parser.add_argument_group("where to (at least one)").add_argument
    add("--osc", metavar="[HOST:]PORT", help="send OSC; to this computer unless a host is given")
    web = "let web pages connect; at this computer alone unless a host is given (default port 8765)"
    add("--websocket", nargs="?", const="8765", metavar="[HOST:]PORT", help=web)
    add("--keys", metavar="CLASS=KEY,...", help="press a key for each of these classes")
    add = parser.add_argument_group("limits").add_argument
    add("--max-per-minute", type=int, default=60, metavar="N", help="commands passed on in any minute (default 60)")
    age = "age of a row, and length of a silence, after which everything stops (default 1)"
    add("--max-age", dest="max_age_s", type=float, default=1.0, metavar="S", help=age)
    hold = "hold a key while its command lasts, at most S seconds (default: tap it)"
    add("--hold", dest="hold_s", type=float, default=0.0, metavar="S", help=hold)
    origin = "web site whose pages may connect, besides files and pages of this computer; may be repeated"
    add("--origin", dest="origins", action="append", default=[], metavar="URL", help=origin)
    add = parser.add_argument
    add("--source-id", metavar="ID", help="the decoder's stream of rows (default: the only one there is)")
    add("--duration", dest="duration_s", type=float, metavar="S", help="end after S seconds (default: Ctrl-C)")
    return parser


def run(argv: list[str]) -> int:
    """Pass on until the end; return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.realtime.bridge.bridge_session import BridgeOptions, run_bridge

    options = BridgeOptions(**{**vars(args), "origins": tuple(args.origins)})
    return 130 if run_bridge(options, lambda address: print(address, flush=True)) else 0
