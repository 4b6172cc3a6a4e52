"""What pictures are computed from, against closed forms and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.training.pictures import attention, latent
from neuript.training.pictures.draw_reconstruction import microvolts
from neuript.training.pictures.expert_use import participation, total_variation
from neuript.training.pictures.perturbation import channel_effects, log_odds, perturbed, topographies
from neuript.training.pictures.reconstruction import Reconstruction, errors, interpolated, visible_mean
from neuript.training.pictures.samples import PictureWindows, draw_fairly

MONTAGE = load_montage("unicorn-8")


def make_windows(rng, n=24, *, classes=("a", "b"), n_people=3, montage=MONTAGE, n_times=16):
    subject = np.array([f"set/{i % n_people}" for i in range(n)])
    return PictureWindows(
        x=(1e-5 * rng.standard_normal((n, montage.n_chans, n_times))).astype(np.float32),
        y=np.arange(n) // n_people % max(len(classes), 1),
        subject=subject,
        recording=np.array([f"{s}-{i % 2}" for i, s in enumerate(subject)]),
        montage=montage,
        sfreq=64.0,
        classes=classes,
        name="made up",
    )


# --- the draw ------------------------------------------------------------------------------------


def test_draw_is_even_over_people_and_classes_however_long_their_recordings(rng):
    subject = np.array(["s/long"] * 80 + ["s/short"] * 10)
    y = np.array([0] * 70 + [1] * 10 + [0] * 5 + [1] * 5)
    windows = make_windows(rng, 90)
    windows = PictureWindows(**{**vars(windows), "subject": subject, "recording": subject, "y": y})
    drawn = draw_fairly(windows, 20, seed=1)
    cells = {(s, c): ((drawn.subject == s) & (drawn.y == c)).sum() for s in set(subject) for c in (0, 1)}
    assert set(cells.values()) == {5}
    again = draw_fairly(windows, 20, seed=1)
    np.testing.assert_array_equal(drawn.x, again.x)
    assert not np.array_equal(drawn.x, draw_fairly(windows, 20, seed=2).x)


def test_draw_of_more_than_there_is_returns_all_once(rng):
    windows = make_windows(rng, 7)
    np.testing.assert_array_equal(draw_fairly(windows, 100, seed=0).x, windows.x)


def test_draw_of_nothing_is_refused(rng):
    with pytest.raises(NeuriptError, match=r"made up has no windows .* --split"):
        draw_fairly(make_windows(rng, 3).select(np.array([], dtype=np.intp)), 5, seed=0)


# --- attention -----------------------------------------------------------------------------------


def test_uniform_attention_is_one_everywhere():
    weights = np.full((2, 5, 5), 0.2)
    np.testing.assert_allclose(attention.received(weights), 1.0)
    np.testing.assert_allclose(attention.between_lobes(weights, [(0, 1), (1, 2, 3), (4,)]), 1.0)
    np.testing.assert_allclose(attention.spread(weights), 5.0)
    pos = np.random.default_rng(0).normal(size=(5, 3))
    assert np.isnan(attention.distance_correlation(weights, pos)).all()


def test_received_attention_leaves_out_what_a_channel_gives_itself():
    weights = np.array([[0.8, 0.2, 0.0], [0.5, 0.0, 0.5], [0.3, 0.3, 0.4]])
    # rows without their diagonal, summing to 1 again: (., 1, 0), (1/2, ., 1/2), (1/2, 1/2, .)
    np.testing.assert_allclose(attention.received(weights), [1.0, 1.5, 0.5])


def test_a_channel_that_sees_only_itself_gives_nothing_to_others():
    weights = np.eye(3)
    np.testing.assert_allclose(attention.received(weights), 0.0)
    np.testing.assert_allclose(attention.spread(weights), 1.0)


def test_attention_between_lobes_against_a_slow_loop(rng):
    weights = rng.dirichlet(np.ones(6), size=(2, 6))
    lobes = [(0, 1, 2), (2, 3), (4,)]
    found = attention.between_lobes(weights, lobes)
    for a, queries in enumerate(lobes):
        for b, keys in enumerate(lobes):
            pairs = [(q, k) for q in queries for k in keys if q != k]
            pairs = pairs or [(q, q) for q in queries]
            slow = np.mean([6 * weights[:, q, k] for q, k in pairs], axis=0)
            np.testing.assert_allclose(found[:, a, b], slow)


def test_correlation_with_distance_is_spearmans(rng):
    pos, weights = rng.normal(size=(7, 3)), rng.dirichlet(np.ones(7), size=(3, 2, 7))
    found = attention.distance_correlation(weights, pos)
    i, j = np.nonzero(~np.eye(7, dtype=bool))
    distance = np.linalg.norm(pos[i] - pos[j], axis=1)
    for at in np.ndindex(3, 2):
        assert found[at] == pytest.approx(spearmanr(weights[at][i, j], distance).statistic)


def test_strongest_pairs_average_both_directions():
    weights = np.array([[0.0, 0.9, 0.1], [0.3, 0.0, 0.7], [0.5, 0.5, 0.0]])
    pairs = attention.strongest_pairs(weights, 2)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1), (1, 2)] or [(i, j) for i, j, _ in pairs] == [(1, 2), (0, 1)]
    assert all(w == pytest.approx(1.2) for *_, w in pairs)


# --- experts -------------------------------------------------------------------------------------


def test_experts_that_divide_the_classes():
    y, subject = np.array([0, 0, 1, 1] * 2), np.array(["p"] * 4 + ["q"] * 4)
    found = participation("block 1 time", np.eye(2)[y], y, subject, 2)
    np.testing.assert_array_equal(found.share, np.eye(2))
    np.testing.assert_array_equal(found.error, 0)
    assert (found.between_classes, found.between_subjects, found.within) == (1.0, 0.0, 0.0)


def test_experts_that_divide_the_people():
    y, subject = np.array([0, 0, 1, 1] * 2), np.array(["p"] * 4 + ["q"] * 4)
    found = participation("x", np.eye(2)[(subject == "q").astype(int)], y, subject, 2)
    np.testing.assert_allclose(found.share, 0.5)
    np.testing.assert_allclose(found.error, 0.5)  # of 0 and 1: sd 1/sqrt(2), over sqrt(2) people
    assert (found.between_classes, found.between_subjects, found.within) == (0.0, 1.0, 0.0)


def test_a_person_with_more_windows_has_no_more_weight():
    gates = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    subject = np.array(["p"] * 9 + ["q"])
    found = participation("x", gates, np.zeros(10, dtype=np.int64), subject, 1)
    np.testing.assert_allclose(found.share, [[0.5, 0.5]])
    assert np.isnan(found.between_classes)


def test_total_variation():
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)


# --- perturbation --------------------------------------------------------------------------------


def linear(weight):
    """A model of one logit: weighted sum of the channels' means."""
    return lambda x: (x.mean(axis=2) @ weight)[:, None].astype(np.float32)


