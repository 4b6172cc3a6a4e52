from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import mne
import numpy as np
import pytest
import torch
from builders import make_manifest

import neuript
from neuript.braindecode import NeurIPT
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.hub import find_checkpoint
from neuript.modelfile.manifest import provenance
from neuript.network.network import NeurIPTNetwork
from neuript.network.resampling import resample
from neuript.weights import SHIPPED_POPULATION

NAMES = ("Fz", "C3", "C4", "Oz")
SMALL = {
    "size": "micro",
    "d_model": 12,
    "n_heads": 2,
    "d_ff": 8,
    "d_expert": 4,
    "d_shared": 4,
    "merges": (4, 2),
    "experts": (0, 2),
}


def build(**changes):
    torch.manual_seed(1)
    values = {"n_outputs": 3, "n_times": 64, "chs_info": NAMES, **SMALL, **changes}
    return NeurIPT(**values).eval()


def manifest_of(module, classes):
    return make_manifest(
        classes=classes,
        model=module.config,
        montage=module.montage,
        window_s=module.config.n_times / 64,
        hop_s=1.0,
        provenance=provenance(data=["noise"], simulated=True),
    )


@pytest.fixture
def saved(tmp_path):
    """A classifier of three classes and its encoder, each as a checkpoint."""
    module = build()
    save_checkpoint(tmp_path / "whole.safetensors", module, manifest_of(module, ("a", "b", "c")))
    encoder = {k: v for k, v in module.state_dict().items() if k.startswith("encoder.")}
    save_checkpoint(tmp_path / "encoder.safetensors", encoder, manifest_of(module, ()))
    return module, tmp_path


@pytest.fixture
def x(rng):
    return torch.tensor(rng.normal(size=(5, 4, 64)) * 2e-5, dtype=torch.float32)


def test_is_the_classifier_with_the_same_weights(x):
    module = build()
    montage = module.montage
    plain = NeurIPTNetwork(module.config, montage.pos_m, montage.lobe_groups()).eval()
    plain.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(module(x), plain(x), rtol=0, atol=0)


def test_resamples_inside(rng):
    module = build(n_times=250, sfreq=250.0)
    x = rng.normal(size=(3, 4, 250)) * 2e-5
    at_64 = build()
    at_64.load_state_dict(module.state_dict())
    slow = torch.tensor(resample(x, 250.0), dtype=torch.float32)
    fast = torch.tensor(x, dtype=torch.float32)
    assert module.config.n_times == 64
    torch.testing.assert_close(module(fast), at_64(slow), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(module.features(fast), at_64.features(slow), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="n_times=250 at 250 Hz"):
        module(fast[..., :-1])


def test_parameters_of_braindecode_are_inferred_from_each_other():
    info = mne.create_info(list(NAMES), 128.0, "eeg")
    module = NeurIPT(n_outputs=2, chs_info=info["chs"], input_window_seconds=1.5, sfreq=info["sfreq"], **SMALL)
    assert (module.n_chans, module.n_times, module.n_outputs, module.sfreq) == (4, 192, 2, 128.0)
    assert module.input_window_seconds == 1.5
    assert [ch["ch_name"] for ch in module.chs_info] == list(NAMES)
    again = NeurIPT(4, 2, 192, module.chs_info, None, 128.0, **SMALL)
    assert again.montage == module.montage
    assert again(torch.zeros(1, 4, 192)).shape == (1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_outputs": None}, "n_outputs is missing"),
        ({"n_times": None}, "n_times is missing"),
        ({"input_window_seconds": 2.0, "sfreq": 64.0}, "128 samples"),
        ({"n_chans": 5}, "n_chans=5, but 4 channels"),
        ({"chs_info": None}, "chs_info is missing"),
        ({"montage": "motor-16"}, "both chs_info and montage"),
        ({"chs_info": ["C3", "nose"]}, "'nose' is no place"),
        ({"d_model": 13}, "d_model=13"),
        ({"depth_of_field": 3}, "unknown field depth_of_field"),
    ],
)
def test_wrong_parameters_are_named(changes, message):
    with pytest.raises(NeuriptError, match=message) as raised:
        build(**changes)
    assert isinstance(raised.value, ValueError)


