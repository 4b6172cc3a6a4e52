"""neuript-replay in its own process, heard by an independent LSL client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import xdf_writer
from processes import Child, neuript, running
from waiting import wait_for

from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.header import parse_xml, signal_info
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.replay_source import ReplaySource

pytestmark = pytest.mark.lsl
SFREQ, GAP_S = 250.0, 0.6


@pytest.fixture
def recording(tmp_path, rng):
    """2 s of jittering EEG in device chunks of 10 with a gap, NaN, markers, an int16 stream."""
    n = 500
    stamps = 5000 + np.arange(n) / SFREQ
    stamps += np.repeat(rng.uniform(1e-5, 1e-3, n // 10), 10)
    stamps[250:] += GAP_S
    data = (20 * rng.standard_normal((n, 3))).astype(np.float32)
    data[17, 1] = np.nan
    markers = [(5000.3, "left"), (5000.300001, "ünïcode,1"), (5002.4, "")]
    desc = "<reference><label>A1</label><label>A2</label></reference><cap><name>Ca&amp;p</name></cap>"
    out = xdf_writer.session(
        data, stamps, markers, sfreq=SFREQ, desc=desc, source_id=f"test-{uuid.uuid4().hex[:8]}",
        labels=["C3", "Cz", "C4"], name="Replay test", unit="µV",
    )  # fmt: skip
    out.stream(3, "Counter", "Misc", 2, 50.0, "int16", source_id=f"test-{uuid.uuid4().hex[:8]}")
    counts = np.column_stack([np.arange(100), -np.arange(100)])
    out.samples(3, (5000.1 + np.arange(100) / 50).tolist(), counts)
    return read_recording(out.save(tmp_path / "session.xdf"))


@contextmanager
def replaying(recording, *options: str) -> Iterator[Child]:
    with running(neuript("replay", recording.path, "--json", *options)) as child:
        yield child


def listen(source_id: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("source_id", source_id, timeout=15)
    assert len(found) == 1
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(timeout=10)
    return inlet


class Heard:
    """Everything an inlet has delivered, with the time of arrival of each sample."""

    def __init__(self, source_id: str) -> None:
        self.inlet = listen(source_id)
        self.info = self.inlet.info(timeout=10)
        self.values: list = []
        self.stamps: list[float] = []
        self.arrived: list[float] = []

    def pull(self) -> None:
        values, stamps = self.inlet.pull_chunk(timeout=0.0, max_samples=4096)
        if stamps:
            self.values.extend(values)
            self.stamps.extend(stamps)
            self.arrived.extend([pylsl.local_clock()] * len(stamps))


def pull_until(heard: list[Heard], done, timeout_s: float = 30.0) -> None:
    def pulled() -> bool:
        for one in heard:
            one.pull()
        return done()

    wait_for(pulled, timeout_s, lambda: [len(h.stamps) for h in heard], poll_s=0.002)


def hear_all(recording) -> list[Heard]:
    order = sorted(recording.streams, key=lambda s: s is recording.eeg)  # the EEG starts it
    heard = {id(s): Heard(s.info.source_id) for s in order}
    return [heard[id(s)] for s in recording.streams]


def test_everything_arrives_as_it_was_recorded(recording):
    with replaying(recording, "--wait-for-consumers", "20") as child:
        heard = hear_all(recording)
        pull_until(heard, lambda: all(
            len(h.stamps) >= len(s) for h, s in zip(heard, recording.streams, strict=True)
        ))  # fmt: skip
        assert child.wait(20) == 0, child.err
        started, ended = map(json.loads, child.lines)
    assert (started["event"], ended["event"]) == ("started", "ended")
    assert ended["n_samples"] == sum(map(len, recording.streams))

    for one, stream in zip(heard, recording.streams, strict=True):
        # stamps: moved by one constant, to the rounding of a double
        shift = started["lsl_start"] - started["recorded_start"]
        np.testing.assert_allclose(np.array(one.stamps) - shift, stream.timestamps, atol=2e-9)
        np.testing.assert_allclose(np.diff(one.stamps), np.diff(stream.timestamps), rtol=0, atol=2e-9)
        # nothing comes before it was recorded
        assert (np.array(one.arrived) >= np.array(one.stamps) - 1e-4).all()
        if stream.is_text:
            assert [tuple(v) for v in one.values] == stream.values
        else:
            got = np.array(one.values, dtype=stream.values.dtype)
            np.testing.assert_array_equal(got.view(np.uint8), stream.values.view(np.uint8))

    # metadata: the whole description, and what a decoder reads from it
    for one, stream in zip(heard, recording.streams, strict=True):
        sent = parse_xml(one.info.as_xml()).find("desc")
        replay_note = sent.find("replay")
        assert replay_note.findtext("format") == "XDF"
        assert "session.xdf" not in one.info.as_xml()  # a file may be called after a person
        assert replay_note.findtext("recorded_hostname") == "lab"
        sent.remove(replay_note)
        assert _flat(sent) == _flat(stream.header.find("desc"))
        live, said = signal_info(one.info.as_xml()), stream.info
        for name in ("name", "sfreq", "ch_names", "units", "ch_types", "stype", "source_id",
                     "channel_format", "reference", "positions_m"):  # fmt: skip
            assert getattr(live, name) == getattr(said, name), name

    # the gap is a gap in time too, and chunks come as the device sent them
    eeg = heard[recording.eeg_index]
    assert eeg.arrived[250] - eeg.arrived[249] > GAP_S / 2
    # markers lie where they lay
    events = events_of(recording)
    markers = heard[1]
    first = recording.eeg.timestamps[0]
    for stamp, event in zip(markers.stamps, events, strict=True):
        assert stamp - eeg.stamps[0] == pytest.approx(event.time_s - first, abs=1e-8)


def _flat(element) -> list[tuple[str, str]]:
    return [(e.tag, (e.text or "").strip()) for e in element.iter()]


@pytest.mark.parametrize(("more", "divisor"), [([], 3), (["--recorded-stamps"], 1)])
def test_direct_replay_and_lsl_deliver_the_same_bits(recording, more, divisor):
    options = ["--wait-for-consumers", "20", "--speed", "3", "--chunk", "7", *more]
    with replaying(recording, *options):
        heard = Heard(recording.eeg.info.source_id)
        pull_until([heard], lambda: len(heard.stamps) >= 500)
    source, direct = ReplaySource(recording), []
    while len(chunk := source.pull()):
        direct.append(chunk.data)
    live = np.array(heard.values, dtype=np.float32)
    np.testing.assert_array_equal(live.view(np.uint32), np.concatenate(direct).view(np.uint32))
    assert heard.arrived[-1] - heard.arrived[0] < 2.0  # 2.6 s of recording, three times as fast
    spacing = np.diff(recording.eeg.timestamps) / divisor
    np.testing.assert_allclose(np.diff(heard.stamps), spacing, atol=2e-9)
    assert signal_info(heard.info.as_xml()).units == source.info.units


def test_loop_goes_on_without_a_seam_until_interrupted(recording):
    with replaying(
        recording, "--wait-for-consumers", "20", "--speed", "4", "--loop", "--start", "1.5",
        "--suffix=-b",
    ) as child:  # fmt: skip
        heard = Heard(recording.eeg.info.source_id + "-b")
        assert heard.info.name() == "Replay test-b"
        n_pass = len(recording.eeg) - np.searchsorted(recording.eeg.timestamps, recording.eeg.timestamps[0] + 1.5)
        pull_until([heard], lambda: len(heard.stamps) > 2 * n_pass + 50)
        child.interrupt()
        assert child.wait(20) == 130
        assert "interrupted" in child.err
        assert "Traceback" not in child.err
        assert json.loads(child.lines[-1])["event"] == "ended"
    values = np.array(heard.values, dtype=np.float32)
    np.testing.assert_array_equal(values[n_pass : 2 * n_pass], values[:n_pass])
    np.testing.assert_array_equal(values[:n_pass], recording.eeg.data[-n_pass:])
    steps = np.diff(heard.stamps) * 4
    assert steps[n_pass - 1] < 0.2  # other streams end a little later than the EEG
    assert steps[n_pass - 1] > 1 / SFREQ - 1e-6


def test_nobody_listens(recording):
    with replaying(recording, "--wait-for-consumers", "0.3") as child:
        assert child.wait(20) == 2
        assert "nobody listened to 'Replay test' within 0.3 s" in child.err
        assert child.out == ""


def test_formats_of_mne_are_published_with_units_and_annotations(tmp_path, rng):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((2, 400))
    info = mne.create_info(["C3", "C4"], 200.0, "eeg")
    raw = mne.io.RawArray(volts, info, verbose="error")
    raw.set_annotations(mne.Annotations([0.5], [0.0], ["left_hand"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    rec = read_recording(tmp_path / "a_raw.fif")
    with replaying(rec, "--wait-for-consumers", "20", "--speed", "2"):
        heard = hear_all(rec)
        pull_until(heard, lambda: len(heard[0].stamps) >= 400 and len(heard[1].stamps) >= 1)
    np.testing.assert_array_equal(np.array(heard[0].values, np.float32), rec.eeg.data)
    said = signal_info(heard[0].info.as_xml())
    assert (said.ch_names, said.units) == (("C3", "C4"), ("microvolts",) * 2)
    assert heard[1].values == [["left_hand"]]
    assert 2 * (heard[1].stamps[0] - heard[0].stamps[0]) == pytest.approx(0.5, abs=1e-6)
