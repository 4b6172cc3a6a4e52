"""Model files: write one, and open one only after everything about it has been checked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import PRIVATE_FILE, check_writable, write_atomically
from neuript.modelfile.checked_model import Deployable
from neuript.modelfile.container import Part, is_sealed, pack, parse, read_file
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.old_files import convert, is_old
from neuript.modelfile.tensor_file import looks_like_tensors

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neuript.modelfile.engines import Engine

log = logging.getLogger(__name__)

SUFFIX = ".ts"
"""Ending of a model file."""


def save_model(
    path: str | Path,
    module: nn.Module,
    manifest: Manifest,
    golden_signal: NDArray[np.float32] | None = None,
    parts: Mapping[str, Part] | None = None,
    *,
    mode: int | None = None,
) -> Manifest:
    """Write a model file; nothing is put in place before it has been opened again and agrees.

    Parameters
    ----------
    path : str or Path
        File to write, NAME.ts.
    module : Module
        A `NeurIPTNetwork` or a `HybridClassifier`, as `manifest.model` says; it is put into `eval` mode.
    manifest : Manifest
        Description of the model; the hash of its weights is filled in.
    golden_signal : ndarray, shape (n, n_chans, n_times), optional
        Windows whose outputs are stored and compared at every load. None means made-up EEG; a few real windows are
        better. Their tangent vectors, where the model takes some, are made up.
    parts : mapping of str to Part, optional
        Bytes for engines, by name; None means none.
    mode : int, optional
        Permission bits of the file; None means those of the old one, or the user's default.

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
    path = _named(check_writable(path))
    return _write(path, _packed(module, manifest, golden_signal, parts), mode)


def load_model(path: str | Path, *, trust: bool = False) -> Deployable:
    """Read a model and check it, without an engine.

    Parameters
    ----------
    path : str or Path
        A `.ts` that `save_model` wrote, or a checkpoint of a classifier.
    trust : bool
        True reads a TorchScript file of neuript 0.1 although it is not known on this computer, and remembers it.

    Raises
    ------
    ModelRefusedError
        If the file is damaged or not a classifier; the message gives the reason.
    """
    path = Path(path)
    data = read_file(path)
    if is_old(data):
        data = convert(data, path, trust=trust)
    elif looks_like_tensors(data) and not is_sealed(data):
        data = _from_checkpoint(data, path.name)
    return Deployable(parse(data, path.name), path.name)


def export_model(source: str | Path, path: str | Path, *, trust: bool = False) -> Manifest:
    """Write the model file of a classifier's checkpoint, or of a file of neuript 0.1, and return its manifest.

    Parameters
    ----------
    source : str or Path
        What `load_model` reads.
    path : str or Path
        File to write, NAME.ts.
    trust : bool
        As for `load_model`.

    Raises
    ------
    NeuriptError
        If the source is refused, or the file cannot be written (an old one is kept).
    """
    deployable = load_model(source, trust=trust)
    return write_with_parts(deployable, check_writable(path, keep=(source,)), {})


def write_with_parts(deployable: Deployable, path: str | Path, parts: Mapping[str, Part]) -> Manifest:
    """Write a model's file anew with these parts beside or instead of its own, and return its manifest.

    Raises
    ------
    NeuriptError
        If the file cannot be written (an old one is kept).
    """
    return _write(Path(path), deployable.with_parts(parts), PRIVATE_FILE)