def of_braindecode(module, name):
    """The parsed class of an installed braindecode, which is not imported: it may not even be whole."""
    if importlib.util.find_spec("braindecode") is None:
        pytest.skip("braindecode is not installed")
    folder = Path(importlib.util.find_spec("braindecode").origin).parent
    tree = ast.parse((folder / "models" / f"{module}.py").read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def functions(of_class):
    return {f.name: [a.arg for a in f.args.args[1:]] for f in of_class.body if isinstance(f, ast.FunctionDef)}


def test_has_what_braindecodes_models_have():
    mixin = functions(of_braindecode("base", "EEGModuleMixin"))
    left_out = {"to_dense_prediction_model", "get_torchinfo_statistics", "load_state_dict"}  # of convolutions, by names
    assert {name for name in mixin if not name.startswith("_")} - left_out <= set(dir(build()))
    own = list(inspect.signature(NeurIPT).parameters)
    assert set(own[:6]) == set(mixin["__init__"])
    assert own[:6] == functions(of_braindecode("bendr", "BENDR"))["__init__"][:6]
    assert "return_features" in inspect.signature(NeurIPT.forward).parameters


def test_is_configured_like_braindecodes_models(x):
    module = build(sfreq=128.0, n_times=128)
    windows = torch.cat([x, x], dim=-1)
    assert module.input_shape == (1, 4, 128)
    assert module.get_output_shape() == tuple(module(windows[:1]).shape) == (1, 3)
    seen = module(windows, return_features=True)
    torch.testing.assert_close(module.head(seen["features"]), module(windows))
    assert seen["cls_token"] is None
    again = NeurIPT.from_config(json.loads(json.dumps(module.get_config()))).eval()
    again.load_state_dict(module.state_dict())
    torch.testing.assert_close(again(windows), module(windows), rtol=0, atol=0)
    module.reset_head(5)
    assert module.get_output_shape() == (1, 5)
    assert module.get_config()["n_outputs"] == 5
    with pytest.raises(ValueError, match="at least 2"):
        module.reset_head(1)
    assert build(n_times=100, input_window_seconds=1.0).sfreq == 100.0


def test_the_shipped_encoder_is_the_peoples(x):
    module = NeurIPT.from_pretrained("shipped", n_outputs=3, n_times=64, chs_info=NAMES)
    assert module(x).shape == (5, 3)
    state = load_checkpoint(SHIPPED_POPULATION)[1]
    prefix = "prior.network.encoder."
    theirs = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    own = module.encoder.state_dict()
    assert theirs
    assert all(torch.equal(own[key], weight) for key, weight in theirs.items())


def test_whole_checkpoint_comes_back_to_the_bit(saved, x):
    module, folder = saved
    again = NeurIPT.from_pretrained(folder / "whole.safetensors")
    torch.testing.assert_close(again(x), module(x), rtol=0, atol=0)
    assert again.config == module.config
    assert again.montage == module.montage


def test_encoder_gets_a_new_head(saved, x):
    module, folder = saved
    with pytest.raises(NeuriptError, match="without a head; give n_outputs"):
        NeurIPT.from_pretrained(folder / "encoder.safetensors")
    again = NeurIPT.from_pretrained(
        folder / "encoder.safetensors",
        n_outputs=2,
        chs_info=["T7", "Cz", "T8"],
        sfreq=100.0,
        n_times=150,
        pooling="mean",
    )
    assert again(torch.zeros(2, 3, 150)).shape == (2, 2)
    own, theirs = again.encoder.state_dict(), module.encoder.state_dict()
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[key], theirs[key]) for key in own)


def test_other_number_of_classes_gives_a_new_head_and_the_same_one_never(saved):
    _, folder = saved
    path = folder / "whole.safetensors"
    assert NeurIPT.from_pretrained(path, n_outputs=5).head.out_features == 5
    old = load_checkpoint(path)[1]["head.weight"]
    kept = NeurIPT.from_pretrained(path, n_outputs=3)
    assert torch.equal(kept.head.weight, old)
    fresh = NeurIPT.from_pretrained(path, n_outputs=3, new_head=True)
    assert not torch.equal(fresh.head.weight, old)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chs_info": ["C3", "C4"]}, r"head\.weight has shape .* new_head=True"),
        ({"new_head": False, "n_outputs": 2}, "head.bias has shape"),
        ({"merges": (4, 1)}, "hold blocks.1.merge"),
        ({"experts": (0, 0)}, "lack blocks.1"),
        ({"d_ff": 16}, r"shape \(16, 12\)"),
        ({"head": "mlp"}, "no head.0.bias"),
        ({"wings": 2}, "unknown field wings"),
    ],
)
def test_a_weight_that_does_not_fit_is_an_error(saved, changes, message):
    _, folder = saved
    with pytest.raises(NeuriptError, match=message):
        NeurIPT.from_pretrained(folder / "whole.safetensors", **changes)


