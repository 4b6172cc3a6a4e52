"""What a file that is no model looks like, in words for the sentence that refuses it."""

from __future__ import annotations

import io
import zipfile

from neuript.modelfile.tensor_file import looks_like_tensors

_HEADS = (
    (b"\x80", "a Python pickle, which could run anything and is never loaded"),
    (b"\x89HDF", "an HDF5 file"),
    (b"XDF:", "an XDF recording"),
    (b"0       ", "an EDF recording"),
    (b"\xffBIOSEMI", "a BDF recording"),
    (b"GDF ", "a GDF recording"),
    (b"\x1f\x8b", "a gzip file"),
)


def what_is(data: bytes) -> str:
    """Say in words what the content of a file looks like."""
    if data.startswith(b"PK\x03\x04"):
        return _what_is_zip(data)
    for head, words in _HEADS:
        if data.startswith(head):
            return words
    if looks_like_tensors(data):
        return "a safetensors file"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:64]):
        return f"a text file that begins with {data[:24].decode()!r}"
    return "an unknown kind of file"


def _what_is_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {info.filename.split("/", 1)[-1] for info in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return "a zip archive that is cut short or damaged"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "a TorchScript program that neuript did not write"
    if "models/model.json" in names:
        return "a torch.export program, which is not loaded"
    if "data.pkl" in names:
        return "a pickle written by torch.save, which could run anything and is never loaded"
    return "a zip archive"
