"""A source that begins with zeros is judged, and decoded, from where its signal begins; nothing after that is lost."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.live.intake import take_in
from neuript.realtime.live.woken_channels import WokenChannels

MODEL = load_montage("10-20").pick(["Fz", "C3", "Cz", "C4", "Pz"])
NAMES = ("Fz", "C3", "Cz", "C4", "Pz")
SFREQ = 250.0


class Stream:
    """Plays samples in chunks, as a recording or (with `live`) with the time at which they were pulled."""

    def __init__(self, x, *, size=20, live=False):
        self.x, self.size, self.live, self.at = np.asarray(x, np.float32), size, live, 0
        self.info = SignalInfo(name="amp", sfreq=SFREQ, ch_names=NAMES, units=("microvolts",) * 5)

    def pull(self, timeout_s, n_min=1):
        part = slice(self.at, self.at + self.size)
        self.at = part.stop
        data = self.x[part]
        stamps = 100 + np.arange(part.start, part.start + len(data)) / SFREQ
        chunk = Chunk(data, stamps, SourceStatus.OK if len(data) else SourceStatus.ENDED)
        return replace(chunk, pulled_at=float(stamps[-1])) if self.live and len(data) else chunk

    def close(self):
        pass


@pytest.fixture
def eeg(rng):
    """Eight seconds of made-up EEG in microvolts, shape (2000, 5)."""
    t = np.arange(2000)[:, None] / SFREQ
    return 10 * np.sin(2 * np.pi * 9.7 * t + np.arange(5)) + rng.normal(scale=8, size=(2000, 5))


def rest_of(source):
    chunks = []
    while len(chunk := source.pull(0.0)):
        chunks.append(chunk)
    return np.concatenate([c.data for c in chunks]), np.concatenate([c.timestamps for c in chunks])


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("silence", [0.0, 7.5, np.nan])
@pytest.mark.parametrize(("n_silent", "size"), [(750, 20), (751, 333), (1990, 2000)])
def test_what_is_heard_begins_with_the_signal(eeg, live, silence, n_silent, size):
    late = np.concatenate([np.full((n_silent, 5), silence), eeg])
    intake = take_in(Stream(late, size=size, live=live), MODEL)
    assert any(f"the first {n_silent / SFREQ:.1f} s hold no signal" in note for note in intake.notes)
    data, stamps = rest_of(intake.source)
    np.testing.assert_array_equal(data, eeg.astype(np.float32))
    assert stamps[0] == pytest.approx(100 + n_silent / SFREQ)
    assert intake.first_t == 100.0
    assert (intake.bads, intake.plan.text()) == ((), take_in(Stream(eeg), MODEL).plan.text())


def test_a_signal_that_is_there_at_once_is_all_of_it(eeg):
    eeg[:40] = 0  # 0.16 s
    intake = take_in(Stream(eeg), MODEL)
    np.testing.assert_array_equal(rest_of(intake.source)[0], eeg.astype(np.float32))
    assert not any("no signal" in note for note in intake.notes)


@pytest.mark.parametrize(("live", "n"), [(True, 100_000), (False, 5000)])
def test_where_none_begins_it_is_refused_as_before(live, n):
    source = Stream(np.zeros((n, 5)), live=live)
    with pytest.raises(NeuriptError, match="is the cap connected"):
        take_in(source, MODEL)
    assert source.at <= 10.5 * SFREQ or not live


def test_a_channel_that_wakes_up_is_told_once(eeg, caplog, scripted_decoder):
    decoder = scripted_decoder
    woken = WokenChannels(decoder, ["Cz"])
    for _ in range(60):
        decoder.step(0.0)
        woken.tell()
    texts = [record.getMessage() for record in caplog.records if "dead at the start" in record.getMessage()]
    assert texts == ["Cz was dead at the start and is interpolated; it carries a signal now: start again to use it"]


@pytest.fixture
def scripted_decoder(rng):
    """A decoder whose second of five channels is flat for 3 s and well for the 57 s after."""
    x = rng.normal(scale=8, size=(15_000, 5)).astype(np.float32)
    x[:750, 2] = 0
    conditioner = Conditioner(PreprocessSpec(), np.eye(5), 1e-6, SFREQ)
    source = Stream(x, size=250)

    def step(timeout_s):
        chunk = source.pull(timeout_s)
        list(conditioner.push(chunk.data, chunk.timestamps))

    return SimpleNamespace(source=source, conditioner=conditioner, step=step)
