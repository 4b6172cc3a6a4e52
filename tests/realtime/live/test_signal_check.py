"""The check before a session: what is wrong with an electrode, with the whole, and what is to be done first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuript.montages import load_montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.electrode_signs import electrode_signs
from neuript.realtime.live.signal_check import check_signal, without_samples
from neuript.realtime.live.signal_watch import LOOK_BACK_S, SignalWatch

CAP = load_montage("openbci-8")
SFREQ = 250.0
T = np.arange(round(4 * SFREQ)) / SFREQ
INFO = SignalInfo(name="amp", sfreq=SFREQ, ch_names=CAP.ch_names, units=("microvolts",) * 8)
BARE = replace(INFO, ch_names=("",) * 8, units=())
C3 = CAP.ch_names.index("C3")


@pytest.fixture
def eeg(rng):
    """Four seconds of made-up EEG of eight electrodes in microvolts, with a little mains and a large offset."""
    alpha = 12 * np.sin(2 * np.pi * 10 * T)[:, None] + rng.normal(0, 5, (len(T), 8))
    return (alpha + 3 * np.sin(2 * np.pi * 50 * T)[:, None] + 4000.0).astype(np.float32)


def level_of(check, name):
    return {e.name: e.level for e in check.electrodes}[name]


def test_a_good_signal_is_a_go_without_a_word_of_advice(eeg):
    check = check_signal(INFO, eeg)
    assert (check.go, check.fix, check.unit) == (True, "", "microvolts")
    assert {e.level for e in check.electrodes} == {Level.GOOD}
    assert [e.name for e in check.electrodes] == list(CAP.ch_names)
    assert check.mains_hz == 50
    assert check.mains_v == pytest.approx(3e-6 / np.sqrt(2), rel=0.25)
    np.testing.assert_allclose(check.scale, 1e-6)
    x, y = {e.name: (e.x, e.y) for e in check.electrodes}["C3"]
    assert -0.6 < x < -0.2
    assert abs(y) < 0.2


NO_HEAD = {
    "all 8 channels carry the same signal": lambda x, rng: np.repeat(x[:, :1], 8, axis=1),
    "all 8 channels carry one frequency": lambda x, rng: 50 * np.sin(2 * np.pi * 10 * T[:, None] + np.arange(8)),
    "all 8 channels carry noise": lambda x, rng: rng.normal(0, 8, x.shape),
}


@pytest.mark.parametrize("words", NO_HEAD)
def test_what_comes_from_no_head_is_no_go(eeg, rng, words):
    check = check_signal(INFO, NO_HEAD[words](eeg, rng).astype(np.float32))
    assert not check.go
    assert check.fix.startswith(words)
    assert check.scale is not None  # the unit is known all the same


WRONG = {
    "flat": (Level.BAD, "is flat", lambda x: 0 * x + 7),
    "no numbers": (Level.BAD, "sends no numbers", lambda x: np.nan * x),
    "rail": (Level.BAD, "limit", lambda x: np.where(np.arange(len(x)) % 40 < 30, np.float32(187500.0), x)),
    "huge": (Level.BAD, "far too large", lambda x: x + 40e3 * np.sin(2 * np.pi * 3 * T)),
    "swings": (Level.BAD, "hardly touches: swings", lambda x: x + 900 * np.sin(2 * np.pi * 2 * T)),
    "mains": (Level.BAD, "hardly touches: 285 µV of mains", lambda x: x + 400 * np.sin(2 * np.pi * 50 * T)),
    "some mains": (Level.DOUBTFUL, "touches poorly", lambda x: x + 60 * np.sin(2 * np.pi * 50 * T)),
    "drift": (Level.DOUBTFUL, "drifts by 150 µV a second", lambda x: x + 150 * T),
    "pops": (Level.DOUBTFUL, "pops 2 times", lambda x: x + 250 * (T > 1) - 250 * (T > 3)),
    "muscle": (Level.DOUBTFUL, "muscle", lambda x: x + 40 * np.sin(2 * np.pi * 31 * T)),
    "noise": (Level.DOUBTFUL, "restless", lambda x: x + 180 * np.sin(2 * np.pi * 4 * T)),
    "nothing": (Level.DOUBTFUL, "hardly hears anything", lambda x: 4000 + 0.3 * np.sin(2 * np.pi * 10 * T)),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_one_electrode_is_named_and_comes_first(eeg, kind):
    level, words, spoil = WRONG[kind]
    eeg[:, C3] = spoil(eeg[:, C3])
    check = check_signal(INFO, eeg)
    electrode = check.electrodes[C3]
    assert electrode.level is level
    assert words in electrode.why
    assert {e.level for e in check.electrodes if e.name != "C3"} == {Level.GOOD}
    assert check.fix.startswith(f"C3 {electrode.why}: ")
    assert check.go  # one of eight is interpolated, as the decoder does
    assert check.verdict.startswith("GO, though")


def test_the_decoders_own_rule_says_how_many_bad_ones_are_too_many(eeg):
    eeg[:, [C3, 3]] = 0
    assert check_signal(INFO, eeg).go
    eeg[:, 4] = 0
    three_bad = check_signal(INFO, eeg)
    assert not three_bad.go
    assert three_bad.fix.startswith("C3 is flat")
    assert "2 more are bad" in three_bad.fix


def test_an_empty_lobe_is_named_and_stops(eeg):
    eeg[:, [0, 1]] = 0
    check = check_signal(INFO, eeg)
    assert not check.go
    assert "no good electrode over the lobe frontal" in check.sentences


def test_a_decoder_that_wants_more_than_the_cap_has_is_not_satisfied(eeg):
    check = check_signal(INFO, eeg, wanted=load_montage("10-20"))
    assert not check.go
    assert "10-20" in check.fix


def test_electrodes_of_the_cap_without_a_channel_are_absent(eeg):
    check = check_signal(INFO, eeg, cap=load_montage("openbci-16"))
    assert level_of(check, "F7") is Level.ABSENT
    assert level_of(check, "C3") is Level.GOOD
    assert len(check.electrodes) == 16
    assert any(sentence.startswith("not in the stream: F7") for sentence in check.sentences)


def test_the_stream_of_the_openbci_gui_is_told_what_to_type(eeg):
    check = check_signal(BARE, eeg)
    assert not check.go
    assert "--montage" in check.fix
    assert "openbci-8" in check.fix
    assert any("--unit microvolts" in sentence for sentence in check.sentences)
    assert [e.name for e in check.electrodes] == list("12345678")
    assert not any(e.placed for e in check.electrodes)
    helped = check_signal(BARE, eeg, cap=CAP, unit="microvolts")
    assert helped.go
    assert [e.name for e in helped.electrodes] == list(CAP.ch_names)
    assert all(e.placed for e in helped.electrodes)


def test_a_montage_with_another_number_of_channels_is_refused_in_words(eeg):
    check = check_signal(BARE, eeg, cap=load_montage("openbci-16"))
    assert not check.go
    assert "montage openbci-16 has 16" in check.fix


@pytest.mark.parametrize(("factor", "told"), [(1e-6, "volts"), (1e-3, "millivolts"), (1e3, "nanovolts")])
def test_an_implausible_unit_is_named_with_the_one_that_fits(eeg, factor, told):
    check = check_signal(INFO, eeg * factor)
    assert (check.go, check.scale) == (False, None)
    assert f"--unit {told}" in check.fix
    assert {e.level for e in check.electrodes} == {Level.GOOD}  # contacts are told apart all the same


def test_when_nothing_moves_the_amplifier_is_suspected_before_the_electrodes(eeg):
    assert "amplifier measures" in check_signal(INFO, 0 * eeg).fix
    assert "reference and ground" in check_signal(INFO, eeg + 900 * np.sin(2 * np.pi * 2 * T)[:, None], unit="uV").fix


def test_mains_on_all_electrodes_blame_the_room(eeg):
    check = check_signal(INFO, eeg + 250 * np.sin(2 * np.pi * 60 * T)[:, None])
    assert check.go
    assert "60 Hz" in check.fix
    assert "ground" in check.fix
    assert {e.level for e in check.electrodes} == {Level.GOOD}


def test_channels_that_are_no_eeg_are_left_alone(eeg):
    info = replace(INFO, ch_names=(*CAP.ch_names[:7], "EOG1"), ch_types=("EEG",) * 7 + ("EOG",))
    eeg[:, 7] = 0
    check = check_signal(info, eeg)
    assert [e.name for e in check.electrodes] == list(CAP.ch_names[:7])
    assert check.go


def test_an_electrode_that_comes_twice_is_told_apart(eeg):
    info = replace(INFO, ch_names=("Cz", *CAP.ch_names[1:7], "Cz"))
    assert [e.name for e in check_signal(info, eeg).electrodes][::7] == ["Cz", "Cz (channel 8)"]


def test_a_stream_without_eeg_is_told_so(eeg):
    check = check_signal(replace(INFO, ch_names=("",) * 8, ch_types=("TRG",) * 8), 0 * eeg)
    assert not check.go
    assert "by its type (TRG)" in check.fix
    assert check.electrodes == ()


def test_rate_and_gaps_are_told_from_the_stamps(eeg):
    stamps = np.arange(3000) / 240.0
    check = check_signal(INFO, eeg, stamps)
    assert check.sfreq_measured == pytest.approx(240, rel=1e-3)
    assert not check.go
    assert "250 Hz and sends 240.0" in check.fix
    lost = np.arange(3000) / 250.0 + 1.0 * (np.arange(3000) > 1500)
    check = check_signal(INFO, eeg, lost)
    assert check.n_gaps == 1
    assert check.sfreq_measured == pytest.approx(250, rel=1e-3)
    assert any("lost 1 time:" in sentence for sentence in check.sentences)


def test_a_silent_stream_is_no_go(eeg):
    silent = without_samples(check_signal(INFO, eeg), 3.2)
    assert not silent.go
    assert silent.fix.startswith("no samples for 3 s")


def test_a_blink_is_no_pop_and_no_bad_contact(eeg):
    blink = 250 * np.exp(-0.5 * ((T - 2.0) / 0.08) ** 2)
    eeg[:, :2] += blink[:, None].astype(np.float32)
    assert {e.level for e in check_signal(INFO, eeg).electrodes} == {Level.GOOD}


def test_the_figures_are_those_of_a_known_signal():
    x = 1e-6 * np.stack([20 * np.sin(2 * np.pi * 12 * T), 30 * T + 5 * np.sin(2 * np.pi * 50 * T)], axis=1)
    signs = electrode_signs(x, SFREQ, 50.0)
    assert signs.rms_v[0] == pytest.approx(20e-6 / np.sqrt(2), rel=0.01)
    assert signs.mains_v[1] == pytest.approx(5e-6 / np.sqrt(2), rel=0.01)
    assert signs.mains_v[0] < 0.01e-6
    np.testing.assert_allclose(signs.drift_v_per_s, [0, 30e-6], atol=0.5e-6)
    assert signs.swing_v[0] == pytest.approx(40e-6, rel=0.1)
    assert signs.swing_v[1] < 2e-6
    assert signs.n_pops.tolist() == [0, 0]


class Amplifier:
    def __init__(self, info, chunks):
        self.info, self.chunks = info, list(chunks)

    def pull(self, timeout_s, n_min=1):
        return self.chunks.pop(0)

    def close(self):
        pass


def test_the_watch_checks_every_half_second_and_its_memory_does_not_grow(eeg):
    long = np.tile(eeg, (4, 1))
    stamps = np.arange(len(long)) / SFREQ
    watch = SignalWatch(INFO)
    checks = [watch.add(long[k : k + 7], stamps[k : k + 7]) for k in range(0, len(long), 7)]
    given = [check for check in checks if check is not None]
    assert len(given) == pytest.approx((16 - 1.5) / 0.5, abs=2)
    assert given[-1] is watch.latest
    assert watch.recent().shape == (LOOK_BACK_S * SFREQ, 8)
    np.testing.assert_array_equal(watch.recent(), long[-len(watch.recent()) :])
    assert given[-1].sfreq_measured == pytest.approx(250, rel=1e-6)


@pytest.mark.parametrize(("n_chans", "sfreq"), [(1, 100.0), (256, 2000.0)])
def test_the_watch_holds_for_few_and_many_channels(rng, n_chans, sfreq):
    names = load_montage("10-05").ch_names[:n_chans]
    watch = SignalWatch(SignalInfo(name="amp", sfreq=sfreq, ch_names=names, units=("uV",) * n_chans))
    x = rng.normal(0, 10, (round(2 * sfreq), n_chans)).astype(np.float32)
    watch.add(x, np.arange(len(x)) / sfreq)
    assert watch.latest is not None
    assert watch.latest.go
    assert len(watch.latest.electrodes) == n_chans


def test_the_watch_of_a_source_that_falls_silent_and_returns(eeg):
    nothing = (np.empty((0, 8), np.float32), np.empty(0))
    source = Amplifier(
        INFO,
        [
            Chunk(eeg, T, SourceStatus.OK, 10.0),
            Chunk(*nothing, SourceStatus.OK, 10.1),
            Chunk(*nothing, SourceStatus.LOST, 14.0),
            Chunk(eeg[:100], T[:100] + 20, SourceStatus.RECOVERED, 30.0),
            Chunk(eeg, T + 20.4, SourceStatus.OK, 34.0),
        ],
    )
    watch = SignalWatch(INFO)
    assert watch.pull(source).go
    assert watch.pull(source) is None
    assert watch.pull(source).fix.startswith("no samples for 4 s")
    assert watch.pull(source) is None
    assert len(watch.recent()) == 100
    again = watch.pull(source)
    assert (again.go, again.n_gaps) == (True, 0)


def test_a_counter_beside_electrodes_is_no_electrode(eeg):
    names = (*CAP.ch_names, "HardwareMarker", "Interpolate")
    info = replace(INFO, ch_names=names, units=("microvolts",) * 10)
    check = check_signal(info, np.hstack([eeg, np.zeros((len(T), 2), np.float32)]))
    assert [e.name for e in check.electrodes] == list(CAP.ch_names)
    assert check.go
