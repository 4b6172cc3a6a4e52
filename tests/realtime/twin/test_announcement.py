"""What the twin's streams say they are, as the script of faults has it; and who else says the same."""

from __future__ import annotations

import math
from xml.etree.ElementTree import tostring

import numpy as np
import pytest

from neuript.realtime.lsl.candidates import changes_between
from neuript.realtime.twin.announcement import Announced, eeg_announcement, with_more
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import Plugged, Unplugged
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.rival import Rival
from neuript.realtime.twin.signal import TwinSignal


def announced(script="", change=""):
    signal = TwinSignal("openbci-8", 250.0)
    as_ = Announced("twin (simulated)", "id", "microvolts", True, parse_faults(script))
    return eeg_announcement(signal, as_, change)


@pytest.mark.parametrize(("change", "words"), [("relabel", "labels"), ("reorder", "labels"), ("reformat", "format")])
def test_a_stream_that_comes_back_says_something_else(change, words):
    before, after = announced()[0], announced(change=change)[0]
    assert words in " ".join(changes_between(before, after))
    if change == "reorder":
        assert sorted(before.ch_names) == sorted(after.ch_names)


@pytest.mark.parametrize("change", ["unplug", "rate"])
def test_a_stream_that_was_unplugged_says_the_same(change):
    assert changes_between(announced()[0], announced(change=change)[0]) == []


def test_a_description_is_as_long_as_it_is_asked_for():
    short, long = (len(tostring(announced(script)[1])) for script in ("", "bloat@0:5"))
    assert 4.5e6 < long - short < 6e6


def test_further_inputs_are_no_eeg_and_leave_the_eeg_alone(rng):
    info, _ = announced("more@0:992")
    assert len(info.ch_names) == len(info.units) == len(info.ch_types) == 1000
    assert set(info.ch_types[8:]) == {"AUX"}
    data = rng.standard_normal((5, 8)).astype(np.float32)
    wide = with_more(data, parse_faults("more@0:992"), rng)
    assert wide.shape == (5, 1000)
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide[:, :8], data)
    assert with_more(data, (), rng) is data


def test_a_rival_comes_sends_another_signal_and_goes():
    signal = TwinSignal("openbci-8", 250.0, seed=4)
    (fault,) = parse_faults("rival@3:2")
    rival = Rival(fault, signal, 0.02, 1)
    assert rival.due_s == 3.0
    assert list(rival.steps(2.9)) == []
    steps = [*rival.steps(4.0), *rival.steps(99.0)]
    assert isinstance(steps[0], Plugged)
    assert isinstance(steps[-1], Unplugged)
    packets = steps[1:-1]
    assert all(isinstance(step, Packet) for step in packets)
    stamps = np.concatenate([p.stamps_s for p in packets])
    np.testing.assert_allclose(stamps, 3.0 + np.arange(len(stamps)) / 250.0, atol=1e-9)
    assert stamps[-1] < 5.0
    assert rival.due_s == math.inf
    own = TwinSignal("openbci-8", 250.0, seed=4, start_s=3.0).read(len(stamps))
    other = np.concatenate([p.data for p in packets])
    assert np.abs(own - other).mean() > 0.5 * own.std()
