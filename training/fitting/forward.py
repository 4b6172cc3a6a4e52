"""Networks on windows that are read in batches: logits, probabilities and features, in evaluation mode.

Suffixes: B batch, D channels, T samples, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.network.config import Precision
from neuript.network.network import NeurIPTNetwork


def device_of(model: nn.Module) -> torch.device:
    """Where the parameters of a model are; the CPU for one without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Arithmetic of a forward pass in some precision; the weights stay as they are."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed what draws from PyTorch's global generator (weights, dropout, router noise), and put its state back."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


def in_batches(
    model: nn.Module,
    function: Callable[[Tensor], Tensor],
    x_NDT: NDArray[np.float32],
    *,
    batch_size: int = 64,
    precision: Precision = "fp32",
) -> Tensor:
    """Run a function of a model over windows, with the model in evaluation mode and without gradients.

    Parameters
    ----------
    model : nn.Module
        The module that `function` belongs to; its mode is put back afterwards.
    function : callable
        Takes windows (B, D, T) in volts on the model's device and returns a tensor whose first axis is B.
    x_NDT : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts, float32; read batch by batch.
    batch_size : int
        Windows per call.
    precision : {"bf16", "fp32"}
        Arithmetic of the calls: autocast to bfloat16, or float32.

    Returns
    -------
    Tensor, shape (n_windows, ...)
        The results in one piece, on the CPU, in the type that the function gives.
    """
    if not len(x_NDT):  # the shape of nothing is that of something
        one = np.zeros((1, *x_NDT.shape[1:]), dtype=np.float32)
        return in_batches(model, function, one, precision=precision)[:0]
    was_training, device = model.training, device_of(model)
    model.eval()
    parts = []
    try:
        with torch.inference_mode(), autocast(device, precision):
            for start in range(0, len(x_NDT), batch_size):
                x_BDT = torch.from_numpy(np.array(x_NDT[start : start + batch_size], order="C"))
                parts.append(function(x_BDT.to(device)).cpu())
    finally:
        model.train(was_training)
    return torch.cat(parts).clone()  # a tensor that may take part in a training


def predict_logits(
    model: nn.Module, x_NDT: NDArray[np.float32], *, batch_size: int = 64, precision: Precision = "fp32"
) -> NDArray[np.float64]:
    """Logits of windows in volts, (n_windows, K), or (n_windows, 1) for two classes.

    Parameters
    ----------
    model : nn.Module
        Map from windows (B, D, T) in volts to logits.
    x_NDT : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts, float32.
    batch_size : int
        Windows per forward pass.
    precision : {"bf16", "fp32"}
        Arithmetic of the forward pass.
    """
    return in_batches(model, model, x_NDT, batch_size=batch_size, precision=precision).double().numpy()


def predict(
    model: nn.Module, x_NDT: NDArray[np.float32], *, batch_size: int = 64, precision: Precision = "fp32"
) -> NDArray[np.float64]:
    """Class probabilities (n_windows, K) of windows in volts.

    Takes the arguments of `predict_logits`.
    """
    return probabilities(predict_logits(model, x_NDT, batch_size=batch_size, precision=precision))


def probabilities(logits_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax of logits (n_windows, K), or both class probabilities of a single logit (n_windows, 1)."""
    logits = torch.as_tensor(logits_NK)
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits.softmax(dim=1).numpy()


def pooled_features(
    model: NeurIPTNetwork, x_NDT: NDArray[np.float32], *, batch_size: int = 64, precision: Precision = "fp32"
) -> Tensor:
    """Feature vectors that the head sees, float32, (n_windows, n_features).

    Takes the arguments of `predict_logits`, with a network that has `features`.
    """
    return in_batches(model, model.features, x_NDT, batch_size=batch_size, precision=precision).float()
