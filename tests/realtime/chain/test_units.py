from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import band_rms, resolve_scale, scale_of, to_volts, unit_name


@pytest.mark.parametrize(
    ("spellings", "name", "scale"),
    [
        (["uV", "µV", "μV", " uv ", "-6", "uVolts", "[uV]"], "microvolts", 1e-6),
        (["microvolts", "Microvolt", "MICROVOLTS", "micro volts"], "microvolts", 1e-6),
        (["V", "volt", "Volts", "v", "0"], "volts", 1.0),
        (["mV", "millivolts", "-3"], "millivolts", 1e-3),
        (["nV", "nanovolt", "-9"], "nanovolts", 1e-9),
    ],
)
def test_every_spelling(spellings: list[str], name: str, scale: float) -> None:
    for unit in spellings:
        assert unit_name(unit) == name
        assert to_volts(unit) == scale


@pytest.mark.parametrize("unit", ["", "counts", "furlongs", "A", "uA", "-4", "megavolts"])
def test_other_words_are_no_unit(unit: str) -> None:
    assert unit_name(unit) is None
    with pytest.raises(NeuriptError, match="--unit microvolts"):
        to_volts(unit)


@pytest.mark.parametrize(
    ("unit", "level", "scale"),
    [("microvolts", 12.0, 1e-6), ("V", 12e-6, 1.0), ("mV", 0.012, 1e-3), ("-6", 250.0, 1e-6)],
)
def test_a_declared_unit_that_fits_is_taken(unit: str, level: float, scale: float) -> None:
    found = resolve_scale([unit] * 3, [level, 2 * level, np.nan])
    np.testing.assert_array_equal(found.scale, [scale] * 3)
    assert found.note == ""


@pytest.mark.parametrize(
    ("unit", "level", "fix"),
    [
        ("V", 12.0, "--unit microvolts"),  # the Peterson files
        ("V", 6e-3, "--unit millivolts"),
        ("uV", 12e-6, "--unit volts"),
        ("mV", 20.0, "--unit microvolts"),
        ("uV", 12_000.0, "--unit nanovolts"),
    ],
)
def test_an_implausible_unit_is_refused_with_the_fix(unit: str, level: float, fix: str) -> None:
    with pytest.raises(NeuriptError) as caught:
        resolve_scale([unit] * 4, [level, level, level / 2, 50 * level])
    sentence = str(caught.value)
    assert sentence.endswith(fix)
    assert "1 to 100 µV" in sentence
    assert caught.value.exit_code == 2


def test_no_unit_is_believed_only_if_the_amplitude_speaks_for_microvolts() -> None:
    for units in ([], [""] * 2, ["unknown", "n/a"]):
        found = resolve_scale(units, [8.0, 14.0])
        np.testing.assert_array_equal(found.scale, [1e-6, 1e-6])
        assert "taken as microvolts" in found.note
        assert "11 µV rms" in found.note
    for level, fix in [(6e-3, "millivolts"), (1e-5, "volts"), (40_000.0, "nanovolts"), (0.3, "mi")]:
        with pytest.raises(NeuriptError, match=f"does not say.*--unit {fix}"):
            resolve_scale(["", ""], [level, level])
    with pytest.raises(NeuriptError, match="no channel shows a signal"):
        resolve_scale(["", ""], [0.0, np.nan])
    with pytest.raises(NeuriptError, match="does not say"):
        resolve_scale(["", ""], None)


def test_a_strange_unit_is_refused_whatever_the_amplitude() -> None:
    with pytest.raises(NeuriptError, match=r"'counts'.*--unit"):
        resolve_scale(["counts", "uV"], [10.0, 10.0])


def test_the_user_wins() -> None:
    for units in (["V"], ["counts"], [""]):
        found = resolve_scale(units, [12.0], "microvolts")
        np.testing.assert_array_equal(found.scale, [1e-6])
        assert found.note == ""
    assert "12 V rms" in resolve_scale(["uV"], [12.0], "V").note
    with pytest.raises(NeuriptError, match="'parsec'"):
        resolve_scale(["uV"], [12.0], "parsec")


