"""Where networks are trained on this computer, and with how many threads."""

from __future__ import annotations

import torch

from neuript.errors import NeuriptError
from neuript.network.gpu import cpu_or_gpu


def use_device(device: str, n_threads: int | None = None) -> None:
    """Set PyTorch's CPU threads (None leaves them), and refuse a device that is not there.

    Raises
    ------
    NeuriptError
        For less than one thread, a device that is neither "cpu" nor "cuda", or no GPU.
    """
    if n_threads is not None:
        if n_threads < 1:
            raise NeuriptError(f"--threads {n_threads} must be 1 or more")
        torch.set_num_threads(n_threads)
    if device not in ("cpu", "cuda"):
        raise NeuriptError(f"--device {device} must be cpu or cuda")
    cpu_or_gpu(device)
