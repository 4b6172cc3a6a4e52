"""Model files: write a deployable, and open one only after everything about it has been checked."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import check_writable, write_atomically
from neuript.modelfile import trust as trust_store
from neuript.modelfile.container import Container, Golden, is_checkpoint, parse, read_file, seal
from neuript.modelfile.manifest import Manifest

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neuript.modelfile.engines import Engine

log = logging.getLogger(__name__)


def save_model(
    path: str | Path, module: nn.Module, manifest: Manifest, golden_signal: NDArray[np.float32] | None = None
) -> Manifest:
    """Write a deployable; nothing is put in place before it has been opened again and agrees.

    Parameters
    ----------
    path : str or Path
        File to write; its ending chooses the format: `.ts` (TorchScript) or `.pt2` (torch.export).
    module : Module
        Model that maps a signal (batch, n_chans, n_times) to logits (batch, n_outputs), for a manifest with an
        alignment with the tangent vectors (batch, n_tangent) beside it; it is put into `eval` mode.
    manifest : Manifest
        Description of the model; the hash of its weights is filled in.
    golden_signal : ndarray, shape (n, n_chans, n_times), optional
        Windows whose outputs are stored and compared at every load. None means made-up EEG; a few real windows are
        better. Their tangent vectors, where the model takes some, are made up.

    Returns
    -------
    Manifest
        The manifest as it was written, with the hash of the weights.

    Raises
    ------
    NeuriptError
        If the file cannot be written (an old one is kept), or the module and its manifest
        disagree.
    """
    path = check_writable(path)
    if path.suffix not in _EXPORTERS:
        raise NeuriptError(f"{path.name} must end in {' or '.join(_EXPORTERS)}")
    container = _deployable(module, manifest, golden_signal, path.suffix, path.name)
    _engine(container, path.name, "auto", "cpu", None)
    write_atomically(path, container.data)
    trust_store.remember(container.sha256, how="written", name=path.name)
    return container.manifest


def open_model(
    path: str | Path,
    *,
    device: str = "cpu",
    engine: str = "auto",
    trust: bool = False,
    threads: int | None = None,
    expect_classes: Sequence[str] | None = None,
) -> Engine:
    """Open a deployable, or refuse it with the reason.

    The file is read once; its size, seal, structure and manifest are checked before PyTorch sees
    it, then whether it may run, then its weights and golden outputs.

    Parameters
    ----------
    path : str or Path
        A `.ts` or `.pt2` that `save_model` wrote, or a checkpoint of a classifier. A checkpoint
        holds nothing that runs, so it needs no trust; the module is built from its manifest.
    device : {'cpu', 'cuda', 'auto'}
        Where the model runs; `auto` takes the GPU if there is one.
    engine : str
        `auto`, or the name of one of `neuript.modelfile.engines.ENGINES`.
    trust : bool
        True runs the file although it is not known on this computer, and remembers it.
    threads : int, optional
        Number of CPU threads; None chooses by the model's size.
    expect_classes : sequence of str, optional
        Classes that the model must have, in any order; a model for others is refused. None takes any.

    Raises
    ------
    ModelRefusedError
        If the file is damaged, not trusted, not a classifier, or for other classes; the message gives the reason.
    """
    path = Path(path)
    data = read_file(path)
    if is_checkpoint(data):
        container = _from_checkpoint(path)
        _check_classes(container.manifest, expect_classes, path.name)
        return _engine(container, path.name, engine, device, threads)
    container = parse(data, path.name)
    _check_classes(container.manifest, expect_classes, path.name)
    _check_trust(container, trust, path.name)
    built = _engine(container, path.name, engine, device, threads)
    if trust:  # only now: it is intact and computes what it says
        trust_store.remember(container.sha256, how="--trust", name=path.name)
    return built


def read_manifest(path: str | Path) -> Manifest:
    """Return the manifest of a deployable or a checkpoint without running anything in it.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    path = Path(path)
    data = read_file(path)
    if is_checkpoint(data):
        from neuript.modelfile.checkpoint import load_checkpoint

        return load_checkpoint(path)[0]
    return parse(data, path.name).manifest


