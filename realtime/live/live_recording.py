"""`neuript-live --record`: EEG, what explains it, the decoder's streams and all markers; it never ends the decoding."""

from __future__ import annotations

import logging
import time

from neuript.realtime.chain.chunk import SignalInfo, Source
from neuript.realtime.live.recording_ledger import RecordedFile, RecordingLedger, StampTally, TalliedRows, TalliedSource
from neuript.realtime.lsl.candidates import Follow
from neuript.realtime.lsl.explanation_outlet import ExplanationOutlet
from neuript.realtime.lsl.outlet import DecisionOutlets
from neuript.realtime.lsl.recorder import Recorder
from neuript.realtime.lsl.recording_room import room_in_words
from neuript.realtime.lsl.recording_rule import RecordingRule

logger = logging.getLogger(__name__)

JOIN_S = 15.0
"""Seconds after which it is said that the recorder has not found the EEG."""


class LiveRecording:
    """A recording beside a decoder.

    Parameters
    ----------
    path : str
        XDF file to write, as `check_recording` returns it.
    eeg : SignalInfo
        Header of the EEG, with what is known better.
    outlets : DecisionOutlets
        The decoder's streams.
    duration_s : float or None
        Seconds that the session is to last; None if nobody has said.
    follow : str
        Who goes on with the EEG for the decoder, and so in the file; see `Follow`.
    """

    def __init__(
        self,
        path: str,
        eeg: SignalInfo,
        outlets: DecisionOutlets,
        duration_s: float | None = None,
        follow: Follow = "restarts",
    ) -> None:
        self.result: RecordedFile | None = None
        """What became of it; None before it was closed."""
        self._eeg, self._duration_s = eeg, duration_s
        self._explanation: ExplanationOutlet | None = ExplanationOutlet(eeg)
        uids = (eeg.uid, self._explanation.uid, outlets.proba_uid)
        self._recorder = Recorder(path, RecordingRule(uids=uids, others="markers", eeg=eeg.uid, follow=follow))
        self._samples = StampTally(eeg.name, eeg.uid)
        proba = StampTally(outlets.proba_name, outlets.proba_uid)
        self.rows = TalliedRows(proba)
        """A sink that counts what is published."""
        self._ledger = RecordingLedger(self._recorder, [self._samples, proba])
        self._began = time.monotonic()
        self._n_told = 0

    def start(self) -> None:
        """Start the recorder, without waiting; says where the disk will not do."""
        if words := room_in_words(self._recorder.path.parent, self._eeg, self._duration_s):
            logger.error("%s", words)
        self._began = time.monotonic()
        self._recorder.start()

    def tallied(self, source: Source) -> Source:
        """Return a source whose samples are counted, to be compared with what is recorded."""
        return TalliedSource(source, self._samples)

    def check(self) -> list[str]:
        """Look after the recorder; return what went wrong since the last call. Never waits, never raises."""
        self._ledger.check()
        recorder = self._recorder
        late_s = time.monotonic() - self._began
        if late_s > JOIN_S and recorder.stream(self._samples.uid) is None:
            self._began = float("inf")
            recorder.report(
                f"the recorder has not found the EEG within {JOIN_S:g} s, and nothing of it is recorded so far; "
                "decoding goes on"
            )
        new = recorder.problems[self._n_told :]
        self._n_told += len(new)
        return new

    def close(self) -> RecordedFile:
        """End the file, and compare it with what was sent; harmless when called twice."""
        if self.result is None:
            logger.info("finishing the recording")
            self.result = self._ledger.close()
            self._explanation = None
        return self.result