@pytest.mark.parametrize("change", ["drop", "add"])
def test_one_weight_less_or_more_is_an_error(saved, change):
    module, folder = saved
    state = dict(module.state_dict())
    if change == "drop":
        state.pop("encoder.blocks.1.norm_space.bias")
    else:
        state["scratch"] = torch.zeros(2)
    path = folder / "changed.safetensors"
    save_checkpoint(path, state, manifest_of(module, ("a", "b", "c")))
    with pytest.raises(NeuriptError, match=r"norm_space\.bias|no scratch"):
        NeurIPT.from_pretrained(path)


def test_learned_positions_are_not_dropped_silently(tmp_path, x):
    module = build(spatial_pe="learned_1d")
    path = tmp_path / "learned.safetensors"
    save_checkpoint(path, module, manifest_of(module, ("a", "b", "c")))
    again = NeurIPT.from_pretrained(path)
    torch.testing.assert_close(again(x), module(x), rtol=0, atol=0)
    other = {"chs_info": ["C3", "C4", "Fz"], "new_head": True}
    with pytest.raises(NeuriptError, match=r"pe_space\.table .* new_positions=True"):
        NeurIPT.from_pretrained(path, **other)
    fresh = NeurIPT.from_pretrained(path, **other, new_positions=True)
    assert fresh.encoder.pe_space.table.shape == (3, 12)


def test_folders_and_what_is_no_checkpoint(saved, tmp_path):
    _, folder = saved
    with pytest.raises(NeuriptError, match="2 checkpoints; name the file"):
        find_checkpoint(folder)
    (folder / "encoder.safetensors").rename(folder / "model.safetensors")
    assert find_checkpoint(folder).name == "model.safetensors"
    (tmp_path / "empty").mkdir()
    with pytest.raises(NeuriptError, match="no checkpoint"):
        find_checkpoint(tmp_path / "empty")
    for missing in ("nothing.safetensors", "a/b/c", "./here", "sub/nothing.safetensors"):
        with pytest.raises(NeuriptError, match="there is no checkpoint"):
            find_checkpoint(missing)


def test_hub_is_asked_for_a_repository(saved, monkeypatch):
    _, folder = saved
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(NeuriptError, match="pip install huggingface_hub"):
        find_checkpoint("neuript/tiny")
    asked = []

    def hf_hub_download(repo_id, filename, *, revision=None):
        asked.append((repo_id, filename, revision))
        if repo_id == "neuript/gone":
            raise FileNotFoundError("404: no such repository")
        return str(folder / "whole.safetensors")

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    NeurIPT.from_pretrained("neuript/tiny", revision="v1")
    assert asked == [("neuript/tiny", "model.safetensors", "v1")]
    with pytest.raises(NeuriptError, match=r"neuript/gone .* 404"):
        find_checkpoint("neuript/gone")


def test_other_models_and_damage_are_refused(saved):
    module, folder = saved
    manifest = manifest_of(module, ("a", "b", "c"))
    hybrid = {"architecture": "hybrid", "network": module.config.to_dict(), "weights": [1, 0]}
    path = folder / "other.safetensors"
    save_checkpoint(path, module, replace(manifest, model=hybrid))
    with pytest.raises(NeuriptError, match="architecture 'hybrid'"):
        NeurIPT.from_pretrained(path)
    save_checkpoint(path, module, replace(manifest, preprocess={**manifest.preprocess, "sfreq": 128.0}))
    with pytest.raises(NeuriptError, match="runs at 128 Hz"):
        NeurIPT.from_pretrained(path)
    data = bytearray((folder / "whole.safetensors").read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelRefusedError, match="damaged"):
        NeurIPT.from_pretrained(path)


def test_reset_head_keeps_the_encoder(x):
    module = build()
    before = {k: v.clone() for k, v in module.encoder.state_dict().items()}
    module.reset_head(7)
    assert module(x).shape == (5, 7)
    assert module.config.n_outputs == module.n_outputs == 7
    assert all(torch.equal(before[k], v) for k, v in module.encoder.state_dict().items())


def test_reachable_from_the_package_and_exportable(x):
    assert neuript.NeurIPT is NeurIPT
    assert "NeurIPTClassifier" in dir(neuript)
    with pytest.raises(AttributeError, match="nothing"):
        _ = neuript.nothing
    module = build(n_times=128, sfreq=128.0)
    wide = torch.tensor(np.repeat(x.numpy(), 2, axis=-1))
    program = torch.export.export(module, (wide,)).module()
    torch.testing.assert_close(program(wide), module(wide), rtol=1e-4, atol=1e-5)
