"""A guided session on the command line: `neuript-calibrate --subject` with `--classes`, and `--resume`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.cli.arguments import refuse
from neuript.cli.guided_options import VIEW, view_of
from neuript.cli.guided_settings import next_session_of, session_of
from neuript.cli.progress import ProgressLine, say
from neuript.errors import NeuriptError
from neuript.pasteable import pasteable

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec
    from neuript.training.calibration.to_model import CalibrationResult
    from neuript.training.guided.guided_spec import GuidedSpec


def run_session(args: argparse.Namespace, given: dict[str, str], calibration: CalibrationSpec | None) -> int:
    """Hold the session that the options ask for, or go on with one; return the exit code.

    Parameters
    ----------
    args : Namespace
        The options.
    given : dict
        Those that stand on the command line, by destination.
    calibration : CalibrationSpec or None
        How the decoder is fitted; None with `--resume` and `--from-last`, where a folder says it.
    """
    from neuript.cli.show_calibration import print_calibration
    from neuript.training.guided.run_guided import begin_session, run_guided
    from neuript.training.guided.session_folder import SessionFolder

    if args.from_last and not args.subject:
        raise NeuriptError("--from-last of whom? Give --subject as well, such as --subject S01")
    if args.resume is not None:
        refuse(given, {*given} - {"resume", *VIEW}, "with --resume, the session's own settings go on")
        folder = SessionFolder.resume(args.resume)
    elif args.from_last:
        kept = {"from_last", "subject", "out", "sessions", "trials", "block", "practice", "seed", "stream", "source_id"}
        refuse(given, {*given} - {*kept, "feedback", *VIEW}, "with --from-last, the last session's settings go on")
        folder = begin_session(next_session_of(args, given), args.sessions, say=say)
    else:
        assert calibration is not None
        folder = begin_session(session_of(args, calibration), args.sessions, say=say)
    say(f"session {folder.path}; at any time: p pause, g go on, r repeat, s skip, q that is enough, and Enter")
    with ProgressLine(0.5, 30.0) as line, ProgressLine(0.1, bar=True, vanishes=True) as bar:
        result = run_guided(folder, view_of(args), say=line.say, show=line.show, progress=bar.show)
    print_calibration(result)
    say(_next(result, folder.spec, folder.path))
    return 0


def _next(result: CalibrationResult, spec: GuidedSpec, folder: Path) -> str:
    there = spec.out is not None and Path(spec.out).is_file()
    model = spec.out if spec.out is not None and there else str(folder / "model.ts")
    report, card = folder / "report.html", result.published
    if card is not None and not card.above_chance:
        return f"wrote {model}, but it is not above chance: record more before you use it; {report} says more"
    channels = ",".join(spec.calibration.channels or ())
    said = {"--montage": spec.montage, "--unit": spec.unit, "--channels": channels}
    said |= {"--stream": spec.stream, "--source-id": spec.source_id}
    stream = [word for option, value in said.items() if value for word in (option, value)]
    return f"wrote {model} and {report}; next: {pasteable('neuript-live', '--model', model, *stream)}"
