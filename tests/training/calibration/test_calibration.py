"""`neuript.calibrate` from simulated recordings to a model file that decodes, read by path or given in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cue_sessions import as_cue_session
from twin_recordings import write_run

import neuript
from neuript.errors import NeuriptError
from neuript.modelfile.deployable import open_model
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.recordings.read import read_recording

SPEC = neuript.CalibrationSpec(
    event_map={"left_hand": "left_hand", "right_hand": "right_hand"},
    network="none",
    window_s=2.0,
    epoch_s=(1.0, 4.0),
    hop_s=0.5,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A skilled simulated person, 12 + 12 trials, as an XDF file."""
    return write_run(tmp_path_factory.mktemp("runs") / "run.xdf", 3)


def test_recordings_in_a_decoder_out(run, tmp_path):
    said, steps, threads = [], [], torch.get_num_threads()
    result = neuript.calibrate([run], SPEC, say=said.append, progress=lambda *step: steps.append(step))
    assert torch.get_num_threads() == threads
    assert said[0] == "reading 1 recording"
    assert said[1].startswith("12 left_hand, 12 right_hand trials")
    assert (result.counts, result.n_trials) == ({"left_hand": 12, "right_hand": 12}, 24)
    assert result.published.above_chance
    assert steps == []  # the Riemannian branch alone is fitted in one step
    result.save(tmp_path / "mi.ts")
    engine = open_model(tmp_path / "mi.ts")
    assert engine.manifest.simulated
    reference = Reference.of(engine.reference)
    assert reference.mean.shape == (7, 8, 8)
    assert reference.seconds == pytest.approx(40.0)


def test_a_recording_that_is_read_already_gives_the_same(run):
    by_path = neuript.calibrate([str(run)], SPEC)
    in_memory = neuript.calibrate([read_recording(run)], SPEC)
    volatile = {"seconds"}
    assert {k: v for k, v in by_path.figures.items() if k not in volatile} == {
        k: v for k, v in in_memory.figures.items() if k not in volatile
    }
    assert in_memory.manifest.provenance["data"] == by_path.manifest.provenance["data"]


def test_a_session_with_cues_says_its_classes_itself(run):
    """No event map, and practice and rejected trials are not learnt from."""
    recording = read_recording(run)
    session = as_cue_session(recording, {"left_hand": "left_hand", "right_hand": "right_hand"})
    said = []
    result = neuript.calibrate(session, replace(SPEC, event_map={}), say=said.append)
    assert said[1].startswith("the recordings say their classes themselves: left_hand, right_hand")
    assert result.counts == {"left_hand": 12, "right_hand": 12}
    assert result.published.above_chance  # the cues that were rejected were those of the other class
    with pytest.raises(NeuriptError, match=r"name the marker of each class: --event .* they hold .*'right_hand' x12"):
        neuript.calibrate(recording, replace(SPEC, event_map={}))


def test_one_recording_by_itself_is_one(run):
    said = []
    neuript.calibrate(Path(run), SPEC, say=said.append)
    assert said[0] == "reading 1 recording"
    with pytest.raises(NeuriptError, match=r"nosuch\.edf"):
        neuript.calibrate("nosuch.edf", SPEC, say=said.append)
    assert said[-1] == "reading 1 recording"


def test_a_recording_is_not_given_by_path_and_in_memory(run):
    with pytest.raises(NeuriptError, match="is given twice; name each recording once"):
        neuript.calibrate([run, read_recording(run)], SPEC)


def test_nothing_to_calibrate_on():
    with pytest.raises(NeuriptError, match="no recording was given"):
        neuript.calibrate([], SPEC)


def test_without_an_alignment_the_riemannian_branch_alone_has_nothing_to_read(run):
    with pytest.raises(NeuriptError, match="without an alignment"):
        neuript.calibrate([run], replace(SPEC, alignment=None))
