"""Checkpoints: weights in safetensors with the manifest in the header; nothing in them can run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import ModelRefusedError
from neuript.files import write_atomically
from neuript.modelfile.container import is_sealed, read_file
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.tensor_file import TensorBytes, read_tensors, tensors_sha256, write_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_MANIFEST_KEY = "neuript.manifest"
_HASH_KEY = "neuript.manifest_sha256"


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of tensors, in order of name."""
    from neuript.modelfile.torch_tensors import state_to_bytes

    return tensors_sha256(state_to_bytes(state))


def save_checkpoint(path: str | Path, weights: nn.Module | Mapping[str, Tensor], manifest: Manifest) -> Manifest:
    """Write weights and manifest; an old file is kept if that fails.

    Parameters
    ----------
    path : str or Path
        File to write; its name should end in `.safetensors`.
    weights : Module or mapping of str to Tensor
        A module, or its `state_dict()`.
    manifest : Manifest
        Description of the model; the hash of its weights is filled in.

    Returns
    -------
    Manifest
        The manifest as it was written, with the hash of the weights.
    """
    from neuript.modelfile.torch_tensors import state_to_bytes

    tensors = state_to_bytes(weights if isinstance(weights, Mapping) else weights.state_dict())
    manifest = manifest.with_weights(tensors_sha256(tensors))
    text = manifest.to_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_atomically(path, bytes(write_tensors(tensors, {_MANIFEST_KEY: text, _HASH_KEY: digest})))
    return manifest


def load_checkpoint(path: str | Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Read a checkpoint.

    Returns
    -------
    manifest, state
        The tensors are on the CPU.

    Raises
    ------
    ModelRefusedError
        If the file is damaged, has no manifest, or its weights are not those of the manifest.
    """
    from neuript.modelfile.torch_tensors import to_state

    path = Path(path)
    manifest, tensors = parse_checkpoint(read_file(path), path.name)
    return manifest, to_state(tensors)


def parse_checkpoint(data: bytes, name: str) -> tuple[Manifest, dict[str, TensorBytes]]:
    """Check the bytes of a checkpoint; PyTorch is not needed for that.

    Raises
    ------
    ModelRefusedError
        As for `load_checkpoint`.
    """
    if is_sealed(data):
        raise ModelRefusedError(f"{name} is a calibrated model for decoding, not a checkpoint to learn from")
    file = read_tensors(data, name)
    text = file.metadata.get(_MANIFEST_KEY)
    if text is None:
        raise ModelRefusedError(f"{name} has no neuript manifest in its header")
    if hashlib.sha256(text.encode()).hexdigest() != file.metadata.get(_HASH_KEY):
        raise ModelRefusedError(f"{name} is damaged: its manifest was changed; copy it again")
    manifest = Manifest.from_json(text)
    if tensors_sha256(file.tensors) != manifest.weights_sha256:
        raise ModelRefusedError(f"{name} is damaged: its weights were changed; copy it again")
    return manifest, file.tensors
