"""What a policy would have commanded over recorded decisions, and the settings of it among which is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import Commit, EventCard, joined, score_events
from neuript.realtime.decoding.policy import CommitRule, DecisionPolicy, PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State

THRESHOLDS = tuple(round(0.5 + 0.02 * k, 2) for k in range(25))
"""Evidence among which a threshold is chosen."""
DWELLS_S = (0.25, 0.5, 1.0, 2.0)
RELEASE_SHARE = 0.8
"""A class is let go when its evidence is below this share of the threshold."""


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Decisions over one recording before any policy.

    Attributes
    ----------
    t : ndarray, shape (n_rows,)
        Time of each row in seconds on the clock of the recording.
    state : sequence of State
        State of each row.
    logits : ndarray, shape (n_rows, n_outputs)
        What the decoder gives, with the gate's log-odds last if it has one; NaN where nothing was decoded.
    trials : tuple of Trial
        Trials of the recording.
    """

    t: NDArray[np.float64]
    state: Sequence[State]
    logits: NDArray[np.float64]
    trials: tuple[Trial, ...]


@dataclass(frozen=True, eq=False, slots=True)
class RowEvidence:
    """What a policy's threshold is compared with over one recording.

    Attributes
    ----------
    of_row : list of list of float, or None
        Evidence of the classes in each row; None where nothing was decoded.
    most : ndarray, shape (n_rows,)
        That of the leading class where a command could be given, else -1.
    leader : ndarray, shape (n_rows,)
        The leading class; 0 where there is none.
    """

    of_row: list[list[float] | None]
    most: NDArray[np.float64]
    leader: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, policy: DecisionPolicy) -> RowEvidence:
        """Run the part of a policy that comes before its threshold over the rows; the threshold does not matter."""
        found: list[list[float] | None] = []
        most, leader = np.full(len(rows.t), -1.0), np.zeros(len(rows.t), dtype=np.int64)
        for i, (state, logits) in enumerate(zip(rows.state, rows.logits, strict=True)):
            evidence = policy.update(None if np.isnan(logits[0]) else logits, state).evidence
            found.append(None if evidence is None else evidence.tolist())
            if evidence is not None and state is State.OK:
                most[i], leader[i] = evidence.max(), evidence.argmax()
        return cls(found, most, leader)


def evidence_of(
    rows: Sequence[Rows], spec: PolicySpec, classes: Sequence[str], hop_s: float
) -> tuple[RowEvidence, ...]:
    """Return what a policy's threshold is compared with in each recording."""
    return tuple(RowEvidence.of(part, DecisionPolicy(spec, classes, hop_s)) for part in rows)


def run_policy(
    rows: Rows, spec: PolicySpec, classes: Sequence[str], hop_s: float, evidence: RowEvidence
) -> list[Commit]:
    """Return the commands that a policy gives over a recording with the evidence of each row."""
    rule = CommitRule(spec, classes, hop_s)
    idle = None if spec.idle_class is None else list(classes).index(spec.idle_class)
    above = (evidence.most >= spec.threshold) & (evidence.leader != (-1 if idle is None else idle))
    out, at = [], 0
    for i in np.flatnonzero(above).tolist():
        while at < i and rule.held is not None:
            rule.update(evidence.of_row[at], rows.state[at])
            at += 1
        if at < i:  # rows that begin no command, while none is held, do no more than pass
            rule.update(None, hops=i - at)
        if rule.update(evidence.of_row[i], rows.state[i]) and rule.held is not None:
            out.append(Commit(float(rows.t[i]), classes[rule.held]))
        at = i + 1
    return out


def score_policy(
    rows: Sequence[Rows],
    spec: PolicySpec,
    classes: Sequence[str],
    hop_s: float,
    duration_s: float,
    evidence: Sequence[RowEvidence] | None = None,
) -> EventCard:
    """Return hits and false activations of a policy over some recordings.

    Parameters
    ----------
    rows : sequence of Rows
        Decisions over each recording.
    spec : PolicySpec
        The policy.
    classes : sequence of str
        Class names in the order of the logits.
    hop_s : float
        Seconds between two rows.
    duration_s : float
        Seconds that an event lasts after its cue.
    evidence : sequence of RowEvidence, optional
        What `evidence_of` found for the same rows and smoothing, so that it need not be found again.
    """
    cards = []
    for part, found in zip(rows, evidence or evidence_of(rows, spec, classes, hop_s), strict=True):
        commits = run_policy(part, spec, classes, hop_s, found)
        decoded = part.t[found.most >= 0]
        cards.append(
            score_events(commits, part.trials, decoded, hop_s, idle_class=spec.idle_class, duration_s=duration_s)
        )
    return joined(cards)


def settings_of(base: PolicySpec) -> Iterator[list[PolicySpec]]:
    """Return a policy with every dwell, and for each of these with every threshold, the lowest first."""
    for dwell_s in DWELLS_S:
        yield [replace(base, threshold=t, release=RELEASE_SHARE * t, dwell_s=dwell_s) for t in THRESHOLDS]