def test_log_odds_of_several_classes_are_those_of_their_probabilities(rng):
    logits = rng.normal(size=(5, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_odds(logits), np.log(p / (1 - p)))
    np.testing.assert_allclose(log_odds(logits + 500.0), log_odds(logits))


def test_log_odds_of_one_logit_are_it_and_its_negative():
    np.testing.assert_array_equal(log_odds(np.array([[2.0], [-1.0]])), [[-2, 2], [1, -1]])


def test_silencing_a_channel_costs_exactly_its_part(rng):
    x = rng.normal(size=(6, 3, 10)).astype(np.float32)
    kept = x.copy()
    weight = np.array([2.0, 0.0, -1.0], dtype=np.float32)
    effects = channel_effects(linear(weight), x, "zero", seed=0)
    np.testing.assert_allclose(effects[:, :, 1], x.mean(axis=2) * weight, atol=1e-6)
    np.testing.assert_allclose(effects[:, :, 0], -effects[:, :, 1])
    np.testing.assert_array_equal(x, kept)


def test_swapping_costs_the_difference_to_another_window_and_a_ignored_channel_nothing(rng):
    x = rng.normal(size=(7, 3, 10)).astype(np.float32)
    weight = np.array([2.0, 0.0, -1.0], dtype=np.float32)
    effects = channel_effects(linear(weight), x, "swap", seed=0)[:, :, 1]
    np.testing.assert_array_equal(effects[:, 1], 0)
    np.testing.assert_allclose(effects.sum(axis=0), 0, atol=1e-5)  # a permutation
    means = x.mean(axis=2)
    for c in (0, 2):
        could_be = weight[c] * (means[:, None, c] - means[None, :, c])
        own = np.abs(could_be - effects[:, c, None])
        assert (own[~np.eye(7, dtype=bool)].reshape(7, 6).min(axis=1) < 1e-5).all()
        assert (np.abs(effects[:, c]) > 1e-4).all()


@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_swap_never_leaves_a_window_its_own(rng, n):
    x = np.arange(n, dtype=np.float32)[:, None, None] * np.ones((1, 2, 4), dtype=np.float32)
    for seed in range(5):
        out = perturbed(x, 1, "swap", np.random.default_rng(seed))
        assert (out[:, 1] != x[:, 1]).all()
        np.testing.assert_array_equal(np.sort(out[:, 1, 0]), np.arange(n))
        np.testing.assert_array_equal(out[:, 0], x[:, 0])


def test_topographies_weigh_people_evenly_and_take_the_true_class():
    effects = np.zeros((5, 1, 2))
    effects[:, 0, 0], effects[:, 0, 1] = [1, 1, 1, 5, 100], [9, 9, 9, 9, 7]
    y, subject = np.array([0, 0, 0, 0, 1]), np.array(["p", "p", "p", "q", "p"])
    mean, error = topographies(effects, y, subject)
    np.testing.assert_allclose(mean, [[3.0], [7.0]])
    assert error[0, 0] == pytest.approx(2.0)
    assert np.isnan(error[1, 0])


# --- latent map ----------------------------------------------------------------------------------


def test_principal_components_are_sklearns_but_for_the_sign(rng):
    z = rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6))
    scores, share = latent.principal_components(z, 2)
    reference = PCA(2).fit(z)
    np.testing.assert_allclose(np.abs(scores), np.abs(reference.transform(z)), atol=1e-9)
    np.testing.assert_allclose(share, reference.explained_variance_ratio_)
    np.testing.assert_allclose(latent.principal_components(-z, 2)[0] ** 2, scores**2)


