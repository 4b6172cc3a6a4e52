"""What was sent against what is in the file: nothing counts as recorded because a recorder was running."""

from __future__ import annotations

import math
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.errors import NeuriptError, RecordingIncompleteError
from neuript.realtime.chain.chunk import Chunk, SignalInfo, Source
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.lsl.recorder import Recorder
from neuript.realtime.recordings.xdf_skim import SkimmedStream, XdfSkim, skim

REMEMBER_S = 60.0
"""Seconds of stamps that are kept until the recorder says from which one on it records."""
ELSEWHERE_S = 0.1
"""Seconds by which counts may differ where the stamps are another computer's: its clock is only measured."""


class StampTally:
    """Counts the samples that passed here since the recorder has the stream.

    Parameters
    ----------
    name, source_id : str
        Which stream.
    hostname : str
        Whose clock its stamps are of.
    """

    def __init__(self, name: str, source_id: str, hostname: str = "") -> None:
        self.name, self.source_id, self.hostname = name, source_id, hostname
        self.n = 0
        """Samples since then."""
        self.newest = -math.inf
        """Largest stamp so far, in seconds."""
        self._from: float | None = None
        self._recent: deque[NDArray[np.float64]] = deque()

    def add(self, stamps: ArrayLike) -> None:
        """Count samples by their stamps, in seconds."""
        new = np.atleast_1d(np.asarray(stamps, np.float64))
        if not len(new):
            return
        self.newest = max(self.newest, float(np.max(new, initial=-math.inf, where=np.isfinite(new))))
        if self._from is not None:
            self.n += int(np.count_nonzero(new >= self._from))
            return
        self._recent.append(new)
        while self._recent[0][-1] < self.newest - REMEMBER_S:
            self._recent.popleft()

    def begin(self, first: float) -> None:
        """Count from this stamp on; only the first call does something."""
        if self._from is None:
            self._from = first
            self.n = sum(int(np.count_nonzero(stamps >= first)) for stamps in self._recent)
            self._recent.clear()


class TalliedRows:
    """A sink that counts decision rows by their times."""

    def __init__(self, tally: StampTally) -> None:
        self._tally = tally

    def publish(self, decision: Decision) -> None:
        """Count one row."""
        self._tally.add(decision.t)


class TalliedSource:
    """A source whose samples are counted as they pass."""

    def __init__(self, source: Source, tally: StampTally) -> None:
        self._source, self._tally = source, tally

    @property
    def info(self) -> SignalInfo:
        """What the stream says about itself."""
        return self._source.info

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return what the source has; see `Source.pull`."""
        chunk = self._source.pull(timeout_s, n_min)
        self._tally.add(chunk.timestamps)
        return chunk

    def close(self) -> None:
        """Let go of the stream."""
        self._source.close()


@dataclass(frozen=True, kw_only=True)
class RecordedFile:
    """What became of a recording."""

    figures: dict[str, Any]
    """For the report."""
    missing: tuple[str, ...]
    """A sentence for each thing that is not in the file; none if all is."""
    notes: tuple[str, ...]
    """What else there is to say."""

    def incomplete(self, path: Path) -> RecordingIncompleteError:
        """Return the error that says what is missing."""
        return RecordingIncompleteError(f"the recording {path} is not complete: {'; '.join(self.missing)}")


class RecordingLedger:
    """Compares, while a recording runs and at its end.

    Parameters
    ----------
    recorder : Recorder
        Started.
    tallies : list of StampTally
        Streams of which it is known here what was sent.
    """

    def __init__(self, recorder: Recorder, tallies: list[StampTally]) -> None:
        self._recorder, self._tallies = recorder, tallies

    def check(self) -> None:
        """Look after the recorder, and begin to count what it has begun to record. Never waits."""
        self._recorder.check()
        self._begin()

    def close(self) -> RecordedFile:
        """End the recording, read what is in the file, and say what is missing."""
        recorder = self._recorder
        recorder.close()
        self._begin()
        said = {s["id"]: s for s in recorder.streams}
        missing = list(dict.fromkeys(recorder.losses)) + ([recorder.refuses] if recorder.refuses else [])
        spans = {}
        for tally in self._tallies:
            stream = self._of(tally)
            if stream is not None and stream["first"] is not None:
                spans[stream["id"]] = (stream["first"], tally.newest - _offset_s(stream))
            elif tally.newest > -math.inf:
                missing.append(f"'{tally.name}' is not in {recorder.path.name} at all: the recorder never had it")
        try:
            found = skim(recorder.path, spans)
        except (OSError, NeuriptError) as error:
            missing.append(f"{recorder.path} cannot be read: {error}")
            found = XdfSkim()
        rows = [self._row(i, s, found.streams.get(i), missing) for i, s in said.items()]
        if found.n_whole < found.n_bytes:
            missing.append(f"the last {found.n_bytes - found.n_whole} bytes of {recorder.path.name} are torn")
        figures = {
            "file": recorder.path.name,
            "bytes": found.n_bytes,
            "complete": not missing,
            "recorder_restarts": recorder.n_restarts,
            "problems": recorder.problems,
            "missing": missing,
            "streams": rows,
        }
        return RecordedFile(figures=figures, missing=tuple(missing), notes=_notes(recorder.path, found, rows))

    def _begin(self) -> None:
        for tally in self._tallies:
            stream = self._of(tally)
            if stream is not None and stream["first"] is not None:
                tally.begin(stream["first"] + _offset_s(stream))

    def _of(self, tally: StampTally) -> dict[str, Any] | None:
        return self._recorder.stream(tally.name, tally.source_id)

    def _row(
        self, stream_id: int, said: dict[str, Any], found: SkimmedStream | None, missing: list[str]
    ) -> dict[str, Any]:
        """Compare one stream; add to `missing` what is."""
        name, in_file = said["name"], 0 if found is None else found.n_samples
        tally = next((t for t in self._tallies if (t.name, t.source_id) == (name, said["source_id"])), None)
        sent = None if tally is None or said["first"] is None else tally.n
        n_missing = max(0, said["arrived"] - in_file)
        if sent is not None and found is not None:
            elsewhere = said["hostname"] != socket.gethostname()
            rate = sent / max(tally.newest - said["first"], 1.0) if tally is not None else 0.0
            spare = math.ceil(ELSEWHERE_S * rate) if elsewhere else 0
            behind = sent - found.n_within
            n_missing = max(n_missing, behind if behind > spare else 0)
        if n_missing:
            missing.append(
                f"{n_missing} samples of '{name}' are missing from {self._recorder.path.name}: it holds {in_file}, and "
                f"{max(said['arrived'], in_file + n_missing)} were sent since it was joined"
            )
        return {
            "name": name,
            "type": said["type"],
            "source_id": said["source_id"],
            "joined_after_s": self._recorder.joined_after_s.get(stream_id),
            "sent": sent,
            "arrived": said["arrived"],
            "in_file": in_file,
            "missing": n_missing,
        }


def _offset_s(stream: dict[str, Any]) -> float:
    return 0.0 if stream["hostname"] == socket.gethostname() else float(stream["offset_s"])


def _notes(path: Path, found: XdfSkim, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    words = ", ".join(f"{row['in_file']} of '{row['name']}'" for row in rows if row["type"] != "Description")
    return (f"recorded {path} ({found.n_bytes / 1e6:.1f} MB; samples: {words or 'none'})",)
