"""Blocked cross-validation: whole stretches of trials are held out, never single windows.

Windows of one trial are almost copies and neighbouring trials share drifts, so folds are contiguous blocks of trials
within each recording (Varoquaux et al. 2017, NeuroImage 145:166; `docs/method.md`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def blocked_folds(trial_labels: NDArray[np.int64], recordings: NDArray[np.int64], n_folds: int) -> NDArray[np.int64]:
    """Assign each trial to a fold, as contiguous blocks in time within each recording.

    Where a class lies in one block of its recording (eight trials of rest, say, before anything else), every recording
    is held out as a whole instead, if each has every class.

    Parameters
    ----------
    trial_labels : ndarray, shape (n_trials,)
        Class of each trial, in order of time.
    recordings : ndarray, shape (n_trials,)
        Index of the recording that each trial belongs to.
    n_folds : int
        Number of folds, at least 2. The folds cut every recording, so that each training set has seen every recording;
        a recording with fewer trials than folds lends a block to some of them.

    Returns
    -------
    ndarray, shape (n_trials,)
        Fold of each trial, counted from 0 without a hole.

    Raises
    ------
    ValueError
        When there are fewer than two trials for each fold, or a training set would miss a class.
    """
    if n_folds < 2 or len(trial_labels) < 2 * n_folds:
        raise ValueError(
            f"{len(trial_labels)} trials cannot be cut into {n_folds} blocks of at least 2; "
            "use fewer folds or more trials"
        )
    folds = np.empty(len(trial_labels), dtype=np.int64)
    turn = 0
    for recording in np.unique(recordings):
        members = np.flatnonzero(recordings == recording)
        if len(members) >= n_folds:
            folds[members] = np.arange(len(members)) * n_folds // len(members)
        else:
            folds[members] = (turn + np.arange(len(members))) % n_folds
            turn += len(members)
    folds = np.unique(folds, return_inverse=True)[1].astype(np.int64)
    found = _missing(trial_labels, folds)
    if found is None:
        return folds
    whole = np.unique(recordings, return_inverse=True)[1].astype(np.int64)
    n_classes = len(np.unique(trial_labels))
    if whole.max() > 0 and all(len(np.unique(trial_labels[whole == r])) == n_classes for r in range(whole.max() + 1)):
        return whole
    fold, missing = found
    raise ValueError(
        f"holding out block {fold + 1} of {folds.max() + 1} leaves no training trial of class "
        f"{', '.join(str(int(c)) for c in sorted(missing))}; record more trials or mix the order of the classes"
    )


def _missing(trial_labels: NDArray[np.int64], folds: NDArray[np.int64]) -> tuple[int, set[int]] | None:
    """First fold without which some classes have no trial, and these; None where every training set has all."""
    for fold in range(folds.max() + 1):
        missing = set(np.unique(trial_labels).tolist()) - set(np.unique(trial_labels[folds != fold]).tolist())
        if missing:
            return fold, missing
    return None


def split(
    folds: NDArray[np.int64], trial_of_window: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield (train, test) masks over windows for each fold.

    Parameters
    ----------
    folds : ndarray, shape (n_trials,)
        Fold of each trial, as `blocked_folds` gives it.
    trial_of_window : ndarray, shape (n_windows,)
        Index of each window's trial.
    """
    fold_of_window = folds[trial_of_window]
    for fold in range(folds.max() + 1):
        yield fold_of_window != fold, fold_of_window == fold


def overlaps(
    test: NDArray[np.bool_], recording: NDArray[np.int64], end_s: NDArray[np.float64], window_s: float
) -> NDArray[np.bool_]:
    """Tell which windows share samples with a window of the test set; shape (n_windows,).

    Where trials follow each other faster than a window is long, the windows on both sides of a border between blocks
    do, and must not be trained on.

    Parameters
    ----------
    test : ndarray of bool, shape (n_windows,)
        Whether each window is in the test set.
    recording : ndarray, shape (n_windows,)
        Index of the recording that each window comes from.
    end_s : ndarray, shape (n_windows,)
        Time of each window's end, in seconds on that recording's clock.
    window_s : float
        Length of a window in seconds.
    """
    out = np.zeros(len(test), dtype=bool)
    for number in np.unique(recording[test]):
        mine = recording == number
        ends = np.sort(end_s[mine & test])
        after = np.searchsorted(ends, end_s[mine])
        away = np.minimum(
            np.abs(end_s[mine] - ends[np.maximum(after - 1, 0)]),
            np.abs(end_s[mine] - ends[np.minimum(after, len(ends) - 1)]),
        )
        out[mine] = away < window_s - 1e-6
    return out
