"""What of a person may be learnt from, against MOABB's own names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.training.evaluate.pseudo_online.pseudo_online_spec import PseudoOnlineSpec
from neuript.training.evaluate.pseudo_online.target_data import (
    CS_MODES,
    PersonSplit,
    access_of,
    cut_after,
    first_share,
    halves,
    moabb_terms,
    n_trials,
)
from neuript.training.windows.dataset_spec import DatasetSpec

EVENTS = {"go": "1", "rest": "2"}
SPEC = DatasetSpec(event_map=EVENTS)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three recordings of 8 trials each, one every 5 s."""
    folder, out = tmp_path_factory.mktemp("runs"), []
    for k in range(3):
        stamps = 100.0 * k + np.arange(5000) / 100
        markers = [(100.0 * k + 5 * i + 3, "12"[i % 2]) for i in range(8)]
        data = np.zeros((5000, 2))
        file = xdf_writer.session(data, stamps, markers, sfreq=100.0, labels=["C3", "C4"], source_id=f"amp{k}")
        out.append(read_recording(file.save(folder / f"run{k}.xdf")))
    return out


def test_the_modes_are_those_of_moabb():
    pytest.importorskip("moabb")
    from moabb.evaluations.protocols import CrossSubjectMode

    theirs = {mode.name: mode for mode in CrossSubjectMode}
    assert set(CS_MODES) == set(theirs) - {"TRAIN", "TRAIN_AND_TARGET_UNLABELED_FULL"}
    for name, access in CS_MODES.items():
        assert access.calibration_size == theirs[name].calibration_size
        assert access.calibration_labeled == theirs[name].calibration_labeled


def test_a_share_is_the_first_trials_of_all(recordings):
    for share, kept in ((0.5, [8, 4]), (0.2, [4]), (0.01, [1]), (2 / 3, [8, 8])):
        there = first_share(recordings[:2], recordings[2:], share, SPEC)
        assert [n_trials([one], SPEC) for one in there] == kept
    with pytest.raises(NeuriptError, match="75% of 24 trials are 18, but the calibration recordings hold 16"):
        first_share(recordings[:2], recordings[2:], 0.75, SPEC)


def test_a_cut_recording_ends_there(recordings):
    cut = cut_after(recordings[1], 120.0)
    assert len(cut.eeg) == 2001
    assert cut.eeg.timestamps[-1] == pytest.approx(120.0)
    assert cut.eeg.data.shape == (2001, 2)
    assert cut.eeg.segments == ((0, 2001),)
    assert [event.time_s for event in events_of(cut)] == pytest.approx([103, 108, 113, 118])
    assert len(recordings[1].eeg) == 5000
    whole = cut_after(recordings[1], 1e9)
    assert len(whole.eeg) == 5000


def test_halves_give_the_middle_one_to_the_calibration():
    names = [Path(f"run{k}") for k in range(5)]
    found = halves({"a": names[:2], "b": names})
    assert found["a"] == PersonSplit((names[0],), (names[1],))
    assert found["b"] == PersonSplit(tuple(names[:3]), tuple(names[3:]))


def test_terms_name_a_mode_only_where_it_is_that():
    everything = access_of(None)
    assert moabb_terms(None, everything, 0.5, source_people=3)["cs_mode"] == "TRAIN_AND_TARGET_LABELED_50P"
    assert moabb_terms(None, everything, 0.6, source_people=3)["cs_mode"] is None
    alone = moabb_terms(None, everything, 0.5, source_people=0)
    assert alone["cs_mode"] is None
    assert alone["calibration_labeled"] is True


def test_settings_are_plain_values_again(tmp_path):
    from dataclasses import asdict

    spec = PseudoOnlineSpec(event_map=EVENTS, network="none", trials=[20, 5], window_end_s=[3.0, 4.0])
    assert spec.counts == (5, 20)
    assert spec.judged_s == (3.0, 4.0)
    assert PseudoOnlineSpec(event_map=EVENTS, network="none").judged_s == (4.0, 4.5)
    assert PseudoOnlineSpec(event_map=EVENTS, network="none", epoch_s=(0.0, 0.3)).judged_s == (0.0, 0.3)
    values = asdict(spec)
    assert PseudoOnlineSpec(**{**values, "alignment": spec.alignment}) == spec
    with pytest.raises(NeuriptError, match="at least two are needed"):
        PseudoOnlineSpec(event_map={"go": "1"}, network="none")
