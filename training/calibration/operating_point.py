"""When a command is given: threshold and dwell for a bound on what may be commanded at rest.

When the windows were cut, the recordings were run through the live decoder hop by hop; now each stretch of them is
decoded by a decoder that did not see its trials. On these decisions every setting is tried with the very policy that
runs live. Only settings whose false activations per minute of rest are below the bound *with 95 % confidence* (exact
Poisson limit) may be taken; of these the one that detects most, and then soonest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import Commit, EventCard, joined, poisson_upper, score_events
from neuript.realtime.decoding.policy import CommitRule, DecisionPolicy, PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.calibration.fitted_decoder import FittedDecoder
from neuript.training.calibration.held_out import Logits
from neuript.training.windows.dataset import Dataset
from neuript.training.windows.hops import Hops

THRESHOLDS = tuple(round(0.5 + 0.02 * k, 2) for k in range(25))
"""Evidence among which the threshold is chosen."""
DWELLS_S = (0.25, 0.5, 1.0, 2.0)
RELEASE_SHARE = 0.8
"""A class is let go when its evidence is below this share of the threshold."""
LEAST_REST_S = 60.0
"""With less rest than this nothing can be said of false activations."""
CONFIDENCE = 0.95
"""With which the bound is kept: the one-sided Poisson limit."""
BATCH = 256


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


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A policy, and what it did over the calibration.

    Attributes
    ----------
    policy : PolicySpec
        Threshold, dwell and what else turns evidence into commands.
    card : EventCard
        Hits and false activations of the decoders that had not seen what they decoded.
    bound : float
        False activations per minute that were asked for at most.
    """

    policy: PolicySpec
    card: EventCard
    bound: float

    @property
    def upper(self) -> float:
        """False activations per minute that are not exceeded with 95 % confidence; infinite without rest."""
        return poisson_upper(self.card.n_false, self.card.rest_s / 60.0, CONFIDENCE)

    @property
    def kept(self) -> bool:
        """Whether the bound is kept with 95 % confidence."""
        return self.upper <= self.bound

    @property
    def least_minutes(self) -> float:
        """Minutes of rest without a false activation after which the bound is kept with 95 % confidence."""
        return poisson_upper(0, 1.0, CONFIDENCE) / self.bound

    @property
    def enough_rest(self) -> bool:
        """Whether anything could keep the bound with that confidence: else no setting is better than another."""
        return self.card.rest_s / 60.0 >= self.least_minutes

    def describe(self) -> str:
        """Say in one sentence what to expect at rest and of events."""
        card, minutes = self.card, self.card.rest_s / 60.0
        needed = (
            f"{self.least_minutes:.1f} minutes without a task are needed to promise {self.bound:g} a minute at most"
        )
        if card.rest_s < LEAST_REST_S:
            return f"How often something is commanded at rest is not known: {minutes:.1f} were recorded, {needed}."
        seen = f"{card.n_false} false activation{'' if card.n_false == 1 else 's'} in {minutes:.1f} minutes of rest"
        limit = f"with 95 % confidence at most {self.upper:.2g} a minute"
        hits = f"{card.n_hits} of {len(card.events)} tasks were commanded"
        if len(card.delays_s):
            hits += f", half of them within {float(np.median(card.delays_s)):.1f} s"
        if self.kept:
            return f"At rest: {seen}, {limit}. {hits[0].upper()}{hits[1:]}."
        if not self.enough_rest:
            return f"At rest: {seen}, {limit}; {needed}. {hits[0].upper()}{hits[1:]}."
        return (
            f"At rest: {seen}, {limit}, which is more than the {self.bound:g} asked for; the strictest setting was "
            f"taken. {hits[0].upper()}{hits[1:]}. More recorded rest makes the limit tighter."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the model file."""
        return {
            "protocol": "blocked cross-validation over whole recordings, every hop, with the live policy",
            "max_false_per_minute": self.bound,
            "false_per_minute_upper_95": None if not np.isfinite(self.upper) else self.upper,
            "bound_kept": self.kept,
            **self.card.to_dict(),
        }


def held_out_rows(data: Dataset, decoder: FittedDecoder) -> list[Rows]:
    """Decode the recordings of a calibration hop by hop, each stretch by a decoder that did not see its trials.

    Parameters
    ----------
    data : Dataset
        Windows with the recordings that they come from.
    decoder : FittedDecoder
        What was fitted to them, with its blocks.

    Returns
    -------
    list of Rows
        One for each recording that was played.
    """
    if data.end_s is None:
        raise ValueError("the windows do not say when they end, so no stretch can be told from them")
    fold_of_window = np.zeros(len(data.x), dtype=np.int64)
    for fold, (_, test) in enumerate(decoder.blocks):
        fold_of_window[test] = fold
    recording_of_window = np.array([trial.recording for trial in data.trials], dtype=np.int64)[data.trial]
    out = []
    for number, played in enumerate(data.played):
        mine = recording_of_window == number
        hops = played.hops(data.manifest)
        logits = np.full((len(hops.t), decoder.n_outputs), np.nan)
        if mine.any():
            folds = nearest_fold(hops.window_t, data.end_s[mine], fold_of_window[mine])
            for fold, decode in enumerate(decoder.without_block):
                _decode(hops, np.flatnonzero(folds == fold), decode, logits)
        out.append(Rows(hops.t, hops.state, logits, played.trials))
    return out


def nearest_fold(t: NDArray[np.float64], end_s: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the block that each window must not have been learnt with, shape (n_windows,).

    It is that of the labelled window with which it shares most samples.

    Parameters
    ----------
    t : ndarray, shape (n_windows,)
        Ends of the windows in seconds.
    end_s : ndarray, shape (n_labelled,)
        Ends of the labelled windows of the same recording.
    fold : ndarray, shape (n_labelled,)
        Block of each.
    """
    return np.asarray(fold[np.abs(np.subtract.outer(t, end_s)).argmin(axis=1)])


def _decode(hops: Hops, which: NDArray[np.int64], decode: Logits, logits: NDArray[np.float64]) -> None:
    """Write what a decoder says of some windows into the rows that they belong to, a batch at a time."""
    for start in range(0, len(which), BATCH):
        batch = which[start : start + BATCH]
        logits[hops.row[batch]] = decode(hops.signal(batch), hops.tangent[batch])


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


def choose_operating_point(
    rows: Sequence[Rows],
    base: PolicySpec,
    classes: Sequence[str],
    hop_s: float,
    *,
    duration_s: float,
    max_false_per_minute: float,
) -> OperatingPoint:
    """Choose threshold and dwell for a bound on the false activations per minute of rest.

    Parameters
    ----------
    rows : sequence of Rows
        Held-out decisions over the calibration recordings.
    base : PolicySpec
        Smoothing, refractory time and idle class; also what stays where there is too little rest to choose.
    classes : sequence of str
        Class names in the order of the logits.
    hop_s : float
        Seconds between two decisions.
    duration_s : float
        Seconds that an event lasts after its cue.
    max_false_per_minute : float
        The bound.
    """
    evidence = evidence_of(rows, base, classes, hop_s)

    def point_of(spec: PolicySpec) -> OperatingPoint:
        card = score_policy(rows, spec, classes, hop_s, duration_s, evidence)
        return OperatingPoint(spec, card, max_false_per_minute)

    first = point_of(base)
    if first.card.rest_s < LEAST_REST_S:
        return first
    if not first.enough_rest and first.card.false_per_minute <= max_false_per_minute:
        return first  # no setting could promise more, and the strictest would hardly command at all
    best, best_key = first, None
    for dwell_s in DWELLS_S:
        looser_kept = True
        for threshold in THRESHOLDS:
            point = point_of(replace(base, threshold=threshold, release=RELEASE_SHARE * threshold, dwell_s=dwell_s))
            key = _merit(point, with_margin=looser_kept)
            if best_key is None or key > best_key:
                best, best_key = point, key
            looser_kept = point.kept
    return best


def _merit(point: OperatingPoint, *, with_margin: bool) -> tuple[float, ...]:
    """What is better is larger: the bound kept, then hits less wrong commands, then speed; else fewest at rest.

    The setting that just keeps the bound here was picked for it, and breaks it on another day more often than the
    confidence says. So the next lower threshold must keep it as well (`with_margin`).
    """
    card = point.card
    delay = float(np.median(card.delays_s)) if len(card.delays_s) else np.inf
    if point.kept and with_margin:
        return (1.0, float(card.n_hits - card.n_wrong), -delay, -point.upper)
    return (0.0, -point.upper, float(card.n_hits - card.n_wrong), -delay)
