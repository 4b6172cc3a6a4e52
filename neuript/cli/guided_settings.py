"""From the options of a guided session to its settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.cli.option_values import named_values, words
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec
    from neuript.training.guided.guided_spec import GuidedSpec

FEW = 5  # trials of each class on another day


def session_of(args: argparse.Namespace, calibration: CalibrationSpec) -> GuidedSpec:
    """Return the settings of a new session that the options say."""
    import secrets
    from dataclasses import replace

    from neuript.realtime.paradigm.graz_timing import GrazTiming
    from neuript.training.guided.guided_spec import GuidedSpec

    if not args.subject:
        raise NeuriptError("--subject is missing: an alias for the person, such as --subject S01; it names the folder")
    return GuidedSpec(
        subject=args.subject,
        classes=words(args.classes),
        own=_own(args),
        montage=_there(args.montage),
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
        calibration=replace(
            calibration,
            montage=_there(calibration.montage),
            network=_there(calibration.network) or calibration.network,
            population=_there(calibration.population),
        ),
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


def _there(name: str | None) -> str | None:
    """A file by its whole path, so that the session goes on from any folder; a name stays one."""
    return _absolute(name) if name and Path(name).is_file() else name


def _own(args: argparse.Namespace) -> tuple[Any, ...]:
    from neuript.realtime.paradigm.task_cues import OwnCue

    texts, files = named_values(args.cue_text, "--cue-text"), named_values(args.cue_picture, "--cue-picture")
    names = dict.fromkeys((*texts, *files))
    return tuple(OwnCue(name=n, text=texts.get(n, ""), picture=_there(files.get(n))) for n in names)
