"""One look at a signal, against plain arithmetic and slow loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.recordings.build_stream import signal_stream
from neuript.realtime.recordings.look import (
    BAD_SHARE,
    LOOK_S,
    Look,
    bad_channels,
    eeg_channels,
    look_at,
    short_name,
    volts_per_number,
)
from neuript.realtime.recordings.recording import Recording

SFREQ = 128.0
NAMES = ("Fz", "C3", "Trigger", "C4", "Pz")
TYPES = ("EXG", "", "TRG", "eeg", "EEG")
EEG = (0, 1, 3, 4)


def info_of(ch_types=TYPES, unit="microvolts"):
    return SignalInfo(name="made", sfreq=SFREQ, ch_names=NAMES, units=(unit,) * 5, ch_types=ch_types)


def recording_of(x, stamps=None, **kwargs):
    stamps = 100 + np.arange(len(x)) / SFREQ if stamps is None else stamps
    stream = signal_stream(info_of(**kwargs), np.asarray(x, np.float32), stamps)
    return Recording(Path("lab/eeg.edf"), [stream], "EDF", [], 0)


@pytest.fixture
def noise(rng):
    """A hundred seconds of about 15 µV between 1 and 40 Hz, in microvolts, shape (n_times, 5)."""
    return 20 * rng.standard_normal((round(100 * SFREQ), 5))


@pytest.mark.parametrize(
    ("ch_types", "found"), [(TYPES, EEG), ((), EEG), (("MISC",) * 5, (0, 1, 2, 3, 4)), (("",) * 5, EEG)]
)
def test_which_channels_are_eeg(ch_types, found):
    assert eeg_channels(info_of(ch_types)) == tuple(found)


def test_the_look_is_from_the_middle(noise):
    stream = recording_of(noise).eeg
    look = look_at(stream)
    n = round(LOOK_S * SFREQ)
    np.testing.assert_array_equal(look.x, stream.data[(len(noise) - n) // 2 :][:n])
    assert look.channels == EEG
    assert len(look_at(recording_of(noise[:200]).eeg).x) == 200


def test_an_unbroken_look_keeps_clear_of_gaps(noise):
    stamps = 100 + np.arange(len(noise)) / SFREQ
    stamps[6000:] += 3.0
    stamps[8000:] += 3.0
    stream = recording_of(noise, stamps).eeg
    assert [gap.index for gap in stream.gaps] == [6000, 8000]
    n = round(LOOK_S * SFREQ)
    np.testing.assert_array_equal(look_at(stream, unbroken=True).x, stream.data[(6000 - n) // 2 :][:n])
    np.testing.assert_array_equal(look_at(stream).x, stream.data[(len(noise) - n) // 2 :][:n])


@pytest.mark.parametrize(("unit", "factor"), [("microvolts", 1e-6), ("mV", 1e-3), ("volts", 1.0), ("", 1e-6)])
def test_volts_per_number_of_the_eeg_alone(noise, unit, factor):
    found = volts_per_number(recording_of(noise * 1e-6 / factor, unit=unit))
    np.testing.assert_allclose(found.scale, np.where(np.isin(np.arange(5), EEG), factor, 1.0), rtol=1e-12)
    assert bool(found.note) == (not unit)


def test_rescaling_gives_the_median_channel_the_amplitude_of_eeg(noise):
    noise[:, 2] *= 1e6
    found = volts_per_number(recording_of(noise * 777, unit="bananas"), rescale=True)
    assert found.note.startswith("rescaled: ")
    band = np.sqrt(39 / 64)  # the part of white noise between 1 and 40 Hz
    assert 20 * 777 * band * found.scale[0] == pytest.approx(15e-6, rel=0.05)


def test_what_cannot_be_judged_is_refused_by_the_name_of_the_file(noise):
    with pytest.raises(NeuriptError, match=r"lab/eeg.edf holds 0.78 s of EEG; at least 2 s"):
        volts_per_number(recording_of(noise[:100]))
    still = noise.copy()
    still[:, EEG] = [3.0, np.nan, 0.0, -1.0]
    with pytest.raises(NeuriptError, match=r"lab/eeg.edf: every channel is flat or missing"):
        volts_per_number(recording_of(still))
    with pytest.raises(NeuriptError, match=r"lab/eeg.edf: the stream says that its numbers are volts.*microvolts"):
        volts_per_number(recording_of(noise, unit="volts"))


@pytest.mark.parametrize("hz", [50.0, 60.0, None])
def test_mains_are_heard_on_the_judged_channels(noise, hz):
    t = np.arange(len(noise)) / SFREQ
    noise[:, 2] += 1e4 * np.sin(2 * np.pi * 50 * t)
    if hz:
        noise[:, list(EEG)] += 30 * np.sin(2 * np.pi * hz * t)[:, None]
    look = look_at(recording_of(noise).eeg)
    scale = look.scale().scale
    assert look.mains_hz(scale) == hz
    assert look.mains_hz(np.full(5, 1e-6), (2,)) == 50.0


def test_bad_channels_against_a_slow_loop(rng):
    """Flat for a share of the time; a second is judged by its quarters, so the shares keep clear of the limit."""
    n = round(200 * SFREQ)
    noise = 20 * rng.standard_normal((n, 5))
    shares = (0.0, 0.15, 1.0, 0.25, 0.9)
    for c, share in enumerate(shares):
        noise[n - round(share * n) :, c] = 7.0
    recording = recording_of(noise)
    bad = bad_channels(recording.eeg, volts_per_number(recording).scale)
    expected = [share > BAD_SHARE and c in EEG for c, share in enumerate(shares)]
    assert bad.tolist() == expected == [False, False, False, True, True]


def test_verdicts_are_those_of_the_end(noise):
    heard = noise[: round(2 * SFREQ)].astype(np.float32)
    heard[:, 1] = 5.0
    heard[-200:, 3] = np.nan
    look = Look(info=info_of(), x=heard, channels=EEG)
    verdicts = look.verdicts(look.scale().scale)
    assert verdicts[list(EEG)].tolist() == [Verdict.OK, Verdict.FLAT, Verdict.MISSING, Verdict.OK]


def test_short_name():
    assert short_name(recording_of(np.zeros((300, 5)))) == "lab/eeg.edf"


@pytest.mark.parametrize("kind", ["", "EEG", "EXG"])
def test_a_label_that_names_something_else_is_no_eeg(kind):
    names = ("Fz", "EMG1", "AUX 3", "7", "", "Counter", "Cz-Pz", "X1")
    info = SignalInfo(name="made", sfreq=SFREQ, ch_names=names, ch_types=(kind,) * len(names))
    assert [names[i] for i in eeg_channels(info)] == ["Fz", "7", "", "Cz-Pz", "X1"]
