"""`neuript record`: all streams of the network into one XDF, before there is any model."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import add_montage, add_unit, command
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.config_file import add_config, parse_with_config

_EXAMPLES = """\
examples:
  neuript record run1.xdf --montage openbci-8                until Ctrl-C
  neuript record run1.xdf --source-id amp-1 --duration 300

EEG, markers and whatever else is on LSL go into one file, also what opens while it runs. What is on the head and the
unit are kept in the file, also where the amplifier sends neither. At the end the file is compared with what was sent.
exit codes: 0 done, also by Ctrl-C once it records · 2 bad input · 3 no matching stream · 4 EEG lost and not recovered
            (file kept) · 6 not all of it is in the file · 130 interrupted before it recorded"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript record", "Record all LSL streams to an XDF file.", _EXAMPLES)
    add = parser.add_argument
    add("out", metavar="OUT.xdf", help="file to write; an existing one is never overwritten")
    add("--stream", metavar="NAME", help="name (or source id, or type) of the EEG stream, or an LSL predicate")
    add("--source-id", metavar="ID", help="source id of the EEG stream")
    add("--wait", dest="wait_s", type=float, default=5.0, metavar="S", help="seconds to wait for it (default 5)")
    add(
        "--give-up",
        dest="give_up_s",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds to wait if it is lost (default 30)",
    )
    add_montage(parser, "what is on the head; names the electrodes in the file", None)
    add_channels(parser)
    add_unit(parser)
    add("--duration", dest="duration_s", type=float, metavar="S", help="seconds to record (default: until Ctrl-C)")
    add_config(parser)
    return parser


def run(argv: list[str]) -> int:
    """Record and return the exit code."""
    args = parse_with_config("record", build_parser(), argv)

    from neuript.cli.progress import ProgressLine
    from neuript.realtime.live.recording_session import RecordOptions, run_record

    given = {name: value for name, value in vars(args).items() if name != "config"}
    options = RecordOptions(**{**given, "channels": given_channels(args)})
    with ProgressLine(0.5, 10.0, vanishes=True) as line:
        run_record(options, line.show)
    return 0
