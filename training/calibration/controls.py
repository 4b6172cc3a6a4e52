"""Controls that catch the wrong brain: what could be decoded without the imagery.

Before the cue nothing can be known of it. The front of the head sees the eyes, the rim of the cap the muscles, and both
see the brain from afar: they may decode, but where they do as well as the electrodes over the motor areas, what is
decoded may be a movement of the eyes or the jaw (Goncharova et al. 2003, Clin Neurophysiol 114:1580). Every control is
judged on the same trials and blocks as the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.montages import Montage
from neuript.montages.interpolation import directions
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.training.calibration.held_out import Masks, score_held_out
from neuript.training.fitting.plain import held_out_proba, tangent_lr
from neuript.training.fitting.tangent_readout import fit_readout
from neuript.training.windows.dataset import Dataset

PRE_CUE, EYES, RIM, MOTOR = "before the cue", "front of the head", "rim of the cap", "motor areas"
RIM_DEGREES = 70.7
"""Electrodes so far from the top of the head, seen from its centre, or further lie on the rim: beyond C5 and C6 (at
69.9 and 70.2), so that both sides of the motor areas count."""
FRONT_DEGREES = 62.0
"""Those of the rim within so many degrees of the nose see the eyes."""
MOTOR_DEGREES = 25.0
"""Electrodes so far before or behind the line from ear to ear, or nearer, lie over the motor areas."""
LEAST_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Control:
    """How well the classes can be told apart from what is not the imagery."""

    name: str
    channels: tuple[str, ...]
    """Electrodes that it sees; all of them where it is empty."""
    card: ScoreCard

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the model file."""
        return {
            "channels": list(self.channels),
            "balanced_accuracy": round(self.card.balanced_accuracy, 4),
            "accuracy": round(self.card.accuracy, 4),
            "n_trials": self.card.n_trials,
            "chance_bound_5": round(self.card.bound, 4),
            "above_chance": self.card.above_chance,
        }


def regions(montage: Montage) -> dict[str, tuple[int, ...]]:
    """Return the channels of each region of a cap, keyed by its name; regions of less than two are left out."""
    unit = directions(montage.pos_m)  # x right, y front, z up
    from_top = np.degrees(np.arccos(np.clip(unit[:, 2], -1.0, 1.0)))
    from_nose = np.degrees(np.abs(np.arctan2(unit[:, 0], unit[:, 1])))
    fore = np.degrees(np.arcsin(np.clip(np.abs(unit[:, 1]), 0.0, 1.0)))
    rim = from_top >= RIM_DEGREES
    masks = {EYES: rim & (from_nose <= FRONT_DEGREES), RIM: rim, MOTOR: ~rim & (fore <= MOTOR_DEGREES)}
    found = {name: tuple(int(i) for i in np.flatnonzero(mask)) for name, mask in masks.items()}
    return {name: mine for name, mine in found.items() if len(mine) >= LEAST_CHANNELS}


def run_controls(data: Dataset, blocks: Sequence[Masks]) -> tuple[Control, ...]:
    """Judge every control that the cap and the recordings allow.

    Parameters
    ----------
    data : Dataset
        Windows with their trials.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Blocks of the cross-validation.
    """
    out = []
    before = _before_the_cue(data, blocks)
    if before is not None:
        out.append(before)
    for name, index in regions(data.montage).items():
        log_proba = _of_channels(data, blocks, index)
        out.append(Control(name, tuple(data.montage.ch_names[i] for i in index), score_held_out(log_proba, data)))
    return tuple(out)


def warnings_of(controls: Sequence[Control]) -> tuple[str, ...]:
    """Say in a sentence each which control decodes what it should not."""
    by_name = {control.name: control for control in controls}
    out = []
    before = by_name.get(PRE_CUE)
    if before is not None and before.card.above_chance:
        out.append(
            f"The time before the cue tells the classes apart ({before.card.accuracy:.0%}): the order of the trials "
            "can be guessed, or something drifts with it. Mix the classes at random; the accuracies above are too good."
        )
    motor = by_name.get(MOTOR)
    for name, what in ((EYES, "the eyes"), (RIM, "muscles of face and jaw")):
        control = by_name.get(name)
        if control is None or motor is None or not control.card.above_chance:
            continue
        if control.card.accuracy >= motor.card.accuracy:
            out.append(
                f"The {name} alone ({', '.join(control.channels)}) decodes as well as the motor areas "
                f"({control.card.accuracy:.0%} against {motor.card.accuracy:.0%}): check that it is not {what}."
            )
    return tuple(out)


def _before_the_cue(data: Dataset, blocks: Sequence[Masks]) -> Control | None:
    """A read-out of the windows that end at the cue, fitted and judged on the decoder's blocks."""
    if data.pre_cue is None or not data.pre_cue.tangent.shape[1] or not len(data.pre_cue.trial):
        return None
    trial, n_classes = data.pre_cue.trial, len(data.classes)
    labels = data.trial_labels[trial]
    log_proba = np.zeros((len(data.x), n_classes))
    seen = np.zeros(len(data.x), dtype=bool)
    for train, test in blocks:
        mine = np.isin(trial, np.unique(data.trial[train]))
        others = np.isin(trial, np.unique(data.trial[test])) & ~mine
        if len(np.unique(labels[mine])) < n_classes:
            return None
        per_trial = np.bincount(trial[mine], minlength=len(data.trials))[trial[mine]]
        readout = fit_readout(data.pre_cue.tangent[mine], labels[mine], n_classes, sample_weight=1.0 / per_trial)
        found = log_softmax(readout.logits(data.pre_cue.tangent[others]), axis=1)
        for owner, row in zip(trial[others], found, strict=True):
            log_proba[data.trial == owner] = row
            seen |= data.trial == owner
    if not seen.any():
        return None
    card = score_held_out(log_proba[seen], data.select(seen))
    judged = tuple(trial for trial in card.trials if trial.n_windows)  # the first trial may have nothing before it
    return Control(PRE_CUE, (), ScoreCard(judged, card.classes))


def _of_channels(data: Dataset, blocks: Sequence[Masks], index: Sequence[int]) -> NDArray[np.float64]:
    """Log-probabilities of every window from tangent space and logistic regression on some channels."""
    proba = held_out_proba(tangent_lr(data.sfreq), data.x[:, list(index)], data.y, blocks)
    return np.log(np.clip(proba, 1e-9, 1))
