"""Checkpoints: tensors in safetensors with the manifest in the header; nothing in them can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import ModelRefusedError
from neuript.files import write_atomically
from neuript.modelfile.container import read_file
from neuript.modelfile.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

_MANIFEST_KEY = "neuript.manifest"
_HASH_KEY = "neuript.manifest_sha256"
MAX_HEADER_BYTES = 16 << 20


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of tensors, in order of name."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        kind = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name}\0{kind}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
    from safetensors.torch import save

    state = weights if isinstance(weights, Mapping) else weights.state_dict()
    # clone: tensors that share memory (tied weights) are written each in full
    tensors = {name: t.detach().to("cpu").clone().contiguous() for name, t in state.items()}
    manifest = manifest.with_weights(weights_sha256(tensors))
    text = manifest.to_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_atomically(path, save(tensors, {_MANIFEST_KEY: text, _HASH_KEY: digest}))
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
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    data = read_file(path)
    metadata = _metadata(data, path.name)
    text = metadata.get(_MANIFEST_KEY)
    if not isinstance(text, str):
        raise ModelRefusedError(f"{path.name} has no neuript manifest in its header")
    if hashlib.sha256(text.encode()).hexdigest() != metadata.get(_HASH_KEY):
        raise ModelRefusedError(f"{path.name} is damaged: its manifest was changed; copy it again")
    manifest = Manifest.from_json(text)
    try:
        state = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelRefusedError(f"{path.name} is damaged: {error}") from error
    if weights_sha256(state) != manifest.weights_sha256:
        raise ModelRefusedError(f"{path.name} is damaged: its weights were changed; copy it again")
    return manifest, state


def _metadata(data: bytes, name: str) -> dict[str, object]:
    """Return the header's `__metadata__` after bounding the header."""
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= MAX_HEADER_BYTES or 8 + size > len(data) or data[8:9] != b"{":
        raise ModelRefusedError(f"{name} is not a safetensors checkpoint, or it is cut short")
    try:
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__")
    except (ValueError, RecursionError) as error:
        raise ModelRefusedError(f"{name} is damaged: its header is not valid JSON") from error
    return metadata if isinstance(metadata, dict) else {}
