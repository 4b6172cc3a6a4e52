"""`neuript simulate` in its own process, heard by an independent LSL client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from processes import Child, neuript, running
from waiting import wait_for

from neuript.montages import load_montage
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.header import signal_info
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject

pytestmark = pytest.mark.lsl
SFREQ = 250.0


@contextmanager
def simulating(*options: str) -> Iterator[tuple[Child, str]]:
    source_id = f"test-twin-{uuid.uuid4().hex[:10]}"
    words = ("--json", "--wait-for-consumers", "--source-id", source_id, "--montage", "openbci-8", *options)
    with running(neuript("simulate", *words)) as child:
        yield child, source_id


class Heard:
    """What one inlet has delivered, and when each sample arrived."""

    def __init__(self, source_id: str, *, not_uid: str = "") -> None:
        # an outlet that is being destroyed may still answer for some milliseconds
        predicate = f"source_id='{source_id}' and uid!='{not_uid}'"
        found = pylsl.resolve_bypred(predicate, timeout=20)
        assert len(found) == 1
        self.inlet = pylsl.StreamInlet(found[0], recover=False)
        self.inlet.open_stream(timeout=10)
        self.xml = self.inlet.info(timeout=10).as_xml()
        self.values: list = []
        self.stamps: list[float] = []
        self.arrived: list[float] = []

    def pull(self, timeout: float = 0.0) -> int:
        values, stamps = self.inlet.pull_chunk(timeout=timeout, max_samples=4096)
        now = pylsl.local_clock()
        self.values += values
        self.stamps += stamps
        self.arrived += [now] * len(stamps)
        return len(stamps)

    @property
    def data(self) -> np.ndarray:
        return np.asarray(self.values, dtype=np.float32)


def pull_until(condition, *heard: Heard, within_s: float = 20.0) -> None:
    def pulled() -> bool:
        for one in heard:
            one.pull(0.02)
        return condition()

    wait_for(pulled, within_s, poll_s=0)


def test_streams_say_what_they_are_and_carry_the_twin():
    with simulating("--seed", "5", "--duration", "30") as (child, source_id):
        markers = Heard(f"{source_id}-markers")
        intents = Heard(f"{source_id}-intent")
        eeg = Heard(source_id)
        pull_until(lambda: len(intents.stamps) >= 1 and len(eeg.stamps) > 1000, eeg, markers, intents)
        child.interrupt()
        assert child.wait(20) == 130
        started, ended = map(json.loads, child.lines)
        assert "simulated" in child.err

    info = signal_info(eeg.xml)
    montage = load_montage("openbci-8")
    assert info.simulated
    assert info.stype == "EEG"
    assert "simulated" in info.name
    assert info.manufacturer == "neuript (simulated)"
    assert info.ch_names == montage.electrodes
    assert set(info.units) == {"microvolts"}
    assert info.reference == "A1, A2"
    for label, position in zip(montage.electrodes, montage.electrode_pos_m, strict=True):
        np.testing.assert_allclose(info.positions_m[label], position, atol=1e-6)
    assert signal_info(markers.xml).stype == "Markers"
    assert "simulated" in signal_info(markers.xml).name
    assert signal_info(intents.xml).stype == "Intent"

    # the very samples of the twin, the first among them, with the stamps that they should have
    twin = TwinSignal("openbci-8", SFREQ, Subject(seed=5), seed=5)
    first = round((eeg.stamps[0] - started["lsl_start"]) * SFREQ)
    assert 0 <= first < 25
    n = len(eeg.stamps)
    np.testing.assert_array_equal(eeg.data, twin.read(first + n)[first:])
    expected = started["lsl_start"] + (first + np.arange(n)) / SFREQ
    np.testing.assert_allclose(eeg.stamps, expected, atol=1e-6)

    # cues and truth at their own time
    plan = twin.events(0.0, 30.0)
    heard = list(zip(markers.stamps, [v[0] for v in markers.values], strict=True))
    assert [label for _, label in heard] == [e.label for e in plan[: len(heard)]]
    assert [label for _, label in heard][:2] == ["trial_start", plan[1].label]
    for (stamp, _), event in zip(heard, plan, strict=False):
        assert stamp - started["lsl_start"] == pytest.approx(event.time_s, abs=1e-6)
    truth = twin.intent_events(0.0, 30.0)[0]
    assert intents.values[0][0] == truth.label
    assert intents.stamps[0] - started["lsl_start"] == pytest.approx(truth.time_s, abs=1e-6)
    assert ended["n_samples"] >= n


def test_pace_is_real_time_without_drift_and_chunks_are_short():
    with simulating("--duration", "30", "--chunk", "20") as (_, source_id):
        eeg = Heard(source_id)
        pull_until(lambda: len(eeg.stamps) > 6 * SFREQ, eeg)
    age = np.array(eeg.arrived) - np.array(eeg.stamps)
    settled = age[250:]
    assert np.median(settled) < 0.06
    early, late = np.median(age[250:600]), np.median(age[-350:])
    assert abs(late - early) < 0.02


def test_gap_flat_and_clock_step_on_the_wire():
    script = "gap@1:0.5,flat:C3@2:1,clock@3.5:0.3"
    with simulating("--faults", script, "--duration", "30") as (child, source_id):
        eeg = Heard(source_id)
        pull_until(lambda: len(eeg.stamps) > 4.5 * SFREQ, eeg)
        child.interrupt()
        child.wait(20)
        out, err = child.lines, child.err
    t = np.array(eeg.stamps) - json.loads(out[0])["lsl_start"]
    steps = np.diff(t)
    jumps = np.flatnonzero(steps > 0.1)
    assert len(jumps) == 2
    np.testing.assert_allclose(steps[jumps], [0.504, 0.304], atol=1e-3)
    np.testing.assert_allclose(np.delete(steps, jumps), 1 / SFREQ, atol=1e-6)
    c3 = eeg.data[(t >= 2.001) & (t < 2.999), load_montage("openbci-8").electrodes.index("C3")]
    assert len(c3) > 240
    assert np.ptp(c3) == 0.0
    assert "gap for 0.5 s" in err


def test_unplug_returns_as_the_same_device_at_another_rate():
    with simulating("--faults", "rate@1:1.5:500", "--duration", "40") as (_, source_id):
        eeg = Heard(source_id)
        with pytest.raises(pylsl.util.LostError):
            pull_until(lambda: False, eeg, within_s=20)
        lost_after = len(eeg.stamps)
        again = Heard(source_id, not_uid=signal_info(eeg.xml).uid)
        assert signal_info(again.xml).sfreq == 500.0
        pull_until(lambda: len(again.stamps) > 500, again)
    assert 200 <= lost_after <= 250
    np.testing.assert_allclose(np.diff(again.stamps), 1 / 500.0, atol=1e-6)
    assert again.stamps[0] - eeg.stamps[-1] > 1.4


def test_declared_unit_and_labels_can_be_wrong_on_purpose():
    with simulating("--unit", "volts", "--no-labels") as (_, source_id):
        info = signal_info(Heard(source_id).xml)
    assert info.ch_names == ("",) * 8
    with simulating("--unit", "volts") as (_, source_id):
        assert set(signal_info(Heard(source_id).xml).units) == {"volts"}
