"""The deployable's outer form: a plain zip without compression, sealed by its own SHA-256.

Everything here runs before any of the content is given to PyTorch, on bytes that were read once:
what is checked is what is loaded. Entries are stored uncompressed, so a file cannot unfold into
more than its own size. The zip's comment holds the SHA-256 of everything before it, so that any
changed or missing byte is seen at once, and debug files with folder names of the author's
computer are left out.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ModelRefusedError
from neuript.modelfile.manifest import MAX_MANIFEST_BYTES, Manifest

MAX_MODEL_BYTES = 2 << 30
MAX_ENTRIES = 20_000
MAX_GOLDEN_BYTES = 256 << 20

_SEAL = b"neuript-sha256:"
_COMMENT_SIZE = len(_SEAL) + 64
_END = struct.Struct("<4sHHHHIIH")  # the zip's end record, up to its comment
_REQUIRED = {
    "ts": ("data.pkl", "constants.pkl"),
    "pt2": ("models/model.json", "data/weights/model_weights_config.json"),
}
_MANIFEST = "extra/manifest.json"  # where torch.jit.load(_extra_files=...) finds it
_GOLDEN = "neuript/golden.safetensors"
_WEIGHTS = "neuript/weights.json"
_OURS = (_MANIFEST, _GOLDEN, _WEIGHTS)
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
class Container:
    """A checked deployable: nothing in it has been executed or unpickled."""

    kind: str
    """`ts` (TorchScript) or `pt2` (torch.export)."""
    data: bytes
    """The whole file."""
    sha256: str
    """SHA-256 of the whole file, by which it is trusted."""
    manifest: Manifest
    golden: Golden
    """Windows and what the eager model said to them when it was saved."""
    weight_names: tuple[str, ...]
    """Names of the weights in the model's state, as `weights_sha256` counts them."""


def seal(archive: bytes, manifest: Manifest, golden: Golden, weight_names: Sequence[str]) -> bytes:
    """Repack an archive of `torch.jit.save` or `torch.export.save` with our own entries.

    Parameters
    ----------
    archive : bytes
        The archive that PyTorch wrote.
    manifest : Manifest
        Description of the model.
    golden : Golden
        Windows that are stored for comparison, with the model's logits.
    weight_names : sequence of str
        Names of the weights; see `Container`.

    Returns
    -------
    bytes
        The file: no compression, no dates, no debug entries, sealed.
    """
    from safetensors.numpy import save

    ours = {
        _MANIFEST: manifest.to_json(indent=1).encode(),
        _GOLDEN: save({"signal": golden.signal, "tangent": golden.tangent, "logits": golden.logits}),
        _WEIGHTS: json.dumps(list(weight_names)).encode(),
    }
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        top = source.infolist()[0].filename.split("/", 1)[0]
        entries = {
            info.filename: source.read(info)
            for info in source.infolist()
            if not (info.filename.endswith(".debug_pkl") or "/traced_inputs" in info.filename)
        }
    return pack(entries | {f"{top}/{name}": content for name, content in ours.items()})


