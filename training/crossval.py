"""Blocked cross-validation: whole stretches of trials are held out, never single windows.

Windows of one trial are almost copies and neighbouring trials share drifts, so folds are contiguous blocks of trials
within each recording (Varoquaux et al. 2017, NeuroImage 145:166; `docs/method.md`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def blocked_folds(
    trial_labels: NDArray[np.int64], recordings: NDArray[np.int64], n_folds: int
) -> NDArray[np.int64]:
    """Assign each trial to a fold, as contiguous blocks in time within each recording.

    Parameters
    ----------
    trial_labels : ndarray, shape (n_trials,)
        Class of each trial, in order of time.
    recordings : ndarray, shape (n_trials,)
        Which recording each trial belongs to.
    n_folds : int
        At least 2. With as many recordings as folds or more, the folds still cut every recording, so that each training
        set has seen every recording.

    Returns
    -------
    ndarray, shape (n_trials,)
        Fold of each trial.

    Raises
    ------
    ValueError
        When there are fewer trials than folds, or a training set would miss a class.
    """
    if n_folds < 2 or len(trial_labels) < 2 * n_folds:
        raise ValueError(
            f"{len(trial_labels)} trials cannot be cut into {n_folds} blocks of at least 2; use fewer folds or more trials"
        )
    folds = np.empty(len(trial_labels), dtype=np.int64)
    for recording in np.unique(recordings):
        members = np.flatnonzero(recordings == recording)
        folds[members] = np.arange(len(members)) * n_folds // len(members)
    for fold in range(n_folds):
        missing = set(np.unique(trial_labels)) - set(np.unique(trial_labels[folds != fold]))
        if missing:
            raise ValueError(
                f"holding out block {fold + 1} of {n_folds} leaves no training trial of class {sorted(missing)}; "
                "record more trials or mix the order of the classes"
            )
    return folds


def split(
    folds: NDArray[np.int64], trial_of_window: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield (train, test) masks over windows for each fold."""
    fold_of_window = folds[trial_of_window]
    for fold in range(folds.max() + 1):
        yield fold_of_window != fold, fold_of_window == fold
