"""Damaged, foreign, dishonest and untrusted model files are refused in one sentence, and nothing of them is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy_model import Toy, edit, entries_of, make_manifest, refused

from neuript.errors import ModelRefusedError
from neuript.modelfile import trust
from neuript.modelfile.container import pack, parse
from neuript.modelfile.deployable import open_model, save_model
from neuript.modelfile.describe import read_manifest
from neuript.modelfile.engines import quiet_jit


def test_every_truncation_is_refused(saved: Path, rng: np.random.Generator) -> None:
    data = saved.read_bytes()
    cuts = {*range(1, 40), *range(len(data) - 110, len(data)), *rng.integers(40, len(data), 100)}
    for cut in cuts:
        with pytest.raises(ModelRefusedError):
            parse(data[:cut], "mi.ts")
    saved.write_bytes(data[: len(data) // 2])
    refused(saved, "mi.ts is cut short or damaged", trust=True)


def test_every_changed_byte_is_refused(saved: Path, rng: np.random.Generator) -> None:
    data = bytearray(saved.read_bytes())
    ends = (*range(60), *range(len(data) - 120, len(data)))
    for position in (*ends, *rng.integers(0, len(data), 400)):
        old = data[position]
        data[position] ^= int(rng.integers(1, 256))
        with pytest.raises(ModelRefusedError):
            parse(bytes(data), "mi.ts")
        data[position] = old
    parse(bytes(data), "mi.ts")  # and unchanged it is fine


def test_appended_bytes_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    refused(saved, "damaged at its end; copy it again", trust=True)


def not_a_model(kind: str, tmp_path: Path, toy: Toy) -> bytes:
    out = io.BytesIO()
    match kind:
        case "pickle":
            return pickle.dumps({"weights": [1.0]})
        case "torch.save":
            torch.save(toy.state_dict(), out)
        case "torch.save legacy":
            torch.save(toy.state_dict(), out, _use_new_zipfile_serialization=False)
        case "foreign torchscript":
            with quiet_jit():
                torch.jit.save(torch.jit.script(nn.Linear(2, 2)), out)
        case "zip":
            with zipfile.ZipFile(out, "w") as archive:
                archive.writestr("readme.txt", "hello")
        case "safetensors":
            from safetensors.torch import save

            return save({"a": torch.zeros(3)})
        case "text":
            return b"hello there\n"
        case "noise":
            return np.random.default_rng(3).bytes(5000)
        case "xdf":
            return b"XDF:" + bytes(100)
        case "null":
            return bytes(1000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pickle", "a Python pickle"),
        ("torch.save", "a pickle written by torch.save"),
        ("torch.save legacy", "a Python pickle"),
        ("foreign torchscript", "a TorchScript program that neuript did not write"),
        ("zip", "is a zip archive"),
        ("safetensors", "no neuript manifest"),
        ("text", "a text file"),
        ("noise", "an unknown kind of file"),
        ("xdf", "an XDF recording"),
        ("null", "an unknown kind of file"),
    ],
)
def test_other_files_are_named_and_refused(tmp_path: Path, toy: Toy, kind: str, words: str) -> None:
    path = tmp_path / "mi.ts"
    path.write_bytes(not_a_model(kind, tmp_path, toy))
    refused(path, words, trust=True)


class Boom:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("boom",)


def test_a_pickle_is_never_run(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ts").write_bytes(pickle.dumps(Boom()))
    refused(tmp_path / "evil.ts", "pickle", trust=True)
    edit(saved, "/data.pkl", pickle.dumps(Boom()))
    refused(saved, "not written on this computer")
    refused(saved, "cannot be loaded by PyTorch", trust=True)
    assert not Path("boom").exists()


def test_an_export_program_with_pickled_objects_is_never_loaded(
    tmp_path: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mi.pt2"
    save_model(path, toy, make_manifest())
    original = path.read_bytes()
    entries = entries_of(path)
    (name,) = [k for k in entries if k.endswith("model_weights_config.json")]
    config = json.loads(entries[name])
    next(iter(config["config"].values()))["use_pickle"] = True
    edit(path, "model_weights_config.json", json.dumps(config).encode())
    refused(path, "pickled objects", trust=True)
    path.write_bytes(original)
    out = io.BytesIO()
    torch.save(Boom(), out)
    edit(path, "sample_inputs/model.pt", out.getvalue())
    refused(path, "not plain tensors", trust=True)
    assert not Path("boom").exists()


def test_zip_bombs_do_not_unfold(tmp_path: Path, saved: Path) -> None:
    entries = entries_of(saved)
    top = next(iter(entries)).split("/")[0]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr(f"{top}/data/bomb", bytes(50_000_000), zipfile.ZIP_DEFLATED)
    sealed = reseal(out.getvalue())
    tracemalloc.start()
    with pytest.raises(ModelRefusedError, match="compressed or encrypted entry"):
        parse(sealed, "mi.ts")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def reseal(archive: bytes) -> bytes:
    """Seal any zip archive, whatever is in it."""
    import hashlib
    import struct

    body = archive[:-2] + struct.pack("<H", 79)
    return body + b"neuript-sha256:" + hashlib.sha256(body).hexdigest().encode()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "other/evil", "a\\b", "t/é", "t/\n"])
def test_bad_entry_names_are_refused(saved: Path, name: str) -> None:
    entries = entries_of(saved)
    saved.write_bytes(pack(entries | {name: b"x"}))
    refused(saved, "entry with a bad name", trust=True)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_is_there_twice_is_refused(saved: Path) -> None:
    entries = list(entries_of(saved).items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in [*entries, entries[0]]:
            archive.writestr(name, content)
    saved.write_bytes(reseal(out.getvalue()))
    refused(saved, "entry with a bad name", trust=True)


@pytest.mark.parametrize(
    "entry", ["extra/manifest.json", "neuript/golden.safetensors", "neuript/weights.json", "constants.pkl"]
)
def test_missing_parts_are_named(saved: Path, entry: str) -> None:
    entries = {k: v for k, v in entries_of(saved).items() if not k.endswith(entry)}
    saved.write_bytes(pack(entries))
    refused(saved, "without", trust=True)


def edit_manifest(path: Path, **changes: object) -> Path:
    values = read_manifest(path).to_dict() | changes
    return edit(path, "manifest.json", json.dumps(values).encode())


def test_a_newer_format_is_refused_with_its_version(saved: Path) -> None:
    edit_manifest(saved, format=2, neuript_version="9.1.0", new_field=1)
    refused(saved, r"written in format 2 by neuript 9\.1\.0.*update neuript", trust=True)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"surprise": 1}, "the manifest: unknown field surprise"),
        ({"format": "1"}, "not a version number"),
        ({"format": True}, "not a version number"),
        ({"window_s": 2.0}, "golden vectors of shape"),
        ({"classes": ["a", "b"], "idle_class": None}, "golden vectors of shape"),
        ({"classes": ["a", "b", "a"], "idle_class": None}, "different names"),
        ({"classes": [], "idle_class": None}, "has no classes"),
        ({"classes": "abc"}, "classes='abc' must be a list of texts"),
        ({"weights_sha256": "0" * 64}, "weights are not those"),
        ({"montage": []}, r"montage=\[\] must be a table"),
        ({"hop_s": -1}, "hop_s=-1.0 must be a positive"),
        ({"hop_s": "0.125"}, "hop_s='0.125' must be a finite number"),
        ({"preprocess": {"sfreq": 64.0, "alignment": {"bands_hz": [[4.0, 8.0]]}}}, "golden vectors of shape"),
        ({"preprocess": {"sfreq": 64.0, "alignment": {"bands_hz": 3}}}, "alignment"),
        ({"preprocess": {"sfreq": 64.0, "alignment": [[1.0]]}}, "alignment"),
    ],
)
def test_manifests_that_do_not_fit(saved: Path, changes: dict[str, object], match: str) -> None:
    edit_manifest(saved, **changes)
    refused(saved, match, trust=True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 1, "format": 1}', '{"format": NaN}', "[" * 100_000, "\xff"]
)
def test_manifests_that_are_not_json(saved: Path, text: str) -> None:
    edit(saved, "manifest.json", text.encode("latin-1"))
    refused(saved, "manifest", trust=True)


def test_golden_vectors_that_do_not_match(saved: Path) -> None:
    from safetensors.numpy import load, save

    golden = load(next(v for k, v in entries_of(saved).items() if "golden" in k))
    original = saved.read_bytes()
    for changed, match in [
        (golden | {"logits": golden["logits"] + np.float32(0.01)}, "golden outputs"),
        (golden | {"signal": golden["signal"] * np.float32(1.5)}, "golden outputs"),
        (golden | {"logits": golden["logits"][:-1]}, "golden vectors of shape"),
        (golden | {"logits": golden["logits"] * np.float32("nan")}, "NaN or infinity"),
        ({k: v.astype(np.float64) for k, v in golden.items()}, "not float32"),
        (golden | {"tangent": np.zeros((len(golden["logits"]), 1), np.float32)}, "golden vectors of shape"),
        ({"signal": golden["signal"], "logits": golden["logits"]}, "no valid golden vectors"),
    ]:
        saved.write_bytes(original)
        edit(saved, "golden.safetensors", save(changed))
        refused(saved, match, trust=True)
    saved.write_bytes(original)
    edit(saved, "golden.safetensors", b"\xff" * 50)
    refused(saved, "no valid golden vectors", trust=True)


def test_changed_weights_with_a_new_seal_are_refused(saved: Path) -> None:
    entries = entries_of(saved)
    key = max((k for k in entries if "/data/" in k), key=lambda k: len(entries[k]))
    blob = bytearray(entries[key])
    blob[4] ^= 1
    saved.write_bytes(pack(entries | {key: bytes(blob)}))
    refused(saved, "weights are not those", trust=True)


def test_other_classes_than_expected(saved: Path) -> None:
    open_model(saved, expect_classes=["rest", "right_hand", "left_hand"])
    refused(saved, "left_hand, right_hand, rest, but feet, rest", expect_classes=["feet", "rest"])


def test_a_file_from_elsewhere_needs_trust_once(saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    open_model(saved)  # written here
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "another-person"))
    refused(saved, "not written on this computer.*--trust")
    open_model(saved, trust=True)
    open_model(saved)
    other = saved.with_name("renamed.ts")
    saved.rename(other)
    open_model(other)  # it is the content that is trusted
    assert "--trust" in trust.trust_file().read_text("utf-8")


def test_trust_is_not_remembered_for_a_model_that_is_refused(saved: Path) -> None:
    edit_manifest(saved, weights_sha256="0" * 64)
    refused(saved, "weights", trust=True)
    refused(saved, "not written on this computer")


def test_trust_does_not_excuse_damage(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    saved.write_bytes(data)
    refused(saved, "checksum", trust=True)


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.ts", "no file .*none.ts")
    (tmp_path / "empty.ts").touch()
    refused(tmp_path / "empty.ts", "0 bytes")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ts")
        refused(tmp_path / "pipe.ts", "a device or a pipe")


def test_too_large_a_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuript.modelfile.container.MAX_MODEL_BYTES", 1000)
    refused(saved, "larger than")