def _deployable(
    module: nn.Module, manifest: Manifest, golden_signal: NDArray[np.float32] | None, suffix: str, name: str
) -> Container:
    """Export a module, with the outputs it gives now as golden vectors."""
    import torch

    from neuript.modelfile import engines
    from neuript.modelfile.checkpoint import weights_sha256

    module = module.eval()
    signal = engines.golden_inputs(manifest) if golden_signal is None else golden_signal
    signal = np.ascontiguousarray(signal, dtype=np.float32)
    if signal.shape[1:] != (manifest.n_chans, manifest.n_times) or not len(signal):
        raise ValueError(f"golden_signal.shape={signal.shape}; expected (n, {manifest.n_chans}, {manifest.n_times})")
    tangent = engines.golden_tangents(manifest, len(signal))
    with torch.inference_mode():
        logits = torch.cat([module(*_one(signal, tangent, i)) for i in range(len(signal))]).float()
        if logits.shape[1] == 1 and manifest.n_outputs == 2:  # the paper's one binary logit
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    if not logits.isfinite().all():
        raise NeuriptError("the model gives NaN or infinity on its golden inputs; not written")
    if logits.shape != (len(signal), manifest.n_outputs):
        raise NeuriptError(
            f"the model gives {tuple(logits.shape[1:])} outputs, its manifest names {manifest.n_outputs}"
        )
    state = module.state_dict()
    manifest = manifest.with_weights(weights_sha256(state))
    archive = _EXPORTERS[suffix](module, _one(signal, tangent, 0))
    return parse(seal(archive, manifest, Golden(signal, tangent, logits.numpy()), list(state)), name)


def _one(signal: NDArray[np.float32], tangent: NDArray[np.float32], i: int) -> tuple[torch.Tensor, ...]:
    """What the module takes for window `i`: its signal and, with an alignment, its tangent vector."""
    import torch

    both = signal[i : i + 1], tangent[i : i + 1]
    return tuple(torch.from_numpy(part) for part in (both if tangent.shape[1] else both[:1]))


def _from_checkpoint(path: Path) -> Container:
    from neuript.modelfile.checkpoint import load_checkpoint
    from neuript.modelfile.rebuild import build_module

    manifest, state = load_checkpoint(path)
    if not manifest.classes:
        raise ModelRefusedError(
            f"{path.name} is a pretrained encoder without classes; fine-tune it with "
            "neuript-calibrate before decoding with it"
        )
    return _deployable(build_module(manifest, state), manifest, None, ".ts", path.name)


def _engine(container: Container, name: str, engine: str, device: str, threads: int | None) -> Engine:
    """Load the program, check its weights, and build the engine that was asked for."""
    from neuript.modelfile import engines
    from neuript.network.gpu import cpu_or_gpu
    from neuript.network.stack import reference_of

    if engine != "auto" and engine not in engines.ENGINES:
        raise NeuriptError(f"there is no engine {engine!r}; choose {', '.join(engines.ENGINES)}")
    device = cpu_or_gpu(device)
    native = {"ts": "torchscript", "pt2": "export"}[container.kind]
    if engine in ("torchscript", "export") and engine != native:
        raise NeuriptError(f"{name} has no program for the {engine} engine, but for {native}")
    program = _load_program(container, name)
    weights = _weights(program, container, name)
    built = _build(engine, native, program, weights, container, device, threads)
    built.reference = {field: values.double().numpy() for field, values in reference_of(weights).items()}
    engines.check_golden(built, container.golden, name)
    return built


