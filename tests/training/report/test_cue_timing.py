"""How punctual cues were, by their markers and by the window that showed them."""

from __future__ import annotations

from dataclasses import replace

from cue_sessions import as_cue_session
from guided_specs import guided_spec
from twin_people import EVENTS, session

from neuript.training.guided.session_folder import SessionFolder
from neuript.training.report.cue_timing import cue_timing, frame_sentence


def test_late_cues_are_counted_and_the_last_word_of_each_window_is_kept(tmp_path):
    recording = as_cue_session(session(3, trials=4), {name: name for name in EVENTS})
    cues = recording.streams[-1]
    last = [text.replace('"late":false', '"late":true') for (text,) in cues.values[-1:]]
    late = replace(cues, values=[*cues.values[:-1], tuple(last)])
    folder = SessionFolder.begin(tmp_path, guided_spec(), "2026-11-30")
    folder.note("jitter", n=9)  # of no window
    for refresh_hz, counts in ((60.0, (3, 8)), (144.0, ()), (30.0, (8,))):
        folder.note("window", refresh_hz=refresh_hz, stamps="frame swapped", sound=True)
        for n in counts:
            folder.note("jitter", n=n, p50_ms=1.25, p99_ms=4.0, late=1, frame_p50_ms=16.7, frame_p99_ms=17.0)
    timing = cue_timing([replace(recording, streams=[*recording.streams[:-1], late])], folder.cue_windows())
    assert (timing["shown"], timing["late"]) == (8, 1)
    assert [(w["refresh_hz"], w["n"]) for w in timing["windows"]] == [(60.0, 8), (30.0, 8)]
    said = frame_sentence(timing["windows"][0])
    assert said.startswith(
        "1.2 ms after the time that was meant (median; 4.0 ms at most in 99 of 100) at 60 Hz, stamped"
    )
    assert "16.7 ms from frame to frame" in said


def test_recordings_without_cues_of_ours_say_nothing():
    assert cue_timing([session(3, trials=2)]) is None
