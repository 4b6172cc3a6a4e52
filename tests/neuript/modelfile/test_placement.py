"""A network on another device: what else there is stays on the CPU, and no device meets another."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eight_electrodes import N_TANGENT, eeg, hybrid_of, make_manifest
from toy_model import N_CHANS, N_TIMES, toy_network

from neuript.engines import rungs
from neuript.engines.torch_engines import CudaEngine
from neuript.modelfile.deployable import open_model, save_model
from neuript.network.network import NeurIPTNetwork

SWITCHES: list[dict[str, Any]] = [
    {},
    {"pooling": "covariance", "covariance_heads": 2, "companding": "linear"},
    {"spatial_bias": True},
    {"spatial_pe": "learned_2d", "temporal_pe": "learned"},
    {"spatial_pe": "3d_shared", "gating": "source", "activation": "gelu", "head": "mlp"},
    {"pooling": "none", "remove_mean": True},
]


@pytest.fixture
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch knows no autocast for `meta`, and raises where it is asked for."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


@pytest.mark.usefixtures("no_autocast")
@pytest.mark.parametrize("switches", SWITCHES, ids=lambda s: ",".join(s) or "published")
def test_a_network_runs_wholly_where_it_is_put(switches: dict[str, Any]) -> None:
    """PyTorch's `meta` device computes shapes only, and refuses tensors of the CPU as a GPU does."""
    network = toy_network(**switches).to("meta")
    with torch.inference_mode():
        assert network(torch.zeros(1, N_CHANS, N_TIMES, device="meta")).shape == (1, 3)
        assert network(torch.zeros(1, N_CHANS, N_TIMES, device="meta")).device.type == "meta"


@pytest.mark.usefixtures("no_autocast")
def test_tensors_of_two_devices_are_noticed() -> None:
    network = toy_network().to("meta")
    network.encoder.pe_space.table = torch.zeros(N_CHANS, network.config.d_model)
    with torch.inference_mode(), pytest.raises(RuntimeError, match="on device cpu is not on the expected device"):
        network(torch.zeros(1, N_CHANS, N_TIMES, device="meta"))


@pytest.mark.usefixtures("no_autocast")
@pytest.mark.parametrize("parts", ["both", "network", "gated"])
def test_only_the_network_leaves_the_cpu(network: NeurIPTNetwork, parts: str) -> None:
    module, manifest = hybrid_of(network, parts)
    engine = CudaEngine(module.network, (manifest.n_chans, manifest.n_times), device="meta")
    assert engine._network is not module.network
    assert {t.device.type for t in engine._network.state_dict().values()} == {"meta"}
    assert {t.device.type for t in module.state_dict().values()} == {"cpu"}


@pytest.mark.usefixtures("no_autocast")
@pytest.mark.parametrize("parts", ["both", "network"])
def test_a_device_that_fails_leaves_decoding_to_the_cpu_with_a_sentence(
    network: NeurIPTNetwork,
    parts: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    rng: np.random.Generator,
) -> None:
    """`meta` cannot give numbers back, so the first window on it fails as it may on a broken GPU."""
    path = tmp_path / "mi.ts"
    save_model(path, *hybrid_of(network, parts))
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT)
    expected = open_model(path, engine="cpu").infer(window, tangent)
    monkeypatch.setattr(rungs, "CudaEngine", partial(CudaEngine, device="meta"))
    monkeypatch.setattr(rungs.CudaEngine, "name", "cuda", raising=False)
    built = open_model(path, engine="cuda")
    assert (built.name, built.device) == ("cpu", "cpu")
    assert "the engine cuda is not used: " in caplog.text
    np.testing.assert_array_equal(built.infer(window, tangent), expected)


@pytest.mark.gpu
@pytest.mark.parametrize("parts", ["both", "network", "gated"])
def test_on_this_gpu(network: NeurIPTNetwork, parts: str, tmp_path: Path, rng: np.random.Generator) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    path = tmp_path / "mi.ts"
    save_model(path, *hybrid_of(network, parts))
    here, there = open_model(path), open_model(path, engine="cuda")
    assert there.device == "cuda"
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT)
    np.testing.assert_allclose(there.infer(window, tangent), here.infer(window, tangent), atol=1e-3)
    assert make_manifest().classes == here.manifest.classes
