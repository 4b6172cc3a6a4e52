"""`neuript replay` (and `neuript-replay`): publish a recording on LSL as if it were live."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_eeg, add_json, add_sfreq, command
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.progress import ProgressLine
from neuript.durations import clock

if TYPE_CHECKING:
    from neuript.interrupt import Interrupt
    from neuript.realtime.lsl.publisher import LslReplay, ReplayProgress

_EXAMPLES = """\
examples:
  neuript-replay session.xdf                        everything, as it happened
  neuript-replay run4.edf --wait-for-consumers      begin when somebody listens
  neuript-replay session.xdf --start 60 --loop      from the second minute, again and again

Reads XDF (.xdf .xdfz .xdf.gz) and, through MNE, EDF BDF GDF BrainVision FIF SET CNT.
Names, source ids, units and all other metadata are the recorded ones; --suffix tells it from the device.
Stamps are on this computer's LSL clock and keep their recorded spacing (divided by --speed,
unless --recorded-stamps)."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-replay",
        "Publish all streams of a recording on LSL: full metadata, original timing, gaps, chunks.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("file", help="the recording")
    add("--speed", type=float, default=1.0, metavar="X", help="recorded seconds per second (default 1)")
    add(
        "--recorded-stamps",
        action="store_true",
        help="at other speeds than 1, keep the stamps' recorded spacing, so that a decoder sees the rate "
        "it expects (the stamps then run ahead of the clock)",
    )
    add("--loop", action="store_true", help="start over at the end, until Ctrl-C")
    add("--start", type=float, default=0.0, metavar="S", help="begin S seconds after the first EEG sample")
    add(
        "--chunk",
        type=_chunk,
        default="recorded",
        metavar="N",
        help="samples per push, or 'recorded' (default): the device's chunks, as far as the stamps show them",
    )
    add(
        "--wait-for-consumers",
        type=float,
        nargs="?",
        const=float("inf"),
        default=None,
        metavar="S",
        help="begin only when somebody listens to the EEG (give up after S seconds, if given)",
    )
    linger = "keep the streams S seconds after the last sample (default 2)"
    add("--linger", type=float, default=2.0, metavar="S", help=linger)
    add("--suffix", default="", help="append this to all stream names and source ids")
    add_eeg(parser)
    add_sfreq(parser)
    add_channels(parser)
    add_json(parser, "one line on stdout at the start and one at the end")
    add("--quiet", action="store_true", help="no progress line")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, publish, return the exit code."""
    args = build_parser().parse_args(argv)
    from neuript.errors import NeuriptError
    from neuript.realtime.recordings.read import read_recording

    if args.recorded_stamps and args.speed == 1:
        raise NeuriptError("--recorded-stamps is for other speeds than 1, where stamps and clock part; leave it out")
    from neuript.realtime.lsl.namesakes import Namesakes

    namesakes = Namesakes()
    recording = read_recording(args.file, eeg=args.eeg, channels=given_channels(args), sfreq=args.sfreq)
    from neuript.interrupt import Interrupt
    from neuript.realtime.lsl.publisher import LslReplay

    replay = LslReplay(
        recording,
        speed=args.speed,
        loop=args.loop,
        start_s=args.start,
        chunk=args.chunk,
        recorded_spacing=args.recorded_stamps,
        suffix=args.suffix,
    )
    namesakes.warn([replay.eeg_source_id])
    line = ProgressLine(0.2, enabled=not args.quiet, bar=True)
    with Interrupt() as interrupt, replay, line:
        _publish(replay, line, args, interrupt)
    interrupt.check()  # streams closed, nothing cut: now say it
    return 0


def _publish(replay: LslReplay, line: ProgressLine, args: argparse.Namespace, interrupt: Interrupt) -> None:
    names = ", ".join(stream.info.name + args.suffix for stream in replay.published)
    line.say(f"publishing {names} ({replay.schedule.duration_s:.0f} s) from {args.file}")
    if args.wait_for_consumers is not None:
        line.say("waiting for somebody to listen (Ctrl-C ends)")
        replay.require_consumers(args.wait_for_consumers, stop=lambda: interrupt.requested)
        if interrupt.requested:
            return
    started = False

    def on_progress(progress: ReplayProgress) -> None:
        nonlocal started
        if args.json and not started:
            print(replay.note("started").to_json_line(), flush=True)
        started = True
        line.show(_position(progress, args.loop), progress.position_s, progress.duration_s)

    try:
        replay.run(stop=lambda: interrupt.requested, on_progress=on_progress, linger_s=args.linger)
    finally:
        line.end()
        if args.json and replay.started_at is not None:
            print(replay.note("ended").to_json_line(), flush=True)
    if not interrupt.requested:
        line.say(f"done: {replay.n_samples} samples")


def _chunk(text: str) -> int | str:
    if text == "recorded":
        return text
    try:
        n = int(text)
    except ValueError:
        n = 0
    if n < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be 'recorded' or a number of samples, 1 or more")
    return n


def _position(progress: ReplayProgress, loop: bool) -> str:
    again = f"  pass {progress.pass_number}" if loop else ""
    times = f"{clock(progress.position_s)} / {clock(progress.duration_s)}"
    return f"{times}  {progress.n_samples} samples{again}"
