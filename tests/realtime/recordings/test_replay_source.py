"""Replay without a network: order, chunks, and the schedule of publication."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SourceStatus
from neuript.realtime.lsl.publisher import LslReplay, make_schedule
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.recordings.replay_source import ReplaySource, chunk_edges, play_times

SFREQ = 250.0


@pytest.fixture
def make(tmp_path, rng):
    """A recording with these stamps, and these (time, text) markers."""

    def build(stamps, markers=(), sfreq=SFREQ) -> Recording:
        data = rng.standard_normal((len(stamps), 2)).astype(np.float32)
        out = xdf_writer.session(data, np.asarray(stamps, float), list(markers), sfreq=sfreq)
        return read_recording(out.save(tmp_path / "a.xdf"))

    return build


def drain(source: ReplaySource) -> tuple[np.ndarray, np.ndarray, list[int]]:
    data, stamps, sizes = [], [], []
    while (chunk := source.pull(0.0)).status is SourceStatus.OK:
        assert chunk.data.flags.c_contiguous
        data.append(chunk.data)
        stamps.append(chunk.timestamps)
        sizes.append(len(chunk))
    assert len(chunk) == 0
    assert chunk.status is SourceStatus.ENDED
    assert source.pull(0.0).status is SourceStatus.ENDED
    return np.concatenate(data), np.concatenate(stamps), sizes


@pytest.mark.parametrize("chunk", [1, 7, 32, 100_000, "recorded"])
def test_every_chunking_delivers_the_same_samples(make, chunk):
    rec = make(100 + np.arange(1001) / SFREQ)
    source = ReplaySource(rec, chunk=chunk)
    assert source.info == rec.eeg.info
    assert source.n_left == 1001
    data, stamps, sizes = drain(source)
    np.testing.assert_array_equal(data, rec.eeg.data)
    np.testing.assert_array_equal(stamps, rec.eeg.timestamps)
    if isinstance(chunk, int):
        assert set(sizes[:-1]) <= {chunk}
    assert source.n_left == 0
    source.close()
    source.close()


def test_start(make):
    rec = make(100 + np.arange(1000) / SFREQ)
    source = ReplaySource(rec, start_s=2.0, chunk=32)
    _, stamps, sizes = drain(source)
    assert len(stamps) == 500
    assert stamps[0] == pytest.approx(102.0)
    assert sizes[0] == 12  # chunk borders stay where they are


def test_no_copy_of_the_signal_per_chunk(make):
    rec = make(100 + np.arange(64) / SFREQ)
    chunk = ReplaySource(rec, chunk=32).pull(0.0)
    assert np.shares_memory(chunk.data, rec.eeg.data)


@pytest.mark.parametrize("start_s", [0.0, 0.9])
def test_each_chunk_is_wholly_what_the_recording_calls_bad_or_not_at_all(make, start_s):
    rec = make(100 + np.arange(1000) / SFREQ)
    rec.eeg.marked_bad = ((500, 700), (10, 40), (20, 30), (40, 45), (600, 800), (650, 660), (990, 1000))
    expected = np.zeros(1000, np.bool_)
    for start, stop in rec.eeg.marked_bad:
        expected[start:stop] = True
    source, found = ReplaySource(rec, chunk=32, start_s=start_s), []
    while (chunk := source.pull()).status is SourceStatus.OK:
        found += [chunk.marked_bad] * len(chunk)
    np.testing.assert_array_equal(found, expected[round(start_s * SFREQ) :])


def test_many_bad_stretches_cost_no_more_than_many_chunks(make):
    """One look through all of them for each chunk took a minute."""
    rec = make(100 + np.arange(120_000) / SFREQ)
    rec.eeg.marked_bad = tuple((i, i + 1) for i in range(0, 120_000, 4))
    began = time.process_time()
    source, n_bad = ReplaySource(rec), 0
    while (chunk := source.pull()).status is SourceStatus.OK:
        n_bad += len(chunk) * chunk.marked_bad
    assert n_bad == 30_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize("chunk", [0, -3, "often"])
def test_impossible_chunks(make, chunk):
    with pytest.raises(ValueError, match="chunk="):
        ReplaySource(make([1.0, 1.004]), chunk=chunk)


def test_device_chunks_show_in_the_stamps(make, rng):
    """A driver that stamps chunks of 10: inside exact periods, between them the clock's jitter."""
    starts = 100 + np.arange(50) * 10 / SFREQ + rng.uniform(1e-5, 1e-3, 50)
    stamps = (starts[:, None] + np.arange(10) / SFREQ).ravel()
    np.testing.assert_array_equal(chunk_edges(make(stamps).eeg, "recorded"), np.arange(0, 501, 10))
    bursts = np.repeat(starts, 10) + np.tile(np.arange(10) * 1e-6, 50)
    np.testing.assert_array_equal(chunk_edges(make(bursts).eeg, "recorded"), np.arange(0, 501, 10))
    jitter = 100 + np.arange(500) / SFREQ + rng.uniform(1e-5, 3e-3, 500).cumsum() % 3e-3
    assert len(chunk_edges(make(jitter).eeg, "recorded")) > 400


