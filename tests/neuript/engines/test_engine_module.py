"""The stack decides the same with an engine in the network's place."""

from __future__ import annotations

import numpy as np
import torch

from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.engine_module import EngineModule
from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch


def test_a_hybrid_decides_the_same(network, windows):
    rng = np.random.default_rng(0)
    weight, bias, tangent = (torch.from_numpy(rng.normal(size=s)).float() for s in ((3, 21), (3,), (6, 21)))
    branch = TangentBranch(weight, bias)
    logits = []
    for part in (network, EngineModule(CpuEngine(network))):
        hybrid = HybridClassifier(part, branch, (0.7, 0.4), torch.zeros(3)).eval()
        with torch.inference_mode():
            logits.append(hybrid(torch.from_numpy(windows), tangent).numpy())
    np.testing.assert_allclose(*logits, atol=1e-4)
