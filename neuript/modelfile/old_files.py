"""Model files of neuript 0.1, which are TorchScript programs, and their way into the plain container of today.

Such a file is a zip without compression whose comment is a SHA-256 over all before it. Reading its weights means to
load a program, so a person must have accepted the file (`--trust`, once). The program's weights are taken, the model
is built from its manifest as every other is, and it must answer as the program does.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import struct
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import ModelRefusedError
from neuript.foreign import one_line
from neuript.modelfile import trust as trust_store
from neuript.modelfile.container import pack
from neuript.modelfile.manifest import MAX_MANIFEST_BYTES, Manifest
from neuript.modelfile.tensor_file import TensorBytes, read_tensors
from neuript.pasteable import pasteable

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

MAX_ENTRIES = 20_000
MAX_GOLDEN_BYTES = 256 << 20
TOLERANCE = 1e-5
"""Largest difference between program and module, relative to the largest logit (at least 1)."""

_SEAL = b"neuript-sha256:"
_COMMENT_SIZE = len(_SEAL) + 64
_END = struct.Struct("<4sHHHHIIH")  # the zip's end record, up to its comment
_LIMITS = {
    "extra/manifest.json": MAX_MANIFEST_BYTES,
    "neuript/golden.safetensors": MAX_GOLDEN_BYTES,
    "neuript/weights.json": MAX_MANIFEST_BYTES,
}
_PROGRAM = ("data.pkl", "constants.pkl")


@dataclass(frozen=True)
class OldFile:
    """What an old file says; nothing in it has been run or unpickled."""

    data: bytes = field(repr=False)
    sha256: str
    """SHA-256 of the whole file, by which it is accepted."""
    manifest: Manifest
    vectors: dict[str, TensorBytes] = field(repr=False)
    """Its golden vectors."""
    weight_names: tuple[str, ...] = field(repr=False)


def is_old(data: bytes) -> bool:
    """Say whether this is a sealed file of neuript 0.1, intact or not."""
    if not data.startswith(b"PK\x03\x04"):
        return False
    end = data.rfind(b"PK\x05\x06")
    return end >= 0 and data[end + _END.size - 2 : end + _END.size] == struct.pack("<H", _COMMENT_SIZE)


def parse_old(data: bytes, name: str) -> OldFile:
    """Check seal, structure and manifest of an old file; nothing in it is run.

    Raises
    ------
    ModelRefusedError
        If it is damaged, or none of the files that can be converted.
    """
    _check_seal(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = _read_parts(archive, len(data), name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error) as error:
        raise ModelRefusedError(f"{name} is damaged: {error}") from error
    text, golden, names = parts.values()
    try:
        weight_names = json.loads(names)
    except (ValueError, RecursionError):
        weight_names = None
    if not isinstance(weight_names, list) or not all(isinstance(n, str) for n in weight_names):
        raise ModelRefusedError(f"{name} has no valid list of weights")
    try:
        manifest, vectors = Manifest.from_json(text), read_tensors(golden, "its golden vectors").tensors
    except ModelRefusedError as error:
        raise ModelRefusedError(f"{name}: {error}") from error
    if set(vectors) != {"signal", "tangent", "logits"}:
        raise ModelRefusedError(f"{name} has no valid golden vectors; make it again with neuript-calibrate")
    return OldFile(data, hashlib.sha256(data).hexdigest(), manifest, vectors, tuple(weight_names))


def how_to_convert(path: Path) -> str:
    """Return the command that makes a plain model file of an old one."""
    return pasteable("neuript-train", "export", path, path.with_name(f"{path.stem}-plain.ts"), "--trust")


def convert(data: bytes, path: Path, *, trust: bool) -> bytes:
    """Return the bytes of the plain model file that an old file becomes.

    Parameters
    ----------
    data : bytes
        Content of the whole old file.
    path : Path
        Where it lies, for messages.
    trust : bool
        True loads the program although the file is not known on this computer, and remembers it.

    Raises
    ------
    ModelRefusedError
        If it is damaged or not trusted, or its model cannot be built again or answers differently.
    """
    name = path.name
    old = parse_old(data, name)
    if not trust and not trust_store.is_trusted(old.sha256):
        raise ModelRefusedError(
            f"{name} is a program (TorchScript, written by neuript 0.1): if you know who made it, make a plain model "
            f"file of it: {how_to_convert(path)}"
        )
    if trust and not trust_store.is_trusted(old.sha256):
        log.warning("--trust: %s", _who_and_where(old, path))
    program, weights = _load(old, name)
    _check_answers(old, program, weights, name)
    if trust:
        trust_store.remember(old.sha256, how="--trust", name=name)
    from neuript.modelfile.torch_tensors import state_to_bytes

    return pack(old.manifest, state_to_bytes(weights), old.vectors)


def _who_and_where(old: OldFile, path: Path) -> str:
    """Say what is trusted: the hash, who made it as far as the file says, and where it lies."""
    said = old.manifest.provenance
    author, date = (one_line(said.get(key) or "unknown", 60) for key in ("author", "date"))
    return (
        f"a program is loaded and remembered as trusted: {one_line(path.resolve())}, SHA-256 {old.sha256}, of "
        f"{_owner(path)} on this computer; its manifest says (unproven) author {author}, neuript "
        f"{one_line(old.manifest.neuript_version, 20)}, {date}"
    )


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError, NotImplementedError):
        return "an unknown user"


def _load(old: OldFile, name: str) -> tuple[Any, dict[str, Tensor]]:
    """Return the program and its weights, which must be those of the manifest."""
    import torch

    from neuript.modelfile.checkpoint import weights_sha256

    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning):  # of TorchScript's future; the latter since PyTorch 2.15
                warnings.filterwarnings("ignore", message=r".*torch\.jit", category=kind)
            program = torch.jit.load(io.BytesIO(old.data), map_location="cpu")  # type: ignore[no-untyped-call]
        state = program.state_dict()
    except Exception as error:  # many kinds, depending on what in the program is not understood
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelRefusedError(f"{name} cannot be loaded by PyTorch {torch.__version__}: {reason[0][:200]}") from error
    weights = {n: state[n] for n in old.weight_names if n in state}
    if weights_sha256(weights) != old.manifest.weights_sha256:
        raise ModelRefusedError(f"{name}: the weights are not those that its manifest names")
    return program, weights


def _check_answers(old: OldFile, program: Any, weights: dict[str, Tensor], name: str) -> None:
    """Compare the module that is built from the manifest with the program, on the golden windows."""
    import torch

    from neuript.modelfile.rebuild import build_module
    from neuript.modelfile.torch_tensors import to_tensor

    try:
        module = build_module(old.manifest, weights)
        inputs = [to_tensor(old.vectors[part]) for part in ("signal", "tangent")[: 1 + bool(old.manifest.n_tangent)]]
        with torch.inference_mode():
            ours, theirs = module(*inputs), program(*inputs)
        difference = float((ours - theirs).abs().max()) / max(1.0, float(theirs.abs().max()))
    except ModelRefusedError as error:
        raise ModelRefusedError(f"{name} cannot be converted: {error}") from error
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelRefusedError(f"{name} cannot be converted: its program does not run: {reason[0][:200]}") from error
    if not difference <= TOLERANCE:
        raise ModelRefusedError(
            f"{name} cannot be converted: the model that its manifest describes answers differently from its program "
            f"(by {difference:.2g}); make it again with neuript-calibrate"
        )


def _check_seal(data: bytes, name: str) -> None:
    split = len(data) - _COMMENT_SIZE
    if split < _END.size or not data[split:].startswith(_SEAL):  # the last bytes are missing, or there are more
        raise ModelRefusedError(f"{name} is cut short or damaged at its end; copy it again")
    if hashlib.sha256(data[:split]).hexdigest().encode() != data[split + len(_SEAL) :]:
        raise ModelRefusedError(f"{name} is damaged: its checksum does not match its content; copy it again")
    mark, *_, length, start, _comment = _END.unpack(data[split - _END.size : split])
    if mark != b"PK\x05\x06" or start + length != split - _END.size:
        raise ModelRefusedError(f"{name} is damaged: the end of its archive is not in place")


def _read_parts(archive: zipfile.ZipFile, size: int, name: str) -> dict[str, bytes]:
    """Check names, sizes and checksums of all entries, and return our own."""
    entries = archive.infolist()
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise ModelRefusedError(f"{name} has {len(entries)} entries; 1 to {MAX_ENTRIES} are read")
    top = entries[0].filename.split("/", 1)[0] + "/"
    if bad := next((info.filename for info in entries if not _is_plain(info, top)), None):
        raise ModelRefusedError(f"{name} has an entry that is compressed, encrypted or badly named: {bad[:80]!r}")
    names = [info.filename.removeprefix(top) for info in entries]
    if len(set(names)) < len(names) or sum(info.file_size for info in entries) > size:
        raise ModelRefusedError(f"{name} has entries that overlap or are there twice")
    if bad := archive.testzip():
        raise ModelRefusedError(f"{name} is damaged in {bad[:80]!r}; copy it again")
    if missing := [entry for entry in (*_PROGRAM, *_LIMITS) if entry not in names]:
        raise ModelRefusedError(f"{name} is an archive without {missing[0]}; make it again with neuript-calibrate")
    for entry, limit in _LIMITS.items():
        if (n_bytes := archive.getinfo(top + entry).file_size) > limit:
            raise ModelRefusedError(f"{name}: {entry} is {n_bytes} bytes long; at most {limit} are read")
    return {entry: archive.read(top + entry) for entry in _LIMITS}


def _is_plain(info: zipfile.ZipInfo, top: str) -> bool:
    entry = info.filename
    named = entry.isascii() and entry.isprintable() and entry.startswith(top)
    inside = "\\" not in entry and ".." not in entry.split("/")
    stored = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 0x1
    return named and inside and stored and info.file_size == info.compress_size