def test_perfect_stamps_give_moderate_chunks(make):
    edges = chunk_edges(make(100 + np.arange(1000) / SFREQ).eeg, "recorded")
    assert edges[0] == 0
    assert edges[-1] == 1000
    assert np.diff(edges).max() <= 32


def test_play_time_never_runs_backwards_and_keeps_gaps(make):
    stamps = 1000 + np.arange(20) / SFREQ
    stamps[5] -= 0.010  # a burst, late by a little
    stamps[10:] += 2.0  # a gap
    stamps[15:] -= 700.0  # the clock steps back
    times = play_times(make(stamps).eeg) - 1000
    assert (np.diff(times) >= 0).all()
    assert times[5] == times[4]
    assert times[10] - times[9] == pytest.approx(2.0 + 1 / SFREQ)
    assert times[15] - times[14] == pytest.approx(1 / SFREQ)


# --- schedule of publication ------------------------------------------------------------------


def test_the_schedule_publishes_everything_once_in_order(make):
    stamps = 100 + np.arange(500) / SFREQ
    markers = [(100.5, "a"), (100.5, "b"), (99.0, "early"), (101.99, "z")]
    rec = make(stamps, sorted(markers))
    plan = make_schedule(rec, chunk=32)
    assert (np.diff(plan.due_s) >= 0).all()
    for i, stream in enumerate(rec.streams):
        mine = plan.stream == i
        spans = [np.arange(a, b) for a, b in zip(plan.start[mine], plan.stop[mine], strict=True)]
        np.testing.assert_array_equal(np.concatenate(spans), np.arange(len(stream)))
        last = stream.timestamps[plan.stop[mine] - 1]
        np.testing.assert_allclose(plan.due_s[mine] + plan.origin, last, atol=1e-9)
    assert plan.origin == pytest.approx(99.0)  # a marker just before the EEG belongs to it
    assert plan.duration_s == pytest.approx(1.0 + 500 / SFREQ)


def test_a_sample_is_never_published_before_it_was_recorded(make, rng):
    stamps = 100 + np.arange(400) / SFREQ + rng.normal(0, 2e-3, 400)
    plan = make_schedule(make(stamps), chunk="recorded")
    for due_s, start, stop in zip(plan.due_s, plan.start, plan.stop, strict=True):
        assert due_s + plan.origin >= stamps[start:stop].max() - 1e-9


def test_schedule_from_the_middle(make):
    rec = make(100 + np.arange(500) / SFREQ, [(100.1, "before"), (101.5, "after")])
    plan = make_schedule(rec, chunk=32, start_s=1.0)
    marker = rec.streams.index(rec.marker_streams[0])
    assert plan.start[plan.stream == marker].tolist() == [1]
    assert plan.start[plan.stream == 1 - marker][0] == 250
    assert plan.due_s[plan.stream == marker] == pytest.approx([0.5])
    direct = ReplaySource(rec, start_s=1.0)
    assert direct.pull().timestamps[0] == rec.eeg.timestamps[250]


def test_markers_from_another_clock_or_hours_earlier_do_not_delay(make):
    rec = make(100_000 + np.arange(500) / SFREQ, [(99_000.0, "old"), (100_001.0, "now")])
    plan = make_schedule(rec)
    assert plan.due_s[-1] < 70
    rec = make(100_000 + np.arange(500) / SFREQ, [(1.7e9, "unix")])
    assert make_schedule(rec).duration_s < 3
    assert len(LslReplay(rec).published) == 1


@pytest.mark.parametrize("start_s", [-1.0, 3.0, float("nan")])
def test_start_outside_is_refused(make, start_s):
    with pytest.raises(NeuriptError, match=r"outside the recording, which lasts 2\.0 s"):
        make_schedule(make(100 + np.arange(500) / SFREQ), start_s=start_s)
    with pytest.raises(NeuriptError, match=r"outside the recording, which lasts 2\.0 s"):
        ReplaySource(make(100 + np.arange(500) / SFREQ), start_s=start_s)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_speed_is_refused(make, speed):
    with pytest.raises(NeuriptError, match="--speed"):
        LslReplay(make([1.0, 1.004]), speed=speed)
