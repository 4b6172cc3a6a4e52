"""A network on another device: what else there is stays on the CPU, and no device meets another."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eight_electrodes import N_TANGENT, eeg, hybrid_of, make_manifest
from toy_model import N_CHANS, N_TIMES, toy_network

from neuript.modelfile import engines
from neuript.modelfile.deployable import load_model, open_model, save_model
from neuript.modelfile.placement import OnDevice, placed
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


class There(torch.nn.Module):
    """Stands for a device: says where it was put, and answers on the CPU."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        super().__init__()
        self.module, self.device = module, device

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)


@pytest.mark.parametrize("parts", ["both", "tangent", "network", "gated"])
def test_only_the_network_leaves_the_cpu(
    network: NeurIPTNetwork, parts: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _ = hybrid_of(network, parts)
    window, tangent = torch.from_numpy(eeg(rng).T.copy())[None], torch.randn(1, N_TANGENT)
    monkeypatch.setattr("neuript.modelfile.placement.OnDevice", There)
    moved = placed(module, "meta")
    with torch.inference_mode():
        assert torch.equal(moved(window, tangent), module(window, tangent))
    assert (moved.network is not None) == (parts != "tangent")
    assert moved.network is None or moved.network.device == "meta"
    assert {t.device.type for t in moved.state_dict().values()} == {"cpu"}


def test_the_module_itself_stays_where_it_is(network: NeurIPTNetwork) -> None:
    for module in (network, hybrid_of(network, "both")[0]):
        placed(module, "meta")
        assert {t.device.type for t in module.state_dict().values()} == {"cpu"}
    assert OnDevice(network, "cpu")(torch.zeros(2, 8, 128)).shape == (2, 3)


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
    expected = open_model(path, engine="eager").infer(window, tangent)
    monkeypatch.setattr("neuript.network.gpu.cpu_or_gpu", lambda device: "meta")
    monkeypatch.setattr(engines, "ladder", lambda *_: [("eager", "meta"), ("eager", "cpu")])
    built = open_model(path, device="cuda")
    assert (built.name, built.device) == ("eager", "cpu")
    assert "eager on meta is not used, the next engine is tried: " in caplog.text
    np.testing.assert_array_equal(built.infer(window, tangent), expected)
    assert {t.device.type for t in load_model(path).module.state_dict().values()} == {"cpu"}


@pytest.mark.gpu
@pytest.mark.parametrize("parts", ["both", "network", "tangent", "gated"])
def test_on_this_gpu(network: NeurIPTNetwork, parts: str, tmp_path: Path, rng: np.random.Generator) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    path = tmp_path / "mi.ts"
    save_model(path, *hybrid_of(network, parts))
    here, there = open_model(path), open_model(path, device="cuda", engine="eager")
    assert there.device == "cuda"
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT)
    np.testing.assert_allclose(there.infer(window, tangent), here.infer(window, tangent), atol=2e-2)
    assert make_manifest().classes == here.manifest.classes
