"""Tensors of PyTorch and of NumPy, to and from the bytes in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuript.modelfile.tensor_file import KINDS, TensorBytes

_KIND_OF = {getattr(torch, dtype): kind for kind, (dtype, _) in KINDS.items()}


def to_bytes(tensor: Tensor) -> TensorBytes:
    """Return a tensor as it goes into a file: a copy in full, also of one that shares its memory with another."""
    plain = tensor.detach().to("cpu").contiguous()
    return TensorBytes(_KIND_OF[plain.dtype], tuple(plain.shape), plain.reshape(-1).view(torch.uint8).numpy().tobytes())


def state_to_bytes(state: Mapping[str, Tensor]) -> dict[str, TensorBytes]:
    """Return the tensors of a module's state as they go into a file."""
    return {name: to_bytes(tensor) for name, tensor in state.items()}


def to_tensor(stored: TensorBytes) -> Tensor:
    """Return a stored tensor, on the CPU and in memory of its own."""
    dtype = getattr(torch, KINDS[stored.kind][0])
    if not len(stored.data):
        return torch.empty(stored.shape, dtype=dtype)
    return torch.frombuffer(bytearray(stored.data), dtype=dtype).view(stored.shape)


def to_state(stored: Mapping[str, TensorBytes]) -> dict[str, Tensor]:
    """Return stored tensors by name, on the CPU."""
    return {name: to_tensor(tensor) for name, tensor in stored.items()}


def from_array(array: NDArray[Any]) -> TensorBytes:
    """Return an array as it goes into a file."""
    return to_bytes(torch.from_numpy(np.ascontiguousarray(array)))
