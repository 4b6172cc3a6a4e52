"""Networks, windows, and as many threads after a test as before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from networks import eeg_windows, made_up_network

from neuript.network.network import NeurIPTNetwork


@pytest.fixture(autouse=True)
def same_threads_after() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def network() -> NeurIPTNetwork:
    return made_up_network()


@pytest.fixture(scope="session")
def windows() -> np.ndarray:
    return eeg_windows(6)


@pytest.fixture(scope="session")
def graphed() -> NeurIPTNetwork:
    """A network of two blocks, since the export takes its time."""
    return made_up_network(merges=(1, 4), experts=(0, 2), seed=2)


@pytest.fixture(scope="session")
def onnx(graphed: NeurIPTNetwork) -> bytes:
    """That network with its routers as an ONNX graph."""
    from neuript.engines.onnx_export import export_onnx

    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    return export_onnx(graphed, routers=True)
