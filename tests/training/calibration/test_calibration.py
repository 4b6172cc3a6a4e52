"""Stacking, repetition, leakage and refusals of a calibration, with networks small enough for a unit test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_manifest

from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.montages import load_montage
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration import calibration as module
from neuript.training.calibration.calibration import (
    MIN_BRANCH_WEIGHT,
    NETWORK,
    STACK,
    TANGENT,
    CalibrationSpec,
    calibrate,
    starting_point,
    summary,
)
from neuript.training.calibration.dataset import Dataset
from neuript.training.fitting.top_blocks import FinetuneSpec

NAMES = ("C3", "Cz", "C4")
N_TIMES = 128
MONTAGE = load_montage("10-20").pick(NAMES)


def dataset(rng, n_classes=2, n_trials=24, *, per_trial=2, n_times=N_TIMES, simulated=False):
    """Trials whose class is the channel with the strongest 10 Hz rhythm."""
    y = np.arange(n_trials) % n_classes
    trial = np.repeat(np.arange(n_trials), per_trial)
    t = np.arange(n_times) / 64
    x = rng.normal(size=(len(trial), 3, n_times)) * 6
    for i, c in enumerate(y[trial]):
        x[i, c] += 14 * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 7))
    classes = ("left", "right", "rest")[:n_classes]
    manifest = make_manifest(
        classes=classes, montage=MONTAGE, window_s=n_times / 64, provenance={"simulated": simulated}
    )
    trials = tuple(Trial(classes[c], 8.0 * i) for i, c in enumerate(y))
    return Dataset((x * 1e-6).astype(np.float32), trial, trials, MONTAGE, manifest)


def tiny(n_outputs=2, **kwargs):
    shape = {"merges": (8, 2), "experts": (0, 2), "d_model": 16, "n_heads": 2}
    config = preset("micro", n_outputs=n_outputs, n_times=N_TIMES, **shape)
    finetune = FinetuneSpec(n_epochs=1, n_frozen=1, n_copies=2, seed=kwargs.pop("seed", 520))
    return CalibrationSpec(config=config, finetune=finetune, n_folds=3, **kwargs)


def pretrained(spec):
    """The same settings with an encoder to start from."""
    torch.manual_seed(11)
    model = NeurIPTNetwork(spec.config, MONTAGE.pos_m, MONTAGE.lobe_groups())
    return CalibrationSpec(
        config=spec.config, finetune=spec.finetune, n_folds=3, encoder=model.state_dict(), encoder_simulated=True
    )


# --- the stack --------------------------------------------------------------------------------


def log_proba(rng, data, skill):
    """Made-up held-out log-probabilities: the larger `skill`, the more they know."""
    logits = rng.normal(size=(len(data.x), len(data.classes)))
    logits[np.arange(len(data.x)), data.y] += skill
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def test_a_useless_branch_gets_no_weight_and_none_is_negative(rng):
    data = dataset(rng, n_trials=80)
    good, useless = log_proba(rng, data, 2.0), 3 * log_proba(rng, data, 0.0)
    for branches, k in (([good, useless], 0), ([useless, good], 1)):
        weights = module._fit_stack(branches, data)
        assert weights[1 - k] == 0
        assert weights[k] > 0.5
    misleading = log_proba(rng, data, -1.0)
    assert (module._fit_stack([good, misleading], data) >= 0).all()


def test_weights_are_the_best_of_a_grid(rng):
    data = dataset(rng, n_trials=30)
    branches = [log_proba(rng, data, 1.2), log_proba(rng, data, 0.9)]

    def loss(w):
        z = w[0] * branches[0] + w[1] * branches[1]
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        nll = -np.log(p[np.arange(len(data.y)), data.y])
        return sum(nll[data.trial == i].mean() for i in range(30)) + 0.5 * ((w[0] - 0.5) ** 2 + (w[1] - 0.5) ** 2)

    grid = [(a, b) for a in np.arange(0, 3, 0.05) for b in np.arange(0, 3, 0.05)]
    np.testing.assert_allclose(module._fit_stack(branches, data), min(grid, key=loss), atol=0.05)


def test_where_no_branch_helps_the_probabilities_say_nothing_known(rng):
    data = dataset(rng, n_trials=80)
    worse = [4 * log_proba(rng, data, -1.0), 4 * log_proba(rng, data, -0.5)]
    assert sorted(module._fit_stack(worse, data)) == [0.0, MIN_BRANCH_WEIGHT]


def test_the_temperature_of_one_branch_is_in_its_weight(rng):
    data = dataset(rng, n_trials=400, per_trial=1)
    honest = log_proba(rng, data, 1.0)
    p = np.exp(honest)
    labels = (rng.random(400) < p[:, 1]).astype(int)  # what the probabilities promise comes true
    trials = tuple(Trial(data.classes[c], float(i)) for i, c in enumerate(labels))
    drawn = Dataset(data.x, data.trial, trials, data.montage, data.manifest)
    assert module._fit_stack([honest], drawn)[0] == pytest.approx(1.0, abs=0.25)
    assert module._fit_stack([3 * honest], drawn)[0] == pytest.approx(1 / 3, abs=0.1)


def test_stack_weights_of_a_block_do_not_know_its_labels(rng):
    data = dataset(rng, n_trials=30)
    branches = [log_proba(rng, data, 1.0), log_proba(rng, data, 0.5)]
    masks = module._masks(data, 3)
    plain = module._nested_stack(branches, data, masks)
    for _, test in masks:
        flipped = relabel(data, test)
        changed = module._nested_stack(branches, flipped, masks)
        np.testing.assert_array_equal(changed[test], plain[test])
        assert not np.array_equal(changed, plain)


def relabel(data, windows):
    """The same data with the other class for the trials of some windows."""
    other = {"left": "right", "right": "left"}
    hit = set(data.trial[windows].tolist())
    trials = tuple(Trial(other[t.label] if i in hit else t.label, t.onset_s) for i, t in enumerate(data.trials))
    return Dataset(data.x, data.trial, trials, data.montage, data.manifest)


@pytest.mark.parametrize("start", ["random", "pretrained"])
def test_no_held_out_probability_depends_on_the_labels_or_windows_of_its_block(rng, start):
    data = dataset(rng)
    spec = tiny() if start == "random" else pretrained(tiny())
    masks = module._masks(data, 3)

    def held_out(d):
        return module._held_out_log_proba(d, spec, masks, module._NetworkFit(d, spec, None))

    plain = held_out(data)
    test = masks[1][1]
    relabelled = held_out(relabel(data, test))
    x = data.x.copy()
    first = int(np.flatnonzero(test)[0])
    x[first] = x[first][[1, 0, 2]]  # now it looks like the other class
    moved = held_out(Dataset(x, data.trial, data.trials, data.montage, data.manifest))
    rest = test & (np.arange(len(x)) != first)
    for name in ("CSP+LDA", "TS+LR", NETWORK, TANGENT):
        np.testing.assert_array_equal(relabelled[name][test], plain[name][test], name)
        assert not np.allclose(relabelled[name][~test], plain[name][~test]), name
        # a product over a batch may round differently where one of its rows changed
        np.testing.assert_allclose(moved[name][rest], plain[name][rest], 1e-4, 1e-5, name)
        assert not np.allclose(moved[name][first], plain[name][first]), name


# --- the whole path ---------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["random", "pretrained"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_published_module_is_the_stack_of_its_branches(rng, start, n_classes, monkeypatch):
    data = dataset(rng, n_classes)
    spec = tiny(n_classes) if start == "random" else pretrained(tiny(n_classes))
    monkeypatch.setattr(module, "_fit_stack", lambda *_args: np.array([0.7, 1.3]))
    result = calibrate(data, spec)
    assert result.weights == (0.7, 1.3)
    assert not result.module.training
    x = torch.tensor(data.x)
    with torch.inference_mode():
        expected = sum(
            w * branch(x).log_softmax(-1)
            for w, branch in zip((0.7, 1.3), (result.module.network, result.module.tangent), strict=True)
        )
        torch.testing.assert_close(result.module(x), expected)
    assert result.simulated == (start == "pretrained")
    assert {card.n_trials for card in result.scores.values()} == {24}
    assert result.scores[TANGENT].accuracy > 0.9


def test_a_branch_without_weight_is_not_in_the_module(rng, monkeypatch):
    monkeypatch.setattr(module, "_fit_stack", lambda *_args: np.array([0.0, 1.3]))
    result = calibrate(dataset(rng), tiny())
    assert result.module.network is None
    assert result.describe() == {"architecture": "hybrid", "network": None, "weights": [0.0, 1.3]}


def test_the_riemannian_branch_alone(rng):
    result = calibrate(dataset(rng), tiny(branches=(TANGENT,)))
    assert result.weights[0] == 0
    assert NETWORK not in result.scores
    assert result.scores[STACK].accuracy > 0.9
    assert result.nll[STACK] < np.log(2)


def test_the_same_seed_gives_the_same_model_and_leaves_the_world_alone(rng):
    data = dataset(rng)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = calibrate(data, tiny())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    second, third = calibrate(data, tiny()), calibrate(data, tiny(seed=7))
    assert summary(first) == summary(second)
    x = torch.tensor(data.x)
    assert torch.equal(first.module(x), second.module(x))
    assert not np.array_equal(first.nll[NETWORK], third.nll[NETWORK])


def test_summary_is_plain_json(rng):
    result = calibrate(dataset(rng, 3), tiny(3))
    figures = summary(result)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    mine = figures["decoders"][STACK]
    assert mine["accuracy"] == round(result.scores[STACK].accuracy, 4)
    assert set(mine) >= {"interval_95", "n_trials", "chance_bound_5", "nll_per_trial"}
    assert set(figures["decoders"]) == {"CSP+LDA", "TS+LR", NETWORK, TANGENT, STACK}


def test_progress_is_told(rng):
    told = []
    calibrate(dataset(rng), tiny(), lambda *args: told.append(args))
    assert {what for what, _, _ in told} >= {f"network, block {i} of 3" for i in (1, 2, 3)}
    assert all(1 <= done <= total for _, done, total in told)


def test_models_of_simulated_recordings_say_so(rng):
    result = calibrate(dataset(rng, simulated=True), tiny(branches=(TANGENT,)))
    assert result.simulated


# --- refusals ---------------------------------------------------------------------------------


def test_too_few_trials_for_the_blocks(rng):
    with pytest.raises(NeuriptError, match="5 trials cannot be cut into 3 blocks"):
        calibrate(dataset(rng, n_trials=5), tiny())


def test_a_class_in_one_block_is_named(rng):
    data = dataset(rng)
    trials = tuple(Trial("left" if i < 20 else "right", 8.0 * i) for i in range(24))
    sorted_by_class = Dataset(data.x, data.trial, trials, data.montage, data.manifest)
    with pytest.raises(NeuriptError, match=r"no training trial of class 1.*0 is left, 1 is right"):
        calibrate(sorted_by_class, tiny())


def test_windows_too_short_for_the_filters(rng):
    with pytest.raises(NeuriptError, match=r"windows of 0.5 s are too short.*--window 1.5"):
        calibrate(dataset(rng, n_times=32), tiny())


def test_starting_points():
    start = starting_point("tiny", 3, 200)
    assert (start.config.d_model, start.config.n_outputs, start.config.n_times) == (128, 3, 200)
    assert (start.encoder, start.simulated) == (None, False)
    assert starting_point("micro", 2, 256).config.d_model == 64
    assert starting_point("pretrained", 2, 256).simulated  # the shipped encoder knows only the twin


@pytest.mark.parametrize("simulated", [False, True])
def test_a_checkpoint_of_ones_own_is_a_starting_point(tmp_path, simulated):
    manifest, state = load_checkpoint(module.PRETRAINED)
    real = replace(manifest, provenance={**manifest.provenance, "simulated": simulated})
    save_checkpoint(tmp_path / "own.safetensors", state, real)
    start = starting_point(str(tmp_path / "own.safetensors"), 2, 128)
    assert start.simulated is simulated
    assert start.config.pooling == "channels"
    assert start.encoder.keys() == state.keys()
    with pytest.raises(NeuriptError, match=r"absent.* is no checkpoint file"):
        starting_point(str(tmp_path / "absent.safetensors"), 2, 128)


def test_a_missing_encoder_is_named_with_the_alternatives(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PRETRAINED", tmp_path / "twin-micro.safetensors")
    with pytest.raises(NeuriptError, match=r"no pretrained encoder.*--network micro, tiny or none"):
        starting_point("pretrained", 2, 256)
