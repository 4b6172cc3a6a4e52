"""Seizure protocols on made-up folders in the layouts of TUSZ and CHB-MIT, up to the clinical table."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from dataset_folders import tones, write_edf

from neuript.__main__ import main
from neuript.errors import NeuriptError
from neuript.training.evaluate.alarm_counts import AlarmTarget
from neuript.training.evaluate.clinical_report import clinical_rows
from neuript.training.evaluate.evaluation import EvaluateSpec, evaluate
from neuript.training.evaluate.protocols import get_protocol
from neuript.training.evaluate.protocols.seizures import read_summary

TEN_TWENTY = [
    "Fp1",
    "Fp2",
    "F3",
    "F4",
    "C3",
    "C4",
    "P3",
    "P4",
    "O1",
    "O2",
    "F7",
    "F8",
    "T3",
    "T4",
    "T5",
    "T6",
    "Fz",
    "Cz",
    "Pz",
]
CHB = [
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    *("FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ"),
]
HEAD = "# version = csv_v1.0.0\n# duration = 50.0 secs\n#\nchannel,start_time,stop_time,label,confidence\n"
SEIZURE = (20.0, 30.0)


def tusz(folder):
    """One recording of two, one and two people in the sets; a seizure is a tone of the other class from 20 to 30 s."""
    people = {"train": ("aaaaaaaa", "aaaaaaab"), "dev": ("aaaaaaac",), "eval": ("aaaaaaad", "aaaaaaae")}
    names = [f"EEG {name.upper()}-REF" for name in TEN_TWENTY]
    for split, persons in people.items():
        for i, person in enumerate(persons):
            path = folder / "edf" / split / person / "s001_2015" / "01_tcp_ar" / f"{person}_s001_t000.edf"
            stretches = [(0, 20, 0), (20, 30, 1), (30, 50, 0)]
            write_edf(path, tones(50, 128, len(names), stretches, seed=i), 128, names)
            rows = f"TERM,0.0,20.0,bckg,1.0\nTERM,{SEIZURE[0]},{SEIZURE[1]},seiz,1.0\nTERM,30.0,50.0,bckg,1.0\n"
            path.with_suffix(".csv_bi").write_text(HEAD + rows)
    return folder


def test_tusz_is_tiled_with_the_official_sets(tmp_path):
    data = get_protocol("tusz").load(tusz(tmp_path))
    assert {s: {p.partition("/")[2] for p in data.subjects_of(s)} for s in ("train", "val", "test")} == {
        "train": {"aaaaaaaa", "aaaaaaab"},
        "val": {"aaaaaaac"},
        "test": {"aaaaaaad", "aaaaaaae"},
    }
    for name in np.unique(data.recording):
        start, y = data.start_s[data.recording == name], data.y[data.recording == name]
        np.testing.assert_allclose(np.diff(start), 4.0)
        inside = np.minimum(start + 4, SEIZURE[1]) - np.maximum(start, SEIZURE[0])
        np.testing.assert_array_equal(y, inside >= 2.0)
        assert y.sum() in (2, 3)
    assert data.classes == ("background", "seizure")


def test_an_evaluation_of_it_has_false_alarms_per_hour(tmp_path, capsys):
    data = get_protocol("tusz").load(tusz(tmp_path / "tusz"))
    out = tmp_path / "results"
    evaluate(data, EvaluateSpec(methods=("band-power",)), out)
    (row,) = clinical_rows(out, AlarmTarget(value=1.0))
    assert row.rates["sensitivity"][0] == row.rates["events found"][0] == 1.0  # tones are easily told apart
    assert row.rates["false alarms per hour"][0] == 0.0
    assert row.n_people == 2
    command = ["train", "clinical", str(out), "--at", "false-alarms=0", "--consecutive", "2"]
    assert main([*command, "--out", str(tmp_path / "c.json"), "--curves", str(tmp_path / "c.png")]) == 0
    printed = capsys.readouterr().out
    assert "| band-power | 1 |" in printed
    assert "2 test people" in printed
    (saved,) = json.loads((tmp_path / "c.json").read_text())
    assert saved["net_benefit"]["at"][0] == 0.01
    assert max(saved["net_benefit"]["model"]) == pytest.approx(np.mean(data.y[data.split == "test"]), abs=1e-6)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert main(["train", "clinical", str(out), "--at", "sensitivity"]) == 2


def test_chb_mit_takes_pairs_summaries_and_knows_whom_it_has_twice(tmp_path):
    for case in ("chb01", "chb02", "chb03", "chb21"):
        folder = tmp_path / case
        lines = ["Data Sampling Rate: 256 Hz"]
        for i in (1, 2):
            name = f"{case}_0{i}.edf"
            if case in ("chb01", "chb21") or i == 1:
                write_edf(folder / name, tones(30, 256, len(CHB), [(0, 30, 0)]), 256, CHB)
            lines += [f"File Name: {name}", f"Number of Seizures in File: {i - 1}"]
            lines += ["Seizure 1 Start Time: 12 seconds", "Seizure 1 End Time: 20 seconds"] if i == 2 else []
        (folder / f"{case}-summary.txt").write_text("\n".join(lines))
    data = get_protocol("chb-mit").load(tmp_path)
    assert data.n_chans == 18
    assert {s.partition("/")[2] for s in data.subject} == {"chb01", "chb02", "chb03"}
    assert len(set(map(str, data.split))) == 3
    per_file = Counter(zip(data.recording.tolist(), data.y.tolist(), strict=True))
    assert per_file["chb01/chb01_01.edf", 1] == 0
    assert per_file["chb21/chb21_02.edf", 1] == 2
    with pytest.raises(NeuriptError, match=r"does not name chb01_09\.edf"):
        read_summary(tmp_path / "chb01" / "chb01-summary.txt", "chb01_09.edf")


def test_a_damaged_table_names_its_line(tmp_path):
    folder = tusz(tmp_path)
    (first, *_) = sorted(folder.rglob("*.csv_bi"))
    first.write_text(HEAD + "TERM,0.0,seiz\n")
    data = get_protocol("tusz").load(folder)
    assert any("line 5 is 'TERM,0.0,seiz'" in entry.reason for entry in data.dropped)
