"""Engines of TensorRT-RTX are built here, without a GPU; what is no graph of ours is refused with its reason."""

from __future__ import annotations

import sys

import pytest
import torch
from networks import made_up_network

from neuript.engines.rtx_build import BINDINGS, build_network_plan, build_plan
from neuript.engines.rtx_runner import RtxEngine
from neuript.errors import EngineRefusedError, NeuriptError

pytestmark = pytest.mark.timeout(600)  # the export takes ten seconds of a processor of its own


@pytest.fixture(scope="session")
def plain_onnx(onnx: bytes) -> bytes:
    """The graph with its logits alone."""
    pytest.importorskip(BINDINGS)
    model = pytest.importorskip("onnx").load_from_string(onnx)
    del model.graph.output[1:]
    return model.SerializeToString()


def test_a_network_is_one_engine(plain_onnx: bytes):
    plan = build_plan(plain_onnx)
    assert (plan.n_engines, plan.n_parts) == (1, 1)
    assert (plan.input_shape, plan.output_shape) == ((1, 6, 64), (1, 3))
    assert "HALF" not in plan.layer_types
    assert plan.layer_types["FLOAT"] > 50
    assert len(plan.data) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(("size", "megabytes"), [("tiny", 40), ("small", 90), ("base", 500)])
def test_the_sizes_of_use(size, megabytes, precision, request):
    if "slow" not in request.config.option.markexpr:
        pytest.skip("takes minutes; run with -m slow")
    for package in (BINDINGS, "onnx", "onnxscript"):
        pytest.importorskip(package)
    plan = build_network_plan(made_up_network(size, 20, n_times=256), precision)
    assert (plan.n_engines, plan.input_shape, plan.output_shape) == (1, (1, 20, 256), (1, 3))
    assert ("HALF" in plan.layer_types) is (precision == "float16")
    assert 1e6 < len(plan.data) < megabytes * 1e6
    assert plan.seconds < 120


def _truncated(onnx: bytes) -> bytes:
    return onnx[: len(onnx) // 2]


def _other_operator(onnx: bytes) -> bytes:
    package = pytest.importorskip("onnx")
    model = package.load_from_string(onnx)
    next(node for node in model.graph.node if node.op_type == "MatMul").op_type = "MatMulOfSomebody"
    return model.SerializeToString()


def _other_shape(onnx: bytes) -> bytes:
    package = pytest.importorskip("onnx")
    model = package.load_from_string(onnx)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7
    return model.SerializeToString()


def _other_opset(onnx: bytes) -> bytes:
    package = pytest.importorskip("onnx")
    model = package.load_from_string(onnx)
    model.opset_import[0].version = 999
    return model.SerializeToString()


@pytest.mark.parametrize("change", [_truncated, _other_operator, _other_shape, _other_opset, lambda _: b""])
def test_another_graph_is_refused_in_one_sentence(plain_onnx: bytes, change):
    with pytest.raises(EngineRefusedError, match="TensorRT-RTX cannot") as caught:
        build_plan(change(plain_onnx))
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, BINDINGS, None)
    with pytest.raises(NeuriptError, match=r"neuript\[tensorrt\]"):
        build_plan(b"")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_it_does_not_run_without_a_gpu():
    with pytest.raises(EngineRefusedError, match="needs an NVIDIA GPU"):
        RtxEngine(b"")
