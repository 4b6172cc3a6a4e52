"""Whether networks run on a GPU: the one place that asks for what a user chose."""

from __future__ import annotations

import torch

from neuript.errors import NeuriptError


def sees_gpu() -> bool:
    """Say whether PyTorch can compute on a GPU here."""
    return bool(torch.cuda.is_available())


def cpu_or_gpu(device: str) -> str:
    """Return PyTorch's name of where to run.

    Parameters
    ----------
    device : str
        Name of a device, such as "cpu" or "cuda"; "auto" takes the GPU if PyTorch sees one.

    Raises
    ------
    NeuriptError
        If a GPU is asked for and PyTorch sees none.
    """
    if device == "auto":
        return "cuda" if sees_gpu() else "cpu"
    if device != "cpu" and not sees_gpu():
        raise NeuriptError(f"device={device}: PyTorch sees no GPU here; use cpu")
    return device
