"""Trials that nothing could be learnt from, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.calibration.to_model import CalibrationGrounds
from neuript.training.fitting.policy_scan import Rows
from neuript.training.report.electrode_quality import BadSpell
from neuript.training.windows.epochs import ends_within

OUTSIDE = "the recording does not cover it"
NOT_KNOWN = "no clean window"


def rejected_trials(grounds: CalibrationGrounds, spells: Sequence[BadSpell]) -> list[dict[str, Any]]:
    """Return the trials without a clean window, in order of time, with the reason of each.

    Parameters
    ----------
    grounds : CalibrationGrounds
        Windows, rows and settings of the calibration.
    spells : sequence of BadSpell
        When which electrode was condemned.
    """
    data = grounds.data
    kept = {(trial.recording, trial.onset_s) for trial in data.trials}
    out = []
    for number, played in enumerate(data.played):
        first = float(played.recording.eeg.timestamps[0])
        for trial in played.trials:
            if (number, trial.onset_s) in kept:
                continue
            why = _reason(trial, grounds, grounds.rows[number] if grounds.rows else None)
            names = _condemned(trial, number, first, grounds, spells)
            out.append(
                {
                    "recording": number,
                    "class": trial.label,
                    "onset_s": round(trial.onset_s - first, 3),
                    "why": f"{why} ({', '.join(names)})" if names else why,
                }
            )
    return out


def _reason(trial: Trial, grounds: CalibrationGrounds, rows: Rows | None) -> str:
    """The state that most of the windows were in that the trial would have had."""
    if rows is None:
        return NOT_KNOWN
    low, high = ends_within(grounds.spec.epoch_s, grounds.data.manifest.window_s)
    high = max(high, low + grounds.data.manifest.hop_s)
    mine = np.flatnonzero((rows.t >= trial.onset_s + low - 1e-6) & (rows.t <= trial.onset_s + high + 1e-6))
    if not len(mine):
        return OUTSIDE
    states = [rows.state[row] for row in mine.tolist()]
    counts = Counter(state for state in states if state is not State.OK)
    return counts.most_common(1)[0][0].text if counts else NOT_KNOWN


def _condemned(
    trial: Trial, number: int, first: float, grounds: CalibrationGrounds, spells: Sequence[BadSpell]
) -> list[str]:
    """Electrodes that were condemned while the trial's windows lasted."""
    begin, end = trial.onset_s - first + grounds.spec.epoch_s[0], trial.onset_s - first + grounds.spec.epoch_s[1] + 1.0
    mine = [s for s in spells if s.recording == number and s.begin_s <= end and s.end_s >= begin]
    return sorted({spell.electrode for spell in mine})
