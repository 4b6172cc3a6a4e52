"""Opens a file with the reader of MNE that fits it, and calls an error what it is."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError
from neuript.extras import of_extra

if TYPE_CHECKING:
    from mne.io import BaseRaw

_ANT = "antio", "CNT of ANT eego"
_MATLAB_73 = "pymatreader", "SET saved with -v7.3"
"""Packages of the extra `formats`, and what they read."""
_HDF5 = b"MATLAB 7.3"
_RIFF = b"RIFF"
_BESIDE = re.compile(r"tried (.+?)(?: and |\.$|$)")


def open_raw(path: Path) -> BaseRaw:
    """Open a recording without reading its samples.

    Parameters
    ----------
    path : Path
        A file that is there.

    Raises
    ------
    NeuriptError
        If it cannot be read; the sentence says whether a package, another file or a continuous recording is missing, or
        the file is damaged.
    """
    with said_as_it_is(path):
        return _reader(path)(path)


def missing_readers() -> list[str]:
    """Return the formats that cannot be read, because their packages are not installed."""
    return [what for package, what in (_ANT, _MATLAB_73) if importlib.util.find_spec(package) is None]


@contextlib.contextmanager
def said_as_it_is(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises about a file into one sentence: each of MNE's readers raises its own kinds."""
    try:
        yield
    except (NeuriptError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise NeuriptError(
            f"{path} refers to {_other_file(error)}, which is not beside it; put it there, or export the recording "
            "again: files that belong together must not be renamed one by one"
        ) from error
    except Exception as error:
        text = str(error).strip()
        if pieces := _not_continuous(path, text):
            raise NeuriptError(f"{path} {pieces}; export the continuous recording") from error
        first_line = (text.splitlines() or [type(error).__name__])[0]
        raise NeuriptError(
            f"{path} cannot be read as a recording ({first_line.rstrip(' :')}): it is damaged or not what "
            "its ending says; copy it again, or export it again from the recorder"
        ) from error


def _reader(path: Path) -> Callable[[Path], BaseRaw]:
    import mne

    name = path.name.lower()
    with path.open("rb") as file:
        begin = file.read(16)
    if name.endswith(".cnt") and begin.startswith(_RIFF):
        of_extra("formats", _ANT[0], f"{path}, a recording of ANT eego,")
        return lambda file: mne.io.read_raw_ant(file, verbose="warning")
    if name.endswith(".cnt"):
        return lambda file: mne.io.read_raw_cnt(file, verbose="warning")
    if name.endswith(".set") and begin.startswith(_HDF5):
        of_extra("formats", _MATLAB_73[0], f"{path}, which EEGLAB saved with -v7.3,")
    if name.endswith((".edf", ".bdf")):
        return _edf_of_any_encoding
    return lambda file: mne.io.read_raw(file, preload=False, verbose="warning")


def _edf_of_any_encoding(path: Path) -> BaseRaw:
    """Open an EDF or BDF file; annotations that are not UTF-8 are no damage (`edf_records` reads them)."""
    import mne

    read = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
    try:
        return read(path, preload=False, verbose="warning")
    except Exception as error:  # MNE raises a plain one
        if "encoding" not in str(error):
            raise
        return read(path, preload=False, encoding="latin1", verbose="warning")


def _not_continuous(path: Path, text: str) -> str:
    """Say what a file holds that is whole and no recording; empty where that cannot be told."""
    stem = path.name.lower().removesuffix(".gz").removesuffix(".fif")
    if "epochs" in text:
        return "is cut into epochs"
    if "No raw data" in text or "Could not find measurement data" in text:
        kinds = {"epo": "epochs", "ave": "averages", "cov": "a covariance", "eve": "a list of events"}
        return f"holds {kinds.get(stem[-3:], 'epochs or averages')} and no continuous recording"
    return ""


def _other_file(error: FileNotFoundError) -> str:
    found = _BESIDE.search(str(error))
    named = str(error.filename) if error.filename else found[1] if found else str(error)
    return Path(named).name
