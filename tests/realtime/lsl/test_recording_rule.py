from __future__ import annotations

import pytest

from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.recording_rule import RecordingRule


def stream(stype: str, source_id: str = "", uid: str = "u") -> StreamSummary:
    return StreamSummary(
        name="s", stype=stype, n_chans=1, sfreq=0.0, channel_format="string", source_id=source_id, uid=uid,
        hostname="h", created_at=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        ("all", {"EEG", "Markers", "Predictions", "Gaze", "cues"}),
        ("markers", {"Markers", "cues"}),
        ("no strangers", {"Markers", "Gaze"}),
    ],
)
def test_which_others_are_taken(others, taken):
    rule = RecordingRule(others=others)
    seen = {t: stream(t) for t in ("EEG", "Markers", "Predictions", "Gaze", "Description")}
    seen["cues"] = stream("Markers", "neuript-cues-markers-1")
    assert {name for name, one in seen.items() if rule.takes(one)} == taken


@pytest.mark.parametrize("others", ["all", "markers", "no strangers"])
def test_what_is_named_is_taken_in_any_case(others):
    rule = RecordingRule(uids=("mine",), source_ids=("decoder",), others=others)
    assert rule.takes(stream("EEG", uid="mine"))
    assert rule.takes(stream("Description", uid="mine"))
    assert rule.takes(stream("Predictions", source_id="decoder"))
    assert not RecordingRule(source_ids=("",), others="markers").takes(stream("EEG"))
