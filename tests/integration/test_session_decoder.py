"""The decoder of a guided session: one published stream, whichever model answers, without a hole between two."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from guided_specs import guided_spec
from processes import neuript, running
from waiting import wait_for

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.decoding.states import State
from neuript.realtime.live.demo import DEMO_MODEL
from neuript.realtime.lsl.library import pylsl
from neuript.training.guided.session_decoder import SessionDecoder

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(300)]


def test_the_next_model_takes_over_without_a_hole_in_the_one_stream():
    twin = neuript("simulate", "--montage", "unicorn-8", "--source-id", "decoded-twin", "--seed", "2")
    with running(twin) as amplifier:
        amplifier.wait_until_it_says("Ctrl-C ends")
        eeg = SignalInfo(name="twin", sfreq=250.0, ch_names=("",), source_id="decoded-twin")
        decoder = SessionDecoder(guided_spec(montage=None, unit=None), eeg)
        try:
            (found,) = pylsl.resolve_byprop("source_id", decoder.source_id, 1, 20)
            assert found.type() == "Predictions"
            inlet = pylsl.StreamInlet(found)
            inlet.open_stream(timeout=20)
            assert not decoder.begin()  # nobody was here before
            stamps = []

            def answers(name: str) -> bool:
                stamps.extend(inlet.pull_chunk()[1])
                assert not (problem := decoder.problem()), problem
                return decoder.began() == name

            for n_trials in (10, 20):
                decoder.use(DEMO_MODEL, n_trials)
                wait_for(lambda name=f"{n_trials} trials": answers(name), 90)
            wait_for(lambda: (row := decoder.newest()) is not None and row.state is State.OK, 30)
            n_before = len(stamps)
            wait_for(lambda: answers("") or len(stamps) > n_before + 8, 30)
            wait_for(lambda: len(_decoders()) == 1, 60, "the end of the first one")
        finally:
            decoder.close()
        assert not _decoders()
        steps = np.diff(stamps)
        assert (steps > 0).all()
        assert steps.max() < 0.5, steps.max()


def _decoders() -> list[psutil.Process]:
    ours = psutil.Process().children(recursive=True)
    return [p for p in ours if p.is_running() and "neuript.training.guided.decode_in_background" in p.cmdline()]
