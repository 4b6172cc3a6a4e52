"""What arrives is counted, whatever its stamps say."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_source import NAMES

from neuript.realtime.chain.chunk import Chunk, SignalInfo
from neuript.realtime.decoding.arrivals import Arrivals

INFO = SignalInfo(name="amp", sfreq=250.0, ch_names=NAMES)


def chunk(n, at, first=0.0):
    return Chunk(np.zeros((n, len(NAMES)), np.float32), first + np.arange(n) / 250, pulled_at=at)


def heard(arrivals, n, *, seconds=20.0, every=0.02):
    for k in range(round(seconds / every)):
        arrivals.arrived(chunk(n, 100.0 + k * every))


@pytest.mark.parametrize(("n", "wrong"), [(5, False), (4, True), (6, True)])
def test_another_rate_is_wrong_and_said_once(caplog, n, wrong):
    arrivals = Arrivals(INFO)
    heard(arrivals, n)
    assert arrivals.wrong == wrong
    said = [r.getMessage() for r in caplog.records if "declares 250 Hz" in r.getMessage()]
    assert len(said) == wrong
    arrivals.reset()
    arrivals.arrived(chunk(n, 200.0))
    assert not arrivals.wrong


def test_a_replay_without_times_of_arrival_says_nothing():
    arrivals = Arrivals(INFO)
    for _ in range(999):
        arrivals.arrived(chunk(5, np.nan))
    assert not arrivals.wrong


@pytest.mark.parametrize(
    ("stamped_s", "passed_s", "lost"), [(3.004, 3.01, 750), (-500.0, 3.004, 750), (0.004, 0.02, 0), (np.nan, np.nan, 0)]
)
def test_what_a_reconnection_lost_is_counted_by_stamps_or_by_the_clock_here(stamped_s, passed_s, lost):
    arrivals = Arrivals(INFO)
    arrivals.arrived(chunk(5, 100.0))
    assert arrivals.lost_before(chunk(5, 100.0 + passed_s, 90.0 + stamped_s), 90.0, 250.0) == lost
