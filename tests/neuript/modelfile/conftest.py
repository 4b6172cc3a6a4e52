"""A list of trusted models of each test's own, a toy and a small network, and the files of both."""

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
def toy() -> toy_model.Toy:
    torch.manual_seed(0)
    return toy_model.Toy().eval()


@pytest.fixture
def saved(tmp_path: Path, toy: toy_model.Toy) -> Path:
    path = tmp_path / "mi.ts"
    save_model(path, toy, toy_model.make_manifest())
    return path


@pytest.fixture(scope="session")
def network() -> NeurIPTNetwork:
    torch.manual_seed(1)
    return NeurIPTNetwork(eight_electrodes.CONFIG, eight_electrodes.POS_M, list(eight_electrodes.LOBES.values())).eval()


@pytest.fixture(scope="session")
def files(network: NeurIPTNetwork, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same model as a TorchScript and as an export program; nobody writes to them."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder))
        for name in ("mi.ts", "mi.pt2"):
            save_model(folder / name, network, eight_electrodes.make_manifest())
    return {"ts": folder / "mi.ts", "pt2": folder / "mi.pt2"}
