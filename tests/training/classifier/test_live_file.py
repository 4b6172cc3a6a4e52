from __future__ import annotations

import mne
import numpy as np
import pytest
import torch

from neuript.errors import ArgumentError
from neuript.modelfile.deployable import open_model
from neuript.training.classifier.estimator import NeurIPTClassifier
from neuript.training.classifier.live_file import WindowsWere, named_classes

NAMES = ["C3", "Cz", "C4"]
SAID = {"highpass_hz": 1.0, "lowpass_hz": 15.0, "reference": "as recorded"}


@pytest.fixture
def windows(rng):
    y = np.array(["rest", "feet"] * 12)
    x = rng.normal(size=(24, 3, 128)) * 1e-5
    x[1::2, 1] *= 3
    return x, y


@pytest.fixture(autouse=True)
def own_trust(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def fitted(windows, **changes):
    return NeurIPTClassifier(64.0, NAMES, **changes).fit(*windows)


def test_what_goes_live_says_what_was_fitted(windows, tmp_path):
    model = fitted(windows)
    manifest = model.save(tmp_path / "mi.ts", subject="S01", task="feet", mains_hz=50.0, **SAID)
    engine = open_model(tmp_path / "mi.ts")
    assert engine.manifest == manifest
    assert (manifest.classes, manifest.idle_class, manifest.ch_names) == (("feet", "rest"), "rest", tuple(NAMES))
    assert manifest.provenance["counts"] == {"feet": 12, "rest": 12}
    chain = manifest.preprocess
    assert (chain["highpass_hz"], chain["stop_hz"], chain["mains_hz"], manifest.window_s) == (1.0, 17.0, 50.0, 2.0)
    np.testing.assert_array_equal(engine.reference["mean"], model.sessions_.last.mean)
    x = windows[0].astype(np.float32)
    x -= x.mean(axis=2, keepdims=True)
    signal = model.sessions_.signals(x)
    tangent = np.zeros(manifest.n_tangent, dtype=np.float32)
    for one, proba in zip(signal[:4], model.predict_proba(windows[0][:4]), strict=True):
        logits = torch.tensor(engine.infer(one.T, tangent))
        np.testing.assert_allclose(logits.softmax(dim=0).numpy(), proba, atol=1e-4)


def test_without_recentring_the_file_takes_the_mean_away_itself(windows, tmp_path):
    model = fitted(windows, align=False)
    manifest = model.save(tmp_path / "mi.ts", **SAID)
    assert manifest.preprocess["alignment"] is None
    offset = (windows[0][0].T + 1e-4).astype(np.float32)
    logits = torch.tensor(open_model(tmp_path / "mi.ts").infer(offset))
    built_again = open_model(tmp_path / "mi.ts", engine="eager").infer(offset)
    np.testing.assert_allclose(built_again, logits, atol=1e-5)
    np.testing.assert_allclose(logits.softmax(dim=0).numpy(), model.predict_proba(windows[0][0])[0], atol=1e-3)


def test_what_arrays_do_not_say_is_asked_for(windows, tmp_path):
    x, y = windows
    model = fitted((x, (y == "rest").astype(int)))
    with pytest.raises(ValueError, match=r"class_names=\{0: 'left_hand', ...\}"):
        model.save(tmp_path / "mi.ts", **SAID)
    named = {"class_names": {0: "feet", 1: "rest"}}
    with pytest.raises(ValueError, match=r"give highpass_hz=0.1, lowpass_hz=40, reference='as recorded' \(or"):
        model.save(tmp_path / "mi.ts", **named)
    with pytest.raises(ValueError, match=r"give reference='as recorded' \(or"):
        model.save(tmp_path / "mi.ts", highpass_hz=0, lowpass_hz=32, **named)
    with pytest.raises(ValueError, match="idle_class='nothing'"):
        model.save(tmp_path / "mi.ts", idle_class="nothing", **named, **SAID)
    with pytest.raises(ValueError, match="highpass_hz=20"):
        model.save(tmp_path / "mi.ts", **named, **(SAID | {"highpass_hz": 20}))
    assert not (tmp_path / "mi.ts").exists()
    assert model.save(tmp_path / "mi.ts", **named, **SAID).classes == ("feet", "rest")


def test_info_of_mne_says_how_windows_were_filtered():
    raw = mne.io.RawArray(np.zeros((3, 4000)), mne.create_info(NAMES, 200.0, "eeg"), verbose="error")
    info = raw.info
    assert WindowsWere.by(info) == WindowsWere(highpass_hz=0.0, lowpass_hz=100.0, reference="as recorded")
    filtered = raw.copy().filter(2.0, 30.0, verbose="error").set_eeg_reference("average", verbose="error").info
    were = WindowsWere.by(filtered)
    assert (were.highpass_hz, were.lowpass_hz, were.reference) == (2.0, 30.0, None)
    with pytest.raises(ArgumentError, match="reference='average'"):
        were.require()
    assert WindowsWere.by(info, highpass_hz=0.5).chain(None).highpass_hz == 0.5
    assert WindowsWere.by(info).chain(None).stop_hz == 34.0


def test_names_of_classes():
    assert named_classes(["b", "a"], None) == ("b", "a")
    assert named_classes([769, 770], {769: "left", 770: "right", 771: "feet"}) == ("left", "right")
    with pytest.raises(ArgumentError, match="no name for 770; it needs one for each of 769, 770"):
        named_classes([769, 770], {769: "left"})
