from __future__ import annotations

import pickle
import warnings

import mne
import numpy as np
import pytest
import torch
from builders import make_manifest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

import neuript
from neuript.braindecode import NeurIPT
from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.manifest import provenance
from neuript.training.classifier.estimator import NeurIPTClassifier
from neuript.training.fitting.encoder_readout import PATCHES

NAMES = ["C3", "Cz", "C4"]
OPTIONS = {"d_model": 12, "n_heads": 2, "d_ff": 8, "d_expert": 4, "d_shared": 4, "merges": (4, 2), "experts": (0, 2)}


def classifier(**changes):
    values = {
        "sfreq": 128.0,
        "ch_names": NAMES,
        "size": "micro",
        "model_options": OPTIONS,
        "pretrained": None,
        "align": False,
        "n_epochs": 12,
        "batch_size": 8,
        "max_lr": 3e-3,
    }
    return NeurIPTClassifier(**(values | changes))


def make_windows(rng, n=36):
    """Two classes that differ by the power at Cz, one second at 128 Hz and one sample more, volts."""
    y = np.arange(n) % 2
    t = np.arange(129) / 128
    x = rng.normal(size=(n, 3, 129)) * 4e-6 + 2e-3
    x[:, 1] += (3 + 25 * y[:, None]) * 1e-6 * np.sin(20 * np.pi * t + rng.uniform(0, 6, (n, 1)))
    return x, np.array(["rest", "left"])[y]


@pytest.fixture
def windows(rng):
    return make_windows(rng)


def test_learns_and_names_its_classes(rng):
    x, y = make_windows(rng, 96)
    model = classifier().fit(x, y)
    x, y = make_windows(rng, 96)
    assert model.classes_.tolist() == ["left", "rest"]
    assert model.score(x, y) > 0.9  # 1.00 in each of 6 seeds
    proba = model.predict_proba(x)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (model.predict(x) == model.classes_[proba.argmax(axis=1)]).all()
    assert (model.n_features_in_, model.n_times_in_, model.module_.n_times) == (3, 129, 64)
    features = model.transform(x)
    logits = model.module_.head(torch.from_numpy(features)).softmax(dim=1)
    np.testing.assert_allclose(logits.detach().numpy(), proba, atol=1e-5)


def test_chance_where_there_is_nothing_to_learn(windows, rng):
    x, y = windows
    model = classifier(n_epochs=4).fit(rng.normal(size=x.shape) * 1e-5, y)
    proba = model.predict_proba(rng.normal(size=x.shape) * 1e-5)
    assert abs(proba[:, 0].mean() - 0.5) < 0.25  # 0.04 ± 0.02 over 4 seeds


def test_repeats_itself_and_the_seed_matters(windows):
    x, y = windows
    first = classifier(n_epochs=2).fit(x, y).predict_proba(x)
    state = torch.random.get_rng_state()
    second = classifier(n_epochs=2).fit(x, y).predict_proba(x)
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(first, second)
    other = classifier(n_epochs=2, random_state=3).fit(x, y).predict_proba(x)
    assert not np.allclose(first, other)


def test_unit_offset_and_info_do_not_change_the_result(windows):
    x, y = windows
    volts = classifier(n_epochs=2).fit(x, y).predict_proba(x)
    micro = classifier(n_epochs=2, unit="uV").fit(x * 1e6 + 500, y).predict_proba(x * 1e6)
    np.testing.assert_allclose(volts, micro, atol=1e-3)
    info = mne.create_info(["EEG C3-REF", "cz", "C4"], 128.0, "eeg")
    by_info = classifier(n_epochs=2, sfreq=None, ch_names=None, info=info).fit(x, y)
    np.testing.assert_array_equal(volts, by_info.predict_proba(x))


def test_scikit_learn_protocol(windows):
    x, y = windows
    model = classifier(n_epochs=2)
    again = clone(model.set_params(max_lr=2e-3, training_options={"weight_decay": 0.0}))
    assert again is not model
    assert again.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        again.predict(x)
    again.fit(x, y)
    twin = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(twin.predict_proba(x), again.predict_proba(x))


def test_cross_validation_pipeline_and_grid(windows, rng):
    many = make_windows(rng, 96)
    assert cross_val_score(classifier(n_epochs=8), *many, cv=2).mean() > 0.85  # 0.986 ± 0.014 over 6 seeds
    x, y = windows
    frozen = make_pipeline(classifier(n_epochs=1), LogisticRegression())
    assert frozen.fit(x, y).predict(x).shape == (36,)
    grid = GridSearchCV(classifier(n_epochs=1), {"max_lr": [1e-4, 1e-3]}, cv=2, refit=False).fit(x, y)
    assert grid.best_params_["max_lr"] in (1e-4, 1e-3)


