"""Markers of a session with cues: from what was sent to what is learnt from."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree.ElementTree import Element, tostring

import numpy as np
import pytest
from xdf_writer import XdfWriter, channels_xml

from neuript.realtime.recordings.cue_markers import (
    CODES,
    MARKERS,
    CueHeader,
    cue_classes_in,
    cue_header_xml,
    cue_marker,
    plain_labels,
)
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.recording_report import report_of

HEADER = CueHeader(
    subject="S01", seed=3, classes={"right_hand": 770, "left_hand": 769}, events={"beep": 785}, timing={"cue_s": "1.25"}
)


def marker(ev, trial=1, cls="left_hand", *, block=1, practice=False):
    return cue_marker(ev, cls=cls, trial=trial, block=block, gdf=769, practice=practice, late=False)


def whole(trial, cls="left_hand", **how):
    return [marker(ev, trial, cls, **how) for ev in ("trial_start", "cross", "beep", "cue", "trial_end")]


def cues(texts):
    return [label for text, label in zip(texts, plain_labels(texts), strict=True) if '"ev":"cue"' in text]


def test_a_marker_says_what_the_convention_asks_for():
    text = cue_marker("cue", cls="left_hand", trial=17, block=2, gdf=769, practice=False, late=False)
    assert text == ('{"ev":"cue","cls":"left_hand","trial":17,"block":2,"gdf":769,"practice":false,"late":false}')
    assert json.loads(marker("cue", practice=True))["cls"] == "practice_left_hand"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (whole(1) + whole(2, "rest"), ["cue/left_hand", "cue/rest"]),
        (whole(1, practice=True) + whole(1), ["practice/left_hand", "cue/left_hand"]),
        (whole(1)[:-1], ["rejected/left_hand"]),  # the recording broke off
        ([*whole(1)[:-1], marker("rejected"), *whole(1)], ["rejected/left_hand", "cue/left_hand"]),
        ([*whole(1), marker("rejected")], ["rejected/left_hand"]),  # somebody noticed afterwards
        ([*whole(1), marker("rejected"), *whole(1)], ["rejected/left_hand", "cue/left_hand"]),
        (whole(1)[:-1] + whole(1), ["rejected/left_hand", "cue/left_hand"]),  # a crash, then the session was resumed
        (whole(1) + whole(1), ["rejected/left_hand", "cue/left_hand"]),  # shown twice: the last counts
        (whole(1, block=1) + whole(1, block=2), ["cue/left_hand", "cue/left_hand"]),
        ([*whole(1), marker("rejected", 2)], ["cue/left_hand"]),
        ([*whole(1)[:-1], marker("rejected"), marker("trial_end")], ["rejected/left_hand"]),
    ],
)
def test_which_cues_count(texts, expected):
    assert cues(texts) == expected


def test_what_is_no_such_marker_stays_as_it_is():
    odd = ["hello", "{", "[1]", '{"ev":1}', '{"ev":"cue","cls":"a","trial":"1","block":1}', '{"ev":"cue","cls":"a"}']
    assert plain_labels(odd) == odd
    assert plain_labels([*odd, *whole(1)])[-2:] == ["cue/left_hand", "trial_end"]
    assert plain_labels([]) == []


def test_the_header_names_the_classes_in_their_order_and_only_that_of_cues():
    root = Element("info")
    desc = Element("desc")
    desc.append(cue_header_xml(HEADER, MARKERS))
    root.append(desc)
    assert cue_classes_in(root) == ("right_hand", "left_hand")
    assert cue_classes_in(root, CODES) == ()
    assert cue_classes_in(Element("info")) == ()


@pytest.fixture
def session(tmp_path, rng):
    """A recorded session: 6 trials, of which one was practice and one was rejected."""
    texts = whole(0, "left_hand", practice=True, block=0) + whole(1) + whole(2, "right_hand")
    texts += [*whole(3)[:-1], marker("rejected", 3), *whole(3), *whole(4, "right_hand")]
    stamps = 2.0 + 0.5 * np.arange(len(texts))
    codes = [[769 if '"ev":"cue"' in text else 1] for text in texts]
    out = XdfWriter()
    out.stream(1, "Amp", "EEG", 3, 250.0, "float32", channels_xml(["C3", "Cz", "C4"]), "amp")
    out.stream(2, "cues", "Markers", 1, 0.0, "string", tostring(cue_header_xml(HEADER, MARKERS), "unicode"), "m")
    out.stream(3, "codes", "Markers", 1, 0.0, "int32", tostring(cue_header_xml(HEADER, CODES), "unicode"), "c")
    out.stream(4, "other", "Markers", 1, 0.0, "string", "", "o")
    n = round(250 * (stamps[-1] + 6))
    out.samples(1, (np.arange(n) / 250).tolist(), rng.normal(scale=10, size=(n, 3)))
    out.samples(2, stamps.tolist(), texts).samples(3, stamps.tolist(), codes).samples(
        4, [2.2, 2.4], ["note", "left_hand"]
    )
    for sid in (1, 2, 3, 4):
        out.offset(sid, 0.0, 0.0)
    return out.save(tmp_path / "session.xdf")


def test_a_recorded_session_tells_its_classes_and_its_trials(session):
    recording = read_recording(session)
    assert recording.cue_classes == ("right_hand", "left_hand")
    labels = [event.label for event in events_of(recording)]
    assert labels.count("cue/left_hand") == labels.count("cue/right_hand") == 2
    assert labels.count("practice/left_hand") == labels.count("rejected/left_hand") == 1
    assert labels.count("left_hand") == 1  # what another program called so is another marker
    assert "note" in labels
    assert "769" not in labels  # the codes cannot say what was rejected


def test_the_report_counts_cues_by_class(session):
    streams = {stream.name: stream.events for stream in report_of(read_recording(session)).streams}
    assert streams["cues"]["cue/left_hand"] == 2
    assert streams["cues"]["trial_start"] == 6
    assert streams["codes"]["769"] == 6


def test_codes_alone_are_events_as_any_others(session):
    recording = read_recording(session)
    alone = replace(recording, streams=[s for s in recording.streams if s.info.name != "cues"])
    assert alone.cue_classes == ()
    assert [event.label for event in events_of(alone)].count("769") == 6
