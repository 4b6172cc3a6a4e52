"""Scoring published decisions against what the person was asked to do. Pure functions.

A trial is the unit: windows of one trial are almost copies of each other, so chance bounds count trials
(Mueller-Putz et al. 2008; Combrisson & Jerbi 2015, J Neurosci Methods 250:126).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom


@dataclass(frozen=True, slots=True)
class Trial:
    """One stretch in which the person was asked to do one thing."""

    label: str
    onset_s: float
    """Time of the cue on the clock of the decisions, in seconds."""
    recording: int = 0
    epochs_s: tuple[float, ...] = ()
    """Onsets of all events of this trial, the cue first; a single one for the usual cued trial."""

    def shifted(self, offset_s: float) -> Trial:
        """Return the trial on another clock, which reads `offset_s` more."""
        return replace(self, onset_s=self.onset_s + offset_s, epochs_s=tuple(t + offset_s for t in self.epochs_s))


def chance_bound(n_trials: int, n_classes: int, alpha: float = 0.05, *, p_guess: float | None = None) -> float:
    """Smallest accuracy that guessing reaches with probability of `alpha` at the most (one-sided binomial).

    Parameters
    ----------
    n_trials, n_classes : int
        Number of trials, at least 1, and of classes, at least 2.
    alpha : float
        Largest probability with which guessing may reach the bound.
    p_guess : float, optional
        Probability that one guess is right; None means 1 / `n_classes`, which holds for classes of equal size.

    Returns
    -------
    float
        Share of the trials, in 0..1; above 1 if so few trials cannot show anything.

    Raises
    ------
    ValueError
        If there are too few trials or classes.
    """
    if n_trials < 1 or n_classes < 2:
        raise ValueError(f"n_trials={n_trials} and n_classes={n_classes}: at least 1 and 2 are needed")
    p = 1.0 / n_classes if p_guess is None else p_guess
    hits = int(binom.isf(alpha, n_trials, p)) + 1
    return hits / n_trials


def exact_interval(n_hits: int, n_trials: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a proportion (exact, conservative)."""
    tail = (1.0 - level) / 2.0
    low = 0.0 if n_hits == 0 else float(beta.ppf(tail, n_hits, n_trials - n_hits + 1))
    high = 1.0 if n_hits == n_trials else float(beta.ppf(1.0 - tail, n_hits + 1, n_trials - n_hits))
    return low, high


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What scoring needs of one published decision."""

    t: float
    """Newest sample of the window on the clock of the trials, seconds."""
    proba: Mapping[str, float] | None
    decision: str | None
    state: str


@dataclass(frozen=True, slots=True)
class TrialScore:
    """How one trial was decoded."""

    trial: Trial
    predicted: str | None
    """Class with the highest mean probability over the scored windows; None where nothing was published."""
    n_windows: int
    commands: tuple[str, ...]
    """Committed decisions within the scored interval, in order."""


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """Trial scores and what follows from them."""

    trials: tuple[TrialScore, ...]
    classes: tuple[str, ...]

    @property
    def n_trials(self) -> int:
        """All trials, also those without a published window (they count as wrong)."""
        return len(self.trials)

    @property
    def n_hits(self) -> int:
        """Trials whose predicted class is the cued one."""
        return sum(t.predicted == t.trial.label for t in self.trials)

    @property
    def accuracy(self) -> float:
        """Share of hits."""
        return self.n_hits / max(self.n_trials, 1)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over classes of the share of hits."""
        shares = []
        for label in self.classes:
            mine = [t.predicted == label for t in self.trials if t.trial.label == label]
            if mine:
                shares.append(np.mean(mine))
        return float(np.mean(shares)) if shares else float("nan")

    @property
    def p_guess(self) -> float:
        """Share of hits of always saying the most frequent class; 1 / n_classes when all are as frequent."""
        counts = [sum(t.trial.label == label for t in self.trials) for label in self.classes]
        return max(counts) / max(self.n_trials, 1)

    @property
    def bound(self) -> float:
        """Accuracy that guessing, even with the class sizes known, reaches in 5 % of the cases at the most."""
        return chance_bound(self.n_trials, len(self.classes), p_guess=self.p_guess)

    @property
    def against_guessing(self) -> str:
        """What the accuracy is against what guessing reaches, in words that follow it."""
        if self.bound > 1:
            return f"with {self.n_trials} trials no accuracy is above what guessing may reach"
        verdict = "above" if self.accuracy > self.bound else "at" if self.above_chance else "NOT above"
        return f"{verdict} the {self.bound:.1%} that guessing stays below in 95 of 100 cases"

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the accuracy."""
        return exact_interval(self.n_hits, self.n_trials)

    @property
    def above_chance(self) -> bool:
        """Whether the accuracy is at or above `bound`."""
        return self.accuracy >= self.bound

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain JSON values."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "n_trials": self.n_trials,
            "n_hits": self.n_hits,
            "interval_95": list(self.interval),
            "chance_bound_5": self.bound,
            "above_chance": self.above_chance,
            "classes": list(self.classes),
            "confusion": self.confusion().tolist(),
            "trials_with_command": sum(bool(t.commands) for t in self.trials),
        }

    def confusion(self) -> NDArray[np.int64]:
        """Counts, rows cued, columns predicted; the last column is `nothing published`."""
        table = np.zeros((len(self.classes), len(self.classes) + 1), dtype=np.int64)
        for t in self.trials:
            column = self.classes.index(t.predicted) if t.predicted is not None else len(self.classes)
            table[self.classes.index(t.trial.label), column] += 1
        return table


def score_trials(
    rows: Sequence[PublishedRow], trials: Sequence[Trial], classes: Sequence[str], *, window_end_s: tuple[float, float]
) -> ScoreCard:
    """Score each trial by the probabilities published for windows that end inside an interval after its events.

    Parameters
    ----------
    rows : sequence of PublishedRow
        Published rows in any order: the clock of a stream may have stepped back.
    trials : sequence of Trial
        The trials, on the clock of the rows.
    classes : sequence of str
        Class names in the order of the model.
    window_end_s : tuple of two floats
        Seconds after the onset of each of the trial's events between which a window must end (both ends included). It
        must be fixed before looking at the result.
    """
    times = np.array([r.t for r in rows])
    scored = []
    for trial in trials:
        total = dict.fromkeys(classes, 0.0)
        used: set[int] = set()
        for onset in trial.epochs_s or (trial.onset_s,):
            low, high = onset + window_end_s[0] - 1e-6, onset + window_end_s[1] + 1e-6
            used.update(np.flatnonzero((times >= low) & (times <= high)).tolist())
        windows = [rows[i] for i in sorted(used)]
        with_proba = [r for r in windows if r.proba is not None and r.state == "OK"]
        for row in with_proba:
            assert row.proba is not None
            for label in classes:
                total[label] += row.proba[label]
        predicted = max(total, key=lambda label: total[label]) if with_proba else None
        commands = tuple(r.decision for r in windows if r.decision is not None)
        scored.append(TrialScore(trial, predicted, len(with_proba), commands))
    return ScoreCard(tuple(scored), tuple(classes))
