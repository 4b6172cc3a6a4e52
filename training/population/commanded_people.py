"""People left out in turn, decoded hop by hop by the others: what every threshold and dwell would have commanded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import EventCard, last_onset_s
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.fitting.centring import centre_s_of
from neuript.training.fitting.gate import GateWindows
from neuript.training.fitting.policy_scan import Rows, evidence_of, score_policy, settings_of
from neuript.training.population.adaptation import PersonFit, adapt
from neuript.training.population.command_evidence import CommandCounts, CommandEvidence
from neuript.training.population.learning import Learning, Learnt, folds_of, tangent_trials, trials_of_features
from neuript.training.population.leave_one_out import blocks_within
from neuript.training.population.network_training import features_of
from neuript.training.population.prior import COUNTS, first_trials
from neuript.training.windows.dataset import Dataset, Played

Cards = list[list[EventCard]]
"""What was commanded at each dwell (rows) and threshold (columns)."""
BATCH = 256


def command_evidence(learning: Learning, learnt: Learnt, duration_s: float) -> CommandEvidence | None:
    """Return what everybody's later recordings say of when to command; None where nothing can be said.

    Parameters
    ----------
    learning : Learning
        The people.
    learnt : Learnt
        What all of them say.
    duration_s : float
        Seconds that a task lasts after its cue.
    """
    cards: dict[int, list[Cards]] = {count: [] for count in COUNTS}
    for left_out in folds_of(list(learning.people)):
        others = learning.without(left_out, learnt)
        for alias in left_out:
            learning.report(f"commands of {alias}", 0, 1)
            for count, found in cards_of(learning.people[alias], others, duration_s).items():
                cards[count].append(found)
    known = {count: CommandCounts.of(people) for count, people in cards.items()}
    counts = {count: found for count, found in known.items() if found is not None}
    return CommandEvidence(counts) if counts else None


def cards_of(data: Dataset, others: Learnt, duration_s: float) -> dict[int, Cards]:
    """Return what one person was commanded by what others say, with the first so many early trials of each class.

    Parameters
    ----------
    data : Dataset
        The person's windows, with the recordings that they come from.
    others : Learnt
        What the others say.
    duration_s : float
        Seconds that a task lasts after its cue.
    """
    tangent = tangent_trials(data)
    features = None
    if others.network is not None:
        features = trials_of_features(data, partial(features_of, others.network)).scaled(others.scale)
    later = later_hops(data, tangent.early, others, duration_s)
    gate = GateWindows.of(data)
    out: dict[int, Cards] = {}
    for count in COUNTS if later else ():
        taken = first_trials(tangent.labels, count, tangent.early)
        if np.bincount(tangent.labels[taken], minlength=len(data.classes)).min() < count:
            continue
        own = taken[data.trial]
        fit = adapt(
            others,
            tangent.windows(own),
            None if features is None else features.windows(own),
            blocks_within(tangent, data, taken),
            gate=None if gate is None or not count else gate.of_trials(np.flatnonzero(taken)),
        )
        out[count] = _cards(fit, later, data, count, duration_s)
    return out


def _cards(fit: PersonFit, later: Sequence[LaterHops], data: Dataset, count: int, duration_s: float) -> Cards:
    manifest = data.manifest
    gated = fit.gate is not None
    base = replace(PolicySpec.from_dict(manifest.policy), gate=gated, centre_s=centre_s_of(count))
    rows = [hops.rows(fit, len(data.classes) + gated) for hops in later]
    evidence = evidence_of(rows, base, data.classes, manifest.hop_s)
    return [
        [score_policy(rows, spec, data.classes, manifest.hop_s, duration_s, evidence) for spec in of_dwell]
        for of_dwell in settings_of(base)
    ]


@dataclass(frozen=True, eq=False, slots=True)
class LaterHops:
    """Decisions over what comes after all that a person's decoder may learn from.

    Attributes
    ----------
    t : ndarray, shape (n_rows,)
        Time of each decision.
    state : tuple of State
        State of each.
    row : ndarray, shape (n_windows,)
        Decision that each window belongs to.
    tangent, features : ndarray, shape (n_windows, ...)
        Tangent vectors and, where there is a network, its features of the windows.
    trials : tuple of Trial
        Trials that the decisions are about.
    """

    t: NDArray[np.float64]
    state: tuple[State, ...]
    row: NDArray[np.int64]
    tangent: NDArray[np.float32]
    features: NDArray[np.floating] | None
    trials: tuple[Trial, ...]

    @classmethod
    def of(cls, played: Played, data: Dataset, others: Learnt, from_s: float) -> LaterHops:
        """Run a recording through the decoder, and keep what comes after a time on its clock."""
        hops = played.hops(data.manifest)
        first = int(np.searchsorted(hops.t, from_s, side="right"))
        which = np.flatnonzero(hops.row >= first)
        features = None
        if others.network is not None and len(which):
            parts = [which[i : i + BATCH] for i in range(0, len(which), BATCH)]
            features = np.concatenate([features_of(others.network, hops.signal(part)) for part in parts])
            features = others.scale * features
        trials = tuple(trial for trial in played.trials if trial.onset_s > from_s)
        return cls(hops.t[first:], hops.state[first:], hops.row[which] - first, hops.tangent[which], features, trials)

    def rows(self, fit: PersonFit, n_outputs: int) -> Rows:
        """Return what a person's decoder says in each decision."""
        logits = np.full((len(self.t), n_outputs), np.nan)
        if len(self.row):
            logits[self.row] = fit.outputs(self.tangent, self.features)
        return Rows(self.t, self.state, logits, self.trials)


def later_hops(data: Dataset, early: NDArray[np.bool_], others: Learnt, duration_s: float) -> list[LaterHops]:
    """Return the decisions over each recording after its last early trial, where trials follow.

    Parameters
    ----------
    data : Dataset
        The person's windows, with the recordings that they come from.
    early : ndarray of bool, shape (n_trials,)
        Trials that may be learnt from.
    others : Learnt
        What the others say.
    duration_s : float
        Seconds that a task lasts after its cue.
    """
    if not data.played:
        return []
    ends = np.full(len(data.played), -np.inf)
    for trial, is_early in zip(data.trials, early, strict=True):
        if is_early:  # until no window holds a moment of it
            until = last_onset_s(trial) + duration_s + data.manifest.window_s
            ends[trial.recording] = max(ends[trial.recording], until)
    found = [
        LaterHops.of(played, data, others, float(end))
        for played, end in zip(data.played, ends, strict=True)
        if any(trial.onset_s > end for trial in played.trials)
    ]
    return [hops for hops in found if len(hops.row)]
