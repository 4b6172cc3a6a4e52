"""Settings of each test's own, a toy and a small network, and the files of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import eight_electrodes
import pytest
import torch
import toy_model

from neuript.modelfile.deployable import save_model
from neuript.network.network import NeurIPTNetwork


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def same_threads_after() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy() -> NeurIPTNetwork:
    return toy_model.toy_network()


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("toy") / "mi.ts"
    save_model(path, toy_model.toy_network(), toy_model.make_manifest())
    return path.read_bytes()


@pytest.fixture
def saved(tmp_path: Path, toy_file: bytes) -> Path:
    path = tmp_path / "mi.ts"
    path.write_bytes(toy_file)
    return path


@pytest.fixture(scope="session")
def network() -> NeurIPTNetwork:
    torch.manual_seed(1)
    return NeurIPTNetwork(eight_electrodes.CONFIG, eight_electrodes.POS_M, list(eight_electrodes.LOBES.values())).eval()


@pytest.fixture(scope="session")
def deployed(network: NeurIPTNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of the small network; nobody writes to it."""
    path = tmp_path_factory.mktemp("models") / "mi.ts"
    save_model(path, network, eight_electrodes.make_manifest())
    return path
