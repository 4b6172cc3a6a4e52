"""The safetensors layout, read strictly and written always alike, without PyTorch and without NumPy.

Eight bytes give the length of a JSON header, the header lists tensors and metadata, and the rest of the file is their
bytes. Reading builds nothing that the bytes at hand do not pay for: every tensor must be as long as its shape says, one
follows the other without gap or overlap, and the last one ends where the file ends.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neuript.errors import ModelRefusedError
from neuript.modelfile.strict_json import strict_json

MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS = 20_000
MAX_AXES = 8
METADATA = "__metadata__"
LENGTH_BYTES = 8
"""The header begins after so many bytes, which give its length; it is filled up to a multiple of them."""

KINDS = {
    "F64": ("float64", 8),
    "I64": ("int64", 8),
    "F32": ("float32", 4),
    "I32": ("int32", 4),
    "BF16": ("bfloat16", 2),
    "F16": ("float16", 2),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
"""Name of a kind of number in the header, to its name in PyTorch and its bytes."""
_FIELDS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True, slots=True)
class TensorBytes:
    """A tensor as it lies in a file."""

    kind: str
    """One of `KINDS`."""
    shape: tuple[int, ...]
    data: memoryview | bytes = field(repr=False)
    """Its numbers, the last axis first, little-endian."""


@dataclass(frozen=True, slots=True)
class TensorFile:
    """What a file in the safetensors layout holds."""

    metadata: dict[str, str]
    tensors: dict[str, TensorBytes]
    """In the order of the file."""


def looks_like_tensors(data: bytes) -> bool:
    """Say whether this may be the safetensors layout: the length of a JSON header, then the header."""
    return data[LENGTH_BYTES : LENGTH_BYTES + 2] == b'{"' and _header_length(data) < len(data)


def read_tensors(data: bytes, name: str) -> TensorFile:
    """Read the header of a whole file and slice its bytes; nothing is copied.

    Parameters
    ----------
    data : bytes
        Content of the file.
    name : str
        What to call the file in messages.

    Raises
    ------
    ModelRefusedError
        If a length, an offset, a kind or a name is not as it must be, or there are bytes that no tensor has.
    """
    length = _header_length(data)
    start = LENGTH_BYTES + length
    if not 2 <= length <= MAX_HEADER_BYTES or start > len(data) or data[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise ModelRefusedError(f"{name} is not a safetensors file, or it is cut short; copy it again")
    header = strict_json(data[LENGTH_BYTES:start], f"{name} is damaged: its header")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelRefusedError(f"{name} is damaged: its metadata is not a table of texts")
    if len(header) > MAX_TENSORS:
        raise ModelRefusedError(f"{name} lists {len(header)} tensors; at most {MAX_TENSORS} are read")
    return TensorFile(metadata, _sliced(header, memoryview(data)[start:], name))


def write_tensors(tensors: Mapping[str, TensorBytes], metadata: Mapping[str, str]) -> bytearray:
    """Return the bytes of a file: metadata in their order, tensors by size of a number and by name."""
    ordered = sorted(tensors.items(), key=lambda item: (-KINDS[item[1].kind][1], item[0]))
    header: dict[str, Any] = {METADATA: dict(metadata)}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + len(tensor.data)
        header[name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    out = bytearray(len(text).to_bytes(LENGTH_BYTES, "little") + text)
    for _, tensor in ordered:
        out += tensor.data
    return out


def tensors_sha256(tensors: Mapping[str, TensorBytes]) -> str:
    """Return the SHA-256 over names, kinds, shapes and bytes of tensors, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{KINDS[tensor.kind][0]}\0{tensor.shape}\0".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _header_length(data: bytes) -> int:
    return int.from_bytes(data[:LENGTH_BYTES], "little")


def _sliced(header: Mapping[str, Any], numbers: memoryview, name: str) -> dict[str, TensorBytes]:
    """Return the tensors that a header lists, which must fill `numbers` one after the other."""
    spans = [(*_span(about, f"{name} is damaged: the tensor {key[:80]!r}"), key) for key, about in header.items()]
    tensors, end = {}, 0
    for start, stop, kind, shape, key in sorted(spans, key=lambda span: span[:2]):
        if start != end or stop > len(numbers):
            raise ModelRefusedError(
                f"{name} is damaged or cut short: the tensor {key[:80]!r} is not where it should be"
            )
        tensors[key] = TensorBytes(kind, shape, numbers[start:stop])
        end = stop
    if end != len(numbers):
        raise ModelRefusedError(f"{name} is damaged: it has {len(numbers) - end} bytes more than its tensors")
    return tensors


def _span(about: Any, what: str) -> tuple[int, int, str, tuple[int, ...]]:
    """Return where a tensor lies, its kind and its shape."""
    if not isinstance(about, dict) or set(about) != _FIELDS or str(about["dtype"]) not in KINDS:
        raise ModelRefusedError(f"{what} is of no known kind")
    shape, offsets = about["shape"], about["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or len(shape) > MAX_AXES:
        raise ModelRefusedError(f"{what} has no valid shape or place")
    start, stop = offsets
    if math.prod(shape) * KINDS[str(about["dtype"])][1] != stop - start:
        raise ModelRefusedError(f"{what} is not as long as its shape says")
    return start, stop, str(about["dtype"]), tuple(shape)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
