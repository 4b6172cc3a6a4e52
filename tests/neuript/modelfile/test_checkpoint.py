from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_manifest
from torch import nn

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from neuript.modelfile.describe import describe_model, read_manifest


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    module.add_module("again", module[0])
    return module


@pytest.fixture
def saved(tmp_path: Path, module: nn.Module) -> Path:
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, module, make_manifest(classes=()))
    return path


def test_round_trip_is_exact(saved: Path, module: nn.Module) -> None:
    manifest, state = load_checkpoint(saved)
    assert state.keys() == module.state_dict().keys()
    for name, tensor in module.state_dict().items():
        assert torch.equal(state[name], tensor)
        assert state[name].dtype == tensor.dtype
    assert manifest.weights_sha256 == weights_sha256(module.state_dict())
    assert read_manifest(saved) == manifest
    assert "none (encoder only)" in describe_model(saved)


def test_hash_sees_names_types_shapes_and_values() -> None:
    base = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    others = [
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3, dtype=torch.int32), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.ones(1).nextafter(torch.tensor(2.0))},
    ]
    hashes = {weights_sha256(state) for state in (base, *others)}
    assert len(hashes) == 5
    assert weights_sha256(dict(reversed(base.items()))) == weights_sha256(base)
    strided = {"a": torch.zeros(3, 2).T, "b": torch.ones(1)}
    assert weights_sha256(strided) == weights_sha256(base)


def test_every_truncation_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for cut in {*range(0, len(data), 37), len(data) - 1}:
        saved.write_bytes(data[:cut])
        with pytest.raises(ModelRefusedError):
            load_checkpoint(saved)


def test_a_changed_byte_is_refused_or_without_effect(saved: Path, rng: np.random.Generator) -> None:
    data = bytearray(saved.read_bytes())
    expected_manifest, expected = load_checkpoint(saved)
    refusals = 0
    positions = [*range(100), *rng.integers(0, len(data), 300)]
    for position in positions:
        old = data[position]
        data[position] ^= int(rng.integers(1, 256))
        saved.write_bytes(data)
        data[position] = old
        try:
            manifest, state = load_checkpoint(saved)
        except ModelRefusedError:
            refusals += 1
            continue
        assert manifest == expected_manifest  # only the header's padding may change unseen
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[k], expected[k]) for k in state)
    assert refusals > 0.95 * len(positions)


def test_files_without_a_manifest_and_other_files(tmp_path: Path) -> None:
    from safetensors.torch import save

    path = tmp_path / "x.safetensors"
    for content, match in [
        (save({"a": torch.zeros(2)}), "no neuript manifest"),
        (save({"a": torch.zeros(2)}, {"neuript.manifest": "{}"}), "manifest was changed"),
        (b"\x80\x04N.", "not a safetensors"),
        ((1 << 60).to_bytes(8, "little") + b"{" * 100, "not a safetensors"),
        ((100).to_bytes(8, "little") + b"{" + b"[" * 99, "not valid JSON"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ModelRefusedError, match=match):
            load_checkpoint(path)


def test_a_tensor_list_that_lies_about_sizes(saved: Path) -> None:
    data = saved.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = next(k for k in header if k != "__metadata__")
    header[name]["shape"] = [1 << 40, 1 << 40]
    text = json.dumps(header).encode()
    saved.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(ModelRefusedError, match="damaged"):
        load_checkpoint(saved)


def test_a_failed_write_keeps_the_old_file(saved: Path, module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    old = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NeuriptError, match="No space left"):
        save_checkpoint(saved, module, make_manifest())
    assert saved.read_bytes() == old
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
