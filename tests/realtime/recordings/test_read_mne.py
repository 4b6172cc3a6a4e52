"""Formats that are read through MNE: the numbers of the file, the units that it says, events where they were set."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of


def _write_edf(path, blocks, *, units, labels, sfreq=100, bdf=False, scale=0.5):
    """Craft an EDF or BDF file by hand: 1 s records, physical = scale * digital."""
    n_chans, n_records = blocks.shape[1], len(blocks) // sfreq
    low, high = (-8388608, 8388607) if bdf else (-32768, 32767)

    def column(texts, width):
        return b"".join(str(t).encode("latin-1").ljust(width) for t in texts)

    head = (b"\xffBIOSEMI" if bdf else b"0".ljust(8)) + b"X X X X".ljust(80) + b"X".ljust(80)
    head += b"02.01.25" + b"10.20.30" + column([256 * (1 + n_chans)], 8) + b"".ljust(44)
    head += column([n_records], 8) + column([1], 8) + column([n_chans], 4)
    head += column(labels, 16) + column(["x"] * n_chans, 80) + column(units, 8)
    head += column([f"{low * scale:.0f}"] * n_chans, 8) + column([f"{high * scale:.6f}"[:8]] * n_chans, 8)
    head += column([low] * n_chans, 8) + column([high] * n_chans, 8)
    head += column([""] * n_chans, 80) + column([sfreq] * n_chans, 8) + column([""] * n_chans, 32)
    body = b""
    for record in blocks.reshape(n_records, sfreq, n_chans):
        for samples in record.T:
            raw = samples.astype("<i4").view(np.uint8).reshape(-1, 4)
            body += raw[:, : 3 if bdf else 2].tobytes()
    path.write_bytes(head + body)
    return path


def test_few_channels_at_a_time_are_all_channels(tmp_path, rng, monkeypatch):
    """A long file is read in groups of whole channels; MNE at once is the reference, also where rates differ."""
    mne = pytest.importorskip("mne")
    same = _write_edf(tmp_path / "same.edf", rng.integers(-200, 200, (300, 5)), units=["uV"] * 5, labels="ABCDE")
    mixed = _write_mixed_edf(tmp_path / "mixed.edf", rng, {"Cz": 100, "Pz": 50, "Oz": 100})
    monkeypatch.setattr("neuript.realtime.recordings.read_mne._HELD_BYTES", 2 * 8 * 300)
    for path in (same, mixed):
        whole = mne.io.read_raw_edf(path, preload=True, verbose="error")
        asked = []
        plain = mne.io.BaseRaw.get_data

        def get_data(raw, picks, plain=plain, asked=asked):
            asked.append(len(picks))
            return plain(raw, picks=picks)

        with monkeypatch.context() as patch:
            patch.setattr(mne.io.BaseRaw, "get_data", get_data)
            data = read_recording(path).eeg.data
        assert asked == [2] * (len(whole.ch_names) // 2) + [1]
        np.testing.assert_allclose(data, 1e6 * whole.get_data().T, rtol=1e-5, atol=1e-4)


def _write_mixed_edf(path, rng, rates, n_records=3):
    """Craft an EDF whose channels have rates of their own: 1 s records, 0.5 uV per step."""
    n = len(rates)

    def column(texts, width):
        return b"".join(str(t).encode().ljust(width) for t in texts)

    head = b"0".ljust(8) + b"X X X X".ljust(80) + b"X".ljust(80) + b"02.01.25" + b"10.20.30"
    head += column([256 * (1 + n)], 8) + b"".ljust(44) + column([n_records], 8) + column([1], 8)
    head += column([n], 4) + column(rates, 16) + column(["x"] * n, 80) + column(["uV"] * n, 8)
    head += column([-16384] * n, 8) + column([16383.5] * n, 8) + column([-32768] * n, 8)
    head += column([32767] * n, 8) + column([""] * n, 80) + column(rates.values(), 8)
    body = b"".join(
        np.cumsum(rng.integers(-20, 20, rate)).astype("<i2").tobytes()
        for _ in range(n_records)
        for rate in rates.values()
    )
    path.write_bytes(head + column([""] * n, 32) + body)
    return path


def test_edf_keeps_numbers_and_says_units_honestly(tmp_path, rng):
    digital = rng.integers(-200, 200, (300, 4))
    path = _write_edf(tmp_path / "a.edf", digital, units=["uV", "", "mV", "V"], labels=["Cz", "Pz", "ECG1", "HEOG"])
    rec = read_recording(path)
    info = rec.eeg.info
    assert info.units == ("microvolts", "", "millivolts", "volts")
    assert info.ch_types == ("EEG", "EEG", "ECG", "EOG")
    assert (info.sfreq, info.ch_names) == (100.0, ("Cz", "Pz", "ECG1", "HEOG"))
    assert rec.eeg.data.dtype == np.float32
    expected = 0.5 * digital  # the numbers of the file, whatever their unit
    np.testing.assert_allclose(rec.eeg.data, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(rec.eeg.timestamps, np.arange(300) / 100)


def test_bdf_status_codes_become_events(tmp_path, rng):
    digital = rng.integers(-(2**20), 2**20, (200, 2))
    digital[:, 1] = 0
    digital[50:60, 1] = 7
    digital[120:121, 1] = 9
    path = _write_edf(
        tmp_path / "a.bdf", digital, units=["uV", "Boolean"], labels=["Cz", "Status"],
        bdf=True, scale=0.03125,
    )  # fmt: skip
    rec = read_recording(path)
    assert rec.eeg.info.ch_names == ("Cz",)
    np.testing.assert_allclose(rec.eeg.data[:, 0], digital[:, 0] * 0.03125, rtol=1e-5, atol=0.05)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(0.5, "7"), (1.2, "9")]


def test_gdf_keeps_numbers_and_says_units_honestly(tmp_path, rng):
    digital = rng.integers(-200, 200, (300, 2)).astype("<i2")  # 3 records of 1 s
    head = b"GDF 1.25" + b"X X".ljust(80) + b"X".ljust(80) + b"2025010203040500"
    head += struct.pack("<q", 256 * 3) + bytes(24) + bytes(20)
    head += struct.pack("<q", 3) + struct.pack("<II", 1, 1) + struct.pack("<I", 2)
    head += b"C3".ljust(16) + b"C4".ljust(16) + bytes(160) + b"uV".ljust(8) + b"".ljust(8)
    head += struct.pack("<4d", -3276.8, -3276.8, 3276.7, 3276.7)
    head += struct.pack("<4q", -32768, -32768, 32767, 32767) + b"".ljust(160)
    head += struct.pack("<4i", 100, 100, 3, 3) + bytes(64)
    body = b"".join(r.T.tobytes() for r in digital.reshape(3, 100, 2))
    events = b"\x01" + struct.pack("<I", 100)[:3] + struct.pack("<I", 2)
    events += struct.pack("<2I", 51, 201) + struct.pack("<2H", 769, 770)
    (tmp_path / "a.gdf").write_bytes(head + body + events)
    rec = read_recording(tmp_path / "a.gdf")
    assert rec.eeg.info.units == ("microvolts", "")
    np.testing.assert_allclose(rec.eeg.data, digital * 0.1, rtol=1e-6, atol=1e-5)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(pytest.approx(0.5), "769"), (pytest.approx(2.0), "770")]


def test_brainvision(tmp_path, rng):
    numbers = rng.integers(-500, 500, (200, 2)).astype("<i2")
    (tmp_path / "a.eeg").write_bytes(numbers.tobytes())
    (tmp_path / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=a.eeg\n"
        "MarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=5000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=Cz,,0.1,µV\nCh2=Pz,,0.001,mV\n",
        encoding="utf-8",
    )
    (tmp_path / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=a.eeg\n"
        "[Marker Infos]\nMk1=Stimulus,S  1,101,1,0\n"
    )
    rec = read_recording(tmp_path / "a.vhdr")
    np.testing.assert_allclose(rec.eeg.data, numbers * [0.1, 0.001], rtol=1e-6, atol=1e-5)
    assert rec.eeg.info.units == ("microvolts", "millivolts")
    event = events_of(rec)[-1]
    assert (event.time_s, event.label) == (pytest.approx(0.5), "Stimulus/S  1")


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("first_samp", [0, 1234])
def test_fif_events_lie_where_they_were_set(tmp_path, rng, dated, first_samp):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((3, 1000))
    info = mne.create_info(["C3", "Cz", "STI"], 200.0, ["eeg", "eeg", "stim"])
    volts[2] = 0
    volts[2, 400:410] = 5
    raw = mne.io.RawArray(volts, info, first_samp=first_samp, verbose="error")
    raw.set_montage(mne.channels.make_dig_montage({"C3": (-0.07, 0, 0.06), "Cz": (0, 0, 0.095)}, coord_frame="head"))
    if dated:
        raw.set_meas_date(1.7e9)
    raw.set_annotations(mne.Annotations([0.75], [0.1], ["left"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error", fmt="double")
    mne.write_events(tmp_path / "a-eve.fif", np.array([[first_samp + 300, 0, 33]]), verbose="error")
    rec = read_recording(tmp_path / "a_raw.fif")
    np.testing.assert_array_equal(rec.eeg.data, (volts[:2].T * 1e6).astype(np.float32))
    assert rec.eeg.info.units == ("microvolts", "microvolts")
    assert [(round(e.time_s, 9), e.label) for e in events_of(rec)] == [
        (0.75, "left"), (1.5, "33"), (2.0, "5"),
    ]  # fmt: skip
    np.testing.assert_allclose(rec.eeg.info.positions_m["C3"], (-0.07, 0, 0.06), atol=1e-6)


def test_a_pause_of_the_recorder_is_a_gap_not_zeros(tmp_path, rng):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((1, 1000))
    volts[0, 400:600] = 0
    raw = mne.io.RawArray(volts, mne.create_info(["Cz"], 200.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([2.0], [1.0], ["BAD_ACQ_SKIP"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error", fmt="double")
    stream = read_recording(tmp_path / "a_raw.fif").eeg
    kept = np.r_[0:400, 600:1000]
    np.testing.assert_array_equal(stream.data[:, 0], (volts[0, kept] * 1e6).astype(np.float32))
    np.testing.assert_array_equal(stream.timestamps, kept / 200)
    assert [(g.index, g.n_missing) for g in stream.gaps] == [(400, 200)]
    assert stream.segments == ((0, 400), (400, 800))


def test_eeglab_set(tmp_path, rng):
    from scipy.io import savemat

    microvolts = (30 * rng.standard_normal((2, 500))).astype(np.float32)
    chan = np.array([("Cz",), ("Pz",)], dtype=[("labels", object)])
    event = np.array([("go", 101.0)], dtype=[("type", object), ("latency", object)])
    eeg = {
        "data": microvolts, "srate": 100.0, "nbchan": 2.0, "pnts": 500.0, "trials": 1.0,
        "xmin": 0.0, "xmax": 4.99, "chanlocs": chan, "event": event, "setname": "a", "ref": "common",
    }  # fmt: skip
    savemat(tmp_path / "a.set", {"EEG": eeg}, appendmat=False)
    rec = read_recording(tmp_path / "a.set")
    np.testing.assert_allclose(rec.eeg.data, microvolts.T, rtol=2e-7)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(pytest.approx(1.0), "go")]


@pytest.mark.recordings
def test_real_peterson_events_and_units(data_dir):
    """20 + 20 trials per run, in a file whose microvolts have no unit."""
    for person in ("edf01", "edf03", "edf07"):
        rec = read_recording(data_dir / "peterson2022-mi-rest" / person / "002" / "eeg.edf")
        labels = [e.label for e in events_of(rec)]
        assert labels.count("OVTK_GDF_Right") == labels.count("OVTK_GDF_Tongue") == 20
        assert set(rec.eeg.info.units) == {""}
        assert rec.eeg.info.sfreq == 125.0
        assert rec.eeg.data.shape[1] == 15


@pytest.mark.recordings
def test_real_files_through_mne(data_dir):
    expected = {
        "eegmmidb/S001R04.edf": (160, 64, "microvolts"),
        "eegmat-128hz/Subject00_1.edf": (128, 21, "microvolts"),
        "eeglab-sample/eeglab_data.set": (128, 32, "microvolts"),
    }
    for name, (sfreq, n_chans, unit) in expected.items():
        rec = read_recording(data_dir / name)
        assert rec.warnings == []
        assert (rec.eeg.info.sfreq, len(rec.eeg.info.ch_names)) == (sfreq, n_chans)
        kinds = np.array(rec.eeg.info.ch_types)
        assert set(np.array(rec.eeg.info.units)[kinds == "EEG"]) == {unit}
        spread = np.median(rec.eeg.data[:, kinds == "EEG"].std(axis=0))
        assert 1 < spread < 100  # microvolts, as scalp EEG is
    rec = read_recording(data_dir / "eegmmidb" / "S001R04.edf")
    labels = [e.label for e in events_of(rec)]
    assert labels.count("T1") + labels.count("T2") == 15
    assert np.array_equal(rec.eeg.data, np.round(rec.eeg.data))  # whole microvolts, exactly
    exo = sorted((data_dir / "ssvep-exoskeleton").glob("*/*_raw.fif"))
    assert len(exo) == 8
    for path in exo:
        assert {e.label for e in events_of(read_recording(path))} == {"1", "2", "3", "4"}
