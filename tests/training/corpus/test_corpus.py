"""A corpus: made, read, reported, resumed, refused."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xdf_writer
from csv_recordings import CAP, MUSE, write_csv

from neuript.errors import NeuriptError
from neuript.files import DiskFullError, file_sha256, replacing
from neuript.montages import load_montage
from neuript.realtime.recordings.bids_channels import find_channels
from neuript.realtime.recordings.read import read_recording
from neuript.training.corpus import RECIPES, Corpus, PrepareOptions, ScanOptions, SignalOptions, executor, prepare

SHORT = RECIPES["short"]
PAPER = load_montage("double-banana")


def test_a_data_sets_own_channel_table_is_believed(folder: Path, tmp_path: Path) -> None:
    """BIDS: the nearest table whose entities are the recording's; types and bad channels count."""
    (folder / "dataset_description.json").write_text("{}")
    rows = "".join(f"{name}\tEEG\tuV\tgood\n" for name in CAP)
    table = folder / "task-rest_channels.tsv"
    table.write_text(f"name\ttype\tunits\tstatus\n{rows}")
    own = folder / "sub-02/eeg/sub-02_task-rest_channels.tsv"
    told = rows.replace("Fp1\tEEG", "Fp1\tEOG").replace("O2\tEEG\tuV\tgood", "O2\tEEG\tuV\tbad")
    own.write_text(f"name\ttype\tunits\tstatus\n{told}")
    rest = folder / "sub-02/eeg/sub-02_task-rest_eeg.csv"
    assert find_channels(rest) == own
    assert find_channels(folder / "sub-01/eeg/sub-01_task-rest_eeg.csv") == table
    assert find_channels(folder / "sub-02/eeg/sub-02_task-muse_eeg.csv") is None
    (folder / "dataset_description.json").unlink()
    for name in ("task-muse_channels.tsv", "other_channels.tsv"):
        (folder.parent / name).write_text(table.read_text())  # of nobody's data set
    assert find_channels(folder / "sub-02/eeg/sub-02_task-muse_eeg.csv") is None
    assert find_channels(folder / "sub-01/eeg/sub-01_task-rest_eeg.csv") == table
    out = tmp_path / "bids"
    files = {f.recording: f for f in prepare([folder], out, SHORT).files}
    first, second = (files[f"sub-0{i}/eeg/sub-0{i}_task-rest_eeg.csv"] for i in (1, 2))
    assert (first.montage, first.notes) == ("double-banana", ())
    assert second.n_chans == len(CAP) - 2
    assert [note for note in second.notes if "not EEG" in note] == [f"{own.name} says that Fp1 is not EEG"]
    assert f"{own.name} says that O2 is bad" in second.notes
    assert own.name not in second.files  # equal tables of two people are no leak
    own.write_text(f"name\ttype\tunits\tstatus\n{rows}")
    again = {f.recording: f for f in prepare([folder], out, SHORT).files}
    assert again[second.recording].montage == "double-banana"
    own.write_text("a\tb\n1\t2\n")
    refused = {f.recording: f for f in prepare([folder], out, SHORT).files}[second.recording]
    assert refused.status == "refused"
    assert "wants at least name and type" in refused.reason


@pytest.mark.parametrize("simulated", [False, True])
def test_a_simulated_person_is_not_taken_for_a_real_one(
    folder: Path, tmp_path: Path, monkeypatch, simulated: bool
) -> None:
    from neuript.training.corpus import work

    def read(path: Path, **options: object):
        made = read_recording(path, **options)
        made.eeg.info = replace(made.eeg.info, simulated=simulated)
        return made

    monkeypatch.setattr(work, "read_recording", read)
    prepare([folder], tmp_path / "twins", SHORT)
    assert Corpus.open(tmp_path / "twins").simulated is simulated


@pytest.mark.parametrize(("kind", "stype"), [("EXG", "EEG"), ("exg", "EXG"), ("", "EXG")])
def test_channels_of_type_exg_are_eeg(tmp_path: Path, rng, kind: str, stype: str) -> None:
    x = 12 * (rng.standard_normal((2560, 4)) + rng.standard_normal((2560, 1)))  # as a scalp shares it
    stamps = 5 + np.arange(len(x)) / 128
    for name, how in (("plain", {}), ("exg", {"kind": kind, "stype": stype})):
        session = xdf_writer.session(x, stamps, [], sfreq=128.0, labels=["C3", "Cz", "C4", "Pz"], **how)
        (tmp_path / name).mkdir()
        session.save(tmp_path / name / "sub-01_eeg.xdf")
        report = prepare([tmp_path / name], tmp_path / f"{name}-corpus", SHORT).files[0]
        assert (report.status, report.n_chans) == ("kept", 4), report.reason
    plain, exg = (Corpus.open(tmp_path / f"{name}-corpus").groups[0] for name in ("plain", "exg"))
    assert exg.montage == plain.montage
    np.testing.assert_array_equal(exg.read(np.arange(len(exg))), plain.read(np.arange(len(plain))))


