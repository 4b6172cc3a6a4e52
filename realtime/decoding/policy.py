"""From logits to commands: probabilities, evidence over time, threshold, dwell, hysteresis, refractory.

Pure arithmetic in steps of one hop, no clock. "No command" is the normal answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript import specs
from neuript.realtime.decoding.states import State
from neuript.specs import require

WALL_SLACK_S = 0.25
"""Seconds by which the wall's time may fall short of the stream's between two commands: samples come in chunks."""
_LOG_FLOOR = math.log(1e-4)
"""One window cannot bring more evidence than this, so that one outlier cannot silence a class."""


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """How probabilities become decisions; saved in the model's manifest."""

    temperature: float = 1.0
    """Logits are divided by this before the softmax (calibrated on held-out windows)."""
    smoothing_s: float = 0.5
    """Time constant in seconds of the evidence, a running mean of log-probabilities; 0 switches it off."""
    threshold: float = 0.75
    """Evidence at which a class may be committed."""
    release: float = 0.6
    """Evidence below which a committed class is let go (hysteresis)."""
    dwell_s: float = 0.25
    """Seconds for which a class must stay above the threshold before it is committed."""
    refractory_s: float = 1.0
    """Shortest time between two commits, in seconds."""
    idle_class: str | None = None
    """Class that means "no command"; it is never committed."""
    gate: bool = False
    """Whether the model says beside the classes how likely anything is asked for at all: its last output, the log-odds
    of a task against doing nothing. The evidence for all tasks together is never larger than that."""
    centre_s: float = 0.0
    """Time constant in seconds of a running mean of the classes' logits that is subtracted from them; 0 leaves them as
    they are. For models that hardly a trial of the person has told where the classes lie: they lie around that mean."""

    def __post_init__(self) -> None:
        specs.check_types(self, ValueError)
        require(self.temperature > 0, self, "temperature", "larger than 0", ValueError)
        require(0 < self.threshold <= 1, self, "threshold", "in (0, 1]", ValueError)
        require(0 <= self.release <= self.threshold, self, "release", "in [0, threshold]", ValueError)
        for name in ("smoothing_s", "dwell_s", "refractory_s", "centre_s"):
            require(0 <= getattr(self, name) < 3600, self, name, "in [0, 3600) seconds", ValueError)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PolicySpec:
        """Build from `to_dict`; ValueError where a field is unknown or its value is not allowed."""
        return specs.from_dict(cls, values, "the policy", error=ValueError)


class PolicyResult(NamedTuple):
    """What one hop gave."""

    proba: NDArray[np.float64] | None
    """Temperature-scaled probabilities of this window, shape (n_classes,); None without a window."""
    evidence: NDArray[np.float64] | None
    """What the threshold is compared with, shape (n_classes,), sum 1; None without a window."""
    confidence: float
    """Evidence of the leading class, 0..1; 0 without a window."""
    decision: int | None
    """Class that is held at the moment; None is "no command"."""
    committed: bool
    """True in the one row where `decision` begins."""


class Evidence:
    """Probabilities of many windows as one: the softmax of an exponentially weighted mean of their logarithms.

    It starts from "nothing known" (uniform), so that no single window right after a reset can command anything.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    smoothing_s : float
        Time constant of the mean in seconds; 0 keeps nothing of the past.
    hop_s : float
        Seconds from one window to the next.
    """

    def __init__(self, n_classes: int, smoothing_s: float, hop_s: float) -> None:
        self._nothing = np.full(n_classes, -math.log(n_classes))
        self._keep = math.exp(-hop_s / smoothing_s) if smoothing_s > 0 else 0.0
        self._log = self._nothing

    def forget(self) -> None:
        """Know nothing again."""
        self._log = self._nothing

    def add(self, log_proba: NDArray[np.float64], hops: int = 1) -> NDArray[np.float64]:
        """Take the log-probabilities of a window, `hops` after the one before, and return the evidence (n_classes,)."""
        keep = self._keep**hops
        bounded = np.maximum(log_proba, _LOG_FLOOR)
        self._log = keep * self._log + (1.0 - keep) * bounded
        return _softmax(self._log)


