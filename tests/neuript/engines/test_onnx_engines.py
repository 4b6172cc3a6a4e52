"""The ONNX graph in other people's engines: the network's answers, its routers' too, and nothing of this computer."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine, routed_layers
from neuript.engines.half_products import PRODUCTS, halve_products
from neuript.engines.onnx_engines import OnnxRuntimeEngine, OpenVinoEngine
from neuript.engines.onnx_export import OPSET, export_onnx
from neuript.errors import NeuriptError

pytestmark = pytest.mark.timeout(600)  # the export takes ten seconds of a processor of its own

ENGINES = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}


@pytest.mark.parametrize("name", ENGINES)
def test_the_answers_are_the_networks(name: str, onnx: bytes, graphed, windows):
    pytest.importorskip(name)
    engine = ENGINES[name](onnx)
    found = compare_engines(EagerEngine(graphed), engine, windows, graphed)
    found.check()
    assert found.expert_flips == 0
    with pytest.raises(Exception, match=r"(?i)shape|dimension|match"):
        engine(windows[:, :5])
    engine.close()


def test_the_graph_is_one_of_the_opset_without_paths(onnx: bytes):
    model = pytest.importorskip("onnx").load_from_string(onnx)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    (signal,) = model.graph.input
    assert [d.dim_value for d in signal.type.tensor_type.shape.dim] == [1, 6, 64]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert b".py" not in onnx


def test_products_in_half_precision_leave_the_routers_alone(onnx: bytes, graphed, windows):
    """ONNX Runtime casts where it has no product in half precision: the rounding is there, and so are the answers."""
    pytest.importorskip("onnxruntime")
    model = pytest.importorskip("onnx").load_from_string(onnx)
    n_products = sum(node.op_type in PRODUCTS for node in model.graph.node)
    halve_products(model, "float16")
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    whole = [node for node in products if not node.input[0].endswith("_half")]
    assert (len(products), len(whole)) == (n_products, len(routed_layers(graphed)))
    engine = OnnxRuntimeEngine(model.SerializeToString())
    found = compare_engines(EagerEngine(graphed), engine, windows, graphed)
    assert 1e-5 < found.max_probability_difference < 0.02
    assert found.expert_flips < 0.02


@pytest.mark.parametrize(("engine", "extra"), [(OnnxRuntimeEngine, "onnxruntime"), (OpenVinoEngine, "fast")])
def test_a_missing_package_is_named_with_its_extra(engine, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, engine.name, None)
    with pytest.raises(NeuriptError, match=rf"needs the package {engine.name}: pip install .neuript\[{extra}\]"):
        engine(b"")


def test_a_missing_exporter_is_named_with_its_extra(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(NeuriptError, match=r"neuript\[onnx\]"):
        export_onnx(network)


@pytest.mark.parametrize("name", ENGINES)
def test_a_damaged_graph_raises(name: str, onnx: bytes):
    pytest.importorskip(name)
    with pytest.raises(Exception, match=r"\S"):
        ENGINES[name](onnx[: len(onnx) // 2])(np.zeros((1, 6, 64), np.float32))