def test_a_channel_table_may_say_exg(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in" / "sub-01_task-a_eeg.csv", MUSE, 16.0, 256.0)
    rows = "".join(f"{name}\t{kind}\tuV\n" for name, kind in zip(MUSE, ("EXG", "exg", "MISC", ""), strict=True))
    (tmp_path / "in" / "sub-01_task-a_channels.tsv").write_text(f"name\ttype\tunits\n{rows}")
    report = prepare([tmp_path / "in"], tmp_path / "corpus", SHORT).files[0]
    assert report.notes[0] == "sub-01_task-a_channels.tsv says that AF8 is not EEG"
    assert report.n_chans == 3


def test_a_corpus_holds_what_cleaning_gives(corpus: Path, folder: Path) -> None:
    from neuript.training.windows.cleaning import clean, cut

    found = Corpus.open(corpus, verify=True)
    assert found.subjects == {"lab/01", "lab/02"}
    assert [(g.montage.n_chans, len(g)) for g in found.groups] == [(20, 11), (4, 3)]
    assert found.groups[0].montage == PAPER
    assert found.n_times == 256
    assert found.hours == pytest.approx(14 * 4 / 3600)
    group = found.groups[0]
    assert group.subjects.tolist() == ["lab/01"] * 7 + ["lab/02"] * 4
    source = folder / "sub-02/eeg/sub-02_task-rest_eeg.csv"
    x, start_s = cut(clean(read_recording(source), PAPER), None, 4.0)
    np.testing.assert_array_equal(group.read(np.arange(7, 11)), x)
    np.testing.assert_array_equal(group.start_s[7:], start_s)
    assert file_sha256(source) in found.file_hashes
    assert found.describe()["datasets"] == {"lab": round(found.hours, 4)}


def test_reading_in_any_order(corpus: Path) -> None:
    group = Corpus.open(corpus).groups[0]
    group._shards._limit = 1
    every = group.read(np.arange(len(group)))
    order = np.random.default_rng(0).permutation(len(group))
    np.testing.assert_array_equal(group.read(order), every[order])
    np.testing.assert_array_equal(group.read([3, 3]), every[[3, 3]])
    view = group.read(range(1, 4))
    assert not view.flags.owndata
    assert not view.flags.writeable
    np.testing.assert_array_equal(view, every[1:4])
    assert group.read([]).shape == (0, 20, 256)
    for wrong in ([len(group)], [-1]):
        with pytest.raises(IndexError):
            group.read(wrong)
    again = pickle.loads(pickle.dumps(group))
    np.testing.assert_array_equal(again.read([0]), every[:1])


def test_the_report_says_what_and_why(folder: Path, tmp_path: Path) -> None:
    loud = folder / "sub-04" / "sub-04.csv"
    write_csv(loud, MUSE, 12.0, seed=9, scale=60.0)
    (folder / "sub-05.csv").write_text("timestamps,TP9,AF7\n0,1,oops\n")
    (folder / "sub-06.edf").write_bytes(b"")
    holes = folder / "sub-07.csv"
    write_csv(holes, MUSE, 24.0, seed=10)
    lines = holes.read_text().splitlines()
    lines[500:900] = [line.split(",")[0] + ",nan,nan,nan,nan" for line in lines[500:900]]
    holes.write_text("\n".join(lines))
    dead = [line.split(",")[0] + ",5,5,5,5" for line in lines[1:]]
    (folder / "sub-08.csv").write_text("\n".join([lines[0], *dead]))
    report = prepare([folder], tmp_path / "c", SHORT)
    files = {Path(f.recording).name: f for f in report.files}
    assert files["sub-03_eeg.csv"].status == "refused"
    assert "known place" in files["sub-03_eeg.csv"].reason
    assert files["sub-04.csv"].status == "empty"
    assert files["sub-04.csv"].rejected["amplitude"] == files["sub-04.csv"].possible - 1
    assert "cannot be read" in files["sub-05.csv"].reason
    assert "empty" in files["sub-06.edf"].reason
    assert "are NaN" in " ".join(files["sub-07.csv"].notes)
    assert files["sub-07.csv"].status == "kept"
    assert 0 < files["sub-07.csv"].kept < files["sub-07.csv"].possible - 1
    assert {f.sfreq for f in report.files if f.status == "kept"} == {128.0, 256.0}
    assert files["sub-08.csv"].reason.startswith("every channel is flat or missing")
    assert report.counts == {"kept": 4, "refused": 4, "empty": 1}
    text = report.text()
    assert "refused: lab/sub-03" in text
    table = (tmp_path / "c" / "report.csv").read_text().splitlines()
    assert len(table) == 1 + len(report.files)
    assert np.isfinite(Corpus.open(tmp_path / "c").groups[1].read([0, 1])).all()


def test_the_paper_trims_and_wants_five_minutes(tmp_path: Path) -> None:
    write_csv(tmp_path / "in" / "long.csv", MUSE, 304.0)
    write_csv(tmp_path / "in" / "short.csv", MUSE, 290.0)
    report = prepare([tmp_path / "in"], tmp_path / "c", RECIPES["paper"])
    assert [(f.status, f.possible) for f in report.files] == [("kept", 46), ("refused", 0)]
    assert "wants 300 s" in report.files[1].reason
    start_s = Corpus.open(tmp_path / "c").groups[0].start_s
    assert start_s.min() == pytest.approx(60, abs=0.05)
    assert start_s.max() + 4 <= 244.05


def test_a_second_run_makes_nothing_and_a_changed_file_is_made_again(corpus: Path, folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (corpus / "shards").iterdir()}
    again = prepare([folder], corpus, SHORT)
    assert again.n_new == 0
    assert all(f.reused for f in again.files)
    assert {p: p.stat().st_mtime_ns for p in (corpus / "shards").iterdir()} == before
    write_csv(folder / "sub-02/eeg/sub-02_task-rest_eeg.csv", CAP, 24.0, 256.0, seed=5)
    write_csv(folder / "sub-08.csv", MUSE, 16.0, seed=6)
    assert prepare([folder], corpus, SHORT).n_new == 2
    found = Corpus.open(corpus, verify=True)
    assert "lab/08" in found.subjects
    assert found.groups[0].n_windows == 12
    assert prepare([folder], corpus, SHORT, PrepareOptions(redo=True)).n_new == 5


def test_a_broken_off_run_goes_on_to_the_same_corpus(corpus: Path, folder: Path, tmp_path: Path) -> None:
    def stop(done, n_all, file) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], tmp_path / "b", SHORT, progress=stop)
    with pytest.raises(NeuriptError, match="no windows yet"):
        Corpus.open(tmp_path / "b")
    torn = tmp_path / "b" / "shards" / ".x.arrow.abc.tmp"
    torn.write_bytes(b"half")
    (tmp_path / "b" / "records" / "torn.json").write_text('{"settings": ')
    assert prepare([folder], tmp_path / "b", SHORT).n_new == 2
    assert not torn.exists()
    assert (tmp_path / "b" / "corpus.json").read_bytes() == (corpus / "corpus.json").read_bytes()
    Corpus.open(tmp_path / "b", verify=True)


