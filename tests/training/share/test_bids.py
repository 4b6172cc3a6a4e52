"""Recordings as a BIDS data set, read back by MNE and by ourselves."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xdf_writer
from cue_sessions import CLASSES, ZERO, write_cue_session
from edf_plus import write_edf_plus
from processes import finished
from twin_recordings import NAMES, SFREQ

from neuript.cli import main
from neuript.errors import NeuriptError
from neuript.realtime.lsl.gdf import UNKNOWN_CUE
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.share.bids_event_table import codes_of, event_rows
from neuript.training.share.bids_extra import of_bids
from neuript.training.share.bids_labels import bids_label, check_aliases, session_label
from neuript.training.share.bids_signal import bids_signal
from neuript.training.share.hed_tags import check_hed, hed_of
from neuript.training.windows.dataset import load_dataset
from neuript.training.windows.dataset_spec import DatasetSpec

GAP = (4000, 25)
"""First sample that is missing from the second recording, and how many are."""


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    """A guided session of two recordings, with its report."""
    fitted = CalibrationSpec(event_map={name: name for name in CLASSES}, montage="10-20", subject="S-01")
    spec = GuidedSpec(subject="S-01", classes=CLASSES, calibration=fitted)
    folder = SessionFolder.begin(tmp_path_factory.mktemp("sessions"), spec, "2026-11-30")
    write_cue_session(folder.next_recording(), 1)
    write_cue_session(folder.next_recording(), 2, GAP)
    (folder.path / "report.html").write_text("<html>report</html>")
    return folder.path


@pytest.fixture(scope="module")
def dataset(session, tmp_path_factory) -> Path:
    export = pytest.importorskip("neuript.training.share.export_bids")
    for package in ("mne_bids", "pybv", "hed"):
        pytest.importorskip(package)
    root = tmp_path_factory.mktemp("bids") / "dataset"
    runs = export.to_bids(session, root)
    assert [run.is_new for run in runs] == [True, True]
    return root


def to_bids(*args, **options):
    pytest.importorskip("mne_bids")
    from neuript.training.share.export_bids import to_bids

    return to_bids(*args, **options)


def run_of(root: Path, n: int, ending: str) -> Path:
    name = f"sub-S01_ses-20261130n1_task-imagery_run-{n:02d}_{ending}"
    return root / "sub-S01" / "ses-20261130n1" / "eeg" / name


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def everything(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", [".", "derivatives/neuript"])
def test_the_official_validator_finds_no_error(dataset, part):
    """Each by itself: with --recursive it does not read the .bidsignore of derivatives."""
    tool = shutil.which("bids-validator-deno")
    if tool is None:
        pytest.skip("bids-validator-deno is not installed (pip install bids-validator-deno)")
    done = finished([tool, "--format", "json", dataset / part], within_s=100)
    if not done.stdout.startswith("{"):
        pytest.skip(f"the validator did not run here: {done.stderr[:200]}")
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert [issue for issue in issues if issue["code"].startswith("HED")] == []


def test_a_tag_that_is_not_of_the_schema_is_found(dataset, tmp_path):
    broken = shutil.copytree(dataset, tmp_path / "dataset")
    path = run_of(broken, 1, "events.json")
    path.write_text(path.read_text().replace("Sensory-event, Cue", "Sensory-happening, Cue"))
    with pytest.raises(NeuriptError, match=r"HED 8\.4\.0 does not know"):
        check_hed(json.loads(path.read_text()))


@pytest.mark.parametrize("n", [1, 2])
def test_what_is_read_back_is_what_a_calibration_takes_from_the_recording(session, dataset, n):
    """Trials, windows, and what they are seen from; samples are missing from the second recording."""
    original = read_recording(session / ("session.xdf", "session-2.xdf")[n - 1])
    there = read_recording(run_of(dataset, n, "eeg.vhdr"))
    assert there.cue_classes == original.cue_classes == CLASSES
    lost = [[gap.n_missing for gap in read.eeg.gaps] for read in (original, there)]
    assert lost == [[GAP[1]][: n - 1]] * 2
    assert len(there.eeg) == len(original.eeg)
    spec = DatasetSpec(montage="10-20", mains_hz=None, window_s=2.0, min_trials_per_class=2)
    one, two = (load_dataset(read, spec) for read in (original, there))
    assert [trial.label for trial in one.trials] == [trial.label for trial in two.trials]
    apart = [a.onset_s - ZERO - b.onset_s for a, b in zip(one.trials, two.trials, strict=True)]
    assert np.abs(apart).max() <= 0.5 / SFREQ
    assert len(one) == len(two) > 30
    np.testing.assert_array_equal(two.y, one.y)
    for name in ("x", "signal", "tangent"):
        expected = getattr(one, name)
        np.testing.assert_allclose(getattr(two, name), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(two.reference.mean, one.reference.mean, rtol=1e-4)


def test_what_a_gap_would_be_without_the_table(dataset, tmp_path):
    """The zeros, so the table is what makes the difference."""
    for path in run_of(dataset, 2, "eeg.vhdr").parent.glob("*_run-02_eeg.*"):
        shutil.copy(path, tmp_path / path.name)
    bare = read_recording(tmp_path / run_of(dataset, 2, "eeg.vhdr").name)
    assert bare.eeg.gaps == ()
    assert not bare.eeg.data[GAP[0] : sum(GAP)].any()


def test_mne_reads_events_gaps_channels_and_places(session, dataset):
    mne_bids = pytest.importorskip("mne_bids")
    path = mne_bids.get_bids_path_from_fname(run_of(dataset, 2, "eeg.vhdr")).update(root=dataset)
    raw = mne_bids.read_raw_bids(path, verbose="error")
    original = read_recording(session / "session-2.xdf")
    first = original.eeg.timestamps[0]
    expected = [(event.label, event.time_s - first) for event in events_of(original)]
    skips = [note for note in raw.annotations if note["description"] == "BAD_ACQ_SKIP"]
    notes = [note for note in raw.annotations if note["description"] != "BAD_ACQ_SKIP"]
    assert [note["description"] for note in notes] == [label for label, _ in expected]
    np.testing.assert_allclose([note["onset"] for note in notes], [t for _, t in expected], atol=0.5 / SFREQ)
    assert [(note["onset"], note["duration"]) for note in skips] == [(GAP[0] / SFREQ, GAP[1] / SFREQ)]
    x = raw.get_data() * 1e6
    assert not x[:, GAP[0] : sum(GAP)].any()
    np.testing.assert_allclose(np.delete(x, np.arange(GAP[0], sum(GAP)), axis=1), original.eeg.data.T, rtol=1e-5)
    assert raw.ch_names == list(NAMES)
    assert raw.info["line_freq"] == 50
    places = raw.get_montage().get_positions()
    assert set(places["ch_pos"]) == set(NAMES)
    assert places["ch_pos"]["C3"][0] < -0.05 < 0.05 < places["ch_pos"]["C4"][0]


def test_events_have_codes_names_and_tags_and_what_does_not_count_has_no_class(dataset):
    rows = table(run_of(dataset, 1, "events.tsv"))
    assert list(rows[0]) == ["onset", "duration", "trial_type", "value", "sample"]
    values = {row["trial_type"]: row["value"] for row in rows}
    assert (values["cue/left_hand"], values["cue/right_hand"]) == ("769", "770")
    assert values["practice/left_hand"] == values["rejected/right_hand"] == str(UNKNOWN_CUE)
    assert sum(row["trial_type"].startswith("cue/") for row in rows) == 10
    said = json.loads(run_of(dataset, 1, "events.json").read_text())
    assert set(said["trial_type"]["Levels"]) == set(said["trial_type"]["HED"]) == set(values)
    assert said["value"]["Levels"]["769"] == "cue/left_hand"
    assert "(Move, (Left, Hand))" in said["trial_type"]["HED"]["cue/left_hand"]


def test_the_recording_and_what_was_made_of_it_are_kept(session, dataset):
    kept = dataset / "sourcedata" / "sub-S01" / "ses-20261130n1" / "eeg"
    copy = kept / "sub-S01_ses-20261130n1_task-imagery_run-02_eeg.xdf"
    assert copy.read_bytes() == (session / "session-2.xdf").read_bytes()
    made = dataset / "derivatives" / "neuript" / "sub-S01" / "ses-20261130n1"
    rows = table(made / "eeg" / "sub-S01_ses-20261130n1_task-imagery_run-01_desc-decisions_events.tsv")
    assert [float(row["onset"]) for row in rows] == pytest.approx([8.0, 8.1], abs=1e-3)
    assert [(row["state"], row["p_left_hand"]) for row in rows] == [("OK", "0.750000"), ("GAP", "n/a")]
    assert (made / "sub-S01_ses-20261130n1_desc-calibration1_report.html").read_text() == "<html>report</html>"
    assert table(dataset / "participants.tsv")[0]["alias"] == "S-01"


def decision_lines(path: Path, **time: float) -> Path:
    """Two lines of `neuript-live --json`."""
    said = [("OK", {"left_hand": 0.75, "right_hand": 0.25}), ("GAP", None)]
    lines = [
        json.dumps({**{k: t + i for k, t in time.items()}, "proba": proba, "decision": None, "state": state})
        for i, (state, proba) in enumerate(said)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_was_decoded_later_is_added_to_a_recording_that_is_there(session, dataset, tmp_path):
    root = shutil.copytree(dataset, tmp_path / "dataset")
    before = everything(root)
    log = decision_lines(tmp_path / "run.jsonl", t=1.0, rec_t=5.0)
    for _ in range(2):
        (run,) = to_bids(session / "session.xdf", root, subject="S-01", decisions=log)
        assert not run.is_new
        new = sorted(set(everything(root)) - set(before))
        assert [path.name.rpartition("desc-")[2] for path in new] == ["decisions2_events.json", "decisions2_events.tsv"]
    assert [(row["onset"], row["p_left_hand"]) for row in table(new[1])] == [
        ("5.000000", "0.750000"),
        ("6.000000", "n/a"),
    ]
    with pytest.raises(NeuriptError, match="of one recording, and 2 were given"):
        to_bids(session, root, decisions=log)
    with pytest.raises(NeuriptError, match="stamps of the LSL clock"):
        to_bids(session / "session.xdf", root, subject="S-01", decisions=decision_lines(tmp_path / "live.jsonl", t=1.0))


def test_channels_without_names_are_named_and_left_out(tmp_path):
    pytest.importorskip("mne_bids")
    x = np.random.default_rng(1).normal(size=(1250, 4)) * 10
    bare = xdf_writer.session(x, np.arange(1250) / SFREQ, [], sfreq=SFREQ, labels=[""] * 4).save(tmp_path / "bare.xdf")
    words = ["bids", str(bare), "--subject", "S01", "--unit", "microvolts", "--out", str(tmp_path / "dataset")]
    assert main(words) == 2
    assert main([*words, "--channels", "C3,-,C4,EOG"]) == 0
    (path,) = (tmp_path / "dataset").rglob("*_eeg.vhdr")
    there = read_recording(path).eeg
    assert (there.info.ch_names, there.info.ch_types) == (("C3", "C4", "EOG"), ("EEG", "EEG", "EOG"))
    assert set(there.info.units) == {"microvolts"}
    np.testing.assert_allclose(there.data[:, 2], x[:, 3], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(there.data[:, :2], x[:, [0, 2]], rtol=1e-4, atol=1e-3)


def test_a_data_set_is_added_to_and_never_overwritten(session, dataset, tmp_path):
    root = shutil.copytree(dataset, tmp_path / "dataset")
    people = root / "participants.tsv"
    people.write_text(people.read_text().replace("sub-S01\tn/a\tn/a", "sub-S01\t33\tF"))
    before = everything(root)
    assert [run.is_new for run in to_bids(session, root)] == [False, False]
    assert everything(root) == before
    single = write_cue_session(tmp_path / "more.xdf", 3)
    (run,) = to_bids(single, root, subject="S-01", session="20261130n1", montage="10-20")
    assert run.path == run_of(root, 3, "eeg.vhdr")
    after = everything(root)
    assert {path for path in before if after[path] != before[path]} == set(root.rglob("*_scans.tsv"))
    assert len(table(root / "sub-S01" / "ses-20261130n1" / "sub-S01_ses-20261130n1_scans.tsv")) == 3
    with pytest.raises(NeuriptError, match=r"'S-01' and 'S_01' would both be sub-S01"):
        to_bids(write_cue_session(tmp_path / "other.xdf", 4), root, subject="S_01")


def test_the_verb_says_what_it_did(session, dataset, tmp_path, capsys):
    root = shutil.copytree(dataset, tmp_path / "dataset")
    (root / "README").rename(root / "README.md")
    other = write_cue_session(tmp_path / "b.xdf", 6, GAP)
    words = ["bids", str(session), str(other), "--subject", "S02", "--out", str(root), "--mains", "60"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"1 of 3 recordings added to {root}"
    assert "there already, as" in said.out
    assert "25 missing samples are zeros, marked BAD_ACQ_SKIP" in said.err
    assert not (root / "README").exists()
    (about,) = (root / "sub-S02").rglob("*_eeg.json")
    assert json.loads(about.read_text())["PowerLineFrequency"] == 60


def test_a_run_that_cannot_be_finished_leaves_nothing(session, dataset, tmp_path):
    """Another cap in the same session has other electrodes, which one table of the session cannot hold."""
    root = shutil.copytree(dataset, tmp_path / "dataset")
    before = everything(root)
    x = np.random.default_rng(1).normal(size=(1250, 3)) * 10
    file = xdf_writer.session(x, np.arange(1250) / SFREQ, [], sfreq=SFREQ, labels=["O1", "Oz", "O2"])
    with pytest.raises(NeuriptError, match="another --session"):
        to_bids(file.save(tmp_path / "o.xdf"), root, subject="S-01", session="20261130n1")
    assert everything(root) == before


def test_what_is_no_data_set_and_whose_nobody_said_is_refused(session, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(NeuriptError, match=r"has no dataset_description\.json"):
        to_bids(session, tmp_path)
    with pytest.raises(NeuriptError, match="--subject S01"):
        to_bids(session / "session.xdf", tmp_path / "dataset")
    with pytest.raises(NeuriptError, match="leave out --subject and --session"):
        to_bids(session, tmp_path / "dataset", subject="S02")
    with pytest.raises(NeuriptError, match="is no session folder"):
        to_bids(tmp_path, tmp_path / "dataset")
    with pytest.raises(NeuriptError, match="letters, digits"):
        to_bids(session / "session.xdf", tmp_path / "dataset", subject="../Ann")
    assert not (tmp_path / "dataset").exists()


def test_another_person_is_another_row(dataset, tmp_path):
    root = shutil.copytree(dataset, tmp_path / "dataset")
    people = root / "participants.tsv"
    people.write_text(people.read_text().replace("sub-S01\tn/a\tn/a", "sub-S01\t33\tF"))
    to_bids(write_cue_session(tmp_path / "a.xdf", 5), root, subject="S02")
    rows = [(row["participant_id"], row["age"], row["sex"], row["alias"]) for row in table(people)]
    assert rows == [("sub-S01", "33", "F", "S-01"), ("sub-S02", "n/a", "n/a", "S02")]
    assert not list(root.glob(".neuript-*"))


def test_an_absent_package_names_the_extra():
    with pytest.raises(NeuriptError, match=r'no_such_package: pip install "neuript\[bids\]"'):
        of_bids("no_such_package")


def test_labels_are_letters_and_digits():
    assert bids_label("S-01_b", "the alias") == "S01b"
    assert session_label("2026-11-30-1") != session_label("2026-11-03-01")
    assert session_label("2026-11-30-12") == "20261130n12"
    with pytest.raises(NeuriptError, match="no letter and no digit"):
        bids_label("--", "--task")
    check_aliases({"S-01": "S01"}, {"S-01": "S01"})
    with pytest.raises(NeuriptError, match="'s01' and 'S01'"):
        check_aliases({"S01": "S01"}, {"s01": "s01"})


def test_what_happens_at_once_and_what_is_said_twice(tmp_path):
    x = np.random.default_rng(1).normal(size=(1250, 3)) * 10
    marks = [(1.0, "start of it"), (1.0, "769"), (1.001, "769"), (2.0, "start of it"), (20.0, "late")]
    file = xdf_writer.session(x, np.arange(1250) / SFREQ, marks, sfreq=SFREQ, labels=["O1", "Oz", "O2"])
    signal = bids_signal(recording := read_recording(file.save(tmp_path / "a.xdf")))
    rows, n_outside = event_rows(recording, signal)
    assert [(row.sample, row.trial_type) for row in rows] == [(125, "start of it"), (125, "769"), (250, "start of it")]
    assert n_outside == 1


def test_stamps_in_bursts_are_put_on_a_line(tmp_path):
    x = np.random.default_rng(1).normal(size=(1250, 3)) * 10
    even = np.arange(1250) / SFREQ
    bursts = even[np.minimum(np.arange(1250) // 25 * 25 + 24, 1249)]  # each chunk stamped by its end
    file = xdf_writer.session(x, bursts, [(5.0, "a")], sfreq=SFREQ, labels=["O1", "Oz", "O2"])
    signal = bids_signal(read_recording(file.save(tmp_path / "a.xdf")))
    lag = np.interp(5.0, signal.times_s, signal.samples) - 5.0 * SFREQ
    assert -13.0 < lag < -11.0  # a chunk is late by 12 samples on average, whichever sample of it is meant


def test_channels_beside_the_eeg_keep_their_kind_and_numbers(tmp_path):
    x = np.random.default_rng(1).normal(size=(1250, 4)) * [10, 10, 0.05, 3]
    named = {"labels": ["C3", "C4", "EOGh", "TRG"], "kind": ["EEG", "EEG", "EOG", "TRG"]}
    units = ["microvolts", "microvolts", "millivolts", "none"]
    file = xdf_writer.session(x, np.arange(1250) / SFREQ, [], sfreq=SFREQ, unit=units, **named)
    raw = bids_signal(read_recording(file.save(tmp_path / "a.xdf")), mains=60.0).raw
    assert raw.get_channel_types() == ["eeg", "eeg", "eog", "misc"]
    np.testing.assert_allclose(raw.get_data().T, x * [1e-6, 1e-6, 1e-3, 1], rtol=1e-5)
    assert raw.info["line_freq"] == 60


def test_a_code_means_one_thing():
    codes = codes_of(["769", "left_hand", "T1", "T2", "trial_start", "cue/x"], ())
    assert codes["769"] == 769
    assert codes["trial_start"] == 768
    assert codes["left_hand"] is None  # 769 is taken
    known = [code for code in codes.values() if code is not None]
    assert len(known) == len(set(known)) == 5
    assert set(codes_of([f"remark {i}" for i in range(100)], ()).values()) == {None}


def test_every_tag_is_of_the_schema():
    pytest.importorskip("hed")
    classes = ("left_hand", "right_hand", "both_hands", "feet", "foot", "tongue", "rest", "own, (words)")
    kinds = [f"{kind}/{name}" for kind in ("cue", "practice", "rejected") for name in classes]
    kinds += [
        "trial_start",
        "trial_end",
        "rejected",
        "cross",
        "beep",
        "feedback",
        "BAD_ACQ_SKIP",
        "BAD_marked",
        "T1",
        "a, b: {c}",
    ]
    check_hed({"trial_type": {"HED": {kind: hed_of(kind) for kind in kinds}}})


def test_what_a_recording_calls_bad_is_bad_in_the_data_set(tmp_path, rng):
    x = np.round(20 * rng.standard_normal((2000, 3)), 1)
    begins = [k + 2 * (k >= 12) for k in range(20)]
    marks = [b"+3.5\x151.25\x14BAD_move\x14", b"+4\x150.2\x14bad\x14", b"+11\x154\x14BAD blink\x14", b"+6\x14go\x14"]
    path, labels = tmp_path / "a.edf", ("C3", "Cz", "C4")
    notes = [(k, mark) for k, mark in enumerate(marks)]
    write_edf_plus(path, x, n_per_record=100, kind="EDF+D", begins=begins, labels=labels, notes=notes)
    original = read_recording(path)
    (run,) = to_bids(path, tmp_path / "dataset", subject="S01", session="a")
    assert any("BAD_marked" in note for note in run.notes)
    there = read_recording(run.path)
    assert there.eeg.marked_bad == original.eeg.marked_bad == ((350, 475), (1100, 1300))
    assert [gap.n_missing for gap in there.eeg.gaps] == [200]
    rows = table(next(run.path.parent.glob("*_events.tsv")))
    said = [(row["onset"], row["duration"]) for row in rows if row["trial_type"] == "BAD_marked"]
    assert said == [("3.500000", "1.250000"), ("11.000000", "4.000000")]
    assert {event.time_s for event in events_of(there)} == {6.0}  # in the table and in the marker file
