"""The small convolutional networks that stand beside NeurIPT: EEGNet and ShallowFBCSPNet of braindecode.

They get the same windows in volts; a fixed gain brings these to about one, as the networks expect.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.errors import NeuriptError

NETS = {"eegnet": "EEGNet", "shallow": "ShallowFBCSPNet"}
"""Class in `braindecode.models`, keyed by the name on the command line."""
MIN_TIMES = 64
"""Shortest window that the pooling of the networks leaves something of, in samples."""


class ScaledNet(nn.Module):
    """A network behind a fixed gain.

    Parameters
    ----------
    net : nn.Module
        The network: from (batch, n_chans, n_times) to logits (batch, n_outputs).
    rms_v : float
        Amplitude in volts that becomes one before the network.
    """

    gain: Tensor

    def __init__(self, net: nn.Module, rms_v: float) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("gain", torch.tensor(1.0 / rms_v))

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Logits of windows in volts."""
        return self.net(x_BDT * self.gain)  # type: ignore[no-any-return]


def build_net(name: str, x_NDT: NDArray[np.float32], *, n_outputs: int, sfreq: float, seed: int) -> ScaledNet:
    """Return a freshly initialised network.

    Parameters
    ----------
    name : str
        Name of the network, one of `NETS`.
    x_NDT : ndarray, shape (n_windows, n_chans, n_times)
        Training windows in volts; they give the shape and the gain.
    n_outputs : int
        Number of classes.
    sfreq : float
        Sampling rate of the windows in Hz.
    seed : int
        Seed of the initial weights.

    Raises
    ------
    NeuriptError
        If there is no such network, braindecode is missing, or the windows are too short.
    """
    if name not in NETS:
        raise NeuriptError(f"there is no network {name!r}; choose {', '.join(NETS)}")
    n_chans, n_times = x_NDT.shape[1:]
    if n_times < MIN_TIMES:
        raise NeuriptError(f"windows of {n_times} samples are too short for {NETS[name]}; it needs {MIN_TIMES}")
    models = import_braindecode()
    options: dict[str, Any] = {
        "n_chans": n_chans, "n_times": n_times, "n_outputs": n_outputs, "sfreq": sfreq,
    }  # fmt: skip
    if name == "shallow":
        options["final_conv_length"] = "auto"
    rms_v = float(np.sqrt(np.mean(np.square(x_NDT, dtype=np.float64))))
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of braindecode about its own defaults
        torch.manual_seed(seed)
        net = getattr(models, NETS[name])(**options)
    return ScaledNet(net, max(rms_v, 1e-12))


def import_braindecode() -> Any:
    """Return the module `braindecode.models`.

    It imports torchaudio, whose compiled part does not load beside a PyTorch without CUDA, nor beside
    one of another CUDA version. Then torchaudio is imported without that part: in pure Python it
    does all that braindecode asks.

    Raises
    ------
    NeuriptError
        If braindecode is not installed, or cannot be imported even so.
    """
    if "braindecode.models" in sys.modules:
        return sys.modules["braindecode.models"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _import_torchaudio()
            return importlib.import_module("braindecode.models")
    except (ImportError, OSError, RuntimeError) as error:
        raise NeuriptError(
            "EEGNet and ShallowFBCSPNet come from braindecode, which cannot be imported "
            f'({str(error).splitlines()[0][:120]}); pip install "neuript[train]", or leave them out'
        ) from error


def _import_torchaudio() -> None:
    before = set(sys.modules)
    try:
        importlib.import_module("torchaudio")
    except ModuleNotFoundError:
        return  # not every version of braindecode needs it; if this one does, it will say so
    except (OSError, RuntimeError):
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "torchaudio":
                del sys.modules[name]
        with _no_compiled_torchaudio():
            importlib.import_module("torchaudio")


@contextmanager
def _no_compiled_torchaudio() -> Iterator[None]:
    """Let torchaudio find no compiled library in its folder `lib`, as in a build without any."""
    glob = Path.glob

    def without_library(self: Path, pattern: str, *args: Any, **options: Any) -> Iterator[Path]:
        if self.parts[-2:] == ("torchaudio", "lib"):
            return iter(())
        return iter(glob(self, pattern, *args, **options))

    Path.glob = without_library  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Path.glob = glob  # type: ignore[method-assign]
