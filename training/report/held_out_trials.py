"""What the published decoder said of every trial before it had learnt from it, out of the rows of the replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.policy import PolicySpec
from neuript.training.calibration.fitted_decoder import FittedDecoder
from neuript.training.calibration.to_model import CalibrationGrounds
from neuript.training.evaluate.pseudo_online.online_scores import OnlineTask
from neuript.training.evaluate.pseudo_online.walks import Walk, decided
from neuript.training.windows.dataset import Dataset
from neuript.training.windows.epochs import ends_within

F64 = NDArray[np.float64]
SAME_S = 1e-6
"""Times that differ by less are the same."""


@dataclass(frozen=True, eq=False, slots=True)
class HeldOutTrials:
    """Held-out decisions of a calibration at its operating point.

    Attributes
    ----------
    walks : tuple of Walk
        What was said over each recording, hop by hop, and what was commanded.
    task : OnlineTask
        What it is scored against.
    proba : ndarray, shape (n_trials, n_classes)
        Mean probability over the windows of each trial; NaN where none was decoded.
    labels : ndarray, shape (n_trials,)
        Class of each trial.
    block : ndarray, shape (n_trials,)
        Block in which each trial was held out.
    """

    walks: tuple[Walk, ...]
    task: OnlineTask
    proba: F64
    labels: NDArray[np.int64]
    block: NDArray[np.int64]

    @property
    def judged(self) -> tuple[F64, NDArray[np.int64]]:
        """Probabilities and classes of the trials that were decoded."""
        known = np.isfinite(self.proba).all(axis=1)
        return self.proba[known], self.labels[known]


def held_out_trials(grounds: CalibrationGrounds, decoder: FittedDecoder, policy: PolicySpec) -> HeldOutTrials:
    """Run the held-out rows of a calibration through its policy.

    Parameters
    ----------
    grounds : CalibrationGrounds
        Windows and rows.
    decoder : FittedDecoder
        What was fitted to them, with its blocks.
    policy : PolicySpec
        The operating point.
    """
    data, spec = grounds.data, grounds.spec
    walks = tuple(decided(rows, policy, data.classes, data.manifest.hop_s) for rows in grounds.rows)
    ends_s = ends_within(spec.epoch_s, data.manifest.window_s)
    task = OnlineTask(
        classes=data.classes, idle_class=policy.idle_class, duration_s=spec.epoch_s[1], window_end_s=ends_s
    )
    return HeldOutTrials(walks, task, _trial_proba(data, walks), data.trial_labels, block_of_trials(data, decoder))


def block_of_trials(data: Dataset, decoder: FittedDecoder) -> NDArray[np.int64]:
    """Return the block in which each trial was held out, shape (n_trials,)."""
    out = np.zeros(len(data.trials), dtype=np.int64)
    for number, (_, test) in enumerate(decoder.blocks):
        out[data.trial[test]] = number
    return out


def _trial_proba(data: Dataset, walks: Sequence[Walk]) -> F64:
    """Mean probability over each trial's labelled windows: a window's row is the one that ends when it does."""
    total, counts = np.zeros((len(data.trials), len(data.classes))), np.zeros(len(data.trials))
    assert data.end_s is not None
    recording = np.array([trial.recording for trial in data.trials], dtype=np.int64)[data.trial]
    for number, walk in enumerate(walks):
        mine = np.flatnonzero(recording == number)
        if not len(walk.t) or not len(mine):
            continue
        order = np.argsort(walk.t, kind="stable")
        place = np.searchsorted(walk.t[order], data.end_s[mine] - SAME_S)
        rows = order[np.minimum(place, len(order) - 1)]
        there = (np.abs(walk.t[rows] - data.end_s[mine]) <= SAME_S) & np.isfinite(walk.proba[rows]).all(axis=1)
        np.add.at(total, data.trial[mine[there]], walk.proba[rows[there]])
        np.add.at(counts, data.trial[mine[there]], 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(counts > 0, counts, np.nan)[:, None])
