"""Classic TensorRT: what is asked of it exists in the real package, and engines are kept for one GPU and version."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from pathlib import Path

import pytest
import torch

from neuript.engines import torch_tensorrt_engine
from neuript.engines.torch_tensorrt_engine import SETTINGS, engine_key, is_built
from neuript.errors import EngineRefusedError, NeuriptError

VERSIONS = {"gpu": "One", "capability": "9.0", "driver": "1", "tensorrt": "11", "torch_tensorrt": "2", "torch": "2"}


def test_the_settings_are_arguments_of_the_real_function():
    """It swallows what it does not know, so that a wrong name would be silent; it cannot be imported without a GPU."""
    try:
        files = importlib.metadata.files("torch-tensorrt") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("torch-tensorrt is not installed")
    source = next(file for file in files if str(file).endswith("torch_tensorrt/dynamo/_compiler.py"))
    names = arguments(Path(source.locate()).read_text("utf-8"), "convert_exported_program_to_serialized_trt_engine")
    assert {"arg_inputs", "timing_cache_path", *SETTINGS} <= names


def arguments(source: str, name: str) -> set[str]:
    tree = ast.parse(source)
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}


def test_an_engine_is_for_one_model_shape_gpu_and_version():
    key = engine_key("1" * 64, (8, 128), VERSIONS)
    others = [engine_key("2" * 64, (8, 128), VERSIONS), engine_key("1" * 64, (8, 256), VERSIONS)]
    others += [engine_key("1" * 64, (8, 128), VERSIONS | {name: "other"}) for name in VERSIONS]
    assert len({key, *others}) == 1 + len(others)
    assert key == engine_key("1" * 64, (8, 128), dict(reversed(VERSIONS.items())))


def test_without_a_gpu_or_the_package_it_is_refused_in_a_sentence(monkeypatch, network):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineRefusedError, match="needs an NVIDIA GPU, and PyTorch sees none"):
        torch_tensorrt_engine.TorchTensorRtEngine(network, (6, 64))
    assert not is_built("1" * 64, (6, 64))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(NeuriptError, match=r"neuript\[torch-tensorrt\]"):
        torch_tensorrt_engine.TorchTensorRtEngine(network, (6, 64))
