"""What was shown need not have reached the file: those trials are shown again."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from guided_specs import guided_spec

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.stream_info import element
from neuript.realtime.recordings.cue_markers import MARKERS, CueHeader, cue_header_xml, cue_marker, whole_trials
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import RecordedStream, Recording, events_of
from neuript.training.guided.kept_trials import kept_trials, note_lost_trials, without_replaced
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.guided.session_plan import plan_session, still_to_do

MARKS = SignalInfo(
    name="cues", sfreq=0.0, ch_names=("",), units=("",), ch_types=("",), stype="Markers", channel_format="string"
)


def marker(ev: str, trial: int, *, practice: bool = False) -> str:
    return cue_marker(ev, cls="left_hand", trial=trial, block=1, gdf=769, practice=practice, late=False)


def trial(number: int, *, end: bool = True, practice: bool = False) -> list[str]:
    evs = ("trial_start", "cross", "cue", *(("trial_end",) if end else ()))
    return [marker(ev, number, practice=practice) for ev in evs]


def test_a_trial_is_kept_if_it_is_whole_and_nobody_rejected_it():
    texts = [*trial(1), *trial(2, end=False), *trial(3), marker("rejected", 3), *trial(900, practice=True), "hello"]
    assert whole_trials(texts) == {1: (2, 3)}
    assert set(whole_trials([*texts, *trial(3)])) == {1, 3}


def part(texts: list[str], *others: list[str], gap_s: tuple[float, float] = (0.0, 0.0)) -> Recording:
    """A recording of markers a second apart beside EEG with a hole, and streams of somebody else's markers."""
    stamps = np.arange(0.0, len(texts) + 1.0, 0.01)
    stamps = stamps[(stamps < gap_s[0]) | (stamps >= gap_s[1])]
    info = SignalInfo(name="amp", sfreq=100.0, ch_names=("C3",), units=("uV",), ch_types=("EEG",))
    eeg = RecordedStream(info, np.zeros((len(stamps), 1), np.float32), stamps, stamps, header_xml(info))
    header = CueHeader(classes={"left_hand": 769}, events={}, timing={})
    said = header_xml(MARKS)
    said.append(element("desc"))
    said.find("desc").append(cue_header_xml(header, MARKERS))
    streams = [eeg, marks(texts, said), *(marks(other, header_xml(MARKS)) for other in others)]
    return Recording(Path("part.xdf"), streams, "xdf", eeg_index=0)


def marks(texts: list[str], header: Element) -> RecordedStream:
    stamps = np.arange(len(texts), dtype=np.float64)
    return RecordedStream(MARKS, [(text,) for text in texts], stamps, stamps, header)


def test_parts_of_a_session_count_together_and_other_streams_do_not():
    assert kept_trials([part(trial(1), trial(7)), part([*trial(2), *trial(3, end=False)])]) == {1, 2}


def test_a_trial_without_eeg_is_not_kept():
    texts = [*trial(1), *trial(2), *trial(3)]
    assert kept_trials([part(texts, gap_s=(5.0, 7.5))]) == {1, 3}


def test_of_a_trial_that_was_shown_again_the_later_one_is_learnt_from():
    first, second = part([*trial(1), *trial(2), *trial(900, practice=True)]), part([*trial(2), *trial(3)])
    older, newer = without_replaced([first, second])
    assert [e.label for e in events_of(older) if e.label.startswith("cue/")] == ["cue/left_hand"]
    assert kept_trials([older]) == {1}
    assert kept_trials([newer]) == {2, 3}
    assert any(e.label.startswith("practice/") for e in events_of(older))
    assert kept_trials([first]) == {1, 2}


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
