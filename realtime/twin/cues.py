"""What happens when: trials and cues (`CueProtocol`, `TrialSchedule`), and what the person really does (`Intent`).

Everything here is a function of the seed alone: not of the sampling rate, the cap or how the signal is read.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.realtime.twin.subject import Subject

CLASSES = ("left_hand", "right_hand", "both_hands", "feet", "tongue", "rest")
"""Tasks the twin can do."""
TRIAL_START = "trial_start"
TRIAL_END = "trial_end"
IDLE = "idle"
NO_INTENT = frozenset({"rest"})


@dataclass(frozen=True, kw_only=True)
class CueProtocol:
    """Timing of a session (Graz by default)."""

    classes: tuple[str, ...] = ("left_hand", "right_hand")
    trials_per_class: int | None = None
    """Number of trials of each class, and so the length of the session; None goes on for ever."""
    lead_in_s: float = 1.0
    """Seconds of quiet before the first trial."""
    pre_cue_s: float = 2.0
    """Seconds from the start of the trial to the cue."""
    imagery_s: float = 4.0
    """Seconds from the cue to the end of the trial."""
    pause_s: tuple[float, float] = (1.5, 2.5)
    """Shortest and longest break between trials, in seconds."""
    cued: bool = True
    """False: the person imagines on his own account; no cues are sent, the intents still are."""
    obeys: bool = False
    """True: the person does what somebody else's cues say (`TrialSchedule.obey`), and nothing else."""

    def __post_init__(self) -> None:
        """Check classes and times."""
        unknown = [c for c in self.classes if c not in CLASSES]
        if unknown or not self.classes:
            raise NeuriptError(
                f"the twin cannot imagine {', '.join(unknown) or 'nothing'}; it knows {', '.join(CLASSES)}"
            )
        if len(set(self.classes)) != len(self.classes):
            raise NeuriptError(f"a class is named twice: {', '.join(self.classes)}")
        if self.trials_per_class is not None and self.trials_per_class < 1:
            raise NeuriptError(f"trials_per_class is {self.trials_per_class}; use at least 1")
        low, high = self.pause_s
        if min(self.lead_in_s, self.pre_cue_s, low) < 0 or high < low or self.imagery_s <= 0:
            raise NeuriptError("the times of the protocol must be positive and pause_s ascending")


@dataclass(frozen=True)
class TwinEvent:
    """A marker: seconds since the first sample, and its string."""

    time_s: float
    label: str


def time_of(event: TwinEvent) -> float:
    """Return the time of an event, for sorting."""
    return event.time_s


def cued_class(marker: str) -> str:
    """Class that a marker asks for: of JSON with `ev` "cue" its `cls`, else the marker itself if it is a class."""
    if marker in CLASSES:
        return marker
    try:
        said = json.loads(marker)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("cls", "")) if isinstance(said, dict) and said.get("ev") == "cue" else ""


