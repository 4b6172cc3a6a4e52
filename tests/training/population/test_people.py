"""Which recordings are whose: folders of many people, and people by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuript.errors import NeuriptError
from neuript.training.corpus.scan import ScanOptions
from neuript.training.population.people import people_of


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def shown(found: dict[str, list[Path]], root: Path) -> dict[str, list[str]]:
    return {alias: [path.relative_to(root).as_posix() for path in paths] for alias, paths in found.items()}


def test_people_of_a_bids_folder_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    lab = make(
        tmp_path / "lab",
        "sub-02/ses-1/eeg/sub-02_ses-1_run-2_eeg.edf",
        "sub-02/ses-1/eeg/sub-02_ses-1_run-1_eeg.edf",
        "sub-01/eeg/sub-01_task-mi_eeg.edf",
        "sub-01/eeg/sub-01_task-mi_events.tsv",
        "derivatives/sub-01/eeg/sub-01_eeg.edf",
    )
    assert shown(people_of([str(lab)]), lab) == {
        "01": ["sub-01/eeg/sub-01_task-mi_eeg.edf"],
        "02": ["sub-02/ses-1/eeg/sub-02_ses-1_run-1_eeg.edf", "sub-02/ses-1/eeg/sub-02_ses-1_run-2_eeg.edf"],
    }


def test_other_people_are_told_apart_by_the_first_folder(tmp_path: Path) -> None:
    lab = make(tmp_path / "lab", "anna/day2/run.xdf", "anna/day1/run.xdf", "ben/run.xdf")
    assert shown(people_of([str(lab)]), lab) == {
        "anna": ["anna/day1/run.xdf", "anna/day2/run.xdf"],
        "ben": ["ben/run.xdf"],
    }


def test_a_person_is_named_by_file_folder_or_several_of_both(tmp_path: Path) -> None:
    make(tmp_path, "day1/b.xdf", "day1/a.xdf", "day2/c.xdf", "d.xdf")
    found = people_of([f"P1={tmp_path}/d.xdf,{tmp_path}/day1", f"P_2.x-y={tmp_path}/day2/c.xdf"])
    assert shown(found, tmp_path) == {"P1": ["d.xdf", "day1/a.xdf", "day1/b.xdf"], "P_2.x-y": ["day2/c.xdf"]}


def test_folders_and_names_may_be_mixed(tmp_path: Path) -> None:
    lab = make(tmp_path / "lab", "anna/run.xdf", "ben/run.xdf")
    make(tmp_path, "c.xdf")
    assert list(people_of([str(lab), f"carl={tmp_path}/c.xdf"])) == ["anna", "ben", "carl"]


def test_a_folder_with_a_sign_in_its_name_is_a_folder(tmp_path: Path) -> None:
    lab = make(tmp_path / "a=b", "anna/run.xdf")
    assert list(people_of([str(lab)])) == ["anna"]


@pytest.mark.parametrize("both", ["folders", "names", "folder and name"])
def test_an_alias_that_comes_twice_is_refused(tmp_path: Path, both: str) -> None:
    one, two = make(tmp_path / "one", "sub-01/a.xdf"), make(tmp_path / "two", "sub-01/b.xdf")
    sources = {
        "folders": [str(one), str(two)],
        "names": [f"01={one}", f"01={two}"],
        "folder and name": [str(one), f"01={two}/sub-01/b.xdf"],
    }[both]
    with pytest.raises(NeuriptError, match=r"two people are called 01 \(the second one in .*two.*\); give each"):
        people_of(sources)


@pytest.mark.parametrize("source", ["{}/nowhere", "P1={}/nowhere", "P1={}/there.xdf,{}/nowhere"])
def test_a_path_that_is_not_there_is_refused(tmp_path: Path, source: str) -> None:
    make(tmp_path, "there.xdf")
    with pytest.raises(NeuriptError, match=r"there is no folder .*nowhere"):
        people_of([source.format(tmp_path, tmp_path)])


@pytest.mark.parametrize("source", ["=x.xdf", "P 1=x.xdf", "P1=", "-p=x.xdf", "p/1=x.xdf"])
def test_what_cannot_be_an_alias_is_refused(source: str) -> None:
    with pytest.raises(NeuriptError, match=r"write ALIAS=PATH"):
        people_of([source])


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "lab", "anna/notes.txt")
    for source in (f"{tmp_path}/lab", f"P1={tmp_path}/lab"):
        with pytest.raises(NeuriptError, match="holds no recordings"):
            people_of([source])


def test_files_and_people_are_left_out(tmp_path: Path) -> None:
    lab = make(tmp_path / "lab", "anna/run1.xdf", "anna/run2.xdf", "ben/run1.xdf", "carl/run2.xdf")
    options = ScanOptions(include=("*run1*",), exclude_subjects=("ben",))
    assert shown(people_of([str(lab)], options), lab) == {"anna": ["anna/run1.xdf"]}
    with pytest.raises(NeuriptError, match="recordings of nobody"):
        people_of([str(lab)], ScanOptions(exclude_subjects=("*",)))


def test_a_name_to_leave_out_that_nobody_has_is_refused(tmp_path: Path) -> None:
    """A typing error would leave the person in."""
    lab = make(tmp_path / "lab", "anna/a.xdf", "ben/b.xdf")
    with pytest.raises(NeuriptError, match=r"--exclude-people bne fits nobody; the folders hold anna, lab/ben"):
        people_of([str(lab)], ScanOptions(exclude_subjects=("ben", "bne")))


@pytest.mark.parametrize("alias", ["P1", "ben"])
def test_nobody_who_is_left_out_stays_without_recordings(tmp_path: Path, alias: str) -> None:
    """Left out by the name that was given, or by that of the path."""
    lab = make(tmp_path / "lab", "anna/a.xdf", "carl/c.xdf")
    make(tmp_path / "other", "ben/b.xdf")
    found = people_of([str(lab), f"P1={tmp_path}/other"], ScanOptions(exclude_subjects=(alias,)))
    assert list(found) == ["anna", "carl"]


def test_the_order_of_recordings_is_that_of_their_names(tmp_path: Path) -> None:
    lab = make(tmp_path / "lab", *(f"anna/run{k:02d}.xdf" for k in (10, 2, 1)))
    assert shown(people_of([str(lab)]), lab)["anna"] == [f"anna/run{k:02d}.xdf" for k in (1, 2, 10)]
