"""What a recording itself calls bad is left out wherever windows are made or scored, and said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xdf_writer
from scipy.signal import lfilter
from scripted_source import EAGER, LinearEngine, manifest

import neuript
from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy
from neuript.realtime.decoding.states import State
from neuript.realtime.live.intake import take_in
from neuript.realtime.recordings.given_channels import with_channels
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.cleaning import clean
from neuript.training.windows.dataset import build_dataset
from neuript.training.windows.dataset_spec import DatasetSpec

SFREQ, BEGIN = 125.0, 500.0
NAMES = ("Fz", "C3", "Cz", "C4", "Pz")
SPEC = DatasetSpec(event_map={"left": "1", "right": "2"}, window_s=2.0, epoch_s=(0.0, 2.5), min_trials_per_class=3)
SPANS = ((20.0, 21.5), (40.0, 43.0))


@pytest.fixture
def recording(tmp_path, rng):
    """Seventy seconds with 12 trials, every 5 s from 8 s on; two stretches are called bad."""
    white = rng.normal(scale=2, size=(70 * 125, 5)) + rng.normal(scale=4, size=(70 * 125, 1))
    rhythm = 10 * np.sin(2 * np.pi * (10 * np.arange(70 * 125)[:, None] / SFREQ + np.arange(5) / 7))
    x = (lfilter([1], [1, -0.9], white, axis=0) + rhythm).astype(np.float32)
    markers = [(BEGIN + 8 + 5 * i, "12"[i % 2]) for i in range(12)]
    stamps = BEGIN + np.arange(len(x)) / SFREQ
    path = xdf_writer.session(x, stamps, markers, sfreq=SFREQ, labels=list(NAMES)).save(tmp_path / "a.xdf")
    read = read_recording(path)
    read.eeg.marked_bad = tuple((round(a * SFREQ), round(b * SFREQ)) for a, b in SPANS)
    return read


def touches(end_s, window_s):
    return any(end_s - window_s < b and end_s > a for a, b in SPANS)


@pytest.mark.parametrize("chunk", [1, 33, 512])
def test_no_window_over_a_bad_stretch_is_decoded(recording, chunk):
    said = manifest(EAGER)
    source = ReplaySource(recording, chunk=chunk)
    conditioner = Conditioner(PreprocessSpec(), np.eye(4, 5), 1e-6, SFREQ)
    policy = DecisionPolicy(EAGER, said.classes, said.hop_s)
    decoder = Decoder(source, conditioner, LinearEngine(sure=True), policy, said.n_times, rec_zero=BEGIN - 3)
    rows = []
    while not decoder.ended:
        rows += decoder.step(0.0)
    assert all(row.rec_t == pytest.approx(row.t - BEGIN + 3) for row in rows)
    near = 2 / SFREQ
    for row in rows:
        if touches(row.t - BEGIN, 4.0 - near):
            assert (row.decision, row.proba, row.state) == (None, None, State.BAD_SIGNAL), row
    whole = [row for row in rows if row.t - BEGIN > 10 and not touches(row.t - BEGIN, 4.0 + 0.2)]
    assert len(whole) > 300
    assert all(row.state is State.OK for row in whole)


def test_a_data_set_has_no_window_over_a_bad_stretch_and_says_so(recording):
    data = build_dataset([recording], SPEC)
    assert data.end_s is not None
    assert not any(touches(end - BEGIN, 2.0 - 2 / SFREQ) for end in data.end_s)
    assert len(data.trials) == 10  # those at 18 s and 38 s are lost
    assert any("2 of 12 trials have no clean window (2 touch what the file marks as bad)" in n for n in data.notes)


def test_a_corpus_has_no_window_over_a_bad_stretch(recording):
    cleaned = clean(recording, load_montage("10-20").pick(list(NAMES)))
    plain = replace_marked(recording, ())
    for a, b in SPANS:
        inside = (cleaned.stamps >= a) & (cleaned.stamps < b)
        assert inside.sum() > 60
        assert not cleaned.ok[inside].any()
        assert clean(plain, load_montage("10-20").pick(list(NAMES))).ok[inside].any()


def replace_marked(recording, marked):
    out = replace(recording, streams=[*recording.streams])
    out.streams[0] = replace(recording.eeg, marked_bad=marked)
    return out


def test_a_channel_that_is_called_bad_is_left_out_and_said(recording):
    recording.eeg.info = replace(recording.eeg.info, bads=("C3",))
    data = build_dataset([recording], SPEC)
    assert set(data.montage.ch_names) == set(NAMES) - {"C3"}
    assert any("C3 is left out" in note and "calls it bad" in note for note in data.notes)
    intake = take_in(ReplaySource(recording), load_montage("10-20").pick(list(NAMES)))
    assert (intake.bads, intake.dead) == (("C3",), ())
    assert "called bad by the recording, so interpolated: C3" in intake.notes


def test_a_channel_that_got_another_name_is_still_bad(recording):
    info = replace(recording.eeg.info, bads=("C3", "Pz"))
    assert with_channels(info, ["AF3", "F3", "FC1", "F4", "-"]).bads == ("F3",)


def test_trials_that_touch_a_bad_stretch_are_not_scored(recording, tmp_path):
    rows = [
        Decision(
            t=0.0, window_index=i, state=State.OK, rec_t=8 + 5 * i + 4.2,
            proba={"left": 0.9 - 0.8 * (i % 2), "right": 0.1 + 0.8 * (i % 2)},
        )
        for i in range(12)
    ]  # fmt: skip
    lines = tmp_path / "d.jsonl"
    lines.write_text("".join(row.to_json_line() + "\n" for row in rows))
    said = []
    card = neuript.score(lines, recording, {"left": "1", "right": "2"}, say=said.append)
    assert (card.n_hits, card.n_trials) == (10, 10)
    assert said == ["2 of 12 trials touch what the file marks as bad; they do not count"]
    everything = replace_marked(recording, ((0, 70 * 125),))
    with pytest.raises(NeuriptError, match="marks all of its 12 trials as bad"):
        neuript.score(lines, everything, {"left": "1", "right": "2"})
