"""A model that is quick to save, and its file taken apart and put together again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import builders
import pytest
import torch

from neuript.errors import ModelRefusedError
from neuript.modelfile.deployable import open_model
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.tensor_file import TensorBytes, TensorFile, read_tensors, write_tensors
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork

N_CHANS, N_TIMES, N_OUTPUTS = 5, 64, 3
CH_NAMES = [f"C{i}" for i in range(N_CHANS)]
POS_M = [[0.01 * i, 0.02 * (i % 2), 0.05] for i in range(N_CHANS)]
CONFIG = preset(
    "micro", n_outputs=N_OUTPUTS, n_times=N_TIMES, d_model=12, n_heads=2, d_ff=8, d_expert=4, d_shared=8,
    merges=(4, 2), experts=(0, 2),
)  # fmt: skip


def toy_network(seed: int = 0, **changes: Any) -> NeurIPTNetwork:
    config = preset("micro", **(CONFIG.to_dict() | changes))
    torch.manual_seed(seed)
    return NeurIPTNetwork(config, POS_M, [[0, 1], [2, 3, 4]]).eval()


def make_manifest(**changes: object) -> Manifest:
    values = {
        "task": "motor-imagery",
        "classes": ("left_hand", "right_hand", "rest"),
        "idle_class": "rest",
        "model": CONFIG,
        "montage": {"name": "toy", "ch_names": CH_NAMES, "pos_m": POS_M, "lobes": {"a": [0, 1], "b": [2, 3, 4]}},
        "preprocess": {"sfreq": 64.0, "highpass_hz": 0.1},
        "window_s": 1.0,
        "hop_s": 0.125,
        "metrics": {"accuracy": {"value": 0.8, "protocol": "blocked 5-fold"}},
        "provenance": {"simulated": True, "data": ["one.xdf"], "counts": {"left_hand": 20}},
    }
    return builders.make_manifest(**(values | changes))


def refused(path: Path, match: str, **kwargs: object) -> None:
    with pytest.raises(ModelRefusedError, match=match) as caught:
        open_model(path, **kwargs)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def taken_apart(path: Path) -> TensorFile:
    return read_tensors(path.read_bytes(), path.name)


def resealed(data: bytes | bytearray) -> bytes:
    """Give a file that was changed the seal that it should have, as somebody with bad intent would."""
    data = bytearray(data)
    start = data.index(b'"neuript.seal":"') + len(b'"neuript.seal":"')
    data[start : start + 64] = b"0" * 64
    data[start : start + 64] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def put_together(path: Path, file: TensorFile) -> Path:
    path.write_bytes(resealed(write_tensors(file.tensors, file.metadata)))
    return path


def edit(path: Path, **tensors: TensorBytes | None) -> Path:
    """Put other tensors into a file, or leave some out (None); `__` in a name stands for its points."""
    file = taken_apart(path)
    for name, tensor in tensors.items():
        key = name.replace("__", ".")
        file.tensors.pop(key, None)
        if tensor is not None:
            file.tensors[key] = tensor
    return put_together(path, file)


def edit_metadata(path: Path, **entries: str) -> Path:
    """Put other metadata into a file: `manifest`, `parts`, `container`."""
    file = taken_apart(path)
    file.metadata.update({f"neuript.{name}": text for name, text in entries.items()})
    return put_together(path, file)


def edit_manifest(path: Path, **changes: object) -> Path:
    values = json.loads(taken_apart(path).metadata["neuript.manifest"]) | changes
    return edit_metadata(path, manifest=json.dumps(values))
