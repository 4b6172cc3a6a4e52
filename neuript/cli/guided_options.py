"""The options of a guided session, which `neuript calibrate` has beside those for recordings that exist."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuript.training.guided.guided_view import GuidedView

VIEW = ("windowed", "screen", "no_sound", "go_on_after", "wait")
"""Options of how a session is shown: they may differ when it goes on."""
SESSION = (
    *(
        "classes",
        "trials",
        "block",
        "practice",
        "fixation",
        "imagery",
        "pause",
        "cue_text",
        "cue_picture",
        "seed",
        "stream",
    ),
    *("source_id", "feedback", "sessions", "resume", *VIEW),
)
"""Options by their destination that only a guided session has."""
FILES = ("files", "event", "trial_start", "eeg", "sfreq", "idle", "report")
"""Options that only recordings have that exist."""


def add_guided_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a session with cues."""
    add = parser.add_argument_group("a guided session (no --from)").add_argument
    add("--classes", metavar="A,B", help="what is cued: left_hand,right_hand,both_hands,feet,tongue,rest, or your own")
    add("--trials", type=int, default=20, metavar="N", help="of each class (default 20)")
    add("--block", type=int, default=5, metavar="N", help="trials of each class between two breaks (default 5)")
    add("--practice", type=int, default=1, metavar="N", help="of each class, first, not learnt from (default 1)")
    add("--fixation", type=float, default=2.0, metavar="S", help="seconds from the cross to the cue (default 2)")
    add("--imagery", type=float, default=4.0, metavar="S", help="seconds from the cue to the end (default 4)")
    add("--pause", type=float, nargs=2, default=(1.5, 2.5), metavar=("S", "S"), help="between trials (default 1.5 2.5)")
    add("--cue-text", action="append", default=[], metavar="CLASS=TEXT", help="what is shown for a class of your own")
    add("--cue-picture", action="append", default=[], metavar="CLASS=FILE", help="a picture for it")
    add("--seed", type=int, metavar="N", help="of the order of the cues (default: drawn, and kept in config.yaml)")
    add("--feedback", action="store_true", help="show a bar, from the first decoder on")
    add("--stream", metavar="NAME", help="the EEG stream: its name, source id or type, or an LSL predicate")
    add("--source-id", metavar="ID", help="source id of the EEG stream")
    add("--sessions", default="sessions", metavar="DIR", help="folder of all sessions (default sessions)")
    add("--resume", metavar="DIR", help="go on with a session that was not finished")
    add("--from-last", action="store_true", help="another day: 5 trials of each class, and the last session's as well")
    add("--windowed", action="store_true", help="cues in an ordinary window (default: the whole screen)")
    add("--screen", type=int, default=0, metavar="N", help="number of the screen for the cues (default 0)")
    add("--no-sound", action="store_true", help="no beep before the cue")
    add("--go-on-after", type=float, metavar="S", help="go on without a key after S seconds (default: wait for it)")
    add("--wait", type=float, default=10.0, metavar="S", help="seconds to wait for the EEG stream (default 10)")


def fit_to_session(args: argparse.Namespace, given: dict[str, str]) -> None:
    """Set what a decoder of this session needs and nobody said: windows as long as the task."""
    if "epoch" not in given:
        args.epoch = (0.5, args.imagery + 0.5)
    if "window" not in given and args.population is None:
        args.window = min(4.0, args.imagery)


def view_of(args: argparse.Namespace) -> GuidedView:
    """Return how the session is shown."""
    from neuript.training.guided.guided_view import GuidedView

    return GuidedView(
        fullscreen=not args.windowed,
        screen=args.screen,
        sound=not args.no_sound,
        go_on_after_s=args.go_on_after,
        wait_s=args.wait,
    )
