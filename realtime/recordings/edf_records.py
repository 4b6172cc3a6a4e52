"""When the data records of an EDF+ or BDF+ file begin, and what is noted in them: its time-stamped annotation lists.

A file that declares itself discontinuous (EDF+D) may pause between two records, and only these lists say for how long.
Specification: https://www.edfplus.info/specs/edfplus.html, section 2.2.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.recordings.edf_steps import LINE, judged_steps
from neuript.realtime.recordings.file_marks import FileMark
from neuript.realtime.recordings.text_encoding import read_text

_LISTS = ("EDF Annotations", "BDF Annotations")
_ONSET = re.compile(rb"[+-]?\d+(\.\d*)?")


@dataclass(frozen=True, eq=False, slots=True)
class EdfRecords:
    """Times of the data records of a file.

    Attributes
    ----------
    begins_s : ndarray, shape (n_records,)
        When each record begins, in seconds from the first one.
    runs : tuple of (start, stop)
        Half-open runs of records without a pause.
    record_s : float
        Declared length of a record in seconds.
    scatter_s : float
        How far a begin may lie beside where it should, in seconds: many recorders round them.
    marks : tuple of FileMark
        Annotations, in seconds from the first record.
    notes : tuple of str
        Sentences for the user.
    """

    begins_s: NDArray[np.float64]
    runs: tuple[tuple[int, int], ...]
    record_s: float
    scatter_s: float
    marks: tuple[FileMark, ...]
    notes: tuple[str, ...]

    def sample_times(self, n_times: int, sfreq: float) -> NDArray[np.float64]:
        """Return the seconds of each sample from the first one, shape (n_times,).

        Parameters
        ----------
        n_times : int
            Samples of the file; a whole number for each record.
        sfreq : float
            Declared rate in Hz.
        """
        per_record = n_times // len(self.begins_s)
        grid = np.arange(n_times) / sfreq
        if len(self.runs) == 1 and self._even(self.begins_s, sfreq):
            return grid
        times = np.empty(n_times)
        for start, stop in self.runs:
            begins, part = self.begins_s[start:stop], slice(start * per_record, stop * per_record)
            if self._even(begins, sfreq):
                times[part] = begins[0] + grid[: len(begins) * per_record]
            else:
                times[part] = self._placed(begins, per_record, sfreq)
        return times

    def _even(self, begins: NDArray[np.float64], sfreq: float) -> bool:
        """Tell whether a run keeps the declared rate to half a sample, or to what the begins are rounded to."""
        declared = begins[0] + self.record_s * np.arange(len(begins))
        return bool(np.abs(begins - declared).max() <= max(0.5 / sfreq, self.scatter_s))

    def _placed(self, begins: NDArray[np.float64], per_record: int, sfreq: float) -> NDArray[np.float64]:
        """Return the times of a run whose clock ran at another rate: on the line through its begins, if they lie on it.

        Of few records, and of those that lie on no line, each begins where it says.
        """
        count, at = np.arange(len(begins)), np.arange(len(begins) * per_record) / per_record
        if len(begins) >= LINE:
            slope, begin = np.polyfit(count, begins, 1)
            if np.abs(begins - begin - slope * count).max() <= max(1.5 / sfreq, 3 * self.scatter_s):
                line: NDArray[np.float64] = begin + slope * at
                return line
        ends = np.append(begins, begins[-1] + self.record_s)
        times: NDArray[np.float64] = np.interp(at, np.arange(len(ends)), ends)
        return times


def read_edf_records(path: Path, sfreq: float) -> EdfRecords | None:
    """Read when the records of an EDF+ or BDF+ file begin, and its annotations; None for files without such lists.

    Parameters
    ----------
    path : Path
        An EDF or BDF file that another reader finds whole.
    sfreq : float
        Rate of its fastest channel in Hz.

    Raises
    ------
    NeuriptError
        If the records run backwards, or time is missing and nobody knows where.
    """
    try:
        head = _Header.read(path)
    except (ValueError, OverflowError):
        return None
    if not head.lists or not head.n_records or head.record_s <= 0:
        return None
    onsets, marks, latin = _read_lists(path, head)
    begins, notes = _filled_in(path, onsets, head)
    steps = judged_steps(path, begins, head.record_s, head.kind, sfreq, continuous=head.continuous)
    notes += [steps.note] if steps.note else []
    if head.continuous and steps.jumps:
        n = len(steps.jumps)
        notes.append(
            f"the file calls itself continuous ({head.kind}), but its records leave {n} gap{'' if n == 1 else 's'} of "
            f"{steps.missing_s:.3g} s together; the times of the records are taken"
        )
    if latin:
        notes.append("its annotations are not in UTF-8, as EDF+ asks for; read as Latin-1")
    zero = begins[0]
    marks = [FileMark(mark.onset_s - zero, mark.duration_s, mark.text) for mark in marks]
    runs = tuple(itertools.pairwise([0, *steps.jumps, len(begins)]))
    times = steps.begins_s - zero
    return EdfRecords(times, runs, head.record_s, steps.scatter_s, tuple(dict.fromkeys(marks)), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Header:
    """What is needed of the header: where the records are, and where the lists are in them."""

    kind: str
    n_bytes: int
    record_bytes: int
    n_records: int
    record_s: float
    lists: tuple[slice, ...]
    labels: frozenset[str]

    @property
    def continuous(self) -> bool:
        return not self.kind.upper().startswith(("EDF+D", "BDF+D"))

    @classmethod
    def read(cls, path: Path) -> _Header:
        with path.open("rb") as file:
            fixed = file.read(256)
            n_signals = int(_text(fixed[252:256]))
            if not 0 < n_signals < 1 << 16:
                raise ValueError(f"{n_signals} signals")
            signals = file.read(256 * n_signals)
        width = 3 if fixed[:1] == b"\xff" else 2
        labels = [_text(signals[16 * i : 16 * i + 16]) for i in range(n_signals)]
        counts = 216 * n_signals
        sizes = [width * int(_text(signals[counts + 8 * i : counts + 8 * i + 8])) for i in range(n_signals)]
        ends = np.cumsum(sizes).tolist()
        n_bytes, record_bytes = int(_text(fixed[184:192])), ends[-1]
        if min(sizes) < 0 or record_bytes < 1 or n_bytes < 256:
            raise ValueError("sizes that cannot be")
        return cls(
            kind=_text(fixed[192:236]),
            n_bytes=n_bytes,
            record_bytes=record_bytes,
            n_records=max(0, path.stat().st_size - n_bytes) // record_bytes,
            record_s=float(_text(fixed[244:252])),
            lists=tuple(slice(b - a, b) for label, a, b in zip(labels, sizes, ends, strict=True) if label in _LISTS),
            labels=frozenset(labels),
        )


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \x00")


def _read_lists(path: Path, head: _Header) -> tuple[NDArray[np.float64], list[FileMark], bool]:
    """Return the onset of each record (NaN where it cannot be read), the annotations, and whether some are Latin-1."""
    shape = (head.n_records, head.record_bytes)
    records = np.memmap(path, np.uint8, "r", offset=head.n_bytes, shape=shape)
    onsets, marks, latin = np.full(head.n_records, np.nan), list[FileMark](), False
    for k in range(head.n_records):
        for number, where in enumerate(head.lists):
            for position, entry in enumerate(records[k, where].tobytes().split(b"\x00")):
                said, *texts = entry.split(b"\x14")
                onset, _, duration = said.partition(b"\x15")
                if len(texts) < 2 or not _ONSET.fullmatch(onset):
                    continue
                if number == 0 and position == 0 and not texts[0]:
                    onsets[k] = float(onset)
                lasts_s = float(duration) if _ONSET.fullmatch(duration) else 0.0
                for raw in filter(None, texts):
                    latin |= not _is_utf_8(raw)
                    marks.append(FileMark(float(onset), lasts_s, _of_all_channels(read_text(raw), head.labels)))
    return onsets, marks, latin


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_all_channels(text: str, labels: frozenset[str]) -> str:
    """Leave out the channel that an annotation may name (`text@@channel`)."""
    said, _, channel = text.rpartition("@@")
    return said if channel in labels else text


def _filled_in(path: Path, onsets: NDArray[np.float64], head: _Header) -> tuple[NDArray[np.float64], list[str]]:
    """Return the onsets with those that cannot be read, where it is clear what they must be."""
    count, known = np.arange(len(onsets)), np.flatnonzero(np.isfinite(onsets))
    if len(known) == len(onsets):
        return onsets, []
    n = len(onsets) - len(known)
    if not len(known):
        filled = np.multiply(head.record_s, count, dtype=np.float64)
    else:
        filled = np.interp(count, known, onsets[known]).astype(np.float64)
        before, after = count < known[0], count > known[-1]
        filled[before] = onsets[known[0]] - head.record_s * (known[0] - count[before])
        filled[after] = onsets[known[-1]] + head.record_s * (count[after] - known[-1])
    longer = np.diff(onsets[known]) - head.record_s * np.diff(known)
    unclear = (np.diff(known) > 1) & (np.abs(longer) > 0.5 * head.record_s)
    outside = len(known) == 0 or known[0] > 0 or known[-1] < len(onsets) - 1
    if unclear.any() or (outside and not head.continuous):
        first = int(np.flatnonzero(~np.isfinite(onsets))[0]) + 1
        raise NeuriptError(
            f"{path}: data record {first} of {len(onsets)} does not say when it begins, and the file pauses between "
            f"records ({head.kind or 'EDF+'}), so nobody knows when its samples were measured; export it again from "
            "the recorder"
        )
    return filled, [f"{n} of {len(onsets)} data records do not say when they begin; taken as following one another"]