def open_model(
    path: str | Path,
    *,
    device: str = "cpu",
    engine: str = "auto",
    trust: bool = False,
    threads: int | None = None,
    expect_classes: Sequence[str] | None = None,
    patient: bool = False,
) -> Engine:
    """Open a model for decoding, or refuse it with the reason.

    The file is read once; its seal, layout, manifest and sizes are checked before PyTorch sees it, then its weights and
    golden outputs. What cannot be used on a GPU, for whatever reason, runs on the CPU, with a warning.

    Parameters
    ----------
    path : str or Path
        A `.ts` that `save_model` wrote, or a checkpoint of a classifier.
    device : {'cpu', 'cuda', 'auto'}
        Where the network runs; `auto` takes the GPU if there is one.
    engine : str
        One of `neuript.engines.ladder.ENGINE_NAMES`; `auto` takes the fastest of those that are installed.
    trust : bool
        True reads a TorchScript file of neuript 0.1 although it is not known on this computer, and remembers it.
    threads : int, optional
        Number of CPU threads; None chooses by the model's size.
    expect_classes : sequence of str, optional
        Classes that the model must have, in any order; a model for others is refused. None takes any.
    patient : bool
        True measures all engines that are installed, however long it takes, and remembers the fastest; False waits a
        second at most for engines that it does not know.

    Raises
    ------
    ModelRefusedError
        If the file is damaged, not a classifier, or for other classes; the message gives the reason.
    """
    from neuript.network.gpu import cpu_or_gpu

    deployable = load_model(path, trust=trust)
    _check_classes(deployable.manifest, expect_classes, deployable.name)
    return _engine(deployable, engine, cpu_or_gpu(device), threads, patient=patient)


def _named(path: Path) -> Path:
    if path.suffix != SUFFIX:
        raise NeuriptError(f"{path.name} must end in {SUFFIX}")
    return path


def _write(path: Path, data: bytes, mode: int | None = None) -> Manifest:
    """Put a file in place, once it has been opened and has given its golden outputs."""
    deployable = Deployable(parse(data, path.name), path.name)
    _engine(deployable, "eager", "cpu", None)
    write_atomically(_named(path), data, mode=mode)
    return deployable.manifest


def _packed(
    module: nn.Module,
    manifest: Manifest,
    golden_signal: NDArray[np.float32] | None,
    parts: Mapping[str, Part] | None = None,
) -> bytes:
    """Return the bytes of a module's file, with the outputs it gives now as golden vectors."""
    import torch

    from neuript.modelfile import engines
    from neuript.modelfile.torch_tensors import from_array, state_to_bytes, to_bytes

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
    vectors = {"signal": from_array(signal), "tangent": from_array(tangent), "logits": to_bytes(logits)}
    return pack(manifest, state_to_bytes(module.state_dict()), vectors, parts)


def _one(signal: NDArray[np.float32], tangent: NDArray[np.float32], i: int) -> tuple[torch.Tensor, ...]:
    """What the module takes for window `i`: its signal and, with an alignment, its tangent vector."""
    import torch

    both = signal[i : i + 1], tangent[i : i + 1]
    return tuple(torch.from_numpy(part) for part in (both if tangent.shape[1] else both[:1]))


def _from_checkpoint(data: bytes, name: str) -> bytes:
    from neuript.modelfile.checkpoint import parse_checkpoint
    from neuript.modelfile.rebuild import build_module
    from neuript.modelfile.torch_tensors import to_state

    manifest, tensors = parse_checkpoint(data, name)
    if not manifest.classes:
        raise ModelRefusedError(
            f"{name} is a pretrained encoder without classes; fine-tune it with neuript-calibrate before decoding with "
            "it"
        )
    return _packed(build_module(manifest, to_state(tensors)), manifest, None)


def _engine(deployable: Deployable, engine: str, device: str, threads: int | None, *, patient: bool = False) -> Engine:
    """Return the engine that was asked for, or the next that works, once it gives the golden outputs."""
    from neuript.modelfile import engines

    reference, golden = deployable.reference, deployable.golden  # a model that is refused is so before any engine
    built = engines.engine_of(deployable, engine, device, threads, patient=patient)
    built.reference = reference
    engines.check_golden(built, golden, deployable.name)
    return built


def _check_classes(manifest: Manifest, expected: Sequence[str] | None, name: str) -> None:
    if expected is not None and sorted(expected) != sorted(manifest.classes):
        raise ModelRefusedError(
            f"{name} tells apart {', '.join(manifest.classes)}, but {', '.join(expected)} were "
            "asked for; use a model that was calibrated for these"
        )