def pack(entries: Mapping[str, bytes]) -> bytes:
    """Return a sealed archive of these entries, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    body = out.getvalue()[:-2] + struct.pack("<H", _COMMENT_SIZE)
    return body + _SEAL + hashlib.sha256(body).hexdigest().encode()


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
        with path.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    except FileNotFoundError:
        raise ModelRefusedError(f"there is no file {path}; neuript-calibrate makes a model") from None
    except OSError as error:
        raise ModelRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise ModelRefusedError(f"{path} is empty (0 bytes); copy or export the model again")
    if len(data) > MAX_MODEL_BYTES:
        raise ModelRefusedError(f"{path} is larger than {MAX_MODEL_BYTES >> 30} GiB, the most that is loaded")
    return data


def is_checkpoint(data: bytes) -> bool:
    """Say whether this looks like safetensors: the length of a JSON header, then the header."""
    return data[8:10] == b'{"' and int.from_bytes(data[:8], "little") < len(data)


def parse(data: bytes, name: str) -> Container:
    """Check the form of a deployable and read its manifest and golden vectors.

    Parameters
    ----------
    data : bytes
        Content of the whole file.
    name : str
        What to call the file in messages.

    Raises
    ------
    ModelRefusedError
        If it is anything but an intact deployable of a format that this version reads.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise ModelRefusedError(f"{name} is {_what_is(data)}, not a neuript model; {_ADVICE}")
    _check_seal(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            top = _check_entries(archive, len(data), name)
            names = {info.filename.removeprefix(top) for info in archive.infolist()}
            kind = _kind(names, name)
            if kind == "pt2":
                _check_no_pickle(archive, top, name)
            small = {entry: _read_small(archive, top + entry, name) for entry in _OURS}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error) as error:
        raise ModelRefusedError(f"{name} is damaged: {error}") from error
    try:
        manifest = Manifest.from_json(small[_MANIFEST])
    except ModelRefusedError as error:
        raise ModelRefusedError(f"{name}: {error}") from error
    if not manifest.classes:
        raise ModelRefusedError(f"{name} has no classes; fine-tune it before decoding with it")
    golden = _golden(small[_GOLDEN], manifest, name)
    return Container(
        kind=kind,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        manifest=manifest,
        golden=golden,
        weight_names=_weight_names(small[_WEIGHTS], name),
    )


def _check_seal(data: bytes, name: str) -> None:
    split = len(data) - _COMMENT_SIZE
    if split < _END.size or not data[split:].startswith(_SEAL):
        if _has_our_end(data):  # the last bytes are missing, or there are more
            raise ModelRefusedError(f"{name} is cut short or damaged at its end; copy it again")
        raise ModelRefusedError(f"{name} is {_what_is(data)}, not an intact neuript model; {_ADVICE}")
    if hashlib.sha256(data[:split]).hexdigest().encode() != data[split + len(_SEAL) :]:
        raise ModelRefusedError(f"{name} is damaged: its checksum does not match its content; copy it again")
    mark, *_, length, start, _comment = _END.unpack(data[split - _END.size : split])
    if mark != b"PK\x05\x06" or start + length != split - _END.size:
        raise ModelRefusedError(f"{name} is damaged: the end of its archive is not in place")


def _has_our_end(data: bytes) -> bool:
    """Whether the archive's end record announces a comment of a seal's length."""
    start = data.rfind(b"PK\x05\x06")
    return start >= 0 and data[start + _END.size - 2 : start + _END.size] == struct.pack("<H", _COMMENT_SIZE)


