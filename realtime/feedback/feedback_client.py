"""What the feedback knows of the decoder: its published streams, followed by one thread."""

from __future__ import annotations

from dataclasses import dataclass

from neuript.errors import NeuriptError
from neuript.realtime.dashboard.following_client import FollowingClient
from neuript.realtime.decoding.dead_man import MAX_AGE_S, DeadMan
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State
from neuript.realtime.feedback.feedback_spec import FeedbackSpec
from neuript.realtime.feedback.feedback_task import NOTHING, Command, FeedbackTask
from neuript.realtime.lsl.decision_follower import DecisionFollower, find_decoder


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame needs."""

    state: str
    """A `State`, or one of a reader's own: SEARCHING, SILENT, LATE, GONE."""
    header: DecoderHeader | None = None
    source_id: str = ""
    command: Command = NOTHING


class FeedbackClient(FollowingClient):
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

    period_s = 0.01

    def __init__(self, spec: FeedbackSpec, source_id: str | None = None, max_age_s: float = MAX_AGE_S) -> None:
        super().__init__()
        self._spec, self._wanted = spec, source_id
        self._dead_man = DeadMan(max_age_s)
        self.header: DecoderHeader | None = None
        """What the decoder says about itself; None before it is found."""
        self._source_id = ""
        self._newest: Decision | None = None
        self._begun: str | None = None

    def heard(self, now: float) -> Heard:
        """Return what came since the last frame, and forget the commands that began."""
        with self.lock:
            state = self._dead_man.state(now)
            if state != State.OK:
                self._newest = None
            newest, begun, self._begun = self._newest, self._begun, None
            evidence = None if newest is None else newest.evidence
            command = Command(evidence=evidence, begun=None if evidence is None else begun, state=state)
            return Heard(state=state, header=self.header, source_id=self._source_id, command=command)

    def step(self, now: float) -> None:
        """Look for the decoder until there is one, then pull what it says."""
        if not self.followers:
            self._source_id = find_decoder(self._wanted, self.check)
            self.followers = (
                DecisionFollower(self._source_id, self._dead_man, on_decision=self._take, on_header=self._take_header),
            )
        super().step(now)

    def _take(self, decision: Decision) -> None:
        with self.lock:
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
        with self.lock:
            self.header, self._newest, self._begun = header, None, None
