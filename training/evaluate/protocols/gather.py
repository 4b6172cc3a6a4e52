"""From a protocol's files to its windows: read, clean, cut, one recording after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import Montage
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.evaluate.protocols.cache import Memory, WindowStore, open_store
from neuript.training.evaluate.protocols.eval_data import SPLITS, Dropped, EvalData
from neuript.training.windows.cleaning import Cleaned, clean, cut

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, Progress, ProtocolFile

logger = logging.getLogger(__name__)

RECIPE_VERSION = 1
"""Raised when the same files would give other windows; caches of another version are not read."""


@dataclass(frozen=True)
class RecordingPart:
    """What one recording gave.

    Attributes
    ----------
    x : ndarray, shape (n, n_chans, n_times)
        Windows in volts.
    y, start_s : ndarray, shape (n,)
        Class indices, and seconds from the recording's first EEG sample.
    sha256 : str
        SHA-256 of the recording's file, in hexadecimal digits.
    dropped : tuple of (str, int)
        Reasons for which windows were lost, each with their number.
    notes : tuple of str
        Remarks of the cleaning, a sentence each.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    start_s: NDArray[np.float64]
    sha256: str
    dropped: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def build(
    protocol: EvalProtocol,
    folder: Path,
    sources: Sequence[ProtocolFile],
    montage: Montage,
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> EvalData:
    """Return the windows of some recordings, split after split; `EvalProtocol.load` explains the arguments."""
    sources = sorted(sources, key=lambda source: SPLITS.index(source.split))  # each split is one piece of the file
    shape = (montage.n_chans, round(protocol.window_s * protocol.sfreq))
    names = [source.path.relative_to(folder).as_posix() for source in sources]
    store: WindowStore = Memory(shape)
    if cache is not None:
        store = open_store(Path(cache), shape, _recipe(protocol, montage, sources, names))
    with store:
        for i, (source, name) in enumerate(zip(sources, names, strict=True)):
            if name not in store.done:
                store.add(name, part_of(protocol, source, montage))
            if progress is not None:
                progress(i + 1, len(sources), name)
        x = store.finish()
    return _assemble(protocol, sources, names, montage, x, store)


def part_of(protocol: EvalProtocol, source: ProtocolFile, montage: Montage) -> RecordingPart:
    """Read, clean and cut one recording; one that cannot be used gives no window and a reason."""
    nothing = np.empty((0, montage.n_chans, round(protocol.window_s * protocol.sfreq)), np.float32)
    digest = ""
    try:
        digest = recording_sha256(source.path)
        recording = protocol.read(source)
        cleaned = clean(
            recording,
            montage,
            PreprocessSpec(sfreq=protocol.sfreq, mains_hz=protocol.mains_hz),
            unit=protocol.unit,
            mains_hz=protocol.mains_hz,
            max_interpolated=protocol.max_interpolated,
        )
        marks = protocol.marks(source, recording, cleaned)
    except (NeuriptError, OSError) as error:
        logger.warning("%s: %s", source.path.name, error)
        empty = np.empty(0)
        return RecordingPart(nothing, empty.astype(np.int64), empty, digest, ((str(error), 0),))
    x, y, start_s = _cut(cleaned, marks, protocol.window_s)
    lost = len(marks) - len(y)
    reason = "start or end of the recording, a gap, or bad channels"
    return RecordingPart(x, y, start_s, digest, ((reason, lost),) if lost else (), tuple(map(str, cleaned.notes)))


def _cut(
    cleaned: Cleaned, marks: Sequence[Mark], window_s: float
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Cut the marks class by class, since `cut` returns only what is clean, and order them by time."""
    xs, ys, starts = [], [], []
    for label in sorted({mark.label for mark in marks}) or [0]:
        asked = np.array([mark.start_s for mark in marks if mark.label == label])
        x, start_s = cut(cleaned, asked, window_s)
        xs.append(x)
        ys.append(np.full(len(x), label, np.int64))
        starts.append(np.asarray(start_s, np.float64))
    order = np.argsort(np.concatenate(starts), kind="stable")
    return np.concatenate(xs)[order], np.concatenate(ys)[order], np.concatenate(starts)[order]


def _recipe(
    protocol: EvalProtocol, montage: Montage, sources: Sequence[ProtocolFile], names: Sequence[str]
) -> dict[str, object]:
    """Everything that the windows depend on. Files are told apart by size and time: hashing costs a full read."""
    stats = [source.path.stat() for source in sources]
    return {
        "version": RECIPE_VERSION,
        "protocol": protocol.name,
        "window_s": protocol.window_s,
        "sfreq": protocol.sfreq,
        "mains_hz": protocol.mains_hz,
        "unit": protocol.unit,
        "max_interpolated": protocol.max_interpolated,
        "preprocess": PreprocessSpec(sfreq=protocol.sfreq).to_dict(),
        "montage": montage.to_dict(),
        "files": [
            [n, s.st_size, s.st_mtime_ns, source.split] for n, s, source in zip(names, stats, sources, strict=True)
        ],
    }


def _assemble(
    protocol: EvalProtocol,
    sources: Sequence[ProtocolFile],
    names: Sequence[str],
    montage: Montage,
    x: NDArray[np.float32],
    store: WindowStore,
) -> EvalData:
    rows = [store.done[name] for name in names]
    counts = [len(row.y) for row in rows]
    if not sum(counts):
        first = next((reason for row in rows for reason, _ in row.dropped), "no labelled stretch")
        raise NeuriptError(f"{protocol.name}: none of {len(rows)} recordings gave a window; the first says: {first}")
    hashes: dict[str, set[str]] = {split: set() for split in SPLITS}
    for source, row in zip(sources, rows, strict=True):
        hashes[source.split] |= {row.sha256} - {""}
    people = [f"{protocol.dataset}/{source.subject}" for source in sources]
    data = EvalData(
        x=x,
        y=np.array([label for row in rows for label in row.y], dtype=np.int64),
        subject=np.repeat(np.array(people), counts),
        recording=np.repeat(np.array(names), counts),
        start_s=np.array([start for row in rows for start in row.start_s], dtype=np.float64),
        split=np.repeat(np.array([source.split for source in sources]), counts),
        montage=montage,
        classes=protocol.classes,
        sfreq=protocol.sfreq,
        protocol=protocol.name,
        file_hashes=set().union(*hashes.values()),
        hashes_of_split=hashes,
        dropped=[Dropped(name, reason, n) for name, row in zip(names, rows, strict=True) for reason, n in row.dropped],
    )
    return replace(data, notes=_notes(protocol, data, [note for row in rows for note in row.notes]))


def _notes(protocol: EvalProtocol, data: EvalData, said: Sequence[str]) -> list[str]:
    notes = [f"split: {protocol.split_rule}"]
    if protocol.n_paper is not None:
        notes.append(f"{len(data)} windows; the paper has {protocol.n_paper}")
    for split, counts in data.counts().items():
        absent = [name for name, n in counts.items() if not n]
        if absent:
            notes.append(f"{split} has no window of {', '.join(absent)}")
    return notes + [f"{note} ({said.count(note)} recordings)" for note in dict.fromkeys(said)]