def events_between(events: list[TwinEvent], start_s: float, stop_s: float) -> list[TwinEvent]:
    """Return the events of a sorted list with start_s <= time < stop_s."""
    first = bisect_left(events, start_s, key=time_of)
    return events[first : bisect_left(events, stop_s, key=time_of)]


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the person does in one trial; the truth that a decoder cannot see."""

    label: str
    onset_s: float
    """Time in seconds at which the person starts to imagine (shortly after the cue)."""
    offset_s: float
    erd_onset_s: float
    """Time in seconds at which half of the desynchronisation is reached."""
    depth: float
    """Fall of contralateral mu power, 0 to 1; 0 in a failed trial."""
    failed: bool


@dataclass(frozen=True, kw_only=True)
class TwinTrial:
    """One trial as the experimenter planned it."""

    index: int
    label: str
    start_s: float
    cue_s: float
    end_s: float


class TrialSchedule:
    """Trials, markers and intents in time order, worked out as far as asked.

    Parameters
    ----------
    protocol : CueProtocol
        Classes of the cues, and their timing.
    subject : Subject
        Whose intents they are.
    seed : int
        Order of the classes, breaks, and luck of each trial.
    """

    def __init__(self, protocol: CueProtocol, subject: Subject, seed: int) -> None:
        self.protocol = protocol
        self.trials: list[TwinTrial] = []
        self.intents: list[Intent] = []
        self.events: list[TwinEvent] = []
        self.intent_events: list[TwinEvent] = []
        self._subject = subject
        self._plan_rng = np.random.default_rng([seed, 11])
        self._person_rng = np.random.default_rng([seed, 12])
        self._queue: list[str] = []
        self._next_start_s = float("inf") if protocol.obeys else protocol.lead_in_s
        if protocol.trials_per_class is not None:
            self._queue = self._finite_order(protocol.trials_per_class)

    @property
    def end_s(self) -> float | None:
        """End of the last trial plus a break, or None where the session has no end."""
        count = self.protocol.trials_per_class
        if count is None or self.protocol.obeys:
            return None
        while self._queue:
            self._add_trial()
        return self.trials[-1].end_s + self.protocol.pause_s[1]

    def extend(self, until_s: float) -> None:
        """Plan all trials that start before `until_s`."""
        endless = self.protocol.trials_per_class is None
        while self._next_start_s < until_s and (endless or self._queue):
            self._add_trial()

    def obey(self, label: str, cue_s: float, *, not_before_s: float) -> None:
        """Do what a cue says that was shown at `cue_s`, for `imagery_s`.

        Parameters
        ----------
        label : str
            Class of the cue; one that this person does not know, and rest, change nothing.
        cue_s : float
            Time of the cue in seconds of the session.
        not_before_s : float
            Time in seconds of the session before which nothing can change any more.
        """
        if label not in self.protocol.classes:
            return
        end_s = cue_s + self.protocol.imagery_s
        seen_s = max(cue_s, not_before_s)
        self.trials.append(TwinTrial(index=len(self.trials), label=label, start_s=seen_s, cue_s=seen_s, end_s=end_s))
        intent = self._draw_intent(label, cue_s, end_s)
        if label not in NO_INTENT:
            late_s = max(0.0, not_before_s - intent.erd_onset_s)
            self._intend(replace(intent, onset_s=intent.onset_s + late_s, erd_onset_s=intent.erd_onset_s + late_s))

    def intents_between(self, start_s: float, stop_s: float) -> list[Intent]:
        """Return intents that overlap the stretch, in order; the schedule must be extended that far."""
        last = bisect_left(self.intents, stop_s, key=lambda i: i.onset_s)
        return [i for i in self.intents[max(0, last - 4) : last] if i.offset_s > start_s]

    def cues_between(self, start_s: float, stop_s: float) -> list[float]:
        """Return the times of the cues shown in the stretch; the schedule must be extended that far."""
        if not self.protocol.cued:
            return []
        last = bisect_left(self.trials, stop_s, key=lambda trial: trial.cue_s)
        return [t.cue_s for t in self.trials[max(0, last - 4) : last] if t.cue_s >= start_s]

    def _finite_order(self, per_class: int) -> list[str]:
        order: list[str] = []
        while per_class > 0:
            size = min(5, per_class)
            order += self._block(size)
            per_class -= size
        return order

    def _block(self, per_class: int) -> list[str]:
        """A balanced block in random order, as a list that is consumed from the front."""
        labels = list(self.protocol.classes) * per_class
        return [labels[i] for i in self._plan_rng.permutation(len(labels))]

    def _add_trial(self) -> None:
        p = self.protocol
        if not self._queue:
            self._queue = self._block(2)
        label = self._queue.pop(0)
        start = self._next_start_s
        cue = start + p.pre_cue_s
        end = cue + p.imagery_s
        self._next_start_s = end + float(self._plan_rng.uniform(*p.pause_s))
        self.trials.append(TwinTrial(index=len(self.trials), label=label, start_s=start, cue_s=cue, end_s=end))
        if p.cued:
            self.events += [TwinEvent(start, TRIAL_START), TwinEvent(cue, label), TwinEvent(end, TRIAL_END)]
        intent = self._draw_intent(label, cue, end)
        if label not in NO_INTENT:
            self._intend(intent)

    def _intend(self, intent: Intent) -> None:
        self.intents.append(intent)
        said = f"{intent.label}:failed" if intent.failed else intent.label
        for event in (TwinEvent(intent.onset_s, said), TwinEvent(intent.offset_s, IDLE)):
            insort(self.intent_events, event, key=time_of)

    def _draw_intent(self, label: str, cue: float, end: float) -> Intent:
        """Draw the person's luck; the same number of draws in every trial."""
        s, rng = self._subject, self._person_rng
        reaction = 0.15 + 0.1 * float(rng.random())
        delay = s.onset_delay_s + s.onset_spread_s * float(np.clip(rng.standard_normal(), -2, 2))
        spread = float(np.clip(rng.standard_normal(), -2.5, 2.5))
        late = 0.2 * float(rng.random())
        failed = float(rng.random()) < s.failure_rate
        depth = 0.0 if failed else min(0.97, s.erd_depth * float(np.exp(s.depth_spread * spread)))
        onset = cue + reaction
        return Intent(
            label=label,
            onset_s=onset,
            offset_s=end + late,
            erd_onset_s=onset + max(0.1, delay),
            depth=depth,
            failed=failed,
        )
