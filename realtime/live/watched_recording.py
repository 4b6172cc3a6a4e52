"""An EEG stream and all else on the network in one file: LabRecorder, an explanation of the EEG, and an eye on both."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.montages import Montage
from neuript.montages.stream_labels import is_eeg_stream
from neuript.pasteable import pasteable
from neuript.realtime.chain.chunk import Chunk, SignalInfo
from neuript.realtime.lsl.cue_outlet import CUE_SOURCE_IDS
from neuript.realtime.lsl.discovery import StreamSummary, visible_streams
from neuript.realtime.lsl.explanation_outlet import ExplanationOutlet
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.labrecorder import Recorder, bytes_per_s
from neuript.realtime.lsl.late_streams import LateStreams
from neuript.realtime.recordings.explanation import STREAM_TYPE, explained
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of, is_event_stream

logger = logging.getLogger(__name__)

LOOK_AROUND_S = 2.0
"""Seconds for which streams are looked for before the recording, and between two looks for late ones."""
KEEP_EVERY_S = 1.0
"""Seconds after which what was written is put on the disk, whatever the system has in mind."""
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
        self._late: LateStreams | None = None
        self._looked = self._kept = self.began = time.monotonic()
        """`began`: when the first byte was in the file, by `time.monotonic`."""
        self.n_samples = 0
        """EEG samples that came since then."""

    def start(self, check: Callable[[], None], wanted: Collection[str] = ()) -> None:
        """Look around and start LabRecorder; it takes some seconds until the first byte.

        Parameters
        ----------
        check : callable
            Called between the steps; may raise to end it.
        wanted : collection of str
            Source ids of streams that must be in the file. If there are some, other people's EEG, cues and decisions
            stay out: what is learnt of the file must be this person's.

        Raises
        ------
        StreamNotFoundError
            If one of them, or our own, is not visible.
        """
        self._explanation = ExplanationOutlet(self._header, montage=self._montage)
        streams = _around(self._explanation.uid)
        if absent := sorted(set(wanted) - {s.source_id for s in streams}):
            raise StreamNotFoundError(
                f"the stream {absent[0]!r} is not visible on the network; neuript doctor says why"
            )
        check()
        self._late = LateStreams(streams)
        if wanted:
            streams = [stream for stream in streams if not self._is_foreign(stream, wanted)]
        for stream in streams:
            if stream.uid != self._explanation.uid:
                logger.info("records %s", stream.describe())
        rate = bytes_per_s(self._source.info)
        self._recorder = Recorder(self.path, [f"uid='{s.uid}'" for s in streams], bytes_per_s=rate)
        self._recorder.start()

    def _is_foreign(self, stream: StreamSummary, wanted: Collection[str]) -> bool:
        assert self._explanation is not None
        if stream.uid in (self._source.info.uid, self._explanation.uid) or stream.source_id in wanted:
            return False
        explains_or_decodes = stream.stype in (STREAM_TYPE, "Predictions")
        return explains_or_decodes or is_eeg_stream(stream.stype) or stream.source_id.startswith(CUE_SOURCE_IDS)

    @property
    def n_bytes(self) -> int:
        """Bytes in the file; 0 until LabRecorder has found its streams."""
        return self._recorder.n_bytes if self._recorder is not None else 0

    @property
    def passed_s(self) -> float:
        """Seconds since the first byte."""
        return time.monotonic() - self.began if self.n_bytes else 0.0

    def tend(self, timeout_s: float = _PULL_S) -> Chunk:
        """Take what EEG has come, and look after the file: growth, disk, streams that came too late.

        Raises
        ------
        NeuriptError
            If the recording has ended on its own, or the EEG is lost for good.
        """
        if self._recorder is None or self._late is None:
            raise RuntimeError("the recording was not started")
        chunk = self._source.pull(timeout_s)
        self.n_samples += len(chunk)
        before = self.n_bytes
        self._recorder.check()
        now = time.monotonic()
        if not before and self.n_bytes:
            self.began, self.n_samples = now, 0
        if now - self._looked > LOOK_AROUND_S:
            self._looked = now
            self._late.look()
        if now - self._kept > KEEP_EVERY_S and self.n_bytes:
            self._kept = now
            _keep(self.path)
        return chunk

    def close(self) -> None:
        """End the file; harmless when called twice."""
        recorder, self._recorder = self._recorder, None
        explanation, self._explanation = self._explanation, None
        try:
            if recorder is not None:
                recorder.close()  # before the explanation goes
        finally:
            if explanation is not None:
                explanation.close()

    def read_again(self) -> None:
        """Say what is in the file, as whoever opens it will find it.

        Raises
        ------
        NeuriptError
            If it cannot be read, or holds much less EEG than came.
        """
        _read_again(self.path, self._source.info, self.n_samples)


def _keep(path: Path) -> None:
    """Put what LabRecorder has written on the disk, so that a power cut takes a second, not half a minute."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _around(own_uid: str) -> list[StreamSummary]:
    """Everything that is visible, the explanation of the EEG included; says where no markers are."""
    streams = visible_streams(LOOK_AROUND_S)
    if own_uid not in {s.uid for s in streams}:
        raise StreamNotFoundError(
            "our own stream is not visible, so multicast does not work on this computer; neuript doctor says why"
        )
    others = [s for s in streams if s.uid != own_uid]
    if not any(is_event_stream(s.stype, s.channel_format, s.sfreq) for s in others):
        logger.warning("there is no marker stream: no cue will be in the file; start the program that sends them first")
    return streams


def _read_again(path: Path, info: SignalInfo, n_samples: int) -> None:
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
    if len(eeg) < 0.9 * n_samples - 5 * info.sfreq:
        raise NeuriptError(
            f"{path} holds {len(eeg)} samples of '{info.name}', but {n_samples} came while it was recorded; check the "
            "file before you rely on it"
        )


def short_list(names: Sequence[str], limit: int = 12) -> str:
    """Names with commas, the first `limit` of them."""
    if not any(names):
        return f"{len(names)} channels without names"
    shown = [name or "(no name)" for name in names]
    return ", ".join(shown[:limit]) + (f" and {len(shown) - limit} more" if len(shown) > limit else "")
