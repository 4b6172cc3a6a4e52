"""Over a seam that a file declares nothing is decoded, trained on or put into a corpus, however short it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scripted_source import EAGER, LinearEngine, manifest

from neuript.montages import load_montage
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.cleaning import clean

SFREQ = 125.0
SEAMS = (2000, 3800, 5600)
"""Samples that begin a new stretch."""


@pytest.fixture(params=[None, 0.01, 4.0])
def joined(request, tmp_path, rng):
    """Sixty seconds with three seams at which the offset jumps by some 0.3 mV, as EEGLAB writes them.

    Their length is not said, or one sample, or 4 s.
    """
    from scipy.io import savemat

    n = 7500
    white = rng.normal(scale=2, size=(n, 4)) + rng.normal(scale=4, size=(n, 1))
    x = lfilter([1], [1, -0.9], white, axis=0)
    x += 10 * np.sin(2 * np.pi * (10 * np.arange(n)[:, None] / SFREQ + np.arange(4) / 7))
    for seam in SEAMS:
        x[seam:] += rng.uniform(-300, 300, 4)
    lasts = np.zeros((0, 0)) if request.param is None else request.param * SFREQ
    rows = [("boundary", seam + 0.5, lasts) for seam in SEAMS]
    eeg = {
        "data": x.T.astype(np.float32), "srate": SFREQ, "nbchan": 4.0, "pnts": float(n), "trials": 1.0, "xmin": 0.0,
        "xmax": (n - 1) / SFREQ, "setname": "a", "ref": "common",
        "chanlocs": np.array([(c,) for c in ("C3", "Cz", "C4", "Pz")], dtype=[("labels", object)]),
        "event": np.array(rows, dtype=[("type", object), ("latency", object), ("duration", object)]),
    }  # fmt: skip
    savemat(tmp_path / "a.set", {"EEG": eeg}, appendmat=False)
    return read_recording(tmp_path / "a.set")


def test_no_row_over_a_seam_has_a_command(joined):
    said = manifest(EAGER)
    conditioner = Conditioner(PreprocessSpec(), np.eye(4), 1e-6, SFREQ)
    policy = DecisionPolicy(EAGER, said.classes, said.hop_s)
    decoder = Decoder(ReplaySource(joined), conditioner, LinearEngine(sure=True), policy, said.n_times)
    rows = []
    while not decoder.ended:
        rows += decoder.step(0.0)
    begins = [joined.eeg.timestamps[seam] for seam in SEAMS]
    over = [row for row in rows if any(begin <= row.t < begin + 4.0 for begin in begins)]
    assert len(over) > 80
    assert all(row.proba is None and row.decision is None and row.state is State.GAP for row in over)
    assert sum(row.state is State.OK for row in rows) > 150
    assert decoder.admission.n_gaps == len(SEAMS)


def test_no_good_sample_of_a_corpus_is_within_the_settling_after_a_seam(joined):
    cleaned = clean(joined, load_montage("10-20").pick(["C3", "Cz", "C4", "Pz"]))
    for seam in SEAMS:
        begin = joined.eeg.timestamps[seam]
        near = (cleaned.stamps >= begin) & (cleaned.stamps < begin + 1.0)
        assert near.sum() > 50
        assert not cleaned.ok[near].any()
    assert cleaned.ok.mean() > 0.8