def test_mixed_units() -> None:
    found = resolve_scale(["uV", "V", "mV"], [10.0, 10e-6, 10e-3])
    np.testing.assert_array_equal(found.scale, [1e-6, 1.0, 1e-3])
    np.testing.assert_array_equal(resolve_scale(["uV", ""], [9.0, 9.0]).scale, [1e-6] * 2)
    with pytest.raises(NeuriptError, match="1 give no unit"):
        resolve_scale(["uV", "V", ""], [10.0, 10e-6, 10.0])
    with pytest.raises(ValueError, match="2 units for 3"):
        resolve_scale(["uV", "uV"], [1.0, 1.0, 1.0])


def test_without_amplitude_known_units_pass() -> None:
    np.testing.assert_array_equal(resolve_scale(["uV"] * 2, None).scale, [1e-6] * 2)
    np.testing.assert_array_equal(resolve_scale(["uV"], [0.0]).scale, [1e-6])


@pytest.mark.parametrize(("sfreq", "seconds"), [(125, 1), (250, 2), (1000, 4), (512, 0.75)])
def test_band_rms_is_blind_to_offset_drift_and_mains(sfreq: int, seconds: float) -> None:
    t = np.arange(int(sfreq * seconds)) / sfreq
    brain = 10 * np.sqrt(2) * np.sin(2 * np.pi * 12 * t)
    dirty = brain + 4200 + 50 * t + 10_000 * np.sin(2 * np.pi * 50.0 * t)
    holes = brain.copy()
    holes[3] = np.nan
    level = band_rms(np.column_stack([brain, dirty, 0 * t, holes]), sfreq)
    np.testing.assert_allclose(level[:3], [10, 10, 0], rtol=0.1, atol=1e-9)
    assert np.isnan(level[3])
    with pytest.raises(ValueError, match="half a second"):
        band_rms(np.zeros((int(0.4 * sfreq), 1)), sfreq)


def test_band_rms_of_noise_equals_a_filter(rng: np.random.Generator) -> None:
    x = rng.standard_normal((60_000, 2)) * [1.0, 7.0]
    sos = signal.butter(8, [1, 40], "bandpass", fs=250, output="sos")
    np.testing.assert_allclose(band_rms(x, 250), signal.sosfilt(sos, x, axis=0).std(0), rtol=0.05)


@pytest.mark.recordings
def test_the_real_files_that_say_volts_are_noticed(data_dir: Path) -> None:
    import mne

    files = sorted((data_dir / "peterson2022-mi-rest").rglob("*.edf"))
    assert files
    for file in files[::7]:
        raw = mne.io.read_raw_edf(file, verbose="error")
        as_read = raw.get_data(stop=int(4 * raw.info["sfreq"])).T  # microvolts, called volts
        level = band_rms(as_read[: int(4 * raw.info["sfreq"])], raw.info["sfreq"])
        with pytest.raises(NeuriptError, match="--unit microvolts"):
            resolve_scale(["V"] * len(level), level)
        assert resolve_scale(["V"] * len(level), level, "microvolts").note == ""


def test_a_stream_is_judged_by_the_channels_that_are_asked_for(rng: np.random.Generator) -> None:
    """A counter, a trigger in volts: neither speaks for the EEG beside it."""
    x = rng.normal(scale=[1e6, 10.0, 12.0, 1e-9], size=(1000, 4)).astype(np.float32)
    units = ("counts", "uV", "microvolts", "V")
    info = SignalInfo(name="s", sfreq=250.0, ch_names=("n", "C3", "C4", "trigger"), units=units)
    found = scale_of(info, x, [1, 2])
    assert found.scale.tolist() == [1e-6, 1e-6]
    expected = resolve_scale(units[1:3], band_rms(x, 250.0)[1:3])
    assert found.scale.tolist() == expected.scale.tolist()
    with pytest.raises(NeuriptError, match="counts"):
        scale_of(info, x, [0, 1])
    assert scale_of(info, x, [1], "millivolts").scale.tolist() == [1e-3]


def test_a_stream_without_units_is_taken_by_its_amplitude(rng: np.random.Generator) -> None:
    x = rng.normal(scale=12.0, size=(1000, 2)).astype(np.float32)
    info = SignalInfo(name="s", sfreq=250.0, ch_names=("C3", "C4"))
    found = scale_of(info, x, [0, 1])
    assert found.scale.tolist() == [1e-6, 1e-6]
    assert "no unit" in found.note
