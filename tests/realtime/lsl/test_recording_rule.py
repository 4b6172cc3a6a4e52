from __future__ import annotations

import pytest

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.recording_rule import SAME_AT_ONCE, RecordingRule


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


@pytest.mark.parametrize(
    ("follow", "goes_on"), [("restarts", {"here again"}), ("any", {"here again", "elsewhere"}), ("never", set())]
)
def test_the_eeg_is_gone_on_with_as_for_the_decoder_and_other_streams_by_their_own_computer(follow, goes_on):
    rule = RecordingRule(uids=("first",), eeg="first", follow=follow)

    def instance(uid: str, host: str, n_chans: int = 1, sfreq: float = 0.0) -> SignalInfo:
        return SignalInfo(
            name="s", stype="EEG", source_id="a", uid=uid, hostname=host, sfreq=sfreq, channel_format="float32",
            ch_names=("Cz",) * n_chans, units=("uV",) * n_chans,
        )  # fmt: skip

    first = instance("first", "here")
    others = {
        "here again": instance("second", "here"),
        "elsewhere": instance("third", "there"),
        "another rate": instance("fourth", "here", sfreq=250.0),
    }
    assert {name for name, one in others.items() if rule.goes_on(first, one, SAME_AT_ONCE)} == goes_on
    marker = instance("marker", "here")
    assert rule.goes_on(marker, others["here again"], SAME_AT_ONCE)
    assert not rule.goes_on(marker, others["elsewhere"], SAME_AT_ONCE)
    assert rule.goes_on(first, instance("first", "here"), SAME_AT_ONCE)
