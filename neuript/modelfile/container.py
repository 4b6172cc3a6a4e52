"""The model file: one safetensors file of plain parts, sealed by a SHA-256 over every byte of it.

The header's metadata hold the seal, the manifest and a table of optional parts; the tensors are the weights under their
own names and, under names that begin with `neuript.`, the golden vectors and the bytes of the parts. Nothing in it can
run. Everything here happens on bytes that were read once, with neither PyTorch nor NumPy: what is checked is what is
loaded, and a file is looked at in the time that its hash takes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.file_kinds import what_is
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.strict_json import strict_json
from neuript.modelfile.tensor_file import (
    LENGTH_BYTES,
    METADATA,
    TensorBytes,
    TensorFile,
    read_tensors,
    tensors_sha256,
    write_tensors,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTAINER_VERSION = 1
"""Newest layout that this version writes and reads."""
PART_NAMES = ("network.onnx", "network.rtx")
"""Parts that a file may hold beside its weights: the network as ONNX in float32, and as an engine of TensorRT-RTX.

The engine holds code, so it is loaded only where it was built; elsewhere it is built anew from the graph."""
MAX_MODEL_BYTES = 2 << 30

_SEAL = "neuript.seal"
_VERSION = "neuript.container"
_MANIFEST = "neuript.manifest"
_PARTS = "neuript.parts"
_OURS = "neuript."
_GOLDEN = {part: f"{_OURS}golden.{part}" for part in ("signal", "tangent", "logits")}
_DIGITS = 64
_START = f'{{"{METADATA}":{{"{_SEAL}":"'.encode()
"""How the header of every sealed file begins, up to the digits of its seal."""
_SEAL_AT = LENGTH_BYTES + len(_START)
_ADVICE = "copy it again, or make one with neuript-calibrate"


@dataclass(frozen=True, eq=False)
class Golden:
    """Windows whose logits are stored in a model file and compared at every load."""

    signal: NDArray[np.float32]
    """Signal of the windows, shape (n, n_chans, n_times)."""
    tangent: NDArray[np.float32]
    """Tangent vectors of the windows, shape (n, n_tangent); nothing in them without an alignment."""
    logits: NDArray[np.float32]
    """What the eager model said to them when it was saved, shape (n, n_outputs)."""

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.signal)


@dataclass(frozen=True)
class Part:
    """Bytes that an engine needs: not looked into here, but kept whole."""

    data: bytes | memoryview = field(repr=False)
    about: dict[str, Any] = field(default_factory=dict)
    """Plain JSON values for whoever made it: versions, precision, what it was built from."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Container:
    """A checked model file: its size, seal, layout, manifest and golden vectors are as they must be."""

    sha256: str
    """The seal: what the file is called by, and all that is in it."""
    n_bytes: int
    """Size of the file."""
    manifest: Manifest
    weights: dict[str, TensorBytes] = field(repr=False)
    """The model's state, by name."""
    vectors: dict[str, TensorBytes] = field(repr=False)
    """The golden vectors' `signal`, `tangent` and `logits`."""
    parts: dict[str, Part] = field(default_factory=dict, repr=False)
    """Those of `PART_NAMES` that are there."""

    @property
    def n_golden(self) -> int:
        """Number of golden windows."""
        return self.vectors["signal"].shape[0]


