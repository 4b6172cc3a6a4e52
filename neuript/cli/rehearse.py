"""`neuript rehearse`: see the cues of a guided session, and measure the screen, without an amplifier."""

from __future__ import annotations

import argparse
import json
from typing import Any

from neuript.cli.arguments import add_json, add_seed, command
from neuript.cli.option_values import words
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript rehearse                                                   two classes, four trials each
  neuript rehearse --classes left_hand,right_hand,rest --trials 2 --windowed
  neuript rehearse --classes words,rest --own words="words with A" --own-picture words=a.png

Space begins, pauses and goes on; R repeats a trial, S skips it, Esc twice stops. The markers go to LSL as in a session;
at the end stands how punctual the frames were."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript rehearse", "Show cues without an amplifier, and measure how punctual they are.", _EXAMPLES
    )
    add = parser.add_argument
    add("--classes", default="left_hand,right_hand", metavar="A,B", help="what is cued (default left_hand,right_hand)")
    add("--trials", type=int, default=4, metavar="N", help="trials of each class (default 4)")
    add("--own", action="append", default=[], metavar="CLASS=TEXT", help="text of a class of your own")
    add("--own-picture", action="append", default=[], metavar="CLASS=FILE", help="its picture")
    add("--screen", type=int, default=0, metavar="N", help="number of the screen (default 0)")
    add("--windowed", action="store_true", help="an ordinary window instead of the whole screen")
    add("--at-once", action="store_true", help="begin without waiting for a key")
    add("--network", action="store_true", help="let other computers see the markers (default: this one alone)")
    add("--silent", action="store_true", help="no beep")
    add_seed(parser, "the order of the cues")
    add_json(parser, "print the figures as JSON")
    return parser


def run(argv: list[str]) -> int:
    """Show them and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.cli.progress import say
    from neuript.interrupt import Interrupt
    from neuript.realtime.lsl.library import stay_on_this_computer
    from neuript.realtime.paradigm.cue_rehearsal import rehearse
    from neuript.realtime.paradigm.cue_settings import CueSettings

    settings = CueSettings(
        classes=words(args.classes),
        own=_own(args.own, args.own_picture),
        seed=args.seed,
        screen=args.screen,
        fullscreen=not args.windowed,
        sound=not args.silent,
    )
    if not args.network:
        stay_on_this_computer()
    with Interrupt() as interrupt:
        figures = rehearse(settings, args.trials, say=say, stop=lambda: interrupt.requested, at_once=args.at_once)
    interrupt.check()
    print(json.dumps(figures) if args.json else _sentence(figures))
    return 0


def _own(texts: list[str], pictures: list[str]) -> tuple[Any, ...]:
    from neuript.realtime.paradigm.task_cues import OwnCue

    text_of, picture_of = _pairs("--own", texts), _pairs("--own-picture", pictures)
    names = dict.fromkeys([*text_of, *picture_of])
    return tuple(OwnCue(name=name, text=text_of.get(name, ""), picture=picture_of.get(name)) for name in names)


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise NeuriptError(
                f"{option} {name}{sign}{value} is not of the form CLASS=...; for example {option} words=A"
            )
    return {name: value for name, _, value in pairs}


def _sentence(figures: dict[str, Any]) -> str:
    if not figures.get("n"):
        return "no cue was shown"
    frames = figures["frame_p99_ms"]
    between = f"; between two frames {figures['frame_p50_ms']:.1f} ms (p50), {frames:.1f} ms (p99)" if frames else ""
    return (
        f"{figures['n']} cues, {figures['p50_ms']:.1f} ms (p50) and {figures['p99_ms']:.1f} ms (p99) after the time "
        f"that was meant, {figures['late']} trials late{between}"
    )
