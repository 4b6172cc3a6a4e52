from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from neuript.errors import NeuriptError
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.evaluate.svm_probe import ProbeSpec, draw, extract, probe


def clouds(rng, n, k, f=6):
    y = np.arange(n) % k
    x = rng.normal(size=(n, f)) * rng.uniform(0.1, 30, size=f) + 5
    x[:, :k] += 1.5 * x.std(axis=0)[:k] * np.eye(k)[y]
    return x, y, np.array([f"p{i}" for i in (np.arange(n) // k) % 6])


@pytest.mark.parametrize("folds", ["windows", "subjects"])
@pytest.mark.parametrize("k", [2, 3])
def test_is_the_grid_search_of_sklearn(rng, folds, k):
    x, y, people = clouds(rng, 72, k)
    test = clouds(rng, 30, k)[0]
    spec = ProbeSpec(C=(0.1, 10.0), gamma=("scale", 0.01), tol=(1e-3,), folds=folds, n_folds=3)
    splitter = StratifiedKFold if folds == "windows" else StratifiedGroupKFold
    shared = {"svc__C": [0.1, 10.0], "svc__class_weight": [None, "balanced"]}
    reference = GridSearchCV(
        make_pipeline(StandardScaler(), SVC(break_ties=True)),
        [{"svc__kernel": ["linear"], **shared}, {"svc__kernel": ["rbf"], "svc__gamma": ["scale", 0.01], **shared}],
        scoring="balanced_accuracy",
        cv=splitter(3, shuffle=True, random_state=520).split(x, y, people if folds == "subjects" else None),
    ).fit(x, y)
    found, again = probe(x, y, people, [test, test], spec)
    assert found.folds == folds
    assert found.cv_score == pytest.approx(reference.best_score_)
    np.testing.assert_array_equal(found.proba.argmax(axis=1), reference.predict(test))
    np.testing.assert_array_equal(found.proba, again.proba)
    np.testing.assert_allclose(found.proba.sum(axis=1), 1)


def test_the_papers_grid_has_no_doubles():
    points = ProbeSpec().grid()
    assert len(points) == 16 + 7 * 16
    assert len({tuple(sorted((k, str(v)) for k, v in p.items())) for p in points}) == len(points)


def test_draw_is_seeded_and_without_replacement():
    y = np.zeros(100, dtype=np.int64)
    first = draw(y, 30, 1)
    assert len(set(first)) == 30
    np.testing.assert_array_equal(first, draw(y, 30, 1))
    assert not np.array_equal(first, draw(y, 30, 2))
    np.testing.assert_array_equal(draw(y, None, 1), np.arange(100))


def test_few_people_fall_back_to_windows_and_say_so(rng):
    x, y, _ = clouds(rng, 20, 2)
    spec = ProbeSpec(kernels=("linear",), C=(1.0,), tol=(1e-3,))
    (found,) = probe(x, y, np.array(["one"] * 20), [x], spec)
    assert found.folds == "windows"
    with pytest.raises(NeuriptError, match="one class only"):
        probe(x, np.zeros(20, dtype=np.int64), None, [x], spec)
    with pytest.raises(NeuriptError, match="fewer than 5 windows"):
        probe(x[:4], y[:4], None, [x], spec)
    with pytest.raises(NeuriptError, match="features"):
        ProbeSpec(features="head")


def test_features_are_what_the_head_sees(rng):
    config = preset("micro", n_outputs=2, n_times=16, d_model=12, n_heads=2, merges=(4, 2), experts=(0, 2))
    model = NeurIPTNetwork(config, rng.normal(size=(3, 3)) * 0.1, [[0, 1], [2]]).train()
    x = (rng.normal(size=(5, 3, 16)) * 1e-5).astype(np.float32)
    features = extract(model, x, batch_size=2)
    assert features.shape == (5, 3 * 2 * 12)
    assert model.training
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model.head(torch.tensor(features)), model(torch.tensor(x)))
    assert extract(model, x, "last").shape == (5, 12)