class RunningMean:
    """Mean of vectors that come one after the other: by equal shares at first, then so that the older ones fade.

    Its steps are bounded, as those of the alignment are: after the first `SETTLED_S` a vector further away than
    `FURTHEST` times the usual (root mean square) distance moves it no more than one at that distance, and does not
    change what is usual. So an artefact that passed for clean signal moves it little.

    Parameters
    ----------
    memory_s : float
        Seconds after which what was seen counts a third.

    Attributes
    ----------
    mean : ndarray or None
        The mean so far; None before the first vector.
    """

    FURTHEST = 3.0
    SETTLED_S = 10.0

    def __init__(self, memory_s: float) -> None:
        self._memory_s = memory_s
        self._seconds = 0.0
        self._square = 0.0
        self.mean: NDArray[np.float64] | None = None

    def add(self, vector: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        """Take a vector that stands for so many seconds, and return the mean with it."""
        if self.mean is None:
            self.mean, self._seconds = vector, min(seconds, self._memory_s)
            return self.mean
        settled = self._seconds >= min(self.SETTLED_S, self._memory_s)
        self._seconds = min(self._seconds + seconds, self._memory_s)
        share = min(seconds / self._seconds, 1.0)
        away = vector - self.mean
        square = float(away @ away)
        furthest = self.FURTHEST**2 * self._square
        if settled and square > furthest > 0:
            away = away * math.sqrt(furthest / square)
        else:
            self._square += share * (square - self._square)
        self.mean = self.mean + share * away
        return self.mean


class CommitRule:
    """From evidence to commands, one `update` per hop.

    The leading class is committed when it has stayed at or above `threshold` for `dwell_s`, is not the idle class, the
    state is OK and `refractory_s` has passed since the last commit, in the stream and on the wall: what queued up while
    nobody looked cannot command in a flash. It is held until its evidence falls below `release`, another class takes
    over, or the state is no longer OK.

    Parameters
    ----------
    spec : PolicySpec
        Threshold, dwell and what else makes a command.
    classes : sequence of str
        Class names in the order of the evidence.
    hop_s : float
        Seconds from one update to the next.
    """

    def __init__(self, spec: PolicySpec, classes: Sequence[str], hop_s: float) -> None:
        self.take_limits(spec)
        self._idle = None if spec.idle_class is None else list(classes).index(spec.idle_class)
        self._dwell_hops = max(1, math.ceil(spec.dwell_s / hop_s - 1e-9))
        self._refractory_hops = math.ceil(spec.refractory_s / hop_s - 1e-9)
        self._since_commit = self._refractory_hops
        self._wall_refractory_s = spec.refractory_s - WALL_SLACK_S
        self._wall_since_s = math.inf
        self.held: int | None = None
        self._candidate: int | None = None
        self._run_hops = 0

    def take_limits(self, spec: PolicySpec) -> None:
        """Compare the evidence with this threshold and release from now on."""
        self._threshold, self._release = spec.threshold, spec.release

    def update(
        self, evidence: Sequence[float] | None, state: State = State.OK, *, hops: int = 1, wall_s: float = math.inf
    ) -> bool:
        """Take the evidence of the next window, or None where there is no valid one; whether `held` was committed.

        `hops` and `wall_s`, seconds on the wall, have passed since the window before; a replay has all the time.
        """
        self._since_commit += hops
        self._wall_since_s += wall_s
        if evidence is None or state is not State.OK:
            self.held, self._candidate, self._run_hops = None, None, 0
            return False
        most = max(evidence)
        leader = evidence.index(most)
        if self.held is not None and evidence[self.held] < self._release:
            self.held = None
        if most < self._threshold or leader == self._idle:
            self._candidate, self._run_hops = None, 0
            return False
        self._run_hops = self._run_hops + hops if leader == self._candidate else 1
        self._candidate = leader
        rested = self._since_commit >= self._refractory_hops and self._wall_since_s >= self._wall_refractory_s
        if leader == self.held or self._run_hops < self._dwell_hops or not rested:
            return False
        self.held, self._since_commit, self._wall_since_s = leader, 0, 0.0
        return True


class DecisionPolicy:
    """Evidence accumulation and the commit rule, one `update` per hop.

    `Evidence` starts anew after every row that has no window; `CommitRule` makes commands of it.

    Parameters
    ----------
    spec : PolicySpec
        Temperature, smoothing and the rules for commitment.
    classes : sequence of str
        Class names in the order of the logits.
    hop_s : float
        Seconds from one update to the next.

    Raises
    ------
    ValueError
        If there are fewer than two different classes, `hop_s` is not positive, or the idle class is none of them.
    """

    def __init__(self, spec: PolicySpec, classes: Sequence[str], hop_s: float) -> None:
        if len(classes) < 2 or len(set(classes)) != len(classes):
            raise ValueError(f"classes={list(classes)}: at least two different names are needed")
        if hop_s <= 0:
            raise ValueError(f"hop_s={hop_s} must be larger than 0")
        if spec.idle_class is not None and spec.idle_class not in classes:
            raise ValueError(f"idle_class={spec.idle_class!r} is not among {list(classes)}")
        if spec.gate and spec.idle_class is None:
            raise ValueError("a gate needs the class that means no command; give idle_class")
        self.spec, self.classes, self.hop_s = spec, tuple(classes), float(hop_s)
        self._own_release = spec.release
        self._n_classes = len(classes)
        self._idle = None if spec.idle_class is None else list(classes).index(spec.idle_class)
        self._evidence = Evidence(len(classes), spec.smoothing_s, hop_s)
        self._rule = CommitRule(spec, classes, hop_s)
        self._centre: RunningMean | None = None
        self.start_over()

    def update(
        self, logits: ArrayLike | None, state: State = State.OK, *, hops: int = 1, wall_s: float = math.inf
    ) -> PolicyResult:
        """Take the logits of the next window (or None where there is no valid one).

        Parameters
        ----------
        logits : array_like, shape (n_classes,), or (1,) for a binary model with one logit, or None
            Output of the model for the window, with a gate (n_classes + 1,); None where there is no valid window.
        state : State
            Nothing is committed or held in any state but OK.
        hops : int
            Hops since the previous update (more than 1 when hops were skipped).
        wall_s : float
            Seconds on the wall since the previous update; infinite where nobody waits, as in a replay.

        Raises
        ------
        ValueError
            If `logits` has another length or is not finite.
        """
        if logits is None:
            self._evidence.forget()
            self._rule.update(None, state, hops=hops, wall_s=wall_s)
            return PolicyResult(None, None, 0.0, None, committed=False)
        log_proba, gate = self._read(logits, state, hops)
        evidence = self._evidence.add(log_proba if gate is None else self._gated(log_proba, gate), hops)
        committed = self._rule.update(evidence.tolist(), state, hops=hops, wall_s=wall_s)
        return PolicyResult(np.exp(log_proba), evidence, float(evidence.max()), self._rule.held, committed)

    def set_threshold(self, threshold: float) -> None:
        """Commit at another evidence from the next window on; the release is never above it."""
        self.spec = replace(self.spec, threshold=threshold, release=min(self._own_release, threshold))
        self._rule.take_limits(self.spec)

    def start_over(self) -> None:
        """Forget all that was said so far, and where the classes lie: the windows are seen from somewhere else now."""
        self._evidence.forget()
        self._rule.update(None)
        self._centre = RunningMean(self.spec.centre_s) if self.spec.centre_s > 0 else None

    def _read(self, logits: ArrayLike, state: State, hops: int) -> tuple[NDArray[np.float64], float | None]:
        """Log-probabilities of the classes, and the gate's log-odds if there is one."""
        z = np.asarray(logits, dtype=np.float64).ravel()
        if z.shape == (1,) and self._n_classes == 2 and not self.spec.gate:
            z = np.array([0.0, z[0]])
        if z.shape != (self._n_classes + self.spec.gate,):
            raise ValueError(f"{z.size} logits for {self._n_classes} classes{' and a gate' if self.spec.gate else ''}")
        if not np.isfinite(z).all():
            raise ValueError("logits must be finite; pass None where there is no valid window")
        gate = float(z[-1]) if self.spec.gate else None
        z = z[: self._n_classes]
        if self._centre is not None:
            if state is State.OK:  # an artefact does not say where the classes lie
                self._centre.add(z, hops * self.hop_s)
            z = z - self._centre.mean if self._centre.mean is not None else z
        return _log_softmax(z / self.spec.temperature), gate

    def _gated(self, log_proba: NDArray[np.float64], gate: float) -> NDArray[np.float64]:
        """Give no command what the tasks have beyond the odds of the gate."""
        assert self._idle is not None
        tasks = np.delete(log_proba, self._idle)
        excess = float(np.logaddexp.reduce(tasks)) - log_proba[self._idle] - gate
        if excess <= 0:
            return log_proba
        out = log_proba.copy()
        out[self._idle] += excess
        return _log_softmax(out)


def _log_softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    z = z - z.max()
    log_proba: NDArray[np.float64] = z - math.log(float(np.exp(z).sum()))
    return log_proba


def _softmax(log_values: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(log_values - log_values.max())
    result: NDArray[np.float64] = e / e.sum()
    return result
