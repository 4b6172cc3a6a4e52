"""When a command is given: threshold and dwell for a bound on what may be commanded at rest.

When the windows were cut, the recordings were run through the live decoder hop by hop; now each stretch of them is
decoded by a decoder that did not see its trials. On these decisions every setting is tried with the very policy that
runs live. Only settings whose false activations per minute of rest are below the bound *with 95 % confidence* (exact
Poisson limit) may be taken; of these the one that detects most, and then soonest. Where earlier people say what each
setting brought them, that is added to the person's own rest and tasks
(`neuript.training.population.command_evidence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import EventCard, poisson_upper
from neuript.realtime.decoding.policy import PolicySpec
from neuript.training.calibration.fitted_decoder import FittedDecoder
from neuript.training.calibration.held_out import Logits
from neuript.training.fitting.policy_scan import Rows, evidence_of, score_policy, settings_of
from neuript.training.population.command_evidence import CommandPrior, SettingPrior
from neuript.training.windows.dataset import Dataset
from neuript.training.windows.hops import Hops

LEAST_REST_S = 60.0
"""With less rest than this nothing can be said of false activations."""
CONFIDENCE = 0.95
"""With which the bound is kept: the one-sided Poisson limit."""
BATCH = 256


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
    people : SettingPrior or None
        What earlier people say of this policy.
    """

    policy: PolicySpec
    card: EventCard
    bound: float
    people: SettingPrior | None = None

    @property
    def upper(self) -> float:
        """False activations per minute that are not exceeded with 95 % confidence; infinite without rest."""
        if self.people is not None:
            return self.people.upper(self.card.n_false, self.card.rest_s / 60.0, CONFIDENCE)
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

    @property
    def hits(self) -> float:
        """What is to be expected of tasks, less wrong commands; only comparisons mean anything."""
        if self.people is not None:
            return self.people.hits(self.card)
        return float(self.card.n_hits - self.card.n_wrong)

    def describe(self) -> str:
        """Say in one sentence what to expect at rest and of events."""
        card, minutes = self.card, self.card.rest_s / 60.0
        needed = (
            f"{self.least_minutes:.1f} minutes without a task are needed to promise {self.bound:g} a minute at most"
        )
        if card.rest_s < LEAST_REST_S and self.people is None:
            return f"How often something is commanded at rest is not known: {minutes:.1f} were recorded, {needed}."
        seen = f"{card.n_false} false activation{'' if card.n_false == 1 else 's'} in {minutes:.1f} minutes of rest"
        limit = f"with 95 % confidence at most {self.upper:.2g} a minute"
        if self.people is not None:
            limit = f"together with what earlier people say, {limit}"
        hits = f"{card.n_hits} of {len(card.events)} tasks were commanded"
        if len(card.delays_s):
            hits += f", half of them within {float(np.median(card.delays_s)):.1f} s"
        if self.kept:
            return f"At rest: {seen}, {limit}. {hits[0].upper()}{hits[1:]}."
        if not self.enough_rest and self.people is None:
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
            "earlier_people": None if self.people is None else asdict(self.people),
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


def choose_operating_point(
    rows: Sequence[Rows],
    base: PolicySpec,
    classes: Sequence[str],
    hop_s: float,
    *,
    duration_s: float,
    max_false_per_minute: float,
    people: CommandPrior | None = None,
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
    people : CommandPrior, optional
        What earlier people say of every setting; then there is never too little rest to choose.
    """
    evidence = evidence_of(rows, base, classes, hop_s)

    def point_of(spec: PolicySpec, theirs: SettingPrior | None = None) -> OperatingPoint:
        card = score_policy(rows, spec, classes, hop_s, duration_s, evidence)
        return OperatingPoint(spec, card, max_false_per_minute, theirs)

    first = point_of(base)
    if people is None:
        if first.card.rest_s < LEAST_REST_S:
            return first
        if not first.enough_rest and first.card.false_per_minute <= max_false_per_minute:
            return first  # no setting could promise more, and the strictest would hardly command at all
    best, best_key = first, None
    for i, of_dwell in enumerate(settings_of(base)):
        looser_kept = True
        for j, spec in enumerate(of_dwell):
            point = point_of(spec, None if people is None else people.of(i, j))
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
        return (1.0, point.hits, -delay, -point.upper)
    return (0.0, -point.upper, point.hits, -delay)
