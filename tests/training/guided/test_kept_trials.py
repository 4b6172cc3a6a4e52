"""What was shown need not have reached the file: those trials are shown again."""

from __future__ import annotations

from types import SimpleNamespace

from guided_specs import guided_spec

from neuript.realtime.recordings.cue_markers import cue_marker, whole_trials
from neuript.training.guided.kept_trials import kept_trials, note_lost_trials
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.guided.session_plan import plan_session, still_to_do


def marker(ev: str, trial: int, *, practice: bool = False) -> str:
    return cue_marker(ev, cls="left_hand", trial=trial, block=1, gdf=769, practice=practice, late=False)


def trial(number: int, *, end: bool = True, practice: bool = False) -> list[str]:
    evs = ("trial_start", "cross", "cue", *(("trial_end",) if end else ()))
    return [marker(ev, number, practice=practice) for ev in evs]


def test_a_trial_is_kept_if_it_is_whole_and_nobody_rejected_it():
    texts = [*trial(1), *trial(2, end=False), *trial(3), marker("rejected", 3), *trial(900, practice=True), "hello"]
    assert whole_trials(texts) == {1}
    assert whole_trials([*texts, *trial(3)]) == {1, 3}


def test_parts_of_a_session_count_together_and_other_streams_do_not():
    def stream(texts: list[str], classes: tuple[str, ...] = ("left_hand",)) -> SimpleNamespace:
        return SimpleNamespace(labels=texts, cue_classes=classes)

    recordings = [
        SimpleNamespace(marker_streams=[stream(trial(1)), stream(trial(7), ())]),
        SimpleNamespace(marker_streams=[stream([*trial(2), *trial(3, end=False)])]),
    ]
    assert kept_trials(recordings) == {1, 2}


def test_what_is_lost_is_to_do_again_and_what_is_done_again_is_done(tmp_path):
    folder = SessionFolder.begin(tmp_path, guided_spec(), "2026-11-30")
    for number in range(1, 6):
        folder.note("trial", trial=number, status="done")
    said: list[str] = []
    note_lost_trials(folder, folder.shown_trials(), {1, 2, 4}, said.append)
    assert said == ["2 trials did not reach the recording, and will be shown again"]
    assert folder.shown_trials() == {1, 2, 4}
    left = {t.trial for block in still_to_do(plan_session(folder.spec), folder.journal()) for t in block.trials}
    assert {3, 5} <= left
    assert not {1, 2, 4} & left
    folder.note("trial", trial=3, status="done")
    assert folder.shown_trials() == {1, 2, 3, 4}
    note_lost_trials(folder, folder.shown_trials(), {1, 2, 3, 4}, said.append)
    assert len(said) == 1
