"""The protocols on small folders in the published layouts: who is where, and that labels sit on their signal."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import dataset_folders as folders
import numpy as np
import pytest
from scipy.io import savemat

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.recordings.recording import Event
from neuript.training.evaluate.protocols import PAPER, PROTOCOLS, fetch, get_protocol
from neuript.training.evaluate.protocols.definition import ProtocolFile, split_in_order, split_people
from neuript.training.evaluate.protocols.eval_data import EvalData
from neuript.training.evaluate.protocols.in_memory import PAUSE_S, recording_of

write_edf, tones, peak_classes = folders.write_edf, folders.tones, folders.peak_classes
TEN_TWENTY = folders.TEN_TWENTY


def assert_labels_sit_on_their_signal(data):
    assert np.isfinite(data.x).all()
    assert data.x.dtype == np.float32
    assert 2e-6 < np.sqrt((data.x**2).mean()) < 200e-6  # volts
    np.testing.assert_array_equal(peak_classes(data.x, data.sfreq), data.y)


def people(data, split):
    return {name.partition("/")[2] for name in data.subjects_of(split)}


def assert_nobody_on_two_sides(data):
    sides = [data.subjects_of(split) for split in ("train", "val", "test")]
    assert sum(map(len, sides)) == len(set().union(*sides))


# --- the eight of the paper ----------------------------------------------------------------------


def arithmetic_folder(folder, numbers, *, sfreq=500, seconds=32):
    names = [f"EEG {name}" for name in TEN_TWENTY] + ["EEG A2-A1", "ECG ECG"]
    for number in numbers:
        for k in (0, 1):
            x = tones(seconds, sfreq, len(names), [(0, seconds, k)], seed=number)
            write_edf(folder / f"Subject{number:02d}_{k + 1}.edf", x, sfreq, names)
    return folder


def test_mental_arithmetic_at_its_published_rate(tmp_path):
    data = get_protocol("mental-arithmetic").load(arithmetic_folder(tmp_path, (0, 28, 35)))
    assert data.x.shape[1:] == (20, 320)
    assert people(data, "train") == {"Subject00"}
    assert people(data, "val") == {"Subject28"}
    assert people(data, "test") == {"Subject35"}
    # behind 1.6 s of warm-up there is room for six windows of 5 s in 32 s
    assert set(Counter(data.recording.tolist()).values()) == {6}
    assert data.classes == ("rest", "arithmetic")
    assert_labels_sit_on_their_signal(data)
    for path in tmp_path.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() in data.file_hashes
    assert len(data.hashes_of_split["test"]) == 2
    assert set(data.subject) == {f"eegmat/Subject{n:02d}" for n in (0, 28, 35)}
    assert "36 windows; the paper has 1707" in data.describe()


@pytest.mark.recordings
def test_mental_arithmetic_of_real_people(data_dir):
    data = get_protocol("mental-arithmetic").load(
        data_dir / "eegmat-128hz", subjects=["eegmat/Subject00", "Subject31", "Subject35"]
    )
    # 36 + 12 windows in 180 + 60 s, of which the warm-up costs the grid one each; Subject31 rested for 78 s
    counts = Counter(zip(data.subject.tolist(), data.y.tolist(), strict=True))
    assert counts == {
        ("eegmat/Subject00", 0): 35,
        ("eegmat/Subject00", 1): 11,
        ("eegmat/Subject31", 0): 15,
        ("eegmat/Subject31", 1): 11,
        ("eegmat/Subject35", 0): 35,
        ("eegmat/Subject35", 1): 11,
    }
    assert people(data, "val") == {"Subject31"}
    assert people(data, "test") == {"Subject35"}
    # neighbours in time, and no window over the constant tail that the files end with
    flat = np.ptp(data.x, axis=2).min()
    assert flat > 1e-6


def test_mumtaz_by_number_in_each_group(tmp_path):
    for group, n in (("MDD", 34), ("H", 28)):
        for number in range(1, n + 1):
            for state in ("EC", "EO", "TASK"):
                prefix = "6921143_" if number == 15 and state == "EO" else ""
                (tmp_path / f"{prefix}{group} S{number} {state}.edf").touch()
    sources = get_protocol("mumtaz2016").find(tmp_path)
    assert len(sources) == 2 * (34 + 28)
    split = {source.subject: source.split for source in sources}
    for group, sizes in (("MDD", (24, 5, 5)), ("H", (19, 4, 5))):
        held = [split[f"{group}{n:02d}"] for n in range(1, sum(sizes) + 1)]
        assert held == [s for s, n in zip(("train", "val", "test"), sizes, strict=True) for _ in range(n)]
    assert {s.extra["label"] for s in sources if s.subject.startswith("MDD")} == {1}


def test_mumtaz_with_linked_ears(tmp_path):
    names = [f"EEG {name}-LE" for name in TEN_TWENTY] + ["EEG A2-A1"]
    for name, k in (("H S1 EC", 0), ("6921143_H S2 EO", 0), ("MDD S1 EO", 1), ("MDD S1 TASK", 0)):
        write_edf(tmp_path / f"{name}.edf", tones(17, 256, 20, [(0, 17, k)]), 256, names)
    data = get_protocol("mumtaz2016").load(tmp_path)
    assert data.counts()["train"] == {"healthy": 6, "depressed": 3}
    assert_labels_sit_on_their_signal(data)


def test_p300_windows_begin_before_the_flash(tmp_path):
    names = [*load_montage("biosemi-64").ch_names, "EARL", "VEOGL"]
    flashes = [(3.0, "ABCDEF", 0), (5.5, "AGMSY5", 0), (8.0, "BHNTZ6", 1), (10.5, "GHIJKL", 1)]
    notes = [(0.5, 0.1, "#TgtH"), (1.0, 0.1, "#start")]
    notes += [(at, 0.1, label) for at, label, _ in flashes] + [(13.5, 0.1, "#end")]
    for person in ("s01", "s08", "s11"):
        x = tones(14, 2048, len(names), [(at, at + 0.5, k) for at, _, k in flashes])
        write_edf(tmp_path / person / "rc01.edf", x, 2048, names, notes)
    data = get_protocol("physionet-p300").load(tmp_path)
    assert set(data.subject) == {"erpbci/s01", "erpbci/s11"}  # 8, 10 and 12 are dropped
    assert data.x.shape[1:] == (20, 128)
    assert data.y.tolist() == [0, 0, 1, 1] * 2
    assert_labels_sit_on_their_signal(data)
    np.testing.assert_allclose(data.start_s[:4], [2.3, 4.8, 7.3, 9.8], atol=1e-6)
    power = (data.x**2).mean((0, 1))
    assert power[:44].max() < 0.05 * power.max()  # nothing before the flash at 0.7 s, sample 44.8
    assert 50 < power.argmax() < 85


def test_p300_split_is_fixed_whoever_is_there(tmp_path):
    splits = []
    for k, present in enumerate((("s01", "s02", "s11"), ("s02", "s05"))):
        for person in present:
            folder = tmp_path / str(k) / person
            folder.mkdir(parents=True)
            (folder / "rc01.edf").touch()
        found = get_protocol("physionet-p300").find(tmp_path / str(k))
        splits.append({source.subject: source.split for source in found})
    assert splits[0]["s02"] == splits[1]["s02"]


def test_sleep_stages_from_the_hypnogram(tmp_path):
    stages = [
        *((0, 30, "Sleep stage W"), (30, 30, "Sleep stage 1"), (60, 30, "Sleep stage 2")),
        *((90, 30, "Sleep stage 3"), (120, 30, "Sleep stage 4"), (150, 30, "Sleep stage R")),
        *((180, 30, "Sleep stage ?"), (210, 60, "Sleep stage W")),
    ]
    classes = dict(zip("W1234R", (0, 1, 2, 3, 3, 4), strict=True))
    parts = [(a, a + n, classes[s[-1]]) for a, n, s in stages if s[-1] in classes]
    for who in ("SC4001E", "SC4002E", "SC4011E", "ST7021J"):
        x = tones(241, 100, 3, parts)
        write_edf(tmp_path / f"{who}0-PSG.edf", x, 100, ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal"])
        write_edf(tmp_path / f"{who}C-Hypnogram.edf", np.zeros((1, 0)), 1, [], stages)
    data = get_protocol("sleep-edfx").load(tmp_path)
    assert data.x.shape[1:] == (2, 1920)
    # the first epoch is lost to the warm-up, the last one was scored beyond the end of the signal
    first = data.recording == data.recording[0]
    assert data.y[first].tolist() == [1, 2, 3, 3, 4, 0]
    assert data.start_s[first].tolist() == [30, 60, 90, 120, 150, 210]
    assert_labels_sit_on_their_signal(data)
    assert len(set(data.subject)) == 3  # two nights of one person
    assert_nobody_on_two_sides(data)
    assert [len(data.subjects_of(s)) for s in ("train", "val", "test")] == [1, 1, 1]


def test_seed_v_films(tmp_path):
    names = [*load_montage("seed-v").ch_names, "FPZ", "M1", "M2", "VEO", "HEO"]
    films = [(30, 102, 4), (132, 140, 1)]  # the recording ends in the second
    for number in (1, 9, 11, 16):
        x = tones(140, 200, len(names), films)
        folders.write_cnt(tmp_path / "EEG_raw" / f"{number}_1_20180804.cnt", x, 200, names)
    data = get_protocol("seed-v").load(tmp_path)
    assert data.x.shape[1:] == (17, 64)
    assert [people(data, s) for s in ("train", "val", "test")] == [{"1"}, {"9"}, {"11"}]
    assert data.counts()["test"] == {"disgust": 0, "fear": 8, "sad": 0, "neutral": 0, "happy": 72}
    settled = ~np.isin(data.start_s, (30.0, 132.0))  # a film's first window holds the filters' delay
    assert_labels_sit_on_their_signal(data.select(settled))


def test_seed_v_tables_agree_with_each_other():
    from neuript.training.evaluate.protocols.seed_v import _LABELS, _SECONDS

    for seconds, labels in zip(_SECONDS, _LABELS, strict=True):
        edges = [t for film in seconds for t in film]
        assert edges == sorted(edges)
        assert Counter(labels) == dict.fromkeys(range(5), 3)


def bcic_run(sfreq, labels, seed):
    """A trial every 8 s: cue at 2 s, imagery (the tone) from 2 to 6 s."""
    starts = [1.0 + 8.0 * i for i in range(len(labels))]
    x = tones(
        2 + 8 * max(1, len(labels)),
        sfreq,
        25,
        [(at + 2, at + 6, k) for at, k in zip(starts, labels, strict=True)],
        seed=seed,
    )
    return x, starts


def test_bcic_iv_2a_from_matlab_files(tmp_path):
    for number in (1, 6, 8):
        for session, labels in (("T", (0, 1, 2, 3)), ("E", (3, 2, 1, 0))):
            runs = []
            for part in ((), labels[:2], labels[2:]):
                x, starts = bcic_run(250, part, number)
                at = np.round(np.array(starts[: len(part)]) * 250) + 1  # MATLAB counts from 1
                runs.append({"X": x, "trial": at, "y": np.array(part) + 1.0, "fs": 250.0, "artifacts": at * 0})
            cells = np.empty(len(runs), dtype=object)
            cells[:] = runs
            savemat(tmp_path / f"A{number:02d}{session}.mat", {"data": cells})
    data = get_protocol("bcic-iv-2a").load(tmp_path)
    assert data.x.shape == (24, 16, 256)
    assert [people(data, s) for s in ("train", "val", "test")] == [{"A01"}, {"A06"}, {"A08"}]
    assert data.counts()["test"] == dict.fromkeys(data.classes, 2)
    assert_labels_sit_on_their_signal(data)
    run = 2 + 8 * 2 + PAUSE_S
    expected = [3.0, 11.0, run + 3.0, run + 11.0]
    np.testing.assert_allclose(data.start_s[data.recording == "A01T.mat"], expected, atol=1e-6)


def test_bcic_iv_2a_test_session_takes_its_classes_from_the_published_labels(tmp_path):
    from neuript.training.evaluate.protocols.bcic_iv_2a import _marks
    from neuript.training.windows.cleaning import clean

    labels = (2, 0, 3, 1)
    x, starts = bcic_run(250, labels, 1)
    names = [*load_montage("bcic-iv-2a-22").ch_names, "EOG1", "EOG2", "EOG3"]
    events = [[e for at in starts for e in (Event(at, "768"), Event(at + 2, "783"))]]
    recording = recording_of(tmp_path / "A01E.gdf", [x], 250.0, names, events)
    savemat(tmp_path / "A01E.mat", {"classlabel": np.array(labels)[:, None] + 1})
    cleaned = clean(recording, load_montage("bcic-iv-2a"))
    source = ProtocolFile(tmp_path / "A01E.gdf", "A01", "train", {"labels": tmp_path / "A01E.mat"})
    marks = _marks(source, recording, cleaned)
    assert [mark.label for mark in marks] == list(labels)
    assert [mark.start_s for mark in marks] == [at + 2 for at in starts]
    with pytest.raises(NeuriptError, match="does not say the classes"):
        _marks(ProtocolFile(source.path, "A01", "train", {"labels": None}), recording, cleaned)


def tuh_names(reference="REF"):
    return [f"EEG {name.upper()}-{reference}" for name in TEN_TWENTY] + ["EEG EKG1-REF"]


def test_tuab_official_test_and_drawn_validation(tmp_path):
    root = tmp_path / "normal" / "tuab" / "edf"  # a parent's name must not matter
    for official, n in (("train", 10), ("eval", 2)):
        for i in range(n):
            kind = ("normal", "abnormal")[i % 2]
            reference = ("REF", "LE")[i % 3 == 0]
            path = root / official / kind / "01_tcp_ar" / f"aaaaa{official[0]}{i:02d}_s001_t000.edf"
            x = tones(22, 250, 20, [(0, 22, i % 2)], seed=i)
            write_edf(path, x, 250, tuh_names(reference))
    data = get_protocol("tuab").load(tmp_path / "normal")
    assert data.x.shape == (24, 20, 640)
    assert_labels_sit_on_their_signal(data)
    assert [len(data.subjects_of(s)) for s in ("train", "val", "test")] == [8, 2, 2]
    assert people(data, "test") == {"aaaaae00", "aaaaae01"}
    assert_nobody_on_two_sides(data)


def test_tuev_rows_are_windows_around_their_second(tmp_path):
    rows = [(4.0, 1), (11.0, 5), (11.0, 5), (18.0, 6), (0.5, 2), (27.5, 3)]
    x = tones(29, 250, 20, [(at - 2, at + 3, kind - 1) for at, kind in rows[:4]])
    for place in ("train/aaaaaaar", "train/aaaaaaas", "eval/000"):
        name = place.partition("/")[2]
        path = write_edf(tmp_path / "edf" / place / f"{name}_a.edf", x, 250, tuh_names())
        path.with_suffix(".rec").write_text("".join(f"3,{at},{at + 1},{kind}\n" for at, kind in rows))
    write_edf(tmp_path / "edf" / "eval" / "001" / "no_labels.edf", x, 250, tuh_names())
    data = get_protocol("tuev").load(tmp_path)
    of_one = data.select(data.recording == "edf/eval/000/000_a.edf")
    assert of_one.y.tolist() == [0, 4, 4, 5]  # one window per row; those that leave the recording are dropped
    assert of_one.start_s.tolist() == [2.0, 9.0, 9.0, 16.0]
    assert_labels_sit_on_their_signal(data)
    assert people(data, "test") == {"000"}
    assert sum(entry.n_windows for entry in data.dropped) == 6
    (tmp_path / "edf/eval/000/000_a.rec").write_text("3,4.0,5.0,7\n")
    left_out = get_protocol("tuev").load(tmp_path).dropped
    assert any("class 7, expected 1 to 6" in entry.reason for entry in left_out)


# --- our own -------------------------------------------------------------------------------------


def test_eegmmidb_pairs_depend_on_the_run(tmp_path):
    names = [f"{name}." for name in load_montage("eegmmidb-64").ch_names]
    for run, pair in ((4, (0, 1)), (6, (2, 3)), (8, (0, 1)), (14, (2, 3))):
        notes = [(0.0, 4.0, "T0"), (4.2, 4.1, "T2"), (8.3, 4.2, "T0"), (12.5, 4.1, "T1")]
        x = tones(18, 160, 64, [(4.2, 8.3, pair[1]), (12.5, 16.6, pair[0])])
        write_edf(tmp_path / "S001" / f"S001R{run:02d}.edf", x, 160, names, notes)
    four = get_protocol("eegmmidb-s001-4").load(tmp_path)
    assert_labels_sit_on_their_signal(four)
    splits = {r[-6:-4]: s for r, s in zip(four.recording.tolist(), four.split.tolist(), strict=True)}
    assert splits == {"04": "train", "06": "train", "08": "val", "14": "test"}
    feet = get_protocol("eegmmidb-s001").load(tmp_path)
    assert feet.counts()["train"] == {"fists": 1, "feet": 1}
    np.testing.assert_array_equal(peak_classes(feet.x, 64.0) - 2, feet.y)


@pytest.mark.recordings
def test_peterson_and_ssvep_of_real_people(data_dir):
    data = get_protocol("peterson-mi").load(data_dir / "peterson2022-mi-rest", subjects=["edf05"])
    assert data.counts() == {
        "train": {"rest": 20, "imagery": 20},
        "val": {"rest": 20, "imagery": 20},
        "test": {"rest": 40, "imagery": 40},
    }
    assert 5e-6 < np.sqrt((data.x**2).mean()) < 50e-6
    ssvep = get_protocol("ssvep-exo").load(data_dir / "ssvep-exoskeleton", subjects=["subject03"])
    assert ssvep.counts()["train"] == dict.fromkeys(ssvep.classes, 8)
    assert ssvep.counts()["test"] == dict.fromkeys(ssvep.classes, 8)
    # each flicker shows at its own frequency more than in the trials of the others: labels are in place
    power = np.abs(np.fft.rfft(ssvep.x * np.hanning(256), axis=2)) ** 2
    power = np.log(power.mean(1))
    for k, hz in enumerate((13, 17, 21), start=1):
        at = hz * 4
        ratio = power[:, at] - power[:, [at - 6, at - 5, at - 4, at + 4, at + 5, at + 6]].mean(1)
        assert ratio[ssvep.y == k].mean() > ratio[ssvep.y != k].mean() + 0.5


# --- common rules --------------------------------------------------------------------------------


def test_all_protocols_are_complete():
    assert [p.name for p in PAPER] == [
        *("mental-arithmetic", "mumtaz2016", "physionet-p300", "sleep-edfx", "seed-v"),
        *("bcic-iv-2a", "tuab", "tuev"),
    ]
    lengths = {1.0: 64, 2.0: 128, 3.5: 224, 4.0: 256, 5.0: 320, 10.0: 640, 30.0: 1920}
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert round(protocol.window_s * protocol.sfreq) == lengths[protocol.window_s]
        assert protocol.load_montage().n_chans in (2, 8, 15, 16, 17, 18, 20)
        assert set(protocol.paper) <= set(protocol.metrics)
        if protocol in PAPER:
            assert protocol.n_paper
            assert protocol.metrics[0] == "balanced_accuracy"
            assert len(protocol.paper) == 3


def test_split_of_people_is_drawn_once_and_covers_everyone():
    who = [f"p{i}" for i in range(50)]
    split = split_people(who, (0.6, 0.2, 0.2))
    assert Counter(split.values()) == {"train": 30, "val": 10, "test": 10}
    assert split == split_people(who[::-1], (0.6, 0.2, 0.2))
    assert split != split_people(who, (0.6, 0.2, 0.2), seed=1)
    assert set(split_people(who, (0.8, 0.2, 0.0)).values()) == {"train", "val"}
    with pytest.raises(NeuriptError, match="2 people cannot be split"):
        split_people(["a", "b"], (0.6, 0.2, 0.2))


def test_split_in_order_counts_ten_after_two():
    split = split_in_order(["S1", "S10", "S2", "S3"], 2, 1)
    assert split == {"S1": "train", "S2": "train", "S3": "val", "S10": "test"}


def test_other_channels_and_few_people(tmp_path):
    protocol = get_protocol("mental-arithmetic")
    arithmetic_folder(tmp_path, (0, 1, 33), sfreq=128, seconds=12)
    data = protocol.load(tmp_path, limit=1, montage=load_montage("10-20").pick(["C3", "Cz", "C4"]))
    assert data.x.shape[1:] == (3, 320)
    assert set(data.recording) == {"Subject00_1.edf", "Subject33_1.edf"}
    assert people(protocol.load(tmp_path, subjects=["Subject33"]), "test") == {"Subject33"}


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(tmp_path):
    protocol = get_protocol("mental-arithmetic")
    arithmetic_folder(tmp_path, (0,), sfreq=128, seconds=12)
    (tmp_path / "Subject01_1.edf").write_bytes(b"no EDF at all")
    write_edf(tmp_path / "Subject02_1.edf", tones(12, 128, 2, []), 128, ["Cz", "Pz"])
    data = protocol.load(tmp_path)
    assert set(data.recording) == {"Subject00_1.edf", "Subject00_2.edf"}
    reasons = {entry.recording: entry.reason for entry in data.dropped}
    assert "cannot be read" in reasons["Subject01_1.edf"]
    assert set(reasons) == {"Subject01_1.edf", "Subject02_1.edf"}
    assert "val has no window of rest, arithmetic" in data.notes
    for path in tmp_path.glob("Subject00*"):
        path.unlink()
    with pytest.raises(NeuriptError, match="none of 2 recordings gave a window; the first says"):
        protocol.load(tmp_path)


def test_wrong_folders_and_names_are_refused(tmp_path):
    protocol = get_protocol("Mental Arithmetic")
    with pytest.raises(NeuriptError, match=r"there is no folder .*physionet.org"):
        protocol.load(tmp_path / "none")
    with pytest.raises(NeuriptError, match="holds no recording of this data set; expected is Subj"):
        protocol.load(tmp_path)
    with pytest.raises(NeuriptError, match="did you mean tuab"):
        get_protocol("tuabb")
    arithmetic_folder(tmp_path, (0,), sfreq=128, seconds=12)
    with pytest.raises(NeuriptError, match="no recording of Subject07"):
        protocol.load(tmp_path, subjects=["Subject07"])
    with pytest.raises(NeuriptError, match="use at least 1"):
        protocol.load(tmp_path, limit=0)


def test_data_checks_its_parts():
    montage = load_montage("sleep-edfx")
    names = np.array(["a", "a", "b"])
    parts = {
        "x": np.zeros((3, 2, 8), np.float32),
        "y": np.array([0, 1, 1]),
        "subject": names,
        "recording": names,
        "start_s": np.zeros(3),
        "split": np.array(["train", "val", "test"]),
        "montage": montage,
        "classes": ("p", "q"),
        "sfreq": 64.0,
    }
    data = EvalData(**parts)
    val = data.of("val")
    assert (val.x.shape, val.y.tolist()) == ((1, 2, 8), [1])
    assert len(data.select(data.y == 1)) == 2
    for wrong in ({"y": np.array([0, 1, 2])}, {"split": names}, {"x": np.zeros((3, 5, 8), np.float32)}):
        with pytest.raises(ValueError, match=r"labels reach 2|splits are|channels"):
            EvalData(**{**parts, **wrong})


# --- downloads -----------------------------------------------------------------------------------


def test_physionet_downloads_only_what_is_asked_for(tmp_path, monkeypatch):
    listed = "aa README\nbb Subject00_1.edf\ncc sub dir/Subject01_1.edf\n"
    asked = []

    def download(url, target, known_hash):
        asked.append((url, target, known_hash))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(listed)
        return target

    monkeypatch.setattr(fetch, "download", download)
    fetch.physionet("eegmat", "1.0.0", tmp_path, r"\.edf$")
    base = "https://physionet.org/files/eegmat/1.0.0/"
    assert asked[1:] == [
        (base + "Subject00_1.edf", tmp_path / "Subject00_1.edf", "sha256:bb"),
        (base + "sub%20dir/Subject01_1.edf", tmp_path / "sub dir/Subject01_1.edf", "sha256:cc"),
    ]
    listed = "dd ../../outside.edf\n"
    with pytest.raises(NeuriptError, match="leaves the folder"):
        fetch.physionet("eegmat", "1.0.0", tmp_path, r"\.edf$")


def test_figshare_downloads_by_its_own_list(tmp_path, monkeypatch):
    files = [
        {"name": "H S1 EC.edf", "download_url": "https://f/1", "computed_md5": "m1"},
        {"name": "H S1 TASK.edf", "download_url": "https://f/2", "computed_md5": "m2"},
    ]
    asked = []

    def download(url, target, known_hash):
        asked.append((url, target.name, known_hash))
        target.write_text(json.dumps(files))
        return target

    monkeypatch.setattr(fetch, "download", download)
    fetch.figshare(1, tmp_path, r"(EC|EO)\.edf$")
    assert asked[1:] == [("https://f/1", "H S1 EC.edf", "md5:m1")]


def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch")

    def retrieve(*args, **kwargs):
        raise ValueError("SHA256 hash of downloaded file does not match")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(NeuriptError, match=r"does not match.*by hand"):
        fetch.download("https://physionet.org/x", tmp_path / "x", "sha256:00")


def test_the_document_names_every_protocol_as_it_is():
    text = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    text = text.replace("&lt;", "<").replace("&gt;", ">")
    for name, protocol in PROTOCOLS.items():
        (row, *_) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {', '.join(protocol.classes)} |" in row
        assert protocol.layout in row or "| same |" in row
        if protocol.n_paper is not None:
            assert f"| `{name}` | {protocol.n_paper} |" in text