def pack(
    manifest: Manifest,
    weights: Mapping[str, TensorBytes],
    vectors: Mapping[str, TensorBytes],
    parts: Mapping[str, Part] | None = None,
) -> bytes:
    """Return the sealed file; the same content gives the same bytes.

    Parameters
    ----------
    manifest : Manifest
        Description of the model; the hash of the weights is filled in.
    weights : mapping of str to TensorBytes
        The model's state, by name.
    vectors : mapping of str to TensorBytes
        The golden vectors' `signal`, `tangent` and `logits`.
    parts : mapping of str to Part, optional
        Those of `PART_NAMES` that there are; None means none.

    Raises
    ------
    NeuriptError
        If a weight or a part has a name that it may not have.
    """
    parts = dict(parts or {})
    if taken := [name for name in weights if name.startswith(_OURS) or name == METADATA]:
        raise NeuriptError(f"the weights {taken[0]!r} have a name that the model file keeps for itself")
    if unknown := sorted(set(parts) - set(PART_NAMES)):
        raise NeuriptError(f"a model file has no part {unknown[0]!r}; it may have {', '.join(PART_NAMES)}")
    table = {name: {"sha256": part.sha256, "size": len(part.data), "about": part.about} for name, part in parts.items()}
    metadata = {
        _SEAL: "0" * _DIGITS,
        _VERSION: str(CONTAINER_VERSION),
        _MANIFEST: manifest.with_weights(tensors_sha256(weights)).to_json(),
        _PARTS: json.dumps(table, allow_nan=False, sort_keys=True),
    }
    ours = {_GOLDEN[name]: vector for name, vector in vectors.items()}
    blobs = {f"{_OURS}part.{name}": TensorBytes("U8", (len(part.data),), part.data) for name, part in parts.items()}
    data = write_tensors({**weights, **ours, **blobs}, metadata)
    data[_SEAL_AT : _SEAL_AT + _DIGITS] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def read_file(path: str | Path) -> bytes:
    """Read a model file into memory, refusing what cannot be one.

    Raises
    ------
    ModelRefusedError
        If there is no such file, or it is a folder, empty or too large.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelRefusedError(f"{path} is a folder; give the model file inside it")
    if path.exists() and not path.is_file():
        raise ModelRefusedError(f"{path} is a device or a pipe, not a file")
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelRefusedError(f"{path} is larger than {MAX_MODEL_BYTES >> 30} GiB, the most that is loaded")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelRefusedError(f"there is no file {path}; neuript-calibrate makes a model") from None
    except OSError as error:
        raise ModelRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise ModelRefusedError(f"{path} is empty (0 bytes); copy or export the model again")
    return data


def is_sealed(data: bytes) -> bool:
    """Say whether a file begins as the sealed ones do; a checkpoint is not sealed."""
    return data[LENGTH_BYTES:_SEAL_AT] == _START


def parse(data: bytes, name: str) -> Container:
    """Check a sealed file from its seal to its golden vectors.

    Parameters
    ----------
    data : bytes
        Content of the whole file.
    name : str
        What to call the file in messages.

    Raises
    ------
    ModelRefusedError
        If it is anything but an intact model file of a layout that this version reads.
    """
    if not is_sealed(data):
        raise ModelRefusedError(f"{name} is {what_is(data)}, not a neuript model; {_ADVICE}")
    seal = _checked_seal(data, name)
    file = read_tensors(data, name)
    if (version := file.metadata.get(_VERSION)) != str(CONTAINER_VERSION):
        raise ModelRefusedError(
            f"{name} has layout {str(version)[:20]}, and this neuript reads layout {CONTAINER_VERSION}: update neuript"
        )
    try:
        manifest = Manifest.from_json(file.metadata.get(_MANIFEST, ""))
    except ModelRefusedError as error:
        raise ModelRefusedError(f"{name}: {error}") from error
    if not manifest.classes:
        raise ModelRefusedError(f"{name} has no classes; fine-tune it before decoding with it")
    weights = {key: tensor for key, tensor in file.tensors.items() if not key.startswith(_OURS)}
    if tensors_sha256(weights) != manifest.weights_sha256:
        raise ModelRefusedError(f"{name}: the weights are not those that its manifest names")
    vectors = _checked_vectors(file, manifest, name)
    return Container(seal, len(data), manifest, weights, vectors, _checked_parts(file, name))


def _checked_seal(data: bytes, name: str) -> str:
    """Return the seal after comparing it with everything else in the file."""
    end = _SEAL_AT + _DIGITS
    said = data[_SEAL_AT:end].decode("ascii", "replace")
    digest = hashlib.sha256(data[:_SEAL_AT])
    digest.update(b"0" * _DIGITS)
    digest.update(memoryview(data)[end:])
    if digest.hexdigest() != said:
        raise ModelRefusedError(f"{name} is cut short or damaged: its seal does not match its content; copy it again")
    return said


def _checked_vectors(file: TensorFile, manifest: Manifest, name: str) -> dict[str, TensorBytes]:
    if missing := [key for key in _GOLDEN.values() if key not in file.tensors]:
        raise ModelRefusedError(f"{name} is without {missing[0]}; {_ADVICE}")
    vectors = {part: file.tensors[key] for part, key in _GOLDEN.items()}
    if any(vector.kind != "F32" for vector in vectors.values()):
        raise ModelRefusedError(f"{name} has golden vectors that are not float32")
    n = math.prod(vectors["signal"].shape[:1])
    expected = (n, manifest.n_chans, manifest.n_times), (n, manifest.n_tangent), (n, manifest.n_outputs)
    shapes = tuple(vector.shape for vector in vectors.values())
    if shapes != expected or not n:
        raise ModelRefusedError(
            f"{name} has golden vectors of shape {', '.join(map(str, shapes))}; its manifest says {manifest.n_chans} "
            f"channels, {manifest.n_times} samples, tangent vectors of {manifest.n_tangent}, {manifest.n_outputs} "
            "classes"
        )
    return vectors


def _checked_parts(file: TensorFile, name: str) -> dict[str, Part]:
    """Return the optional parts, each as long and with the hash that the table says, and nothing beside them."""
    table = strict_json(file.metadata.get(_PARTS, "{}"), f"{name} is damaged: its table of parts")
    known = {*_GOLDEN.values(), *(f"{_OURS}part.{part}" for part in table)}
    listed = {key for key in file.tensors if key.startswith(_OURS)}
    if odd := sorted({*table} - {*PART_NAMES}) or sorted(listed ^ known):
        raise ModelRefusedError(f"{name} has a part that this neuript does not know, or lacks one: {odd[0][:80]!r}")
    parts = {}
    for key, about in table.items():
        tensor = file.tensors[f"{_OURS}part.{key}"]
        part = Part(tensor.data, about.get("about", {}) if isinstance(about, dict) else {})
        if about != {"sha256": part.sha256, "size": len(part.data), "about": part.about} or tensor.kind != "U8":
            raise ModelRefusedError(f"{name} is damaged: its part {key} is not the one that its table names")
        if not isinstance(part.about, dict):
            raise ModelRefusedError(f"{name} is damaged: what it says about its part {key} is not a table")
        parts[key] = part
    return parts
