"""`neuript replay` (and `neuript-replay`): publish a recording on LSL as if it were live."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

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
    parser = argparse.ArgumentParser(
        prog="neuript-replay",
        description="Publish all streams of a recording on LSL: full metadata, original timing, gaps, chunks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="the recording")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="recorded seconds per second (default 1)")
    parser.add_argument(
        "--recorded-stamps",
        action="store_true",
        help="at other speeds than 1, keep the stamps' recorded spacing, so that a decoder sees the rate "
        "it expects (the stamps then run ahead of the clock)",
    )
    parser.add_argument("--loop", action="store_true", help="start over at the end, until Ctrl-C")
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="begin S seconds after the first EEG sample"
    )
    parser.add_argument(
        "--chunk",
        type=_chunk,
        default="recorded",
        metavar="N",
        help="samples per push, or 'recorded' (default): the device's chunks, as far as the stamps show them",
    )
    parser.add_argument(
        "--wait-for-consumers",
        type=float,
        nargs="?",
        const=float("inf"),
        default=None,
        metavar="S",
        help="begin only when somebody listens to the EEG (give up after S seconds, if given)",
    )
    parser.add_argument(
        "--linger",
        type=float,
        default=2.0,
        metavar="S",
        help="keep the streams S seconds after the last sample (default 2)",
    )
    parser.add_argument("--suffix", default="", help="append this to all stream names and source ids")
    parser.add_argument("--eeg", metavar="NAME", help="the stream to take as EEG, if its type does not say so")
    parser.add_argument("--json", action="store_true", help="one line on stdout at the start and one at the end")
    parser.add_argument("--quiet", action="store_true", help="no progress line")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, publish, return the exit code."""
    args = build_parser().parse_args(argv)
    from neuript.realtime.recordings.read import read_recording

    recording = read_recording(args.file, eeg=args.eeg)
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
    with Interrupt() as interrupt, replay:
        _publish(replay, args, interrupt)
    if interrupt.requested:
        raise KeyboardInterrupt  # streams closed, nothing cut: now say it
    return 0


def _publish(replay: LslReplay, args: argparse.Namespace, interrupt: Interrupt) -> None:
    line = _ProgressLine(enabled=not args.quiet)
    names = ", ".join(stream.info.name + args.suffix for stream in replay.published)
    line.say(f"publishing {names} ({replay.schedule.duration_s:.0f} s) from {args.file}")
    if args.wait_for_consumers is not None:
        line.say("waiting for somebody to listen (Ctrl-C ends)")
        _wait(replay, args.wait_for_consumers, interrupt)
        if interrupt.requested:
            return
    last: list[ReplayProgress] = []

    def on_progress(progress: ReplayProgress) -> None:
        if not last:
            _tell_json(args, event="started", replay=replay, n_samples=0)
        last[:] = [progress]
        line.show(progress, args.loop)

    try:
        replay.run(stop=lambda: interrupt.requested, on_progress=on_progress, linger_s=args.linger)
    finally:
        line.end()
        n_samples = last[0].n_samples if last else 0
        _tell_json(args, event="ended", replay=replay, n_samples=n_samples)
    if not interrupt.requested:
        line.say(f"done: {n_samples} samples")


def _wait(replay: LslReplay, timeout_s: float, interrupt: Interrupt) -> None:
    deadline = time.monotonic() + timeout_s
    while not replay.wait_for_consumers(min(0.2, max(0.0, deadline - time.monotonic()))):
        if interrupt.requested:
            return
        if time.monotonic() >= deadline:
            raise NeuriptError(
                f"nobody listened to '{replay.recording.eeg.info.name}' within {timeout_s:g} s; "
                "start the consumer, or leave out --wait-for-consumers"
            )


def _tell_json(args: argparse.Namespace, *, event: str, replay: LslReplay, n_samples: int) -> None:
    if args.json and replay.started_at is not None:
        fields = {
            "event": event,
            "lsl_start": replay.started_at,
            "recorded_start": replay.schedule.origin,
            "recorded_first_eeg": float(replay.recording.eeg.timestamps[0]),
            "speed": replay.speed,
            "recorded_stamps": args.recorded_stamps,
            "duration_s": replay.schedule.duration_s,
            "n_samples": n_samples,
        }
        print(json.dumps(fields), flush=True)


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


class _ProgressLine:
    """One line on stderr, rewritten in place on a terminal; silent elsewhere but for `say`."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._open = False

    def say(self, text: str) -> None:
        if self._enabled:
            print(text, file=sys.stderr, flush=True)

    def show(self, progress: ReplayProgress, loop: bool) -> None:
        now = time.monotonic()
        if not (self._enabled and self._terminal) or now < self._shown_at + 0.2:
            return
        self._shown_at, self._open = now, True
        share = progress.position_s / progress.duration_s
        bar = "━" * round(30 * share) + "╌" * (30 - round(30 * share))
        again = f"  pass {progress.pass_number}" if loop else ""
        print(
            f"\r{bar} {_clock(progress.position_s)} / {_clock(progress.duration_s)}"
            f"  {progress.n_samples} samples{again} ",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
