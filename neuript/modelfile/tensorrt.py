"""TensorRT: compile ahead for this very GPU and these versions, keep the result, gate it by parity.

An engine file runs only on the kind of GPU and the versions that it was built with, so the cache is
keyed by both (`fingerprint`) and by the model. A cached engine can do anything a program can;
it is kept in a folder that only this user may write, its hash is checked, and it is never
exchanged. PyTorch Docs: "Saving models compiled with Torch-TensorRT".
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import logging
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.modelfile import trust
from neuript.modelfile.engines import Engine, golden_inputs, golden_tangents, parity
from neuript.user_folders import cache_dir

if TYPE_CHECKING:
    from torch import nn

    from neuript.modelfile.container import Golden
    from neuript.modelfile.manifest import Manifest

log = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {"disable_tf32": True}
"""Settings of `torch_tensorrt.dynamo.compile`; float32 throughout, since a window is small."""


class TensorRTUnavailableError(NeuriptError):
    """TensorRT cannot be used for this model here; another engine can."""


def fingerprint() -> dict[str, str]:
    """Return what an engine depends on: GPU, its capability, driver and versions.

    Raises
    ------
    TensorRTUnavailableError
        If there is no NVIDIA GPU or torch-tensorrt is not installed.
    """
    if not torch.cuda.is_available():
        raise TensorRTUnavailableError("PyTorch sees no NVIDIA GPU")
    try:
        tensorrt = importlib.import_module("tensorrt")
        torch_tensorrt = importlib.import_module("torch_tensorrt")
    except (ImportError, OSError) as error:
        raise TensorRTUnavailableError(
            f"torch-tensorrt cannot be loaded ({error}); install neuript[torch-tensorrt]"
        ) from error
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


def tensorrt_engine(
    module: nn.Module, manifest: Manifest, reference: Engine, golden: Golden, *, device: str = "cuda"
) -> Engine:
    """Return an engine from the cache, or compile one; it agrees with `reference` or is refused.

    Parameters
    ----------
    module : Module
        The eager model.
    manifest : Manifest
        Description of the model; its `weights_sha256` identifies the model in the cache.
    reference : Engine
        Another engine of the same model, whose logits the new one must give.
    golden : Golden
        The model's golden windows; made-up ones are added.

    Raises
    ------
    TensorRTUnavailableError
        If TensorRT is missing, does not compile the model or is not accurate; the message gives the reason, and the
        caller falls back to the next engine.
    """
    versions = fingerprint()
    path = cache_path(manifest, versions)
    parts = (golden.signal, golden.tangent) if manifest.n_tangent else (golden.signal,)
    example = tuple(torch.from_numpy(np.ascontiguousarray(part[:1])).to(device) for part in parts)
    program = _load_cached(path, versions)
    if program is None:
        program = _compile(copy.deepcopy(module).eval().to(device), example, path, versions)

    def forward(*inputs: torch.Tensor) -> torch.Tensor:
        return program(*(part.to(device) for part in inputs))  # type: ignore[no-any-return]

    engine = Engine(forward, manifest, name="tensorrt", device=device)
    try:
        engine.warm_up()
        signals = np.concatenate([golden.signal, golden_inputs(manifest, 60)])
        agreement = parity(reference, engine, signals, np.concatenate([golden.tangent, golden_tangents(manifest, 60)]))
    except RuntimeError as error:
        path.unlink(missing_ok=True)
        raise TensorRTUnavailableError(f"the TensorRT engine does not run: {error}") from error
    if not agreement.ok:
        path.unlink(missing_ok=True)
        raise TensorRTUnavailableError(f"the TensorRT engine is not accurate enough: {agreement}")
    log.info("TensorRT engine: %s", agreement)
    return engine


def cache_path(manifest: Manifest, versions: dict[str, str]) -> Path:
    """Return where the engine of a model is kept for one fingerprint."""
    about = {
        "weights": manifest.weights_sha256,
        "model": manifest.model,
        "montage": manifest.montage,
        "n_times": manifest.n_times,
        "settings": SETTINGS,
        "fingerprint": versions,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return cache_dir() / "engines" / f"{key[:32]}.ep"


def _load_cached(path: Path, versions: dict[str, str]) -> Any | None:
    """Return the cached program if it is intact, only ours and of this fingerprint; else None."""
    note = path.with_suffix(".json")
    if not (path.is_file() and note.is_file()):
        return None
    if not all(trust.only_mine(p) for p in (path.parent, path, note)):
        log.warning("%s can be written by others: the engine in it is not used", path.parent)
        return None
    try:
        about = json.loads(note.read_text("utf-8"))
        intact = hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]
        if not intact or about["fingerprint"] != versions:
            log.warning("the cached TensorRT engine is damaged or for another GPU; building it new")
            return None
        return torch.export.load(str(path)).module()
    except Exception as error:  # noqa: BLE001  whatever is wrong with a cache, the answer is to build it new
        log.warning("the cached TensorRT engine cannot be loaded (%s); building it new", error)
        return None


def _compile(module: nn.Module, example: tuple[torch.Tensor, ...], path: Path, versions: dict[str, str]) -> Any:
    torch_tensorrt = importlib.import_module("torch_tensorrt")
    log.info("compiling for %s with TensorRT %s ...", versions["gpu"], versions["tensorrt"])
    start = time.perf_counter()
    try:
        with torch.no_grad():
            exported = torch.export.export(module, example)
        compiled = torch_tensorrt.dynamo.compile(exported, arg_inputs=list(example), **SETTINGS)
    except Exception as error:  # converters and builders raise many kinds
        raise TensorRTUnavailableError(
            f"TensorRT cannot compile the model: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    log.info("compiled in %.0f s", time.perf_counter() - start)
    try:
        _store(torch_tensorrt, compiled, example, path, versions)
    except Exception as error:  # noqa: BLE001  a failed cache costs time at the next start, nothing else
        log.warning("the TensorRT engine is not kept: %s", error)
    return compiled


def _store(
    torch_tensorrt: Any, compiled: Any, example: tuple[torch.Tensor, ...], path: Path, versions: dict[str, str]
) -> None:
    folder = trust.private_dir(path.parent)
    os.chmod(folder, 0o700)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        file = Path(scratch) / "engine.ep"
        torch_tensorrt.save(compiled, str(file), arg_inputs=list(example))
        data = file.read_bytes()
    note = {"sha256": hashlib.sha256(data).hexdigest(), "fingerprint": versions}
    write_atomically(path, data, mode=0o600)
    write_atomically(path.with_suffix(".json"), json.dumps(note).encode(), mode=0o600)


def _driver_version() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip().splitlines()[0].strip() if done.stdout.strip() else "unknown"
