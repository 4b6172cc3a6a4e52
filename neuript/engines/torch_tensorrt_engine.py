"""Classic TensorRT by Torch-TensorRT: the network alone, compiled for this very GPU and these versions, in float32.

What is kept are the engine's own bytes with their hash, never a program that would be unpickled. Nothing in this module
has run yet, as in `neuript.engines.plan_engine`; a test compares its calls with the signatures of the real package.
"""

from __future__ import annotations

import copy
import importlib
import logging
import subprocess
import time
from typing import Any

import torch
from torch import nn

from neuript.engines.plan_engine import PlanEngine, need_gpu
from neuript.engines.plan_store import has_plan, keep_plan, kept_plan, plan_key
from neuript.errors import EngineRefusedError
from neuript.extras import of_extra
from neuript.user_folders import cache_dir, private_dir

log = logging.getLogger(__name__)

NAME = "torch-tensorrt"
SETTINGS: dict[str, Any] = {"disable_tf32": True, "require_full_compilation": True, "version_compatible": False}
"""Settings of `convert_exported_program_to_serialized_trt_engine`; number types are those of the network."""


class TorchTensorRtEngine(PlanEngine):
    """The network through Torch-TensorRT (extra `torch-tensorrt`), from the user's folder if it was built before.

    Parameters
    ----------
    network : Module
        A `NeurIPTNetwork`, in float32.
    shape : tuple of int
        Channels and samples of its windows.
    weights_sha256 : str
        What identifies the network; empty keeps nothing.

    Raises
    ------
    EngineRefusedError
        If there is no GPU, or the network cannot be compiled.
    NeuriptError
        If the extra is not installed.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, int], weights_sha256: str = "") -> None:
        versions = fingerprint()
        key = engine_key(weights_sha256, shape, versions)
        data = kept_plan(key) if weights_sha256 else None
        if data is None:
            data = _compile(network, shape, versions)
            if weights_sha256:
                keep_plan(key, data)
        super().__init__(importlib.import_module("tensorrt"), data, NAME)


def is_built(weights_sha256: str, shape: tuple[int, int]) -> bool:
    """Say whether the engine of a network is kept for this GPU and these versions; False where it cannot be known."""
    try:
        return has_plan(engine_key(weights_sha256, shape, fingerprint()))
    except Exception:  # noqa: BLE001  no GPU, not installed, or a broken library: it is not built
        return False


def engine_key(weights_sha256: str, shape: tuple[int, int], versions: dict[str, str]) -> str:
    """Return what the engine of a network is called by on this computer."""
    return plan_key(engine=NAME, weights=weights_sha256, shape=list(shape), settings=SETTINGS, versions=versions)


def fingerprint() -> dict[str, str]:
    """Return what an engine depends on: GPU, its capability, driver and versions.

    Raises
    ------
    EngineRefusedError
        If there is no NVIDIA GPU.
    NeuriptError
        If torch-tensorrt is not installed.
    """
    need_gpu()
    torch_tensorrt = of_extra(NAME, "torch_tensorrt", "the engine torch-tensorrt")  # before tensorrt, which it loads
    tensorrt = of_extra(NAME, "tensorrt", "the engine torch-tensorrt")
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {
        "gpu": str(properties.name),
        "capability": f"{properties.major}.{properties.minor}",
        "driver": _driver_version(),
        "cuda": str(torch.version.cuda),
        "tensorrt": str(tensorrt.__version__),
        "torch_tensorrt": str(torch_tensorrt.__version__),
        "torch": str(torch.__version__),
    }


def _compile(network: nn.Module, shape: tuple[int, int], versions: dict[str, str]) -> bytes:
    """Return the bytes of the engine."""
    dynamo = importlib.import_module("torch_tensorrt.dynamo")
    log.info("compiling for %s with TensorRT %s ...", versions["gpu"], versions["tensorrt"])
    start = time.perf_counter()
    example = torch.zeros(1, *shape, device="cuda")
    timing = private_dir(cache_dir() / "engines") / "torch-tensorrt.timing"  # its default is a folder of everybody
    try:
        with torch.no_grad():
            exported = torch.export.export(copy.deepcopy(network).eval().to("cuda"), (example,))
        data = dynamo.convert_exported_program_to_serialized_trt_engine(
            exported, arg_inputs=[example], timing_cache_path=str(timing), **SETTINGS
        )
    except Exception as error:  # converters and builders raise many kinds
        raise EngineRefusedError(
            f"TensorRT cannot compile the network: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    log.info("compiled in %.0f s", time.perf_counter() - start)
    return bytes(data)


def _driver_version() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip().splitlines()[0].strip() if done.stdout.strip() else "unknown"
