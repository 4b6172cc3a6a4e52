"""Where the classes lie in the features of somebody who has hardly given a trial: around the mean of all that is seen.

Earlier people say in which direction the classes differ, but not where between them this person's features lie: that
differs from person to person and from day to day. Until there are trials enough, what a read-out says is taken relative
to the running mean of what it said (`neuript.realtime.decoding.policy.PolicySpec.centre_s`). A read-out is linear, so
this is what it says of the features relative to their own running mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.policy import RunningMean
from neuript.training.windows.dataset import Dataset

F64 = NDArray[np.float64]

CENTRE_S = 120.0
"""Memory of the running mean in seconds."""
FEW_TRIALS = 10
"""With fewer trials per class than this the running mean says better where the classes lie than the trials do."""


def centre_s_of(n_per_class: float) -> float:
    """Return `PolicySpec.centre_s` for the decoder of somebody who gave so many trials of each class."""
    return CENTRE_S if n_per_class < FEW_TRIALS else 0.0


def running_centre(data: Dataset, x: NDArray[np.floating], between: NDArray[np.floating]) -> F64:
    """Return the running mean of a person's features at each window of a trial, shape (n_windows, n_features).

    It begins anew with each recording, as live, and rests on the windows of trials and pauses, where live it rests on
    every hop.

    Parameters
    ----------
    data : Dataset
        The person's windows, with `end_s` and `pauses`.
    x : ndarray, shape (n_windows, n_features)
        Their features.
    between : ndarray, shape (n_pauses, n_features)
        Features of the pauses.
    """
    if data.end_s is None or data.pauses is None:
        raise ValueError("the windows do not say when they end, or there are none of pauses")
    recording_of = np.array([trial.recording for trial in data.trials], dtype=np.int64)
    recording = np.concatenate([recording_of[data.trial], recording_of[data.pauses.trial]])
    end_s = np.concatenate([data.end_s, data.pauses.end_s])
    features = np.concatenate([x, between]).astype(np.float64)
    out = np.zeros_like(features)
    for number in np.unique(recording):
        mine = np.flatnonzero(recording == number)
        mine = mine[np.argsort(end_s[mine], kind="stable")]
        mean, before = RunningMean(CENTRE_S), -np.inf
        for i in mine:
            elapsed = end_s[i] - before if np.isfinite(before) else data.manifest.hop_s
            out[i] = mean.add(features[i], max(float(elapsed), data.manifest.hop_s))
            before = end_s[i]
    return out[: len(x)]
