"""From settings, or a session that was begun, to a person's model (`neuript-calibrate --subject` and `--resume`)."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import PRIVATE_FILE, check_writable, replacing
from neuript.interrupt import Interrupt
from neuript.realtime.live.typed import TypedLines
from neuript.training.calibration.calibration import calibrate
from neuript.training.calibration.from_people import check_population
from neuript.training.calibration.held_out import ReportStep
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.guided.guided_session import GuidedSession
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.guided_view import GuidedView
from neuript.training.guided.guided_words import resume
from neuript.training.guided.kept_trials import kept_trials, note_lost_trials, readable, without_replaced
from neuript.training.guided.session_folder import MODEL, REPORT, SessionFolder, sessions_of
from neuript.training.guided.session_parts import SessionParts, Show
from neuript.training.guided.session_plan import plan_session, still_to_do
from neuript.training.report.calibration_report import report
from neuript.training.report.verdict import about_live, about_today


def begin_session(spec: GuidedSpec, root: str | Path, *, say: Callable[[str], None]) -> SessionFolder:
    """Check what can be checked before anybody waits, and make the folder of a new session.

    Raises
    ------
    NeuriptError
        If the model could not be written or is there already, or the earlier people are of other classes.
    """
    if spec.out is not None:
        path = check_model_name(spec.out)
        if path.exists():
            raise NeuriptError(f"{path} exists already, and a session takes long; name another --out, or move it away")
    if gone := [path for path in spec.earlier if not Path(path).is_file()]:
        raise NeuriptError(
            f"the recording {gone[0]} of an earlier day is not there any more; begin without --from-last"
        )
    check_population(spec.calibration, spec.classes)
    for folder in [f for f in sessions_of(root, spec.subject) if not f.is_finished()][-1:]:
        say(f"{spec.subject} has a session that was not finished; {resume(folder.path)}")
    return SessionFolder.begin(root, spec, time.strftime("%Y-%m-%d"))


def run_guided(
    folder: SessionFolder,
    view: GuidedView,
    *,
    say: Callable[[str], None],
    show: Show,
    progress: ReportStep | None = None,
) -> CalibrationResult:
    """Hold a session, or what is left of one, and make the model.

    Parameters
    ----------
    folder : SessionFolder
        Of `begin_session`, or `SessionFolder.resume`.
    view : GuidedView
        How it is shown.
    say : callable
        Takes a sentence at a time.
    show, progress : callable
        Take the progress of the trials, and of the fit.

    Returns
    -------
    CalibrationResult
        Saved as `model.ts` in the folder with its figures, and where the settings say.

    Raises
    ------
    NeuriptError
        If a part of it cannot go on; everything until then is kept.
    """
    if folder.is_finished():
        raise NeuriptError(f"the session {folder.path} is finished; its model is {folder.path / MODEL}")
    with folder.held(), Interrupt() as stop:
        if folder.recordings:
            note_lost_trials(folder, folder.shown_trials(), kept_trials(readable(folder.recordings, say)), say)

        def step(text: str, done: int, total: int) -> None:
            stop.check()
            if progress is not None:
                progress(text, done, total)

        def learn() -> CalibrationResult:
            return _learn(folder, say, step)

        if not still_to_do(plan_session(folder.spec), folder.journal()):
            say("all trials are recorded; only the decoder is missing")
            return learn()
        typed = TypedLines(sys.stdin)
        try:
            parts = SessionParts(folder, view, tell=say, show=show, stop=stop, typed=typed)
            return GuidedSession(parts, stop).run(learn)
        except (NeuriptError, KeyboardInterrupt):
            if folder.give_up_empty():
                say("nothing was recorded yet, so no session is left behind")
            else:
                say(f"all that was recorded is kept; {resume(folder.path)}")
            raise
        finally:
            typed.close()


def _learn(folder: SessionFolder, say: Callable[[str], None], progress: ReportStep) -> CalibrationResult:
    spec = folder.spec
    recordings = readable(folder.recordings, say)
    if not recordings:
        raise NeuriptError(f"{folder.path} holds no recording with EEG; begin a new session")
    if lost := folder.shown_trials() - kept_trials(recordings):
        say(f"{len(lost)} of the trials did not reach the recording, and are not learnt from")
    earlier = readable(map(Path, spec.earlier), say)
    result = calibrate([*earlier, *without_replaced(recordings)], spec.calibration, say=say, progress=progress)
    model = folder.path / MODEL
    result.save(model)
    pages = (folder.path / f"{REPORT}{suffix}" for suffix in (".html", ".json"))
    figures = report(result, *pages, n_earlier=len(earlier), cue_windows=folder.cue_windows())
    for sentence in (*about_today(figures), *about_live(figures)):
        say(sentence)
    folder.keep_private()
    folder.note("finished")
    _copy_out(folder, say)
    return result


def _copy_out(folder: SessionFolder, say: Callable[[str], None]) -> None:
    """Put the model where the settings say; where that cannot be, it stays in the folder, and that is said."""
    if folder.spec.out is None:
        return
    try:
        with replacing(folder.spec.out, mode=PRIVATE_FILE, overwrite=False) as temporary:
            shutil.copyfile(folder.path / MODEL, temporary)
    except NeuriptError as error:
        say(f"{error}; the model is {folder.path / MODEL}")


def check_model_name(out: str) -> Path:
    """Refuse a name that no model has, or that cannot be written.

    Raises
    ------
    NeuriptError
        With the reason.
    """
    if not out.endswith(".ts"):
        raise NeuriptError(f"--out {out} does not end in .ts; name the model for example mi.ts")
    return check_writable(out)
