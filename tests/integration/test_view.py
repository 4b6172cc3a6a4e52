"""`neuript view` over real LSL: a stream that goes, comes back different, and gets a rival."""

from __future__ import annotations

import numpy as np
import pytest
from amplifier import plugged_in
from waiting import wait_for

from neuript import cli
from neuript.montages import load_montage
from neuript.realtime.lsl.discovery import find_stream
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.library import lsl_clock, pylsl
from neuript.realtime.view.signal_client import SignalClient

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]
BARE = ("--labels", "", "--n-chans", "8", "--seed", "4")


def info_of(source_id: str):
    source = LslSource(find_stream(f"source_id='{source_id}'"))
    source.close()
    return source.info


def test_a_bare_stream_goes_and_comes_back_with_another_rate_and_a_rival_is_named():
    with plugged_in(*BARE, "--fault", "8:rate:500") as (source_id, _):
        info = info_of(source_id)
        mine = f"starts-with(source_id,'{source_id}')"
        with SignalClient(info, mine, load_montage("openbci-8"), "microvolts") as client:

            def now():
                with client.lock:
                    return client.model.snapshot(lsl_clock())

            wait_for(lambda: now().check is not None, 30, "the first check")
            assert now().check.go
            assert [e.name for e in now().check.electrodes] == list(load_montage("openbci-8").ch_names)
            assert now().spectrum is not None
            with plugged_in(*BARE, source_id=f"{source_id}-2", name="another"):
                wait_for(lambda: "another stream matches: 'another'" in " ".join(now().notices), 30, "the rival")
            wait_for(lambda: "sampling rate 250 Hz -> 500 Hz" in " ".join(now().notices), 40, "the change")
            assert now().eeg.sfreq == 500
            wait_for(lambda: now().check is not None and now().spectrum is not None, 30, "a check of the new stream")
            wait_for(lambda: "another stream" not in " ".join(now().notices), 30, "the end of the rival")
            assert client.failure is None
            assert np.isfinite(now().spectrum.power).all()


@pytest.mark.parametrize("verb", ["view", "dashboard"])
def test_without_a_stream_the_exit_code_says_so(verb, capsys):
    assert cli.main([verb, "--source-id", "nobody-has-this", "--wait", "0.5"]) == 3
    assert "neuript" in capsys.readouterr().err


def test_a_stream_of_text_is_refused(capsys):
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("words", "EEG", 1, 0, "string", "test-view-text"))
    assert cli.main(["view", "--source-id", "test-view-text"]) == 2
    assert "carries text" in capsys.readouterr().err
    del outlet


def test_the_view_is_a_picture_where_one_is_asked_for(tmp_path):
    path = tmp_path / "view.svg"
    with plugged_in(*BARE) as (source_id, _):
        words = ("--source-id", source_id, "--montage", "openbci-8", "--console", "--screenshot", str(path))
        assert cli.main(["view", *words, "--after", "3"]) == 0
    assert "every&#160;electrode&#160;is&#160;in&#160;order" in path.read_text(encoding="utf-8")
