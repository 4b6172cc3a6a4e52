"""Where the classes lie in the features of somebody who has hardly given a trial."""

from __future__ import annotations

from dataclasses import replace

import made_up_people
import numpy as np
import pytest

from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec, RunningMean
from neuript.training.fitting.centring import CENTRE_S, FEW_TRIALS, centre_s_of, running_centre
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.windows.around_trials import Pauses
from neuript.training.windows.dataset import Dataset

N_PAUSES = 30


def walked(rng: np.random.Generator) -> Dataset:
    """Two recordings in which a trial or a pause ends every two seconds, in turn."""
    data = made_up_people.person(rng, n_trials=24, recordings=2)
    recording = np.array([trial.recording for trial in data.trials])
    trial = np.arange(N_PAUSES) * 24 // N_PAUSES
    width = data.tangent.shape[1]
    pauses = Pauses(
        np.zeros((N_PAUSES, *data.x.shape[1:]), dtype=np.float32),
        rng.normal(size=(N_PAUSES, width)).astype(np.float32),
        1.0 + 4.0 * np.arange(N_PAUSES),
        trial,
    )
    end_s = 3.0 + 4.0 * np.arange(len(data.x)) - 100.0 * recording[data.trial]
    return replace(data, end_s=end_s, pauses=pauses)


def test_it_is_the_mean_of_what_came_before_in_the_same_recording(rng: np.random.Generator) -> None:
    data = walked(rng)
    assert data.pauses is not None
    assert data.end_s is not None
    x, between = rng.normal(size=(len(data.x), 3)), rng.normal(size=(N_PAUSES, 3))
    found = running_centre(data, x, between)
    recording_of = np.array([trial.recording for trial in data.trials])
    for number in (0, 1):
        mine = np.flatnonzero(recording_of[data.trial] == number)
        others = np.flatnonzero(recording_of[data.pauses.trial] == number)
        times = np.concatenate([data.end_s[mine], data.pauses.end_s[others]])
        values = np.concatenate([x[mine], between[others]])
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        seconds, mean, expected = data.manifest.hop_s, values[0], {times[0]: values[0]}
        for before, t, value in zip(times[:-1], times[1:], values[1:], strict=True):
            seconds = min(seconds + t - before, CENTRE_S)
            mean = mean + (t - before) / seconds * (value - mean)
            expected[t] = mean
        for i in mine:
            np.testing.assert_allclose(found[i], expected[data.end_s[i]])


def test_without_times_or_pauses_it_cannot_be_known(rng: np.random.Generator) -> None:
    data = walked(rng)
    for other in (replace(data, end_s=None), replace(data, pauses=None)):
        with pytest.raises(ValueError, match="do not say when they end, or there are none of pauses"):
            running_centre(other, data.tangent, data.tangent[:N_PAUSES])


def test_it_stands_in_until_there_are_trials_enough() -> None:
    assert centre_s_of(0) == centre_s_of(FEW_TRIALS - 1) == CENTRE_S
    assert centre_s_of(FEW_TRIALS) == centre_s_of(1000) == 0


def test_live_says_the_same_of_logits_as_this_says_of_features(rng: np.random.Generator) -> None:
    """A read-out is linear: the running mean of what it says is what it says of the running mean."""
    readout = Readout(rng.normal(size=(2, 5)), rng.normal(size=2))
    x = rng.uniform(-1, 1, size=(400, 5)) + 3.0  # nothing so far away that the step is bounded
    policy = DecisionPolicy(PolicySpec(centre_s=20.0, smoothing_s=0.0), ("a", "b"), 0.125)
    mean = RunningMean(20.0)
    for row in x:
        proba = policy.update(readout.logits(row[None])[0]).proba
        logits = readout.weight @ (row - mean.add(row, 0.125))
        np.testing.assert_allclose(proba, np.exp(logits) / np.exp(logits).sum(), rtol=1e-9)
