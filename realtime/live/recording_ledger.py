"""What was sent against what is in the file: nothing counts as recorded because a recorder was running."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
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

logger = logging.getLogger(__name__)

REMEMBER_S = 60.0
"""Seconds of stamps that are kept until the recorder says from which one on it records."""
ELSEWHERE_S = 0.1
"""Seconds by which counts may differ where the stamps are another computer's: its clock is only measured."""
STALL_S = 5.0
"""Seconds after which it is said that what comes in here does not come to the recorder."""
FRESH_S = 2.0
"""Seconds for which what the recorder said last holds; one that stands still for longer may still take all of it."""


class StampTally:
    """Counts the samples that passed here since the recorder has the stream.

    Parameters
    ----------
    name : str
        What the stream is called.
    uid : str
        Which one it is: its first instance.
    """

    def __init__(self, name: str, uid: str) -> None:
        self.name, self.uid = name, uid
        self.offset_s: float | None = None
        """What to add to the sender's stamps to have them on our clock, in seconds; None before it is known."""
        self.n = 0
        """Samples since then."""
        self.newest = -math.inf
        """Largest stamp so far, in seconds."""
        self._from: float | None = None
        self._recent: deque[tuple[float, NDArray[np.float64]]] = deque()

    def add(self, stamps: ArrayLike) -> None:
        """Count samples by their stamps in seconds, shape (n_times,) or one; those that are no numbers do not count."""
        new = np.atleast_1d(np.asarray(stamps, np.float64))
        new = new[np.isfinite(new)]
        if not len(new):
            return
        self.newest = max(self.newest, float(new.max()))
        if self._from is not None:
            self.n += int(np.count_nonzero(new >= self._from))
            return
        now = time.monotonic()  # stamps may stand still or go back
        self._recent.append((now, new))
        while self._recent[0][0] < now - REMEMBER_S:
            self._recent.popleft()

    @property
    def begun(self) -> bool:
        """Whether samples are counted."""
        return self._from is not None

    @property
    def rate(self) -> float:
        """Samples in a second of those that were counted."""
        return 0.0 if self._from is None else self.n / max(self.newest - self._from, 1.0)

    def begin(self, first: float) -> None:
        """Count from this stamp on; only the first call does something."""
        if self._from is None:
            self._from = first
            self.n = sum(int(np.count_nonzero(stamps >= first)) for _, stamps in self._recent)
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
        """Return the error that says what is missing; all of it is in the log."""
        more = f" (and {len(self.missing) - 1} more, said above)" if len(self.missing) > 1 else ""
        return RecordingIncompleteError(f"the recording {path} is not complete: {self.missing[0]}{more}")


@dataclass
class _Progress:
    """How far a stream came, here and at the recorder."""

    arrived: int
    n: int
    at: float
    """When the recorder had more of it last, by the ledger's stopwatch."""
    grown_at: float
    """When there was more of it here last."""
    told: bool = False


