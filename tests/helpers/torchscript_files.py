"""Model files as neuript 0.1 wrote them: a traced program in a zip without compression, with its seal as comment."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from neuript.modelfile.checkpoint import weights_sha256
from neuript.modelfile.engines import golden_inputs, golden_tangents
from neuript.modelfile.manifest import Manifest


def save_old(path: Path, module: nn.Module, manifest: Manifest, names: Sequence[str] | None = None) -> Path:
    """Write a module as 0.1 did."""
    signal = golden_inputs(manifest)
    tangent = golden_tangents(manifest, len(signal))
    inputs = tuple(torch.from_numpy(part) for part in (signal, tangent)[: 1 + bool(manifest.n_tangent)])
    out = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logits = module(*inputs).numpy()
        torch.jit.save(torch.jit.trace(module, tuple(part[:2] for part in inputs), check_trace=False), out)
    state = module.state_dict()
    ours = {
        "extra/manifest.json": manifest.with_weights(weights_sha256(state)).to_json().encode(),
        "neuript/golden.safetensors": save({"signal": signal, "tangent": tangent, "logits": logits.astype(np.float32)}),
        "neuript/weights.json": json.dumps(list(state) if names is None else names).encode(),
    }
    with zipfile.ZipFile(out) as archive:
        entries = {i.filename: archive.read(i) for i in archive.infolist() if not i.filename.endswith(".debug_pkl")}
    top = next(iter(entries)).split("/", 1)[0]
    path.write_bytes(packed(entries | {f"{top}/{name}": content for name, content in ours.items()}))
    return path


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def change(path: Path, name: str, content: bytes | None) -> Path:
    """Change one entry or leave it out, and seal the file again, as somebody with bad intent would."""
    entries = entries_of(path)
    (key,) = [k for k in entries if k.endswith(name)]
    entries.pop(key)
    path.write_bytes(packed(entries if content is None else entries | {key: content}))
    return path


def packed(entries: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    body = out.getvalue()[:-2] + struct.pack("<H", 79)
    return body + b"neuript-sha256:" + hashlib.sha256(body).hexdigest().encode()