def test_explained_variance_is_one_for_clusters_and_about_zero_without_meaning(rng):
    group = np.repeat(np.arange(10), 20)
    assert latent.explained(np.eye(10)[group], group) == pytest.approx(1.0)
    noise = [latent.explained(rng.normal(size=(200, 50)), group) for _ in range(20)]
    assert abs(np.mean(noise)) < 0.003  # uncorrected it would be 9 / 199
    assert np.isnan(latent.explained(noise_like := rng.normal(size=(4, 2)), np.zeros(4)))
    assert noise_like.shape == (4, 2)


def test_explained_variance_of_a_worked_example():
    z, group = np.array([[0.0], [2.0], [4.0], [6.0]]), np.array([0, 0, 1, 1])
    # total 20, within 4, n 4, k 2: 1 - 4/20 * 3/2
    assert latent.explained(z, group) == pytest.approx(0.7)


def test_identity_of_people_shows_as_neighbours_from_other_recordings(rng):
    person, session = np.repeat(np.arange(4), 20), np.tile(np.repeat([0, 1], 10), 4)
    z = 10.0 * np.eye(4)[person] + 0.1 * rng.normal(size=(80, 4))
    y = session  # one class per recording, as rest and arithmetic
    recording = np.array([f"{p}-{s}" for p, s in zip(person, session, strict=True)])
    found = latent.separation(z, y, person, recording)
    assert found.subject_neighbour == 1.0
    assert found.subject_chance == pytest.approx(10 / 70)
    assert found.class_chance == pytest.approx(0.5)
    assert 0.2 < found.class_neighbour < 0.8
    assert found.subject_variance > 0.99
    assert abs(found.class_variance) < 0.05