def _check_entries(archive: zipfile.ZipFile, size: int, name: str) -> str:
    """Check names, sizes and checksums of all entries; return the top folder with its slash."""
    entries = archive.infolist()
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise ModelRefusedError(f"{name} has {len(entries)} entries; 1 to {MAX_ENTRIES} are read")
    top = entries[0].filename.split("/", 1)[0] + "/"
    seen = set()
    for info in entries:
        entry = info.filename
        if (
            not entry.isascii()
            or not entry.isprintable()
            or not entry.startswith(top)
            or "\\" in entry
            or ".." in entry.split("/")
            or entry in seen
        ):
            raise ModelRefusedError(f"{name} has an entry with a bad name: {entry[:80]!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ModelRefusedError(f"{name} has a compressed or encrypted entry: {entry[:80]!r}")
        if info.file_size != info.compress_size:
            raise ModelRefusedError(f"{name} has an entry of two sizes: {entry[:80]!r}")
        seen.add(entry)
    if sum(info.file_size for info in entries) > size:
        raise ModelRefusedError(f"{name} has entries that overlap")
    if bad := archive.testzip():
        raise ModelRefusedError(f"{name} is damaged in {bad[:80]!r}; copy it again")
    return top


def _kind(names: set[str], file: str) -> str:
    kind = next((k for k, required in _REQUIRED.items() if names.issuperset(required)), None)
    if kind is None:
        raise ModelRefusedError(f"{file} is a zip archive without a TorchScript or export program")
    if missing := [entry for entry in _OURS if entry not in names]:
        raise ModelRefusedError(f"{file} is a PyTorch program without {missing[0]}; export it with neuript")
    return kind


def _check_no_pickle(archive: zipfile.ZipFile, top: str, name: str) -> None:
    """Refuse an export program that holds objects: its tensors must be plain bytes.

    The example inputs are the one pickle that `torch.export` always writes and reads; they must
    pass PyTorch's restricted unpickler, which builds tensors and nothing else.
    """
    import torch

    try:
        for part in ("weights", "constants"):
            listed = f"{top}data/{part}/model_{part}_config.json"
            if listed not in archive.namelist():
                continue
            config = json.loads(archive.read(listed))["config"]
            if any(entry["use_pickle"] is not False for entry in config.values()):
                raise ModelRefusedError(f"{name} holds pickled objects, which are never loaded")
        for entry in archive.namelist():
            if entry.endswith((".pt", ".pkl")):
                torch.load(io.BytesIO(archive.read(entry)), weights_only=True, map_location="cpu")
    except ModelRefusedError:
        raise
    except Exception as error:
        raise ModelRefusedError(f"{name} holds what is not plain tensors ({type(error).__name__})") from error


def _read_small(archive: zipfile.ZipFile, entry: str, name: str) -> bytes:
    limit = MAX_GOLDEN_BYTES if entry.endswith(".safetensors") else MAX_MANIFEST_BYTES
    if (size := archive.getinfo(entry).file_size) > limit:
        raise ModelRefusedError(f"{name}: {entry} is {size} bytes long; at most {limit} are read")
    return archive.read(entry)


def _golden(blob: bytes, manifest: Manifest, name: str) -> Golden:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(blob)
        golden = Golden(arrays["signal"], arrays["tangent"], arrays["logits"])
    except (SafetensorError, KeyError) as error:
        raise ModelRefusedError(f"{name} has no valid golden vectors: {error}") from error
    n = len(golden)
    expected = (n, manifest.n_chans, manifest.n_times), (n, manifest.n_tangent), (n, manifest.n_outputs)
    parts = golden.signal, golden.tangent, golden.logits
    if tuple(part.shape for part in parts) != expected or not n:
        raise ModelRefusedError(
            f"{name} has golden vectors of shape {', '.join(str(part.shape) for part in parts)}; its manifest "
            f"says {manifest.n_chans} channels, {manifest.n_times} samples, tangent vectors of {manifest.n_tangent}, "
            f"{manifest.n_outputs} classes"
        )
    if any(part.dtype != np.float32 for part in parts):
        raise ModelRefusedError(f"{name} has golden vectors that are not float32")
    if not all(np.isfinite(part).all() for part in parts):
        raise ModelRefusedError(f"{name} has golden vectors with NaN or infinity")
    return golden


def _weight_names(text: bytes, name: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelRefusedError(f"{name} has no valid list of weights: {error}") from error
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ModelRefusedError(f"{name} has no valid list of weights")
    return tuple(names)


def _what_is(data: bytes) -> str:
    """Say in words what the content of a file looks like."""
    if data.startswith(b"PK\x03\x04"):
        return _what_is_zip(data)
    for head, words in (
        (b"\x80", "a Python pickle, which could run anything and is never loaded"),
        (b"\x89HDF", "an HDF5 file"),
        (b"XDF:", "an XDF recording"),
        (b"0       ", "an EDF recording"),
        (b"\xffBIOSEMI", "a BDF recording"),
        (b"GDF ", "a GDF recording"),
        (b"\x1f\x8b", "a gzip file"),
    ):
        if data.startswith(head):
            return words
    if is_checkpoint(data):
        return "a safetensors checkpoint"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:64]):
        return f"a text file that begins with {data[:24].decode()!r}"
    return "an unknown kind of file"


def _what_is_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [info.filename.split("/", 1)[-1] for info in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return "cut short or damaged"
    if any(n.startswith("code/") for n in names) and "constants.pkl" in names:
        return "a TorchScript program that neuript did not write"
    if "data.pkl" in names:
        return "a pickle written by torch.save, which could run anything and is never loaded"
    return "a zip archive"
