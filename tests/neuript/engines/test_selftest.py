"""Other people's engines are tried in another process: a crash, a hang and a lie are a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.engines.contract import EagerEngine
from neuript.engines.selftest import self_test
from neuript.errors import EngineRefusedError

pytestmark = pytest.mark.timeout(600)  # the export takes ten seconds of a processor of its own


def test_it_answers_as_here(graphed, windows, onnx):
    pytest.importorskip("onnxruntime")
    logits = self_test("onnxruntime", onnx, windows[:2])
    np.testing.assert_allclose(logits, EagerEngine(graphed)(windows[:2]), atol=1e-4)


def test_what_takes_too_long_is_ended(windows):
    with pytest.raises(EngineRefusedError, match=r"onnxruntime gave no answer within [\d.]+ s"):
        self_test("onnxruntime", b"", windows[:1], time_limit_s=0.01)


def test_what_does_not_run_is_told(windows):
    pytest.importorskip("onnxruntime")
    with pytest.raises(EngineRefusedError, match=r"onnxruntime ended with exit code 1: .*\S"):
        self_test("onnxruntime", b"no graph", windows[:1])
