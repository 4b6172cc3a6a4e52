"""Blocks of trials: contiguous, disjoint, and nothing of a held-out block in training."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_manifest
from made_up_windows import ALIGNMENT, frozen, seen

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.scoring import Trial, chance_bound
from neuript.training.calibration.fitted_decoder import STACK, fit_decoder
from neuript.training.calibration.held_out import NETWORK, TANGENT
from neuript.training.fitting.crossval import blocked_folds, overlaps, split
from neuript.training.windows.dataset import Dataset


def labels(n, n_classes=2):
    return np.arange(n) % n_classes


@pytest.mark.parametrize("n_folds", [2, 3, 4, 7])
@pytest.mark.parametrize("lengths", [(40,), (21, 34), (20, 20, 3), (16, 1)])
def test_folds_are_contiguous_blocks_of_every_recording(n_folds, lengths):
    recordings = np.repeat(np.arange(len(lengths)), lengths)
    folds = blocked_folds(labels(sum(lengths)), recordings, n_folds)
    assert set(folds) == set(range(n_folds))
    for i, length in enumerate(lengths):
        mine = folds[recordings == i]
        changes = np.flatnonzero(np.diff(mine))
        assert len(changes) == len(set(mine)) - 1  # no fold is left and entered again
        if length >= n_folds:
            sizes = np.bincount(mine, minlength=n_folds)
            assert sizes.max() - sizes.min() <= 1
            assert (np.diff(mine) >= 0).all()


def test_many_short_recordings_fill_all_folds_evenly():
    """Two trials each: cut by themselves they would leave every other block empty."""
    recordings = np.repeat(np.arange(8), 2)
    folds = blocked_folds(labels(16), recordings, 4)
    assert np.bincount(folds).tolist() == [4, 4, 4, 4]


def test_folds_are_numbered_without_a_hole():
    folds = blocked_folds(labels(14), np.repeat([0, 1], [1, 13]), 7)
    assert set(folds) == set(range(folds.max() + 1))


@pytest.mark.parametrize(("n_trials", "n_folds"), [(7, 4), (40, 1), (0, 2)])
def test_too_few_trials_or_folds_are_refused(n_trials, n_folds):
    with pytest.raises(ValueError, match=f"{n_trials} trials cannot be cut into {n_folds} blocks"):
        blocked_folds(labels(n_trials), np.zeros(n_trials, int), n_folds)


def test_where_a_class_lies_in_one_block_whole_recordings_are_held_out():
    """Eight trials of rest before anything else, in each of two recordings (the SSVEP set of Kalunga et al. 2016)."""
    y = np.tile(np.r_[np.zeros(8, int), 1 + np.arange(24) % 3], 2)
    recordings = np.repeat([3, 7], 32)
    np.testing.assert_array_equal(blocked_folds(y, recordings, 4), np.repeat([0, 1], 32))
    y[recordings == 7] = 1 + np.arange(32) % 3
    with pytest.raises(ValueError, match="block 1 of 4 leaves no training trial of class 0"):
        blocked_folds(y, recordings, 4)


def test_a_class_in_one_block_alone_is_refused():
    y = np.r_[np.zeros(15, int), np.ones(5, int)]
    with pytest.raises(ValueError, match="block 4 of 4 leaves no training trial of class 1; record"):
        blocked_folds(y, np.zeros(20, int), 4)


def test_every_window_is_tested_once_and_no_trial_is_on_both_sides(rng):
    folds = blocked_folds(labels(23, 3), np.zeros(23, int), 4)
    trial = rng.integers(23, size=200)
    tested = np.zeros(200, int)
    for train, test in split(folds, trial):
        assert (train ^ test).all()
        assert not set(trial[train]) & set(trial[test])
        tested += test
    assert (tested == 1).all()


def test_overlaps_against_the_slow_definition(rng):
    recording = rng.integers(3, size=150)
    end_s = rng.uniform(0, 120, size=150)
    test = (rng.random(150) < 0.1) & (recording < 2)  # none of the third recording
    found = overlaps(test, recording, end_s, 2.0)
    for i in range(150):
        slow = any(test[j] and recording[i] == recording[j] and abs(end_s[i] - end_s[j]) < 2.0 for j in range(150))
        assert found[i] == slow
    assert found[test].all()
    assert not found[recording == 2].any()


def test_windows_that_merely_touch_do_not_overlap():
    found = overlaps(np.array([True, False, False]), np.zeros(3, int), np.array([4.0, 6.0, 5.999]), 2.0)
    assert found.tolist() == [True, False, True]


# --- nothing leaks through a whole calibration ---------------------------------------------------

NAMES = ("C3", "Cz", "C4", "Pz")
N_TIMES = 128


def dataset(x, trial, y, end_s=None, recording=None):
    preprocess = PreprocessSpec(alignment=ALIGNMENT)
    manifest = make_manifest(classes=("left", "right"), window_s=N_TIMES / 64, preprocess=preprocess)
    recording = np.zeros(len(y), int) if recording is None else recording
    trials = tuple(
        Trial(manifest.classes[c], 10.0 * i, int(r)) for i, (c, r) in enumerate(zip(y, recording, strict=True))
    )
    return Dataset(x, trial, trials, load_montage("10-20").pick(NAMES), manifest, (), end_s, **seen(x))


def fitted(data, **options):
    return fit_decoder(data, frozen(data), **options)


def coloured(rng, mixing, n):
    """Windows of noise with a spatial covariance of their own, shape (n, 4, N_TIMES), volts."""
    return (mixing @ rng.normal(size=(n, 4, N_TIMES)) * 6e-6).astype(np.float32)


def own_mixings(rng, n):
    return [np.eye(4) + 0.9 * rng.normal(size=(4, 4)) for _ in range(n)]


def test_trials_that_can_only_be_recognised_give_chance(rng):
    """Each trial has a fingerprint that its windows share and a random label: a leak would give 100 %."""
    n_trials = 60
    y = rng.permutation(labels(n_trials))
    x = np.concatenate([coloured(rng, m, 3) for m in own_mixings(rng, n_trials)])
    result = fitted(dataset(x, np.repeat(np.arange(n_trials), 3), y))
    assert set(result.scores) == {"CSP+LDA", "TS+LR", NETWORK, TANGENT, STACK}
    bound = chance_bound(n_trials, 2, 1e-6)  # 0.82; the scores of 10 seeds are 0.50 ± 0.08
    for name, card in result.scores.items():
        assert card.n_trials == n_trials
        assert 1 - bound < card.accuracy < bound, name
    assert sum(result.weights) < 1.0  # and the published probabilities are humble: 0.2 ± 0.2 over 10 seeds


def test_the_same_trials_are_decoded_where_the_label_makes_the_fingerprint(rng):
    """The power of the test above."""
    n_trials = 40
    y = rng.permutation(labels(n_trials))
    two = own_mixings(rng, 2)
    x = np.concatenate([coloured(rng, two[c], 3) for c in y])
    result = fitted(dataset(x, np.repeat(np.arange(n_trials), 3), y))
    for name in ("CSP+LDA", "TS+LR", TANGENT, STACK):
        assert result.scores[name].accuracy > 0.95, name


def test_windows_shared_across_a_border_do_not_leak(rng):
    """What overlaps a held-out block has no say in it: with other labels there, its predictions are the same.

    Neighbours share a fingerprint and a label, as overlapping windows of fast trials do, also over borders, so without
    the times of the windows the labels beyond the border do decide.
    """
    n_trials, n_folds = 100, 5
    trial, runs = np.arange(n_trials), (np.arange(n_trials) + 10) // 20  # each run lies across a border
    mixings = own_mixings(rng, runs.max() + 1)
    x = np.concatenate([coloured(rng, mixings[r], 1) for r in runs])
    block = np.array_split(trial, n_folds)[2]
    end_s = 10 + 0.15 * trial  # 13 neighbours on each side are within the 2 s of a window
    beyond = np.abs(trial - np.clip(trial, block[0], block[-1])) * 0.15 < 2.0
    beyond[block] = False
    assert beyond.sum() == 26
    y = runs % 2
    other = np.where(beyond, 1 - y, y)

    def predicted(labels, times):
        data = dataset(x, trial, labels, times)
        scored = fitted(data, n_folds=n_folds).scores[TANGENT].trials
        return [scored[i].predicted for i in block]

    assert predicted(y, end_s) == predicted(other, end_s)
    assert sum(a != b for a, b in zip(predicted(y, None), predicted(other, None), strict=True)) > 10


def test_trials_too_fast_for_their_windows_are_refused():
    trial = np.arange(20)
    x = np.zeros((20, 4, N_TIMES), np.float32)
    with pytest.raises(NeuriptError, match="use a shorter --window or more trials"):
        fitted(dataset(x, trial, labels(20), 10 + 0.01 * trial))


def test_the_clocks_of_two_recordings_have_nothing_to_do_with_each_other(rng):
    """Both begin at 0: windows with the same stamp are not the same window."""
    trial, y, recording = np.arange(40), labels(40), np.repeat([0, 1], 20)
    x = np.concatenate([coloured(rng, m, 1) for m in own_mixings(rng, 40)])
    end_s = 2.5 * (trial % 20)
    with_times = fitted(dataset(x, trial, y, end_s, recording))
    without = fitted(dataset(x, trial, y, None, recording))
    assert with_times.nll == without.nll
