"""Fault scripts, the amplifier without a network, and the twin as a source."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SourceStatus
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import Device, Plugged, Unplugged
from neuript.realtime.twin.faults import KINDS, Fault, parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.signal_faults import SignalFaults
from neuript.realtime.twin.twin_source import TwinSource

SFREQ = 250.0


def signal(seed=1, sfreq=SFREQ):
    return TwinSignal("openbci-8", sfreq, seed=seed)


def steps(script, until_s, chunk_s=0.02, sfreq=SFREQ):
    device = Device(signal(sfreq=sfreq), chunk_s, parse_faults(script))
    return list(itertools.takewhile(lambda s: s.due_s < until_s, device.steps()))


def packets(script, until_s, **options):
    return [s for s in steps(script, until_s, **options) if isinstance(s, Packet)]


def joined(found):
    return np.concatenate([p.data for p in found]), np.concatenate([p.stamps_s for p in found])


# --- the script ---


def test_a_script_is_read_in_order_of_time():
    first, second = parse_faults(" flat:C3@20:5 , gap@10:0.5")
    assert first == Fault(kind="gap", at_s=10.0, duration_s=0.5)
    assert second == Fault(kind="flat", at_s=20.0, duration_s=5.0, channel="C3")
    assert parse_faults("") == ()


def test_defaults_and_values():
    (jitter,) = parse_faults("jitter@3")
    assert (jitter.duration_s, jitter.value) == (5.0, 8.0)
    (clock,) = parse_faults("clock@3:-0.25")
    assert (clock.value, clock.end_s) == (-0.25, math.inf)
    (rate,) = parse_faults("rate@3::500")
    assert (rate.duration_s, rate.value) == (3.0, 500.0)
    (forever,) = parse_faults("flat:Cz@1:inf")
    assert forever.end_s == math.inf


def test_every_kind_can_be_written_and_says_what_it_does():
    for name, kind in KINDS.items():
        needed = "300" if kind.unit == "hz" else "2" if kind.value is not None and math.isnan(kind.value) else ""
        at = 0 if name in ("bloat", "more") else 5
        text = f"{name}@{at}" + (("" if kind.duration_s is None else ":") + f":{needed}" if needed else "")
        (fault,) = parse_faults(text)
        assert fault.kind == name
        assert kind.does in fault.text()


def test_yaml_scripts(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n  - gap@10:0.5\n  - {fault: flat, at: 20, for: 5, channel: C3}\n")
    assert parse_faults(path) == parse_faults("gap@10:0.5,flat:C3@20:5")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("hole@3", "unknown fault 'hole'"),
        ("gap", "not understood"),
        ("gap@soon", "'soon' is not a number"),
        ("gap@-1", "say when"),
        ("gap@1:0", "above zero"),
        ("gap@1:2:3", "takes no value"),
        ("gap@1:2:3:4", "too many"),
        ("gap:C3@1", "all channels"),
        ("clock@3", "needs a value"),
        ("rate@3:1", "needs a value"),
        ("gain@3:1", "needs a value"),
        ("pace@3:1:-100", "more than -100"),
        ("lose@3:1:1", "a whole number from 2 on"),
        ("holes@3:1:2.5", "a whole number from 2 on"),
        ("bloat@3:5", "from the start; write bloat@0:MB"),
        ("bloat@0:500", "at most 20"),
        ("more@0:1e9", "at most 2000"),
        ("unplug@3:2,relabel@4:1", "before the amplifier is back"),
        ("rate@3:1:50", "a rate of 50 Hz; use 100 to 20000$"),
        ("burst@3:1:0", "above zero"),
        ("unplug@3:inf", "has no end"),
        ("unplug@3:2,rate@4:1:500", "before the amplifier is back"),
    ],
)
def test_scripts_that_are_refused_say_why(script, words):
    with pytest.raises(NeuriptError, match=words):
        parse_faults(script)


@pytest.mark.parametrize("text", ["gap: 3", "[3]", "[{fault: gap, when: 3}]", "[{fault: gap, at: x}]", "a: [", "3"])
def test_yaml_that_is_refused(tmp_path, text):
    path = tmp_path / "bad.yml"
    path.write_text(text)
    with pytest.raises(NeuriptError):
        parse_faults(path)
    with pytest.raises(NeuriptError, match="cannot be read"):
        parse_faults(tmp_path / "none.yaml")


# --- the numbers ---


def test_numbers_break_where_and_when_told_and_input_stays(rng):
    names = ("C3", "Cz", "C4")
    script = "flat:C3@1:1,nan:Cz@1:1,rail:C4@1:1"
    faults = SignalFaults(parse_faults(script), names, SFREQ)
    t = np.arange(750) / SFREQ
    data = rng.standard_normal((750, 3)).astype(np.float32)
    before = data.copy()
    out = np.concatenate([faults.apply(data[i : i + 10], t[i : i + 10]) for i in range(0, 750, 10)])
    np.testing.assert_array_equal(data, before)
    broken = (t >= 1) & (t < 2)
    np.testing.assert_array_equal(out[~broken], data[~broken])
    assert (out[broken, 0] == data[250, 0]).all()
    assert np.isnan(out[broken, 1]).all()
    assert np.abs(out[broken, 2] - 187_500.0).max() < 6.0


def test_hum_has_its_height_and_frequency():
    faults = SignalFaults(parse_faults("mains@0:4:30"), ("C3",), SFREQ, mains_hz=60.0)
    t = np.arange(1000) / SFREQ
    out = faults.apply(np.zeros((1000, 1), np.float32), t)[:, 0]
    spectrum = np.abs(np.fft.rfft(out))
    assert np.argmax(spectrum) == 240  # 60 Hz in 4 s
    assert out.std() == pytest.approx(30 * 1.3, rel=1e-3)


def test_unknown_channel_is_refused():
    with pytest.raises(NeuriptError, match="names channel 'XY'"):
        Device(signal(), faults=parse_faults("flat:XY@1"))


# --- the amplifier without a network ---


@pytest.mark.parametrize("chunk_s", [0.004, 0.02, 0.1, 0.33])
def test_without_faults_the_chunks_are_the_signal(chunk_s):
    found = packets("", 5.0, chunk_s=chunk_s)
    data, stamps = joined(found)
    assert data.tobytes() == signal().read(len(data)).tobytes()
    np.testing.assert_allclose(stamps, np.arange(len(data)) / SFREQ, atol=1e-12)
    assert all(p.due_s == p.stamps_s[-1] for p in found)
    assert {len(p.data) for p in found} == {max(1, round(chunk_s * SFREQ))}


def test_gap_loses_samples_and_keeps_their_time():
    data, stamps = joined(packets("gap@2:0.5", 5.0))
    whole = signal().read(1500)
    kept = np.round(stamps * SFREQ).astype(int)
    assert set(range(kept[-1])) - set(kept.tolist()) == set(range(500, 625))
    np.testing.assert_array_equal(data, whole[kept])


def test_clock_steps_and_stays():
    _, stamps = joined(packets("clock@2:-0.25", 4.0))
    n = len(stamps)
    expected = np.arange(n) / SFREQ - np.where(np.arange(n) >= 500, 0.25, 0.0)
    np.testing.assert_allclose(stamps, expected, atol=1e-12)


def test_jitter_scatters_whole_chunks():
    _, stamps = joined(packets("jitter@1:20:8", 20.0))
    error = stamps - np.arange(len(stamps)) / SFREQ
    assert np.abs(error[:245]).max() < 1e-12
    assert error[260:].std() == pytest.approx(0.008, rel=0.2)


def test_burst_comes_in_lumps_with_equal_stamps():
    found = [p for p in packets("burst@1:2:0.25", 3.0) if p.due_s > 1.1]
    lumps = {round(p.due_s, 9) for p in found if p.due_s < 2.99}
    assert lumps <= {1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75}
    assert len(lumps) == 7
    for packet in found:
        if packet.due_s in lumps:
            np.testing.assert_allclose(packet.stamps_s, packet.due_s)


def test_stall_comes_late_with_right_stamps():
    found = packets("stall@1:1", 4.0)
    data, stamps = joined(found)
    np.testing.assert_allclose(stamps, np.arange(len(data)) / SFREQ, atol=1e-12)
    late = [p for p in found if p.stamps_s[-1] >= 1.0 and p.stamps_s[0] < 2.0]
    assert all(p.due_s >= 2.0 for p in late)
    assert len(late) > 40


@pytest.mark.parametrize("script", ["unplug@2:1", "rate@2:1:500"])
def test_unplug_goes_and_comes_back(script):
    found = steps(script, 5.0)
    kinds = [type(s) for s in found]
    gone, back = kinds.index(Unplugged), kinds.index(Plugged)
    assert back == gone + 1
    assert (found[gone].due_s, found[back].due_s) == (2.0, 3.0)
    before, after = joined(found[:gone])[1], joined(found[back + 1 :])[1]
    rate = found[back].sfreq
    assert rate == (500.0 if script.startswith("rate") else 250.0)
    np.testing.assert_allclose(before, np.arange(500) / SFREQ, atol=1e-12)
    np.testing.assert_allclose(after, 3.0 + np.arange(len(after)) / rate, atol=1e-9)


def test_after_an_unplug_the_trials_go_on():
    device = Device(signal(), faults=parse_faults("unplug@2:1"))
    planned = signal().events(0.0, 40.0)
    for step in device.steps():
        if step.due_s > 5.0:
            break
    assert device.signal.start_s == 3.0
    assert device.signal.events(0.0, 40.0) == planned


@pytest.mark.parametrize("script", ["stall@1:2,unplug@2:2", "burst@1:3:1,gap@1.5:1,unplug@2:1"])
def test_nothing_leaves_before_what_came_earlier(script):
    due = [s.due_s for s in steps(script, 8.0)]
    assert due == sorted(due)


@pytest.mark.parametrize("chunk_s", [0.0, -1.0, 6.0])
def test_absurd_chunks_are_refused(chunk_s):
    with pytest.raises(NeuriptError, match="chunk"):
        Device(signal(), chunk_s)


def kept(script, until_s=5.0):
    """What arrives, and the number of the sample that each was."""
    data, stamps = joined(packets(script, until_s))
    whole = {row.tobytes(): number for number, row in enumerate(signal().read(1500))}
    return data, stamps, np.array([whole.get(row.tobytes(), -1) for row in data])


@pytest.mark.parametrize(("script", "n"), [("lose@2:1:50", 5), ("thin@2:1:125", 248), ("lag@2:1:5", 50)])
def test_every_nth_is_lost(script, n):
    _, stamps, number = kept(script)
    lost = np.setdiff1d(np.arange(number[-1]), number)
    assert len(lost) == n
    assert ((lost >= 500) & (lost < 750)).all()
    behind = number / SFREQ - stamps
    if script.startswith("lag"):
        np.testing.assert_allclose(behind[number >= 750], 0.2, atol=1e-9)
        np.testing.assert_allclose(np.diff(stamps), 1 / SFREQ, atol=1e-9)
    else:
        np.testing.assert_allclose(behind, 0.0, atol=1e-9)


@pytest.mark.parametrize("script", ["swap@2:1", "reverse@2:1", "shuffle@2:1:100"])
def test_the_order_is_wrong_and_nothing_else(script):
    _, stamps, number = kept(script)
    np.testing.assert_allclose(number / SFREQ, stamps, atol=1e-9)
    assert sorted(number) == list(range(len(number)))
    wrong = number != np.arange(len(number))
    assert wrong[500:750].mean() > 0.5
    assert not wrong[:500].any()
    assert not wrong[760:].any()


def test_a_block_comes_a_second_time_afterwards():
    _, stamps, number = kept("twice@2:0.5")
    np.testing.assert_allclose(number / SFREQ, stamps, atol=1e-9)
    again = np.flatnonzero(np.diff(number) < 0)
    assert len(again) == 1
    assert number[again[0] + 1 : again[0] + 126].tolist() == list(range(500, 625))


def test_long_chunks_have_right_stamps_and_single_samples_their_time():
    found = packets("lumps@1:4:2", 6.0)
    assert {round(p.due_s, 6) for p in found if 1.0 < p.stamps_s[-1] < 4.9} == {3.0, 5.0}
    data, stamps = joined(found)
    np.testing.assert_allclose(stamps, np.arange(len(data)) / SFREQ, atol=1e-9)
    ones = [p for p in packets("single@1:1", 3.0) if 1.0 <= p.stamps_s[0] < 2.0]
    assert {len(p.data) for p in ones} == {1}
    assert all(p.due_s == pytest.approx(p.stamps_s[0]) for p in ones)


@pytest.mark.parametrize("percent", [0.1, 3.0, -20.0, 25.0])
def test_another_pace_changes_when_samples_leave_and_their_stamps_alike(percent):
    found = packets(f"pace@1:2:{percent}", 6.0)
    data, stamps = joined(found)
    np.testing.assert_array_equal(data, signal().read(len(data)))
    steps_s = np.diff(stamps)
    np.testing.assert_allclose(steps_s[260:740], 1 / SFREQ / (1 + percent / 100), atol=1e-9)
    np.testing.assert_allclose(np.r_[steps_s[:240], steps_s[760:]], 1 / SFREQ, atol=1e-9)
    assert all(p.due_s == pytest.approx(p.stamps_s[-1]) for p in found)
    pace = Device(signal(), faults=parse_faults(f"pace@1:2:{percent}")).pace
    times = np.array([0.5, 1.0, 2.2, 3.0, 9.0])
    assert [pace.due_s(float(s)) for s in pace.sent_s(times)] == pytest.approx(times.tolist())


def test_stamps_are_no_numbers_for_a_while():
    _, stamps = joined(packets("nostamp@2:0.5", 4.0))
    assert np.flatnonzero(np.isnan(stamps)).tolist() == list(range(500, 625))


def test_numbers_that_are_no_eeg(rng):
    names, t = ("C3", "Cz", "C4"), np.arange(500) / SFREQ
    data = (10 * rng.standard_normal((500, 3))).astype(np.float32)

    def broken(script):
        faults = SignalFaults(parse_faults(script), names, SFREQ)
        return np.concatenate([faults.apply(data[i : i + 7], t[i : i + 7]) for i in range(0, 500, 7)])

    sine = broken("sine@0:2:100")
    np.testing.assert_allclose(sine[:, 1], 100 * np.sin(2 * np.pi * 10 * t), atol=1e-3)
    assert (broken("same@0:2") == data[:, :1]).all()
    np.testing.assert_allclose(broken("gain@0:2:10"), 10 * data)
    white = broken("white@0:2:1")
    assert white.std(axis=0) == pytest.approx([1, 1, 1], rel=0.2)
    assert abs(np.corrcoef(white.T)[0, 1]) < 0.2
    pops = broken("pop:C4@0:2:500") - data
    assert np.flatnonzero(pops[:, 2] > 499).tolist() == [0, 250]
    assert not pops[:, :2].any()
    assert np.flatnonzero(np.isnan(broken("holes@0:2:25")).all(axis=1)).tolist() == list(range(0, 500, 25))
    held = broken("held@0.1:1:25")
    again = np.flatnonzero((held[1:] == held[:-1]).all(axis=1)) + 1
    assert again.tolist() == list(range(25, 275, 25))


def test_faults_add_up():
    names, t = ("C3", "Cz"), np.arange(500) / SFREQ
    both = SignalFaults(parse_faults("rail:C3@0:2,flat:C3@1:1"), names, SFREQ)
    out = both.apply(np.zeros((500, 2), np.float32), t)
    assert np.ptp(out[250:, 0]) == 0
    assert np.ptp(out[:250, 0]) > 1
    assert (out[:, 0] > 187_000).all()


# --- the source ---


def test_source_yields_the_signal_then_ends():
    source = TwinSource(signal(), 3.0)
    chunks = []
    while not chunks or chunks[-1].status is not SourceStatus.ENDED:
        chunks.append(source.pull(0.1))
    data = np.concatenate([c.data for c in chunks])
    assert data.tobytes() == signal().read(len(data)).tobytes()
    assert len(data) == 750
    assert source.pull(0.0).status is SourceStatus.ENDED
    assert [e.label for e in source.events][:1] == ["trial_start"]
    source.close()
    source.close()


def test_source_says_what_it_is():
    info = TwinSource(signal(), 1.0).info
    assert info.simulated
    assert "simulated" in info.name
    assert "simulated" in info.manufacturer
    assert set(info.units) == {"microvolts"}
    assert set(info.positions_m) == set(info.ch_names)
    assert info.sfreq == SFREQ


def test_source_reports_loss_and_recovery():
    source = TwinSource(signal(), 4.0, faults=parse_faults("rate@1:1:500"))
    seen = []
    while True:
        chunk = source.pull(0.0)
        if chunk.status is not SourceStatus.OK:
            seen.append((chunk.status, len(chunk) > 0))
        if chunk.status is SourceStatus.ENDED:
            break
    assert seen == [(SourceStatus.LOST, False), (SourceStatus.RECOVERED, True), (SourceStatus.ENDED, False)]
    assert source.info.sfreq == 500.0
