"""Asked with or without a GPU here, and by everybody who asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

import neuript.weights
from neuript.errors import NeuriptError
from neuript.modelfile.deployable import open_model
from neuript.network.gpu import cpu_or_gpu
from neuript.training.fitting.torch_device import use_device
from neuript.training.pretrain.distributed import open_world
from neuript.training.pretrain.run_settings import PretrainRun

SEES_GPU = torch.cuda.device_count() > 0
MODEL = Path(neuript.weights.__path__[0]) / "demo.ts"


def test_auto_is_the_gpu_if_there_is_one():
    assert cpu_or_gpu("auto") == ("cuda" if SEES_GPU else "cpu")
    assert cpu_or_gpu("cpu") == "cpu"


def enter_world(device: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(open_world(PretrainRun(steps=1, device=device)))


@pytest.mark.skipif(SEES_GPU, reason="has a GPU")
@pytest.mark.parametrize(
    "ask",
    [cpu_or_gpu, use_device, enter_world, lambda device: open_model(MODEL, device=device)],
    ids=["network", "training", "pretraining", "model file"],
)
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(ask: Callable[[str], object]):
    with pytest.raises(NeuriptError, match=r"^device=cuda: PyTorch sees no GPU here; use cpu$"):
        ask("cuda")
