"""Decisions and markers in one file, as a live session records them."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

import neuript
from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import pack_row, row_labels
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.read import read_recording
from neuript.training.calibration.recorded_decisions import recorded_decisions

SFREQ, ZERO = 125.0, 800.0
CLASSES = ("left", "right")
EVENTS = {"left": "769", "right": "770"}
ONSETS = ((5.0, "left"), (12.0, "right"), (19.0, "left"), (26.0, "right"))


def rows() -> list[Decision]:
    """One decoded window 4.2 s after each event, the third one wrong, and one without a window between."""
    out = []
    for i, (onset, name) in enumerate(ONSETS):
        right = (name == "right") != (i == 2)
        proba = {"left": 0.2, "right": 0.8} if right else {"left": 0.8, "right": 0.2}
        out.append(Decision(t=ZERO + onset + 4.2, window_index=i, state=State.OK, proba=proba))
        out.append(Decision(t=ZERO + onset + 4.3, window_index=i, state=State.GAP, proba=None))
    return out


def session(decoders: int = 1, *, first: int = 0) -> xdf_writer.XdfWriter:
    n = round(35 * SFREQ)
    x = np.random.default_rng(2).normal(size=(n, 2)) * 10
    markers = [(ZERO + s, EVENTS[name]) for s, name in ONSETS]
    writer = xdf_writer.session(x, ZERO + np.arange(n) / SFREQ, markers, sfreq=SFREQ)
    labels = row_labels(CLASSES)
    for k in range(decoders):
        desc = xdf_writer.channels_xml(labels, unit="none", kind="Probability")
        writer.stream(20 + k, f"neuript-mi{k}-proba", "Predictions", n_chans=len(labels), desc=desc)
        writer.samples(
            20 + k, [row.t for row in rows()[2 * first :]], [pack_row(row, CLASSES) for row in rows()[2 * first :]]
        )
    return writer


def test_one_file_is_enough(tmp_path):
    path = session().save(tmp_path / "session.xdf")
    card = neuript.score(path, event_map=EVENTS)
    assert (card.n_hits, card.n_trials) == (3, 4)
    assert card.to_dict()["confusion"] == [[1, 1, 0], [0, 2, 0]]


def test_trials_during_which_no_decoder_ran_do_not_count(tmp_path):
    said: list[str] = []
    path = session(first=1).save(tmp_path / "session.xdf")  # the first decoder of a guided session comes later
    card = neuript.score(path, event_map=EVENTS, say=said.append)
    assert (card.n_hits, card.n_trials) == (2, 3)
    assert said == ["during 1 of 4 trials no decoder ran; they do not count"]


def test_rows_come_back_as_they_were_published(tmp_path):
    log = recorded_decisions(read_recording(session().save(tmp_path / "session.xdf")))
    assert [row.state for row in log.rows] == [str(row.state) for row in rows()]
    np.testing.assert_allclose([row.t for row in log.rows], [row.t for row in rows()])
    for read, sent in zip(log.rows, rows(), strict=True):
        assert read.proba == (None if sent.proba is None else pytest.approx(sent.proba))


@pytest.mark.parametrize(("decoders", "words"), [(0, "holds no decisions"), (2, "decisions of 2 decoders")])
def test_which_decoder_is_meant_must_be_clear(tmp_path, decoders: int, words: str):
    path = session(decoders).save(tmp_path / "session.xdf")
    with pytest.raises(NeuriptError, match=words):
        neuript.score(path, event_map=EVENTS)


def test_lines_alone_have_no_markers(tmp_path):
    lines = tmp_path / "d.jsonl"
    lines.write_text("".join(row.to_json_line() + "\n" for row in rows()))
    with pytest.raises(NeuriptError, match="--recording FILE"):
        neuript.score(lines, event_map=EVENTS)


def test_a_recording_that_the_model_has_learnt_from_is_said_first(tmp_path):
    path = session(0).save(tmp_path / "run.xdf")
    lines = tmp_path / "d.jsonl"
    replayed = [Decision(t=r.t, window_index=0, state=r.state, proba=r.proba, rec_t=r.t - ZERO) for r in rows()]
    for trained_on in (False, True):
        lines.write_text("".join(row.to_json_line(trained_on=trained_on) + "\n" for row in replayed))
        said: list[str] = []
        assert neuript.score(lines, path, EVENTS, say=said.append).n_hits == 3
        assert [s for s in said if "learnt from this very recording" in s] == said[:trained_on]
