"""Decisions come back from their lines as they were written, and what is no list of them is refused."""

from __future__ import annotations

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decision_log import read_decisions
from neuript.realtime.decoding.scoring import PublishedRow
from neuript.realtime.decoding.states import State

PROBA = {"left": 0.25, "right": 0.75}


def write(path, decisions):
    path.write_text("".join(d.to_json_line() + "\n" for d in decisions) + "\n")
    return path


def test_what_was_written_is_read(tmp_path):
    decisions = [
        Decision(t=9.5, window_index=0, state=State.WARMUP),
        Decision(t=10.0, window_index=1, state=State.OK, proba=PROBA, decision="right", confidence=0.8),
        Decision(t=9.0, window_index=2, state=State.GAP, latency_ms={"total": float("nan")}),
    ]
    log = read_decisions(write(tmp_path / "live.jsonl", decisions))
    assert log.rows == tuple(PublishedRow(d.t, d.proba, d.decision, str(d.state)) for d in decisions)
    assert not log.uses_rec_t
    assert log.span_s == (9.0, 10.0)
    assert log.classes == ("left", "right")


def test_a_replay_is_on_the_clock_of_the_recording(tmp_path):
    decisions = [Decision(t=1e6 + i, window_index=i, state=State.OK, proba=PROBA, rec_t=float(i)) for i in range(3)]
    log = read_decisions(write(tmp_path / "replay.jsonl", decisions))
    assert log.uses_rec_t
    assert [row.t for row in log.rows] == [0.0, 1.0, 2.0]


def test_where_nothing_was_decoded_there_are_no_classes(tmp_path):
    log = read_decisions(write(tmp_path / "d.jsonl", [Decision(t=0.0, window_index=0, state=State.LOST)]))
    assert log.classes == ()


def test_a_line_that_is_cut_off_is_named(tmp_path):
    path = write(tmp_path / "d.jsonl", [Decision(t=0.0, window_index=0, state=State.OK, proba=PROBA)] * 2)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(NeuriptError, match=r"d\.jsonl, line 2 is not a decision of neuript-live --json, or not"):
        read_decisions(path)
