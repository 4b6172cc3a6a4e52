"""An EEG stream and all else on the network in one file: a recorder, an explanation of the EEG, and an eye on both."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.montages import Montage
from neuript.montages.stream_labels import is_eeg_stream
from neuript.pasteable import pasteable
from neuript.realtime.chain.chunk import Chunk, SignalInfo
from neuript.realtime.live.recording_ledger import RecordedFile, RecordingLedger, StampTally
from neuript.realtime.lsl.explanation_outlet import ExplanationOutlet
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.recorder import Recorder
from neuript.realtime.lsl.recording_rule import RecordingRule
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of

logger = logging.getLogger(__name__)

JOIN_S = 20.0
"""Seconds that a recorder may take to find the streams that are there."""
FULL_S = 3.0
"""Seconds for which a full disk is waited for; what comes meanwhile is kept."""
MARKERS_S = 3.0
"""Seconds after which it is said that there are no markers."""
MOST_READ_AGAIN = 500_000_000
"""Bytes up to which a file is read again at the end; reading takes a few times as much memory."""
_PULL_S = 0.1


class WatchedRecording:
    """An EEG stream and all else on the network in one XDF file that explains itself, watched while it grows.

    Parameters
    ----------
    path : Path
        File to write, as `check_recording` returns it.
    source : LslSource
        The EEG stream, started.
    cap : Montage or None
        What is on the head.
    unit : str or None
        Unit of the EEG's numbers, where the stream is silent or wrong.
    """

    def __init__(self, path: Path, source: LslSource, cap: Montage | None = None, unit: str | None = None) -> None:
        self.path, self._source = path, source
        self._header = explained(source.info, cap, unit)
        self._montage = "" if cap is None else cap.name
        self._explanation: ExplanationOutlet | None = None
        self._recorder: Recorder | None = None
        info = source.info
        self._tally = StampTally(info.name, info.uid)
        self._ledger: RecordingLedger | None = None
        self._markers_at, self._full_since = 0.0, math.inf
        self.began = time.monotonic()
        """When the EEG was in the file, by `time.monotonic`."""
        self.result: RecordedFile | None = None
        """What became of it; None before it was closed."""

    def start(self, check: Callable[[], None], wanted: Collection[str] = ()) -> None:
        """Start the recorder, and wait until it has the EEG, the explanation and what is wanted.

        Parameters
        ----------
        check : callable
            Called while it waits; may raise to end it.
        wanted : collection of str
            Source ids of streams that must be in the file. If there are some, other people's EEG, cues and decisions
            stay out: what is learnt of the file must be this person's.

        Raises
        ------
        StreamNotFoundError
            If one of them, or our own, is not visible.
        """
        self._explanation = ExplanationOutlet(self._header, montage=self._montage)
        uids = (self._source.info.uid, self._explanation.uid)
        rule = RecordingRule(uids=uids, source_ids=tuple(wanted), others="no strangers" if wanted else "all")
        self._recorder = recorder = Recorder(self.path, rule)
        self._ledger = RecordingLedger(recorder, [self._tally])
        recorder.start()
        began = time.monotonic()
        while absent := self._absent(recorder, wanted):
            check()
            self.tend()
            if time.monotonic() - began > JOIN_S:
                raise StreamNotFoundError(
                    f"the recorder does not see {absent[0]} on the network; neuript doctor says why"
                )
        self.began = self._markers_at = time.monotonic()

    def _absent(self, recorder: Recorder, wanted: Collection[str]) -> list[str]:
        """What the recorder does not have yet, in words."""
        uids, ids = {s["uid"] for s in recorder.streams}, {s["source_id"] for s in recorder.streams}
        out = [f"the stream {name!r}" for name in sorted(set(wanted) - ids)]
        if recorder.stream(self._tally.uid) is None:
            out.append(f"the EEG '{self._tally.name}'")
        if self._explanation is not None and self._explanation.uid not in uids:
            out.append("our own stream")
        return out

    @property
    def n_bytes(self) -> int:
        """Bytes in the file; 0 until the recorder has found its streams."""
        return self._recorder.n_bytes if self._recorder is not None else 0

    @property
    def passed_s(self) -> float:
        """Seconds since the EEG was in the file."""
        return time.monotonic() - self.began

    def tend(self, timeout_s: float = _PULL_S) -> Chunk:
        """Take what EEG has come, and look after the recorder; one that dies is started again.

        Raises
        ------
        NeuriptError
            If the EEG is lost for good, or the disk is full.
        """
        if self._ledger is None or self._recorder is None:
            raise RuntimeError("the recording was not started")
        chunk = self._source.pull(timeout_s)
        self._tally.add(chunk.timestamps)
        self._ledger.check()
        self._end_where_there_is_no_room(self._recorder.refuses)
        if self._markers_at and time.monotonic() - self._markers_at > MARKERS_S:
            self._markers_at = 0.0
            if not any(stream["events"] and stream["type"] != "Description" for stream in self._recorder.streams):
                logger.warning(
                    "there is no marker stream: no cue is in the file before the program that sends them is started"
                )
        return chunk

    def _end_where_there_is_no_room(self, why: str) -> None:
        self._full_since = min(self._full_since, time.monotonic()) if why else math.inf
        if time.monotonic() - self._full_since > FULL_S:
            raise NeuriptError(
                f"{why}, so the recording ends here; all that was recorded is kept: make space and go on in another "
                "file"
            )

    def close(self) -> None:
        """End the file, and compare it with what was sent; harmless when called twice."""
        ledger, self._ledger = self._ledger, None
        explanation, self._explanation = self._explanation, None
        try:
            if ledger is not None:
                logger.info("finishing the recording")
                self.result = ledger.close()  # before the explanation goes
                for note in self.result.notes:
                    logger.info("%s", note)
        finally:
            if explanation is not None:
                explanation.close()

    def check_complete(self) -> None:
        """Say what is in the file, as whoever opens it will find it.

        Raises
        ------
        RecordingIncompleteError
            If something is missing from it.
        NeuriptError
            If it cannot be read.
        """
        _read_again(self.path, self._source.info)
        if self.result is not None and self.result.missing:
            raise self.result.incomplete(self.path)


def _read_again(path: Path, info: SignalInfo) -> None:
    """Say what is in the file, as whoever opens it will find it."""
    n_bytes = path.stat().st_size
    if n_bytes > MOST_READ_AGAIN:
        look = pasteable("neuript", "inspect", path)
        logger.info("%s holds %.1f GB; look at it with: %s", path.name, n_bytes / 1e9, look)
        return
    recording = read_recording(path, eeg=info.source_id or info.name, any_rate=True)
    eeg = recording.eeg
    events = events_of(recording)
    eeg_option = () if is_eeg_stream(eeg.info.stype) else ("--eeg", eeg.info.name)
    gaps = f", {len(eeg.gaps)} gaps" if eeg.gaps else ""
    logger.info(
        "%s holds %d streams: %.1f s of '%s' (%s)%s, and %d markers; next: %s",
        path.name,
        len(recording.streams),
        eeg.duration_s,
        eeg.info.name,
        short_list(eeg.info.ch_names),
        gaps,
        len(events),
        pasteable("neuript", "inspect", path, *eeg_option),
    )


def short_list(names: Sequence[str], limit: int = 12) -> str:
    """Names with commas, the first `limit` of them."""
    if not any(names):
        return f"{len(names)} channels without names"
    shown = [name or "(no name)" for name in names]
    return ", ".join(shown[:limit]) + (f" and {len(shown) - limit} more" if len(shown) > limit else "")
