"""The options of a guided session, which `neuript calibrate` has beside those for recordings that exist."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.cli.option_values import named_values, words
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec
    from neuript.training.guided.guided_spec import GuidedSpec
    from neuript.training.guided.session_parts import GuidedView

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
FILES = ("files", "event", "trial_start", "eeg", "idle", "report")
"""Options that only recordings have that exist."""
FEW = 5  # trials of each class on another day


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


def session_of(args: argparse.Namespace, calibration: CalibrationSpec) -> GuidedSpec:
    """Return the settings of a new session that the options say."""
    import secrets

    from neuript.realtime.paradigm.graz_timing import GrazTiming
    from neuript.training.guided.guided_spec import GuidedSpec

    if not args.subject:
        raise NeuriptError("--subject is missing: an alias for the person, such as --subject S01; it names the folder")
    return GuidedSpec(
        subject=args.subject,
        classes=words(args.classes),
        own=_own(args),
        montage=args.montage,
        unit=args.unit,
        stream=args.stream,
        source_id=args.source_id,
        trials_per_class=args.trials,
        trials_per_block=args.block,
        practice_per_class=args.practice,
        timing=GrazTiming(
            fixation_s=args.fixation,
            beep_s=args.fixation / 2,
            cue_s=min(GrazTiming.cue_s, args.imagery / 3),
            imagery_s=args.imagery,
            pause_s=tuple(args.pause),
        ),
        seed=secrets.randbelow(2**31) if args.seed is None else args.seed,
        feedback=args.feedback,
        out=_absolute(args.out),
        calibration=calibration,
    )


def next_session_of(args: argparse.Namespace, given: dict[str, str]) -> GuidedSpec:
    """Return the settings of a session on another day: those of the last, which is learnt from too, and few trials."""
    import secrets
    from dataclasses import replace

    from neuript.training.guided.session_folder import last_finished

    last = last_finished(args.sessions, args.subject)
    return replace(
        last.spec,
        **{name: getattr(args, name) for name in ("stream", "source_id", "feedback") if name in given},
        trials_per_class=args.trials if "trials" in given else FEW,
        trials_per_block=args.block,
        practice_per_class=args.practice if "practice" in given else 0,
        seed=secrets.randbelow(2**31) if args.seed is None else args.seed,
        out=_absolute(args.out),
        earlier=tuple(str(path.resolve()) for path in last.all_recordings),
    )


def _absolute(out: str | None) -> str | None:
    return str(Path(out).resolve()) if out else None


def _own(args: argparse.Namespace) -> tuple[Any, ...]:
    from neuript.realtime.paradigm.task_cues import OwnCue

    texts, files = named_values(args.cue_text, "--cue-text"), named_values(args.cue_picture, "--cue-picture")
    return tuple(OwnCue(name=n, text=texts.get(n, ""), picture=files.get(n)) for n in dict.fromkeys((*texts, *files)))


def view_of(args: argparse.Namespace) -> GuidedView:
    """Return how the session is shown."""
    from neuript.training.guided.session_parts import GuidedView

    return GuidedView(
        fullscreen=not args.windowed,
        screen=args.screen,
        sound=not args.no_sound,
        go_on_after_s=args.go_on_after,
        wait_s=args.wait,
    )
