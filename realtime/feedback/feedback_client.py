"""What the feedback knows of the decoder: its published streams, followed by one thread."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from neuript.errors import NeuriptError
from neuript.realtime.decoding.dead_man import MAX_AGE_S, DeadMan
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State
from neuript.realtime.feedback.feedback_spec import FeedbackSpec
from neuript.realtime.feedback.feedback_task import NOTHING, Command, FeedbackTask
from neuript.realtime.lsl.decision_follower import DecisionFollower, find_decoder
from neuript.realtime.lsl.library import lsl_clock

logger = logging.getLogger(__name__)

PERIOD_S = 0.01


class _StoppedError(Exception):
    """Nobody waits for a decoder any more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame needs."""

    state: str
    """A `State`, or one of a reader's own: SEARCHING, SILENT, LATE, GONE."""
    header: DecoderHeader | None = None
    source_id: str = ""
    command: Command = NOTHING


class FeedbackClient:
    """Follows a decoder from `start` to `stop`.

    Parameters
    ----------
    spec : FeedbackSpec
        What is asked for; a decoder that does not fit it ends the client.
    source_id : str, optional
        Source id of the decoder's rows; None takes the only one there is.
    max_age_s : float
        Seconds after which nothing is believed.
    """

    def __init__(self, spec: FeedbackSpec, source_id: str | None = None, max_age_s: float = MAX_AGE_S) -> None:
        self._spec, self._wanted = spec, source_id
        self._dead_man = DeadMan(max_age_s)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.header: DecoderHeader | None = None
        """What the decoder says about itself; None before it is found."""
        self._source_id = ""
        self._newest: Decision | None = None
        self._begun: str | None = None
        self.failure: Exception | None = None
        """What ended the thread, if anything did."""

    def start(self) -> None:
        """Begin to follow in a thread."""
        self._thread = threading.Thread(target=self._run, name="feedback-lsl", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread; harmless when called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def heard(self, now: float) -> Heard:
        """Return what came since the last frame, and forget the commands that began."""
        with self._lock:
            state = self._dead_man.state(now)
            if state != State.OK:
                self._newest = None
            newest, begun, self._begun = self._newest, self._begun, None
            evidence = None if newest is None else newest.evidence
            command = Command(evidence=evidence, begun=None if evidence is None else begun, state=state)
            return Heard(state=state, header=self.header, source_id=self._source_id, command=command)

    def _run(self) -> None:
        try:
            self._follow(find_decoder(self._wanted, self._check))
        except _StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - the window ends and says it
            self.failure = error

    def _follow(self, source_id: str) -> None:
        self._source_id = source_id
        follower = DecisionFollower(source_id, self._dead_man, on_decision=self._take, on_header=self._take_header)
        try:
            while not self._stop.wait(PERIOD_S):
                follower.step(lsl_clock())
        finally:
            follower.close()

    def _check(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _take(self, decision: Decision) -> None:
        with self._lock:
            self._newest = decision
            if decision.committed:
                self._begun = decision.decision

    def _take_header(self, header: DecoderHeader) -> None:
        FeedbackTask(self._spec, header)  # refuses what does not fit
        if self.header is not None and header.classes != self.header.classes:
            raise NeuriptError(
                f"the decoder came back with other classes ({', '.join(header.classes)}), which the targets do not "
                "ask for; start the feedback again"
            )
        with self._lock:
            self.header, self._newest, self._begun = header, None, None
