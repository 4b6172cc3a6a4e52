"""`neuript init`: a commented config.yaml, from what the network shows or from options."""

from __future__ import annotations

import argparse

from neuript.cli.arguments import add_montage, add_unit, command
from neuript.cli.channel_options import add_channels, given_channels

_EXAMPLES = """\
examples:
  neuript init                                           looks for two seconds which EEG stream is there
  neuript init lab.yaml --stream OpenBCI --montage openbci-8

The file goes to neuript-live, neuript record, neuript-calibrate and neuript-train population as --config."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript init", "Write a commented file of options, and overwrite none.", _EXAMPLES)
    add = parser.add_argument
    add("out", nargs="?", default="config.yaml", metavar="FILE.yaml", help="file to write (default config.yaml)")
    add("--stream", metavar="NAME", help="name, source id or type of the EEG stream")
    add_montage(parser, "what is on the head")
    add_channels(parser)
    add_unit(parser)
    add("--wait", type=float, default=2.0, metavar="S", help="seconds to look at the network; 0 does not (default 2)")
    return parser


def run(argv: list[str]) -> int:
    """Look, write and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.errors import NeuriptError
    from neuript.files import write_atomically
    from neuript.montages import load_montage
    from neuript.pasteable import pasteable

    if not args.out.endswith((".yaml", ".yml")):
        raise NeuriptError(f"{args.out} does not end in .yaml; name the file for example config.yaml")
    if args.montage is not None:
        load_montage(args.montage)
    channels = given_channels(args)

    from neuript.realtime.live.first_config import Known, config_text, seen_on_network

    info, eeg = seen_on_network(args.wait) if args.wait > 0 else (None, [])
    known = Known(stream=args.stream, montage=args.montage, channels=channels, unit=args.unit)
    write_atomically(args.out, config_text(known, info, eeg).encode(), overwrite=False)
    seen = f"'{info.name}' is in it" if info is not None else f"{len(eeg)} EEG streams are visible"
    then = pasteable("neuript", "record", "run1.xdf", "--config", args.out)
    print(f"wrote {args.out} ({seen}); read it, then next: {then}")
    return 0
