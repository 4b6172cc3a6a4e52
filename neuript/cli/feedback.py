"""`neuript feedback`: targets, and a bar or a cursor that the decoder moves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neuript.cli.arguments import add_seed, command, given_options, refuse
from neuript.cli.option_values import whole_numbers, words

_EXAMPLES = """\
examples:
  neuript feedback                                   the bar, ten targets per class of the decoder that runs
  neuript feedback --task cursor --targets 5
  neuript feedback --out hits.json                   the results, target by target

It reads nothing but the streams that neuript-live publishes. Each target is published as a marker too, so a recording
made meanwhile knows what was asked for. Space pauses, Esc ends; what was done until then is counted.
exit codes: 0 done or ended by Esc · 2 bad input · 130 ended by Ctrl-C (results written)"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript feedback", "Ask for targets and show what the decoder makes of it.", _EXAMPLES)
    add = parser.add_argument
    add("--task", dest="kind", choices=("bar", "cursor"), default="bar", help="what moves (default bar)")
    add("--classes", metavar="A,B", help="classes that are asked for (default: all of the decoder's)")
    add("--targets", type=int, default=10, metavar="N", help="targets per class (default 10)")
    add("--time", type=float, default=8.0, metavar="S", help="seconds to hit a target (default 8)")
    add("--pause", type=float, default=2.0, metavar="S", help="seconds between targets (default 2)")
    speed = "way of the cursor per second at full evidence; from the middle to the edge is 1 (default 0.5)"
    add("--speed", type=float, default=0.5, metavar="X", help=speed)
    add_seed(parser, "the order of the targets")
    add("--out", metavar="FILE.json", help="write the results here")
    add("--source-id", metavar="ID", help="the decoder's stream of rows (default: the only one there is)")
    add = parser.add_argument_group("window").add_argument
    add("--theme", choices=("dark", "light"), default="dark", help="colours (default dark)")
    add("--size", metavar="WxH", help="of the window in pixels (default: the whole screen)")
    add("--screenshot", type=Path, metavar="FILE", help="write a picture (.png) and end")
    add("--after", type=float, default=10.0, metavar="S", help="seconds until the picture (default 10)")
    return parser


def run(argv: list[str]) -> int:
    """Show the task until its end; return the exit code."""
    parser = build_parser()
    args, given = parser.parse_args(argv), given_options(parser, argv)
    if args.kind == "bar":
        refuse(given, {"speed"}, "it is the cursor's, of --task cursor")
    if args.screenshot is None:
        refuse(given, {"after"}, "it says when the picture of --screenshot is taken")

    from neuript.realtime.feedback.feedback_session import run_feedback

    window: dict[str, Any] = {"theme": args.theme, "screenshot": args.screenshot, "after_s": args.after}
    interrupted = run_feedback(_spec(args), source_id=args.source_id, out=args.out, size=_size(args.size), **window)
    return 130 if interrupted else 0


def _spec(args: argparse.Namespace) -> Any:
    from neuript.realtime.feedback.feedback_spec import FeedbackSpec

    return FeedbackSpec(
        kind=args.kind,
        classes=words(args.classes),
        n_per_class=args.targets,
        target_s=args.time,
        pause_s=args.pause,
        speed=args.speed,
        seed=args.seed,
    )


def _size(text: str | None) -> tuple[int, int] | None:
    from neuript.errors import NeuriptError

    if text is None:
        return None
    size = whole_numbers(text.replace("x", ","), "--size")
    if len(size) != 2 or not all(100 <= n <= 10_000 for n in size):
        raise NeuriptError(f"--size {text!r} must be width x height in pixels, such as 1280x800")
    return size[0], size[1]
