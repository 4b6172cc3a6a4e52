"""`neuript view`: see a signal and how good it is, before there is any model."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import add_montage, add_unit, command, given_options
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.view_options import add_window, check_window

_EXAMPLES = """\
examples:
  neuript view                                               the one EEG stream on the network
  neuript view --montage openbci-8 --unit microvolts         an amplifier that sends neither names nor unit
  neuript view --stream OpenBCI --console                    on the terminal

Traces, the electrodes on the head, a spectrum, and the one thing to put right first. It watches only; the decoder's own
rules say what is bad. neuript montages lists the montages.
exit codes: 0 closed · 2 bad input or usage · 3 no matching stream · 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript view", "See a signal and its quality; needs no model.", _EXAMPLES)
    add = parser.add_argument
    add("--stream", metavar="NAME", help="the EEG stream: its name, source id or type, or an LSL predicate")
    add("--source-id", metavar="ID", help="source id of the EEG stream")
    add("--wait", dest="wait_s", type=float, default=5.0, metavar="S", help="seconds to wait for it (default 5)")
    add_montage(parser, "what is on the head; names the channels of a stream that does not")
    add_channels(parser)
    add_unit(parser)
    add_window(parser)
    return parser


def run(argv: list[str]) -> int:
    """Show the signal until the view is closed; return the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_window(given_options(parser, argv))

    from neuript.realtime.view.viewing import ViewOptions, run_view

    return run_view(ViewOptions(**{**vars(args), "channels": given_channels(args)}))