def test_neighbours_of_the_same_recording_do_not_count():
    z = np.array([[0.0], [0.1], [5.0], [5.1]])
    subject, recording = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    found = latent.separation(z, np.array([0, 1, 0, 1]), subject, recording)
    assert found.subject_neighbour == 0.5  # person 0 has one recording only
    assert found.class_neighbour == 0.5  # 0.0 and 5.0; 0.1 is nearer to 5.0 than to 5.1


def test_unlabelled_windows_have_no_class_numbers(rng):
    z, zeros = rng.normal(size=(6, 2)), np.zeros(6, dtype=np.int64)
    found = latent.separation(z, zeros, np.arange(6) % 2, np.arange(6), labelled=False)
    assert np.isnan([found.class_variance, found.class_neighbour, found.class_chance]).all()
    assert np.isfinite(found.subject_variance)


# --- reconstruction ------------------------------------------------------------------------------


def test_straight_lines_between_visible_samples():
    target = np.array([0.0, 9, 9, 3, 9, 5, 9])
    masked = np.array([False, True, True, False, True, False, True])
    np.testing.assert_allclose(interpolated(target, masked), [0, 1, 2, 3, 4, 5, 5])
    np.testing.assert_array_equal(interpolated(target, np.ones(7, dtype=bool)), 0)
    np.testing.assert_allclose(visible_mean(target, masked), 8 / 3)


def test_errors_on_masked_samples_only(rng):
    target = np.tile(np.linspace(-2, 2, 40, dtype=np.float32), (3, 2, 1))
    masked = rng.random(target.shape) < 0.4
    masked[..., [0, -1]] = False
    prediction = np.where(masked, target + 0.5, 99.0).astype(np.float32)
    found = errors(Reconstruction(target, prediction, masked), n_bins=4)
    assert found.model == pytest.approx(0.25, rel=1e-5)
    assert found.interpolation == pytest.approx(0.0, abs=1e-9)
    assert found.correlation == pytest.approx(1.0)
    assert found.masked_share == pytest.approx(masked.mean())
    np.testing.assert_allclose(found.by_amplitude["model"], 0.25, rtol=1e-5)
    truth = target[masked].astype(float)
    slow = (visible_mean(target, masked)[masked] - truth) ** 2
    assert found.mean == pytest.approx(slow.mean())
    variances = [target[i, c][masked[i, c]].astype(float) for i in range(3) for c in range(2)]
    constant = sum(((v - v.mean()) ** 2).sum() for v in variances) / len(truth)
    assert found.constant == pytest.approx(constant)
    lowest = truth < found.bins[1]
    assert found.by_amplitude["mean of the visible"][0] == pytest.approx(slow[lowest].mean())


def test_a_model_that_found_only_the_hidden_band_knows_nothing_within_channels(rng):
    level = rng.normal(scale=3.0, size=(20, 4, 1))
    target = (level + 0.1 * rng.normal(size=(20, 4, 30))).astype(np.float32)
    masked = np.zeros(target.shape, dtype=bool)
    masked[..., 10:20] = True
    guess = (level + 0.1 * rng.normal(size=target.shape)).astype(np.float32)
    found = errors(Reconstruction(target, guess, masked))
    assert found.correlation > 0.99
    assert abs(found.correlation_within) < 0.1
    assert found.constant == pytest.approx(0.9 * 0.01, rel=0.15)
    perfect = errors(Reconstruction(target, target + level.astype(np.float32), masked))
    assert perfect.correlation_within == pytest.approx(1.0, abs=1e-5)


def test_microvolts():
    np.testing.assert_allclose(microvolts(np.array([1.43867, -3.16735])), [10, -100], rtol=1e-5)
