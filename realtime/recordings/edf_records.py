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
from neuript.realtime.recordings.file_marks import FileMark

_LISTS = ("EDF Annotations", "BDF Annotations")
_ONSET = re.compile(rb"[+-]?\d+(\.\d*)?")
_AGREE = 0.9
"""Share of the records whose distances must agree, before these count instead of the declared length."""
_SCATTERS = 6
"""A step is none while it is below so many times the scatter of the begins."""
_LINE = 10
"""Records that a stretch must have, so that its own rate can be told."""


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
        How much the begins scatter, in seconds: many recorders round them.
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
        if len(self.runs) == 1 and self._even(0, len(self.begins_s), sfreq):
            return grid
        times = np.empty(n_times)
        for start, stop in self.runs:
            n, part = (stop - start) * per_record, slice(start * per_record, stop * per_record)
            if stop - start < _LINE or self._even(start, stop, sfreq):
                times[part] = self.begins_s[start] + grid[:n]
            else:  # the recorder's own clock ran at another rate: a straight line through what it noted
                slope, begin = np.polyfit(np.arange(stop - start), self.begins_s[start:stop], 1)
                times[part] = begin + slope / per_record * np.arange(n)
        return times

    def _even(self, start: int, stop: int, sfreq: float) -> bool:
        """Tell whether a run keeps the declared rate to half a sample, or to what the begins are rounded to."""
        begins = self.begins_s[start:stop]
        declared = begins[0] + self.record_s * np.arange(stop - start)
        return bool(np.abs(begins - declared).max() <= max(0.5 / sfreq, 2 * self.scatter_s))


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
    jumps, scatter_s = _jumps(path, begins, head, sfreq)
    if head.continuous and jumps:
        missing_s = float(begins[-1] - begins[0] - head.record_s * (len(begins) - 1))
        notes.append(
            f"the file calls itself continuous ({head.kind}), but its records leave {len(jumps)} "
            f"gap{'' if len(jumps) == 1 else 's'} of {missing_s:.3g} s together; the times of the records are taken"
        )
    if latin:
        notes.append("its annotations are not in UTF-8, as EDF+ asks for; read as Latin-1")
    zero = begins[0]
    marks = [FileMark(mark.onset_s - zero, mark.duration_s, mark.text) for mark in marks]
    edges = [0, *jumps, len(begins)]
    runs = tuple(itertools.pairwise(edges))
    return EdfRecords(begins - zero, runs, head.record_s, scatter_s, tuple(dict.fromkeys(marks)), tuple(notes))


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
                    text, is_latin = _decoded(raw)
                    latin |= is_latin
                    marks.append(FileMark(float(onset), lasts_s, _of_all_channels(text, head.labels)))
    return onsets, marks, latin


def _decoded(raw: bytes) -> tuple[str, bool]:
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True


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


def _jumps(path: Path, begins: NDArray[np.float64], head: _Header, sfreq: float) -> tuple[list[int], float]:
    """Return the records before which time is missing, and the scatter of the begins in seconds.

    Raises
    ------
    NeuriptError
        If a record begins before the one before it ends.
    """
    steps = np.diff(begins)
    if not len(steps):
        return [], 0.0
    usual = head.record_s
    middle = float(np.median(steps))
    if head.continuous and np.mean(np.abs(steps - middle) <= 0.01 * abs(middle)) >= _AGREE:
        usual = middle  # what the file says of its rate is judged by this
    away = steps - usual
    near = away[np.abs(away) <= 0.5 * head.record_s]  # pauses are no scatter
    scatter_s = float(np.percentile(np.abs(near - np.median(near)), 80)) if len(near) else 0.0
    limit = max(1.5 / sfreq, _SCATTERS * scatter_s)
    back = np.flatnonzero((away < -limit) | (steps <= 0))
    if len(back):
        i = int(back[0])
        raise NeuriptError(
            f"{path}: its data records run backwards (record {i + 2} begins at {begins[i + 1]:g} s, the one before "
            f"it at {begins[i]:g} s and lasts {head.record_s:g} s), so nobody knows when its annotations happened; "
            "export it again from the recorder"
        )
    return (np.flatnonzero(away > limit) + 1).tolist(), scatter_s