class RecordingLedger:
    """Compares, while a recording runs and at its end.

    Parameters
    ----------
    recorder : Recorder
        Started.
    tallies : list of StampTally
        Streams of which it is known here what was sent.
    clock : callable
        Stopwatch, in seconds.
    """

    def __init__(
        self, recorder: Recorder, tallies: list[StampTally], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._recorder, self._tallies, self._clock = recorder, tallies, clock
        self._progress: dict[str, _Progress] = {}

    def check(self) -> None:
        """Look after the recorder, and begin to count what it has begun to record. Never waits."""
        self._recorder.check()
        self._begin()
        for tally in self._tallies:
            self._look_for_stall(tally)

    def close(self) -> RecordedFile:
        """End the recording, read what is in the file, and say what is missing; an interrupt ends the comparison."""
        try:
            result = self._compare()
        except KeyboardInterrupt:
            result = self._not_compared()
        for sentence in result.missing:
            logger.error("%s", sentence)
        return result

    def _compare(self) -> RecordedFile:
        recorder = self._recorder
        recorder.close()
        self._begin()
        said = {s["id"]: s for s in recorder.streams}
        missing = list(dict.fromkeys(recorder.losses)) + ([recorder.refuses] if recorder.refuses else [])
        spans = {}
        for tally in self._tallies:
            stream = self._of(tally)
            if stream is not None and stream["first"] is not None:
                if tally.offset_s is not None and not _clock_changed(stream):
                    spans[stream["id"]] = (stream["first"], tally.newest - tally.offset_s)
            elif tally.newest > -math.inf:
                missing.append(f"'{tally.name}' is not in the recording at all: the recorder never had it")
        found = XdfSkim()
        try:
            if not recorder.stuck:
                found = skim(recorder.path, spans)
        except OSError as error:
            missing.append(f"the recording cannot be read: {error.strerror or error}")
        except NeuriptError as error:
            missing.append(f"the recording cannot be read: {str(error).replace(str(recorder.path), 'it')}")
        rows = [self._row(i, s, found.streams.get(i), missing) for i, s in said.items()]
        if found.n_whole < found.n_bytes:
            missing.append(f"the last {found.n_bytes - found.n_whole} bytes of the recording are torn")
        notes = [_in_words(recorder.path, found, rows)] + [
            f"'{tally.name}' was not compared with what came in here: its sender's clock did not answer"
            for tally in self._tallies
            if not tally.begun and self._of(tally) is not None
        ]
        return self._result(found.n_bytes, missing, rows, notes)

    def _not_compared(self) -> RecordedFile:
        """What is known where somebody would not wait."""
        losses = list(dict.fromkeys(self._recorder.losses))
        return self._result(None, [*losses, "it was not compared with what was sent: that was interrupted"], [], [])

    def _result(
        self, n_bytes: int | None, missing: list[str], rows: list[dict[str, Any]], notes: list[str]
    ) -> RecordedFile:
        figures = {
            "bytes": n_bytes,
            "complete": not missing,
            "recorder_restarts": self._recorder.n_restarts,
            "problems": self._recorder.problems,
            "missing": missing,
            "streams": rows,
        }
        return RecordedFile(figures=figures, missing=tuple(missing), notes=tuple(notes))

    def _begin(self) -> None:
        """Begin to count where it is known from which of our stamps on: where the clocks have been compared."""
        for tally in self._tallies:
            stream = self._of(tally)
            if stream is None or stream["first"] is None or (_clock_changed(stream) and not tally.begun):
                continue
            offset_s = stream["offset_s"] if stream["elsewhere"] else 0.0
            tally.offset_s = tally.offset_s if offset_s is None else offset_s
            if tally.offset_s is not None:
                tally.begin(stream["first"] + tally.offset_s)

    def _look_for_stall(self, tally: StampTally) -> None:
        """Say once that a stream goes on here, and not at the recorder."""
        stream, now = self._of(tally), self._clock()
        if stream is None or not tally.begun or self._recorder.quiet_s > FRESH_S:
            self._progress.pop(tally.uid, None)
            return
        seen = self._progress.get(tally.uid)
        if seen is None or seen.arrived != stream["arrived"]:
            self._progress[tally.uid] = _Progress(stream["arrived"], tally.n, now, now)
            return
        if tally.n > seen.n:
            seen.n, seen.grown_at = tally.n, now
        if seen.grown_at - seen.at > STALL_S and not seen.told:
            seen.told = True
            self._recorder.report(
                f"'{tally.name}' comes in here, and nothing of it has come to the recorder for {STALL_S:g} s; what "
                "comes meanwhile is missing from the recording"
            )

    def _of(self, tally: StampTally) -> dict[str, Any] | None:
        return self._recorder.stream(tally.uid)

    def _row(
        self, stream_id: int, said: dict[str, Any], found: SkimmedStream | None, missing: list[str]
    ) -> dict[str, Any]:
        """Compare one stream; add to `missing` what is."""
        name, in_file = said["name"], 0 if found is None else found.n_samples
        tally = next((t for t in self._tallies if t.uid == said["first_uid"]), None)
        sent = tally.n if tally is not None and tally.begun else None
        n_missing = 0 if self._recorder.stuck else max(0, said["arrived"] - in_file)
        if tally is not None and tally.begun and found is not None:
            spare = math.ceil(ELSEWHERE_S * tally.rate) if said["elsewhere"] else 0
            behind = tally.n - (found.n_samples if _clock_changed(said) else found.n_within)
            n_missing = max(n_missing, behind if behind > spare else 0)
        if n_missing:
            missing.append(
                f"{n_missing} samples of '{name}' are missing from the recording: it holds {in_file}, and "
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


def _clock_changed(stream: dict[str, Any]) -> bool:
    """Whether its stamps may be of two clocks: started again elsewhere, perhaps with the computer."""
    return bool(stream["elsewhere"]) and stream["instances"] > 1


def _in_words(path: Path, found: XdfSkim, rows: list[dict[str, Any]]) -> str:
    words = ", ".join(f"{row['in_file']} of '{row['name']}'" for row in rows if row["type"] != "Description")
    return f"recorded {path} ({found.n_bytes / 1e6:.1f} MB; samples: {words or 'none'})"
