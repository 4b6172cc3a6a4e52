"""The first seconds: units, dead channels, mains, labels; the samples heard are not lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.live.intake import Paced, take_in

MODEL = load_montage("10-20").pick(["Fz", "C3", "Cz", "C4", "Pz"])
NAMES = ("Fz", "C3", "Cz", "C4", "Pz")


class Amplifier:
    def __init__(self, x, *, sfreq=250.0, names=NAMES, unit="microvolts", size=20):
        self.x, self.size, self.at = np.asarray(x, np.float32), size, 0
        units = (unit,) * len(names)
        self.info = SignalInfo(name="amp", sfreq=sfreq, ch_names=names, units=units)

    def pull(self, timeout_s, n_min=1):
        part = slice(self.at, self.at + self.size)
        self.at = part.stop
        data = self.x[part]
        stamps = np.arange(part.start, part.start + len(data)) / self.info.sfreq
        return Chunk(data, stamps, SourceStatus.OK if len(data) else SourceStatus.ENDED)

    def close(self):
        pass


@pytest.fixture
def eeg(rng):
    """Six seconds of made-up EEG in microvolts at 250 Hz, five channels."""
    t = np.arange(1500)[:, None] / 250.0
    return 10 * np.sin(2 * np.pi * 9.7 * t + np.arange(5)) + rng.normal(scale=8, size=(1500, 5))


@pytest.mark.parametrize(
    ("factor", "unit", "told"),
    [
        (1.0, "microvolts", None),
        (1.0, "µV", None),
        (1.0, "-6", None),
        (1.0, "", None),
        (1e-6, "volts", None),
        (1e-3, "mV", None),
        (1.0, "volts", "microvolts"),
        (1.0, "bananas", "uV"),
    ],
)
def test_whatever_the_unit_it_becomes_volts(eeg, factor, unit, told):
    source = Amplifier(eeg * factor, unit=unit)
    intake = take_in(source, MODEL, unit=told)
    np.testing.assert_allclose(intake.scale * factor, 1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("factor", "unit", "fix"),
    [
        (1.0, "volts", "--unit microvolts"),
        (1.0, "bananas", "--unit microvolts"),
        (1e-6, "microvolts", "--unit volts"),
        (1e-6, "", "--unit volts"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_fix(eeg, factor, unit, fix):
    with pytest.raises(NeuriptError, match=fix):
        take_in(Amplifier(eeg * factor, unit=unit), MODEL)


def test_the_samples_heard_come_again(eeg):
    intake = take_in(Amplifier(eeg), MODEL)
    pulled = []
    while (chunk := intake.source.pull(0.0)).status is not SourceStatus.ENDED:
        pulled.append(chunk.data)
    np.testing.assert_array_equal(np.concatenate(pulled), eeg.astype(np.float32))


def test_the_verdict_does_not_depend_on_the_chunks(eeg, rng):
    t = np.arange(1500)[:, None] / 250.0
    eeg = eeg + np.where(t < 2.5, 0.0, 300 * np.sin(2 * np.pi * 50 * t))  # mains that comes later
    found = [take_in(Amplifier(eeg, size=size), MODEL) for size in (1, 20, 499, 1500)]
    assert {f.mains_hz for f in found} == {None}
    assert {f.bads for f in found} == {()}


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_is_measured_unless_told(eeg, hz):
    t = np.arange(1500)[:, None] / 250.0
    noisy = eeg + 40 * np.sin(2 * np.pi * hz * t)
    assert take_in(Amplifier(noisy), MODEL).mains_hz == hz
    assert take_in(Amplifier(noisy), MODEL, mains=0.0).mains_hz is None
    assert take_in(Amplifier(eeg), MODEL, mains=hz).mains_hz == hz
    assert take_in(Amplifier(eeg), MODEL).mains_hz is None


@pytest.mark.parametrize("dead", [np.nan, 12.0])
def test_a_dead_channel_is_interpolated_and_said(eeg, dead):
    eeg = eeg.copy()
    eeg[:, 2] = dead
    intake = take_in(Amplifier(eeg), MODEL)
    assert intake.bads == ("Cz",)
    assert not intake.plan.matrix[:, 2].any()
    assert any("Cz" in note for note in intake.notes)


def test_all_flat_is_refused(eeg):
    with pytest.raises(NeuriptError, match=r"no channel shows a signal|flat"):
        take_in(Amplifier(eeg * 0), MODEL)


def test_too_many_dead_channels_are_refused(eeg):
    eeg = eeg.copy()
    eeg[:, 1:4] = np.nan
    with pytest.raises(NeuriptError):
        take_in(Amplifier(eeg), MODEL)


def test_labels_come_from_the_cap_where_the_stream_has_none(eeg):
    blank = ("",) * 5
    intake = take_in(Amplifier(eeg, names=blank), MODEL, MODEL)
    np.testing.assert_array_equal(intake.plan.matrix, np.eye(5))
    assumed = take_in(Amplifier(eeg, names=blank), MODEL)  # as many as the model has: its own order, and said so
    np.testing.assert_array_equal(assumed.plan.matrix, np.eye(5))
    assert f"in the order of montage {MODEL.name} of the model: 1 {MODEL.ch_names[0]}, 2" in assumed.plan.text()
    with pytest.raises(NeuriptError, match=r"no labels; say what is on the head with --montage .* --channels"):
        take_in(Amplifier(eeg, names=blank), MODEL.pick(MODEL.ch_names[:4]))
    with pytest.raises(NeuriptError, match="labels that name no electrode"):
        take_in(Amplifier(eeg, names=("left", "right", "front", "back", "top")), MODEL)


def test_seven_of_nineteen_channels_are_refused_by_name(rng):
    model = load_montage("10-20")
    names = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "Pz")
    x = rng.normal(scale=10, size=(1000, 7))
    with pytest.raises(NeuriptError, match=r"O1|T7|interpolat"):
        take_in(Amplifier(x, names=names), model)


def test_an_empty_or_silent_source_is_refused(eeg):
    with pytest.raises(NeuriptError, match="no samples"):
        take_in(Amplifier(eeg[:0]), MODEL)
    with pytest.raises(NeuriptError, match="ends after"):
        take_in(Amplifier(eeg[:60]), MODEL)

    class Silent(Amplifier):
        def pull(self, timeout_s, n_min=1):
            now[0] += timeout_s
            return Chunk(np.empty((0, 5), np.float32), np.empty(0), SourceStatus.STALE)

    now = [0.0]
    with pytest.raises(StreamNotFoundError, match="sends no samples"):
        take_in(Silent(eeg), MODEL, clock=lambda: now[0])
    assert 10 <= now[0] < 11


def test_paced_replay_keeps_the_recorded_pace(eeg):
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds

    paced = Paced(Amplifier(eeg, size=25), 2.0, clock=lambda: now[0], sleep=sleep)
    n = 0
    while len(chunk := paced.pull(0.1)):
        n += len(chunk)
        assert now[0] - 100.0 == pytest.approx(n / 250.0 / 2.0)
    assert n == 1500


@pytest.mark.parametrize("kind", ["EXG", "exg", " EXG ", ""])
def test_channels_of_type_exg_are_eeg(eeg, kind):
    amplifier = Amplifier(eeg)
    amplifier.info = replace(amplifier.info, ch_types=(kind,) * 5, stype="EXG")
    intake, plain = take_in(amplifier, MODEL), take_in(Amplifier(eeg), MODEL)
    np.testing.assert_array_equal(intake.plan.matrix, plain.plan.matrix)
    np.testing.assert_array_equal(intake.scale, plain.scale)
    assert (intake.bads, intake.mains_hz, intake.notes) == (plain.bads, plain.mains_hz, plain.notes)


def test_what_is_beside_the_eeg_changes_nothing(eeg):
    beside = np.stack([np.full(1500, 7.0), 3e4 * np.sin(np.arange(1500) * 2 * np.pi / 5)], axis=1)
    amplifier = Amplifier(np.concatenate([beside, eeg], axis=1), names=("Trigger", "X1", *NAMES))
    units = ("number", "g", *amplifier.info.units[2:])
    amplifier.info = replace(amplifier.info, ch_types=("TRG", "AUX") + ("EXG",) * 5, units=units)
    intake, plain = take_in(amplifier, MODEL), take_in(Amplifier(eeg), MODEL)
    np.testing.assert_array_equal(intake.plan.matrix[:, 2:], plain.plan.matrix)
    assert not intake.plan.matrix[:, :2].any()
    np.testing.assert_array_equal(intake.scale[2:], plain.scale)
    assert (intake.bads, intake.mains_hz, intake.notes) == (plain.bads, plain.mains_hz, plain.notes)