def test_a_full_disk_stops_and_resumes(folder: Path, tmp_path: Path, monkeypatch) -> None:
    from neuript.training.corpus import work

    def full(path, x, start_s, meta) -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"part")
            raise OSError(28, "No space left on device")

    whole = work.write_shard
    calls = []

    def sometimes(path, x, start_s, meta) -> None:
        calls.append(path)
        (whole if len(calls) == 1 else full)(path, x, start_s, meta)

    monkeypatch.setattr(work, "write_shard", sometimes)
    with pytest.raises(DiskFullError, match="1 of 4 recordings are done and whole, so make room"):
        prepare([folder], tmp_path / "c", SHORT)
    assert [p.name for p in (tmp_path / "c" / "shards").iterdir()] == [calls[0].name]
    monkeypatch.setattr(work, "write_shard", whole)
    assert prepare([folder], tmp_path / "c", SHORT).n_new == 3
    assert Corpus.open(tmp_path / "c", verify=True).n_windows == 14


def test_a_changed_shard_is_noticed_and_made_again(corpus: Path, folder: Path) -> None:
    path = sorted((corpus / "shards").iterdir())[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    Corpus.open(corpus)
    with pytest.raises(NeuriptError, match=r"another SHA-256.*--verify"):
        Corpus.open(corpus, verify=True)
    failed = []
    for check in Corpus.open(corpus).shard_checks():
        try:
            check()
        except NeuriptError as error:
            failed.append(str(error))
    assert len(failed) == 1
    assert f"{path.name} has another SHA-256" in failed[0]
    assert prepare([folder], corpus, SHORT).n_new == 0
    assert prepare([folder], corpus, SHORT, PrepareOptions(verify=True)).n_new == 1
    Corpus.open(corpus, verify=True)
    path.write_bytes(bytes(data[:-8]))
    with pytest.raises(NeuriptError, match="bytes instead of"):
        Corpus.open(corpus)
    path.unlink()
    with pytest.raises(NeuriptError, match="is missing"):
        Corpus.open(corpus)
    assert prepare([folder], corpus, SHORT).n_new == 1


def test_people_can_be_left_out_afterwards(corpus: Path, folder: Path) -> None:
    options = PrepareOptions(scan=ScanOptions(exclude_subjects=("lab/02",)))
    report = prepare([folder], corpus, SHORT, options)
    assert Corpus.open(corpus).subjects == {"lab/01"}
    assert report.excluded_subjects == ("lab/02",)
    assert len(list((corpus / "shards").iterdir())) == 1


def test_a_person_to_leave_out_whom_nobody_knows_is_refused(folder: Path, tmp_path: Path) -> None:
    options = PrepareOptions(scan=ScanOptions(exclude_subjects=("lab/99",)))
    with pytest.raises(NeuriptError, match=r"--exclude-subjects lab/99 fits nobody; the folders hold lab/01"):
        prepare([folder], tmp_path / "c", SHORT, options)


def test_the_same_bytes_count_once(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sub-01/eeg/sub-01_task-rest_eeg.csv", folder / "zz_copy.csv")
    report = prepare([folder], tmp_path / "c", SHORT)
    twin = report.files[-1]
    assert (twin.status, twin.kept) == ("duplicate", 0)
    assert twin.reason == "the same file as lab/sub-01/eeg/sub-01_task-rest_eeg.csv"
    assert Corpus.open(tmp_path / "c").n_windows == 14


def test_what_does_not_fit_the_corpus_is_refused(corpus: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NeuriptError, match=r"another recipe \(reject_uv: 50.0, 100.0"):
        prepare([folder], corpus, replace(SHORT, reject_uv=50.0))
    with pytest.raises(NeuriptError, match="has other things in it"):
        prepare([folder], folder, SHORT)
    with pytest.raises(NeuriptError, match="is a file"):
        prepare([folder], folder / "participants.csv", SHORT)
    other = tmp_path / "x" / "lab"
    shutil.copytree(folder, other)
    with pytest.raises(NeuriptError, match="--dataset each"):
        prepare([folder, other], tmp_path / "new", SHORT)
    with pytest.raises(NeuriptError, match="there is no corpus in"):
        Corpus.open(folder)
    with pytest.raises(NeuriptError, match="give 1 or more"):
        prepare([folder], tmp_path / "w", SHORT, PrepareOptions(workers=0))
    index = json.loads((corpus / "corpus.json").read_text())
    (corpus / "corpus.json").write_text(json.dumps(index | {"version": 99}))
    with pytest.raises(NeuriptError, match="version 1"):
        Corpus.open(corpus)
    (corpus / "corpus.json").write_text("{")
    with pytest.raises(NeuriptError, match="damaged"):
        Corpus.open(corpus)


def test_a_scheduler_that_does_not_answer(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(executor, "ANSWER_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://head"):
        options = PrepareOptions(scheduler=address)
        with pytest.raises(NeuriptError, match=f"no Dask scheduler answers at {address}"):
            prepare([folder], tmp_path / "w", SHORT, options)


def test_two_runs_do_not_write_at_once(corpus: Path, folder: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (corpus / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NeuriptError, match="another prepare is writing"):
            prepare([folder], corpus, SHORT)


def test_a_forced_montage_and_rescaling(folder: Path, tmp_path: Path) -> None:
    signal = SignalOptions(montage="muse-4", rescale=True, mains_hz=None)
    only = ScanOptions(include=("*muse*",))
    report = prepare([folder], tmp_path / "c", SHORT, PrepareOptions(scan=only, signal=signal))
    assert report.files[0].montage == "muse-4"
    assert "rescaled" in report.files[0].notes[0]


def test_an_odd_error_is_reported_and_tried_again(folder: Path, tmp_path: Path, monkeypatch) -> None:
    from neuript.training.corpus import work

    def odd(*args, **kwargs) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(work, "judge", odd)
    report = prepare([folder], tmp_path / "c", SHORT)
    assert report.counts == {"failed": 3, "refused": 1}
    assert report.files[0].reason == "ZeroDivisionError: odd"
    monkeypatch.undo()
    assert prepare([folder], tmp_path / "c", SHORT).n_new == 3


def test_a_corpus_from_before_channels_could_be_named_still_holds() -> None:
    """The hash that says whether a recording is made anew counts the names only where there are some."""
    from neuript.training.corpus.work import SignalOptions, _settings_of

    assert "channels" not in _settings_of(SignalOptions())
    assert _settings_of(SignalOptions(channels=("C3", "-")))["channels"] == ("C3", "-")