def _build(
    engine: str,
    native: str,
    program: Any,
    weights: dict[str, torch.Tensor],
    container: Container,
    device: str,
    threads: int | None,
) -> Engine:
    from neuript.modelfile import engines
    from neuript.modelfile.rebuild import build_module

    manifest = container.manifest

    def as_saved() -> Engine:
        if native == "export":
            return engines.export_engine(program, manifest, device=device, threads=threads)
        return engines.torchscript_engine(program, manifest, device=device, threads=threads)

    if engine == "eager":
        module = build_module(manifest, weights)
        return engines.eager_engine(module, manifest, device=device, threads=threads)
    if engine == "compiled":
        module = build_module(manifest, weights)
        return engines.compiled_engine(module, manifest, device=device, threads=threads)
    if engine == "tensorrt" or (engine == "auto" and device != "cpu"):
        from neuript.modelfile.tensorrt import TensorRTUnavailableError, tensorrt_engine

        reference = as_saved()
        try:
            module = build_module(manifest, weights)
            return tensorrt_engine(module, manifest, reference, container.golden, device=device)
        except (TensorRTUnavailableError, ModelRefusedError) as error:
            log.warning("TensorRT is not used, %s on %s instead: %s", native, device, error)
            return reference
    return as_saved()


def _load_program(container: Container, name: str) -> Any:
    """Give the checked bytes to PyTorch."""
    import torch

    from neuript.modelfile.engines import quiet_jit

    stream = io.BytesIO(container.data)
    try:
        with quiet_jit():
            if container.kind == "ts":
                return torch.jit.load(stream, map_location="cpu")  # type: ignore[no-untyped-call]
            return torch.export.load(stream)
    except Exception as error:  # many kinds, depending on what in the program is not understood
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelRefusedError(f"{name} cannot be loaded by PyTorch {torch.__version__}: {reason[0][:200]}") from error


def _export_torchscript(module: nn.Module, example: tuple[torch.Tensor, ...]) -> bytes:
    import torch

    from neuript.modelfile.engines import quiet_jit

    out = io.BytesIO()
    with quiet_jit(), torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module, tuple(part.expand(2, *part.shape[1:]) for part in example), check_trace=False
        )
        torch.jit.save(traced, out)
    return out.getvalue()


def _export_program(module: nn.Module, example: tuple[torch.Tensor, ...]) -> bytes:
    import warnings

    import torch

    out = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, example), out)
    if b"/models/model.json" not in out.getvalue():  # the archive's form until PyTorch 2.7
        raise NeuriptError(f"PyTorch {torch.__version__} writes an older form of .pt2; write a .ts, or update PyTorch")
    return out.getvalue()


_EXPORTERS = {".ts": _export_torchscript, ".pt2": _export_program}


def _weights(program: Any, container: Container, name: str) -> dict[str, torch.Tensor]:
    """Return the program's weights by name, after comparing them with the manifest's hash."""
    from neuript.modelfile.checkpoint import weights_sha256

    state = program.state_dict
    state = state() if callable(state) else state
    if missing := [n for n in container.weight_names if n not in state]:
        raise ModelRefusedError(f"{name} lacks the weights {missing[0]!r}")
    weights = {n: state[n] for n in container.weight_names}
    if weights_sha256(weights) != container.manifest.weights_sha256:
        raise ModelRefusedError(f"{name}: the weights are not those that its manifest names")
    return weights


def _check_classes(manifest: Manifest, expected: Sequence[str] | None, name: str) -> None:
    if expected is not None and sorted(expected) != sorted(manifest.classes):
        raise ModelRefusedError(
            f"{name} tells apart {', '.join(manifest.classes)}, but {', '.join(expected)} were "
            "asked for; use a model that was calibrated for these"
        )


def _check_trust(container: Container, accept: bool, name: str) -> None:
    if not accept and not trust_store.is_trusted(container.sha256):
        raise ModelRefusedError(
            f"{name} (SHA-256 {container.sha256[:16]}...) was not written on this computer. A "
            "model is a program: if you know who made it, pass --trust once, it is remembered"
        )
