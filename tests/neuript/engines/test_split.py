"""What no engine has, eigenvalues, is computed beside it: the answers are those of the whole network."""

from __future__ import annotations

import numpy as np
import pytest
from networks import made_up_network

from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine
from neuript.engines.onnx_engines import OnnxRuntimeEngine
from neuript.engines.onnx_export import export_onnx
from neuript.engines.rtx_build import BINDINGS, build_plan
from neuript.engines.split import FinishedEngine, engine_part, finished, tail_of


@pytest.fixture(scope="module")
def covariances():
    """A network as a calibration makes it: it pools covariances."""
    return made_up_network(merges=(4,), experts=(0,), pooling="covariance", covariance_heads=2, seed=5)


def test_a_network_with_the_published_pooling_is_computed_whole(network):
    assert engine_part(network) is network
    assert tail_of(network) is None
    engine = EagerEngine(network)
    assert finished(engine, None) is engine


def test_part_and_tail_are_the_network(covariances, windows):
    whole, part = EagerEngine(covariances), EagerEngine(engine_part(covariances))
    assert part(windows).shape == (6, 2, 2, 6, 6)
    engine = FinishedEngine(part, tail_of(covariances))
    np.testing.assert_array_equal(engine(windows), whole(windows))
    assert (engine.name, engine.device, engine.precision) == ("eager", "cpu", "float32")


def test_a_window_without_numbers_has_no_answer_and_raises_nothing(covariances, windows):
    engine = FinishedEngine(EagerEngine(engine_part(covariances)), tail_of(covariances))
    assert np.isnan(engine(np.full_like(windows[:1], np.nan))).all()


@pytest.mark.timeout(600)
def test_its_graph_gives_the_same_answers_and_is_one_tensorrt_engine(covariances, windows):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    graph = export_onnx(covariances)
    engine = finished(OnnxRuntimeEngine(graph), tail_of(covariances))
    compare_engines(EagerEngine(covariances), engine, windows).check()
    pytest.importorskip(BINDINGS)
    plan = build_plan(graph)
    assert (plan.n_engines, plan.input_shape, plan.output_shape) == (1, (1, 6, 64), (1, 2, 2, 6, 6))