def test_validation_windows_stop_the_training(windows, rng):
    x, y = windows
    spec = {"patience": 1, "select": "val_loss"}
    fit = classifier(n_epochs=40, validation=0.25, training_options=spec)
    fit.fit(x, rng.permutation(y))
    assert "val_loss" in fit.history_[0]
    assert len(fit.history_) < 40


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
    ],
)
def test_checks_of_scikit_learn_that_need_no_two_dimensional_data(check):
    getattr(estimator_checks, check)("NeurIPTClassifier", NeurIPTClassifier(128.0, NAMES))


def test_scikit_learn_leaves_out_the_checks_on_two_dimensional_data():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(NeurIPTClassifier(128.0, NAMES), on_fail=None, on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sfreq": None}, "sfreq is missing"),
        ({"sfreq": -1.0}, "no sampling rate"),
        ({"ch_names": None}, "chs_info is missing"),
        ({"ch_names": ["C3", "Cz", "EOG"]}, "'EOG' is no place"),
        ({"montage": "motor-16"}, "both chs_info and montage"),
        ({"unit": "furlong"}, "unit='furlong' is not known"),
        ({"unit": "uV"}, "MOABB: 'uV'"),
        ({"size": "huge"}, "no model size 'huge'"),
        ({"model_options": {"wheels": 4}}, "unknown field wheels"),
        ({"training_options": {"speed": 4}}, "training_options: unknown field speed"),
        ({"training_options": {"max_lr": 4}}, "parameters of NeurIPTClassifier itself"),
        ({"validation": 1.0}, "share in"),
        ({"validation": 0.2, "n_epochs": 0}, "there are none"),
        ({"pretrained": "shipped"}, "leave it out"),
        ({"pretrained": "shipped", "size": None}, "d_model"),
        ({"pretrained": "x.safetensors", "size": None}, "there is no checkpoint"),
    ],
)
def test_wrong_parameters_are_named_by_fit(windows, changes, message):
    with pytest.raises(NeuriptError, match=message) as raised:
        classifier(**changes).fit(*windows)
    assert isinstance(raised.value, ValueError)


