"""The options of a guided session, which `neuript calibrate` has beside those for recordings that exist."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.cli.arguments import named_values, words
from neuript.cli.progress import ProgressLine, say
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec
    from neuript.training.calibration.to_model import CalibrationResult
    from neuript.training.guided.guided_session import GuidedView
    from neuript.training.guided.guided_spec import GuidedSpec

VIEW = ("windowed", "screen", "no_sound", "go_on_after", "wait")
"""Options of how a session is shown: they may differ when it goes on."""
SESSION = (
    *("classes", "trials", "block", "practice", "imagery", "pause", "cue_text", "cue_picture", "seed", "stream"),
    *("source_id", "feedback", "sessions", "resume", *VIEW),
)
"""Options by their destination that only a guided session has."""
FILES = ("files", "event", "trial_start", "eeg", "idle", "report")
"""Options that only recordings have that exist."""


def add_guided_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a session with cues."""
    add = parser.add_argument_group("a guided session (no --from)").add_argument
    add("--classes", metavar="A,B", help="what is cued: left_hand,right_hand,both_hands,feet,tongue,rest, or your own")
    add("--trials", type=int, default=20, metavar="N", help="of each class (default 20)")
    add("--block", type=int, default=5, metavar="N", help="trials of each class between two breaks (default 5)")
    add("--practice", type=int, default=1, metavar="N", help="of each class, first, not learnt from (default 1)")
    add("--imagery", type=float, default=4.0, metavar="S", help="seconds from the cue to the end (default 4)")
    add("--pause", type=float, nargs=2, default=(1.5, 2.5), metavar=("S", "S"), help="between trials (default 1.5 2.5)")
    add("--cue-text", action="append", default=[], metavar="CLASS=TEXT", help="what is shown for a class of your own")
    add("--cue-picture", action="append", default=[], metavar="CLASS=FILE", help="a picture for it")
    add("--seed", type=int, metavar="N", help="of the order of the cues (default: drawn, and kept in config.yaml)")
    add("--feedback", action="store_true", help="show a bar, from the first decoder on")
    add("--stream", metavar="PREDICATE", help="LSL predicate of the EEG stream, e.g. 'name=\"X\"'")
    add("--source-id", metavar="ID", help="source id of the EEG stream")
    add("--sessions", default="sessions", metavar="DIR", help="folder of all sessions (default sessions)")
    add("--resume", metavar="DIR", help="go on with a session that was not finished")
    add("--windowed", action="store_true", help="cues in an ordinary window (default: the whole screen)")
    add("--screen", type=int, default=0, metavar="N", help="number of the screen for the cues (default 0)")
    add("--no-sound", action="store_true", help="no beep before the cue")
    add("--go-on-after", type=float, metavar="S", help="go on without a key after S seconds (default: wait for it)")
    add("--wait", type=float, default=10.0, metavar="S", help="seconds to wait for the EEG stream (default 10)")


def run_session(args: argparse.Namespace, given: dict[str, str], calibration: CalibrationSpec | None) -> int:
    """Hold the session that the options ask for, or go on with one; return the exit code.

    Parameters
    ----------
    args : Namespace
        The options.
    given : dict
        Those that stand on the command line, by destination.
    calibration : CalibrationSpec or None
        How the decoder is fitted; None with `--resume`, where the folder says it.
    """
    from neuript.cli.show_calibration import print_calibration
    from neuript.training.guided.guided_words import resume
    from neuript.training.guided.run_guided import begin_session, run_guided
    from neuript.training.guided.session_folder import SessionFolder

    if args.resume is not None:
        refuse(given, {*given} - {"resume", *VIEW}, "with --resume, the session's own settings go on")
        folder = SessionFolder.resume(args.resume)
    else:
        assert calibration is not None
        folder = begin_session(session_of(args, calibration), args.sessions, say=say)
    say(f"session {folder.path}; at any time: p pause, g go on, r repeat, s skip, q that is enough, and Enter")
    with ProgressLine(0.5, 30.0) as line, ProgressLine(0.1, bar=True, vanishes=True) as bar:
        try:
            result = run_guided(folder, _view(args), say=line.say, show=line.show, progress=bar.show)
        except KeyboardInterrupt:
            line.say(f"all that was recorded is kept: {resume(folder.path)}")
            raise
    print_calibration(result)
    say(_next(result, folder.spec, folder.path))
    return 0


def refuse(given: dict[str, str], names: set[str], why: str) -> None:
    """Refuse options that would change nothing."""
    if extra := sorted(given[name] for name in names if name in given):
        raise NeuriptError(f"{', '.join(extra)}: leave out; {why}")


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
        timing=GrazTiming(imagery_s=args.imagery, pause_s=tuple(args.pause)),
        seed=secrets.randbelow(2**31) if args.seed is None else args.seed,
        feedback=args.feedback,
        out=str(Path(args.out).resolve()) if args.out else None,
        calibration=calibration,
    )


def _own(args: argparse.Namespace) -> tuple[Any, ...]:
    from neuript.realtime.paradigm.task_cues import OwnCue

    texts, pictures = named_values(args.cue_text, "--cue-text"), named_values(args.cue_picture, "--cue-picture")
    names = dict.fromkeys((*texts, *pictures))
    return tuple(OwnCue(name=name, text=texts.get(name, ""), picture=pictures.get(name)) for name in names)


def _view(args: argparse.Namespace) -> GuidedView:
    from neuript.training.guided.guided_session import GuidedView

    return GuidedView(
        fullscreen=not args.windowed,
        screen=args.screen,
        sound=not args.no_sound,
        go_on_after_s=args.go_on_after,
        wait_s=args.wait,
    )


def _next(result: CalibrationResult, spec: GuidedSpec, folder: Path) -> str:
    import shlex

    model = spec.out or str(folder / "model.ts")
    card = result.published
    if card is not None and not card.above_chance:
        return f"wrote {model}, but it is not above chance: record more before you use it"
    return f"wrote {model}; next: neuript-live --model {shlex.quote(model)} --montage {shlex.quote(spec.montage)}"
