"""Scoring commands, not trials: what was detected, how soon, and how often something was commanded at rest.

A trial of a class that commands is an event. It is a hit if its class is the first to be committed while the event
lasts (and a little longer, since a command needs evidence); everything outside of all events is rest, and each commit
there is a false activation (asynchronous evaluation as in Townsend et al. 2004, IEEE TBME 51:985, and Carrara &
Papadopoulo 2024, J. Neural Eng. 21:036006). Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from neuript.realtime.decoding.scoring import Trial, exact_interval

EARLIEST_S = 0.25
"""Nobody reacts to a cue sooner; what is committed before belongs to the time before."""
GRACE_S = 1.0
"""Seconds after the end of an event in which it still may be detected."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One command: when it was committed, in seconds on the clock of the trials, and what."""

    t: float
    label: str


@dataclass(frozen=True, slots=True)
class EventScore:
    """How one event was answered."""

    trial: Trial
    detected: str | None
    """Class of the first command while it lasted; None where there was none."""
    delay_s: float | None
    """Seconds from the cue to that command."""

    @property
    def is_hit(self) -> bool:
        """Whether the first command was the right one."""
        return self.detected == self.trial.label


@dataclass(frozen=True, slots=True)
class EventCard:
    """Commands against events, and what follows from them.

    Attributes
    ----------
    events : tuple of EventScore
        Trials of the classes that command.
    n_false : int
        Commands at rest.
    rest_s : float
        Seconds of decoded signal outside of all events.
    """

    events: tuple[EventScore, ...]
    n_false: int
    rest_s: float

    @property
    def n_hits(self) -> int:
        """Events whose first command was the right one."""
        return sum(event.is_hit for event in self.events)

    @property
    def n_wrong(self) -> int:
        """Events whose first command was another class's."""
        return sum(event.detected is not None and not event.is_hit for event in self.events)

    @property
    def n_missed(self) -> int:
        """Events without a command."""
        return sum(event.detected is None for event in self.events)

    @property
    def hit_rate(self) -> float:
        """Share of hits; NaN without an event."""
        return self.n_hits / len(self.events) if self.events else float("nan")

    @property
    def delays_s(self) -> NDArray[np.float64]:
        """Seconds from cue to command of each hit, in order of time."""
        return np.array([e.delay_s for e in self.events if e.is_hit and e.delay_s is not None], dtype=np.float64)

    @property
    def median_with_misses_s(self) -> float:
        """Median time to detect in which an event that was not hit counts as later than all; NaN without an event.

        Infinite where less than half of them were hit.
        """
        late = [np.inf] * (len(self.events) - self.n_hits)
        times = np.sort([*self.delays_s, *late])
        return float(times[(len(times) - 1) // 2]) if len(times) else float("nan")

    @property
    def false_per_minute(self) -> float:
        """False activations per minute of rest; NaN without any rest."""
        return 60.0 * self.n_false / self.rest_s if self.rest_s > 0 else float("nan")

    @property
    def false_interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the false activations per minute."""
        return poisson_interval(self.n_false, self.rest_s / 60.0)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain JSON values; NaN becomes None."""
        delays = self.delays_s
        low, high = exact_interval(self.n_hits, len(self.events)) if self.events else (float("nan"),) * 2
        figures = {
            "events": len(self.events),
            "hits": self.n_hits,
            "wrong": self.n_wrong,
            "missed": self.n_missed,
            "hit_rate": self.hit_rate,
            "hit_rate_interval_95": [low, high],
            "time_to_detect_median_s": float(np.median(delays)) if len(delays) else float("nan"),
            "time_to_detect_p90_s": float(np.percentile(delays, 90)) if len(delays) else float("nan"),
            "time_to_detect_median_with_misses_s": self.median_with_misses_s,
            "false_activations": self.n_false,
            "rest_minutes": self.rest_s / 60.0,
            "false_per_minute": self.false_per_minute,
            "false_per_minute_interval_95": list(self.false_interval),
        }
        return {name: _plain(value) for name, value in figures.items()}


def last_onset_s(trial: Trial) -> float:
    """Time of the last epoch of a trial, in seconds; that of its cue for the usual cued trial."""
    return max((trial.onset_s, *trial.epochs_s))


def poisson_upper(count: int, minutes: float, level: float = 0.95) -> float:
    """Upper bound of a rate per minute of which `count` events were seen (one-sided, exact); infinite without time."""
    return float(chi2.ppf(level, 2 * (count + 1))) / 2 / minutes if minutes > 0 else float("inf")


def poisson_interval(count: int, minutes: float, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a rate per minute (Garwood 1936); without time nothing is known of it."""
    if not minutes > 0:
        return 0.0, float("inf")
    tail = (1.0 - level) / 2.0
    low = float(chi2.ppf(tail, 2 * count)) / 2 / minutes if count else 0.0
    return low, float(chi2.ppf(1.0 - tail, 2 * (count + 1))) / 2 / minutes


def score_events(
    commits: Sequence[Commit],
    trials: Sequence[Trial],
    decoded_t: NDArray[np.float64],
    hop_s: float,
    *,
    idle_class: str | None,
    duration_s: float,
) -> EventCard:
    """Score commands against the trials of one recording.

    Parameters
    ----------
    commits : sequence of Commit
        Commands in order of time.
    trials : sequence of Trial
        Trials of all classes, on the clock of the commands.
    decoded_t : ndarray, shape (n_rows,)
        Times of the decisions that could have commanded (state OK).
    hop_s : float
        Seconds between two decisions.
    idle_class : str or None
        Class that means "no command"; its trials are rest.
    duration_s : float
        Seconds that an event lasts after its cue, or after the last one of a trial of several epochs.
    """
    acting = sorted((t for t in trials if t.label != idle_class), key=lambda t: t.onset_s)
    spans = [(t.onset_s + EARLIEST_S, last_onset_s(t) + duration_s + GRACE_S) for t in acting]
    events, used = [], set()
    for i, (trial, (begin, end)) in enumerate(zip(acting, spans, strict=True)):
        following = spans[i + 1][0] if i + 1 < len(spans) else np.inf
        mine = [k for k, commit in enumerate(commits) if begin <= commit.t <= end and commit.t < following]
        used.update(mine)
        first = commits[mine[0]] if mine else None
        delay = None if first is None else first.t - trial.onset_s
        events.append(EventScore(trial, None if first is None else first.label, delay))
    false = sum(k not in used for k in range(len(commits)))
    return EventCard(tuple(events), false, float((~_inside(decoded_t, spans)).sum()) * hop_s)


def _inside(t: NDArray[np.float64], spans: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Whether each time lies in any of the spans, which are sorted by their begins."""
    begins, ends = np.array(spans).reshape(-1, 2).T
    latest = np.append(-np.inf, np.maximum.accumulate(ends))  # end of all that has begun
    inside: NDArray[np.bool_] = t <= latest[np.searchsorted(begins, t, side="right")]
    return inside


def joined(cards: Sequence[EventCard]) -> EventCard:
    """Return the card of several recordings together."""
    return EventCard(
        tuple(event for card in cards for event in card.events),
        sum(card.n_false for card in cards),
        sum(card.rest_s for card in cards),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
