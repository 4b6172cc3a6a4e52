"""A folder of recordings as labs have them, and the corpus made of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from csv_recordings import CAP, MUSE, write_csv

from neuript.training.corpus import RECIPES, prepare

SHORT = RECIPES["short"]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two montages, two rates, two people, a recording without places, a table that is none."""
    root = tmp_path_factory.mktemp("written") / "lab"
    write_csv(root / "sub-01" / "eeg" / "sub-01_task-rest_eeg.csv", CAP, 32.0, seed=1)
    write_csv(root / "sub-02" / "eeg" / "sub-02_task-rest_eeg.csv", CAP, 20.0, 256.0, seed=2)
    write_csv(root / "sub-02" / "eeg" / "sub-02_task-muse_eeg.csv", MUSE, 16.0, 256.0, seed=3)
    write_csv(root / "sub-03" / "eeg" / "sub-03_eeg.csv", ("Fp1", "A1", "X1", "M2"), 16.0, seed=4)
    (root / "participants.csv").write_text("id,age\nsub-01,33\n")
    for folder in ("derivatives", "sourcedata"):
        (root / folder).mkdir()
        shutil.copy(root / "sub-01/eeg/sub-01_task-rest_eeg.csv", root / folder / "a.csv")
    return root


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """The same for one test alone, which may change it."""
    return Path(shutil.copytree(written, tmp_path / "lab"))


@pytest.fixture
def corpus(folder: Path, tmp_path: Path) -> Path:
    prepare([folder], tmp_path / "corpus", SHORT)
    return tmp_path / "corpus"