def test_wrong_data_are_named(windows):
    x, y = windows
    with pytest.raises(ValueError, match="3 channels"):
        classifier().fit(x[:, :2], y)
    with pytest.raises(ValueError, match="shape"):
        classifier().fit(x[:, 0], y)
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(x, np.zeros(len(y)))
    with pytest.raises(ValueError, match="inconsistent"):
        classifier().fit(x, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(x, np.linspace(0, 1, len(y)))
    broken = x.copy()
    broken[3, 1, 7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        classifier().fit(broken, y)
    fitted = classifier(n_epochs=1).fit(x, y)
    with pytest.raises(ValueError, match="fitted on windows of 129"):
        fitted.predict(x[..., :-1])
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(broken)


def by_default(**changes):
    return NeurIPTClassifier(128.0, NAMES, **changes)


def test_by_default_a_read_out_of_the_shipped_encoder_is_fitted(rng):
    model = by_default().fit(*make_windows(rng, 48))
    x, y = make_windows(rng, 48)
    assert model.score(x, y) > 0.9
    assert model.history_ == []
    shipped = NeurIPT.from_pretrained("shipped", n_outputs=2).encoder.state_dict()
    own = model.module_.encoder.state_dict()
    assert all(torch.equal(own[key], weight) for key, weight in shipped.items())
    logits = model.module_.head(torch.from_numpy(model.transform(x))).softmax(dim=1)
    np.testing.assert_allclose(logits.detach().numpy(), model.predict_proba(x), atol=1e-5)


def test_random_weights_are_read_out_in_the_shape_of_the_shipped_encoder(rng):
    model = by_default(pretrained=None).fit(*make_windows(rng, 48))
    shipped = NeurIPT.from_pretrained("shipped", n_outputs=2, n_times=64).config
    config = model.module_.config
    assert [getattr(config, name) for name in PATCHES] == [getattr(shipped, name) for name in PATCHES]
    assert model.sessions_.spec == by_default().fit(*make_windows(rng, 32)).sessions_.spec
    assert model.score(*make_windows(rng, 48)) > 0.9
    other = by_default(pretrained=None, random_state=1).fit(*make_windows(rng, 32))
    own, others = (fitted.module_.encoder.state_dict() for fitted in (model, other))
    assert not all(torch.equal(weight, others[key]) for key, weight in own.items())


def test_a_single_window_is_a_batch_of_one(rng):
    x, y = make_windows(rng, 32)
    model = by_default().fit(x, y)
    alone = np.concatenate([model.predict_proba(one) for one in x[:3]])
    np.testing.assert_allclose(alone, model.predict_proba(x[:3]), atol=1e-6)
    assert model.predict(x[0]).tolist() == model.predict(x[:1]).tolist()
    with pytest.raises(ValueError, match="2 features"):
        model.predict(x[0, :2])


def test_sessions_are_seen_from_their_own_means(rng):
    x, y = make_windows(rng, 96)
    session = np.repeat(["first", "second"], 48)
    x -= x.mean(axis=2, keepdims=True)
    x[48:] *= np.array([2.0, 0.3, 3.0])[:, None]  # another gain of each electrode
    model = by_default().fit(x[:48], y[:48], groups=session[:48])
    assert model.score(x[48:], y[48:], groups=session[48:]) > 0.9
    assert model.score(x[48:], y[48:]) < 0.8
    known = model.predict_proba(x[:5], groups=session[:5])
    np.testing.assert_array_equal(known, model.predict_proba(x[:5]))
    with pytest.raises(ValueError, match=r"'third' is new and has 5 windows, 5 s"):
        model.predict(x[:5], groups=["third"] * 5)
    with pytest.raises(ValueError, match=r"5 windows need \(5,\)"):
        model.predict(x[:5], groups=session[:4])


def test_sessions_take_part_in_cross_validation(rng):
    x, y = make_windows(rng, 96)
    groups = np.repeat([0, 1, 2], 32)
    with config_context(enable_metadata_routing=True):
        model = by_default().set_fit_request(groups=True).set_score_request(groups=True)
        scores = cross_val_score(model, x, y, cv=LeaveOneGroupOut(), params={"groups": groups})
    assert scores.min() > 0.9


def test_progress_is_printed_where_it_is_asked_for(windows, capsys):
    classifier(n_epochs=2, verbose=1).fit(*windows)
    lines = capsys.readouterr().out.splitlines()
    expected = ["36 windows", "epoch 1 of 2", "epoch 2 of 2", "fitted"]
    assert all(word in line for word, line in zip(expected, lines, strict=True))
    assert "train loss" in lines[1]
    assert "0 s to go" in lines[2]
    classifier(n_epochs=1).fit(*windows)
    assert not capsys.readouterr().out


def test_pretrained_encoder_is_what_training_starts_from(windows, tmp_path):
    x, y = windows
    source = NeurIPT(n_outputs=2, n_times=128, chs_info=["Fz", "Pz"], size="micro", **OPTIONS)
    manifest = make_manifest(
        task="pretraining",
        classes=(),
        model=source.config,
        montage=source.montage,
        provenance=provenance(data=["noise"], simulated=True),
    )
    encoder = {k: v for k, v in source.state_dict().items() if k.startswith("encoder.")}
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, encoder, manifest)
    given = {"size": None, "model_options": None, "pretrained": path}
    fitted = classifier(n_epochs=0, **given).fit(x, y)
    own = fitted.module_.encoder.state_dict()
    assert all(torch.equal(own[k], v) for k, v in source.encoder.state_dict().items())
    head = fitted.module_.head.weight
    assert head.abs().max() > 0  # the read-out
    assert fitted.score(x, y) > 0.6  # 0.99 ± 0.02 over 4 seeds
    with pytest.raises(NeuriptError, match=r"blocks\.1"):
        classifier(**(given | {"model_options": {"merges": (4, 1)}})).fit(x, y)


@pytest.mark.filterwarnings("ignore")
def test_inside_moabb(tmp_path, monkeypatch):
    moabb = pytest.importorskip("moabb")
    from moabb.datasets.fake import FakeDataset
    from moabb.evaluations import WithinSessionEvaluation
    from moabb.paradigms import LeftRightImagery

    monkeypatch.setenv("MNE_DATA", str(tmp_path))
    moabb.set_log_level("error")
    dataset = FakeDataset(
        ["left_hand", "right_hand"], n_subjects=1, n_sessions=1, n_runs=1, n_events=20, duration=90, seed=1, sfreq=128
    )
    seen = []

    class Spy(NeurIPTClassifier):
        def fit(self, X, y):
            seen.append(X.shape)
            return super().fit(X, y)

    evaluation = WithinSessionEvaluation(
        paradigm=LeftRightImagery(), datasets=[dataset], overwrite=True, hdf5_path=str(tmp_path), random_state=1
    )
    model = Spy(**(classifier(n_epochs=1, unit="uV").get_params()))
    results = evaluation.process({"NeurIPT": make_pipeline(model)})
    assert len(results) == 1
    assert results["score"].between(0, 1).all()
    assert seen
    assert seen[0][1:] == (3, 385)
    assert neuript.NeurIPTClassifier is NeurIPTClassifier
