"""What was decided of each trial while it was recorded, by a decoder that could not know it."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuript.realtime.decoding.scoring import ScoreCard, TrialScore, score_trials
from neuript.training.calibration.recorded_decisions import decision_rows, decoder_streams
from neuript.training.calibration.to_model import CalibrationGrounds
from neuript.training.windows.dataset import Played

LAST_S = 0.5
"""A trial is judged by the windows that end within this last part of its epoch, in seconds."""


def decided_live(grounds: CalibrationGrounds, n_earlier: int = 0) -> dict[str, Any] | None:
    """Score the decisions that lie in the recordings themselves, trial by trial.

    Parameters
    ----------
    grounds : CalibrationGrounds
        Trials and recordings.
    n_earlier : int
        Number of recordings, the first ones, that are of earlier days and are left out.

    Returns
    -------
    dict of str to Any, or None
        As `ScoreCard.to_dict`, with `not_decoded`, the number of trials during which no decoder ran (they count
        neither as right nor as wrong), and `window_end_s`; None where no trial was decoded.
    """
    high = grounds.spec.epoch_s[1]
    ends_s = (max(high - LAST_S, 0.0), high)
    classes = grounds.data.classes
    scored: list[TrialScore] = []
    n_trials = 0
    for played in grounds.data.played[n_earlier:]:
        n_trials += len(played.trials)
        scored += _scored(played, classes, ends_s)
    if not scored:
        return None
    card = ScoreCard(tuple(scored), classes)
    return {**card.to_dict(), "not_decoded": n_trials - len(scored), "window_end_s": list(ends_s)}


def _scored(played: Played, classes: tuple[str, ...], ends_s: tuple[float, float]) -> tuple[TrialScore, ...]:
    """The trials of a recording during which its one decoder published something."""
    streams = decoder_streams(played.recording)
    rows = decision_rows(streams[0]) if len(streams) == 1 else []
    if any(row.proba is not None and set(row.proba) != set(classes) for row in rows):
        return ()
    times = np.sort([row.t for row in rows])
    low, high = np.searchsorted(times, np.add.outer(ends_s, [trial.onset_s for trial in played.trials]))
    trials = [trial for trial, some in zip(played.trials, high > low, strict=True) if some]
    return score_trials(rows, trials, classes, window_end_s=ends_s).trials
