"""The amplifier of a session: silence is noticed and over, electrodes are counted, another amplifier is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from guided_specs import guided_spec

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.twin.signal import TwinSignal
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.guided.session_signal import STILL_S, SessionSignal

SFREQ = 250.0
INFO = SignalInfo(name="amp", sfreq=SFREQ, ch_names=("",) * 8, units=("",) * 8, ch_types=("EEG",) * 8, source_id="a")
NOTHING = np.empty((0, 8), np.float32), np.empty(0)


def signal(info: SignalInfo = INFO) -> SessionSignal:
    return SessionSignal(guided_spec(), SimpleNamespace(info=info))


def feed(parts: SessionSignal, data: np.ndarray, start_s: float = 0.0) -> list[bool]:
    """Half a second at a time; what each chunk changed."""
    step = round(SFREQ / 2)
    stamps = start_s + np.arange(len(data)) / SFREQ
    return [
        parts.take(Chunk(data[i : i + step], stamps[i : i + step], SourceStatus.OK, float(stamps[i : i + step][-1])))
        for i in range(0, len(data), step)
    ]


def eeg(seconds: float) -> np.ndarray:
    return TwinSignal("openbci-8", SFREQ, seed=3).read(round(seconds * SFREQ))


def test_a_short_silence_is_none_and_a_long_one_is_said_once_and_over_once():
    parts = signal()
    assert not any(feed(parts, eeg(4.0)))
    silent = [parts.take(Chunk(*NOTHING, SourceStatus.STALE, 4.0 + s)) for s in (0.5, STILL_S - 0.1)]
    assert not any(silent)
    assert parts.take(Chunk(*NOTHING, SourceStatus.STALE, 4.0 + STILL_S + 0.1))
    assert parts.away
    assert not parts.take(Chunk(*NOTHING, SourceStatus.LOST, 9.0))
    assert feed(parts, eeg(1.0), 10.0) == [True, False]
    assert not parts.away


def test_a_stream_that_is_gone_is_away_at_once():
    parts = signal()
    feed(parts, eeg(2.0))
    assert parts.take(Chunk(*NOTHING, SourceStatus.LOST, 2.1))


def test_an_electrode_that_fell_off_is_named_for_its_block_alone():
    parts, data = signal(), eeg(40.0)
    data[round(8 * SFREQ) : round(30 * SFREQ), 2] = data[round(8 * SFREQ), 2]
    parts.begin_block()
    feed(parts, data[: round(30 * SFREQ)])
    assert parts.lost_electrodes() == ["C3"]
    feed(parts, data[round(30 * SFREQ) :], 30.0)
    parts.begin_block()
    feed(parts, eeg(10.0), 40.0)
    assert parts.lost_electrodes() == []


@pytest.mark.parametrize(
    "other",
    [
        replace(INFO, sfreq=500.0),
        replace(INFO, ch_names=tuple("abcdefgh")),
        replace(INFO, ch_names=("",) * 4, units=("",) * 4, ch_types=("",) * 4),
    ],
)
def test_a_session_goes_on_with_the_amplifier_that_it_was_begun_with(tmp_path, other: SignalInfo):
    folder = SessionFolder.begin(tmp_path, guided_spec(), "2026-11-30")
    signal().same_as_before(folder)
    signal().same_as_before(folder)
    with pytest.raises(NeuriptError, match="begun with 8 channels at 250 Hz"):
        signal(other).same_as_before(folder)
