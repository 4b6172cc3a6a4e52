"""Damaged, foreign and dishonest model files are refused in one sentence, before anything is built of them."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from processes import finished, python
from toy_model import (
    CH_NAMES,
    CONFIG,
    N_TIMES,
    POS_M,
    edit,
    edit_manifest,
    edit_metadata,
    make_manifest,
    put_together,
    refused,
    resealed,
    taken_apart,
    toy_network,
)

from neuript.errors import ModelRefusedError
from neuript.modelfile.container import Part, parse
from neuript.modelfile.deployable import load_model, open_model, save_model
from neuript.modelfile.tensor_file import TensorBytes, tensors_sha256


def test_every_truncation_is_refused(saved: Path, rng: np.random.Generator) -> None:
    data = saved.read_bytes()
    for cut in {*range(1, 130), *range(len(data) - 110, len(data)), *rng.integers(130, len(data), 100)}:
        with pytest.raises(ModelRefusedError):
            parse(data[:cut], "mi.ts")
    saved.write_bytes(data[: len(data) // 2])
    refused(saved, "mi.ts is cut short or damaged")


def test_every_changed_byte_is_refused(saved: Path, rng: np.random.Generator) -> None:
    data = bytearray(saved.read_bytes())
    ends = (*range(130), *range(len(data) - 120, len(data)))
    for position in (*ends, *rng.integers(0, len(data), 400)):
        old = data[position]
        data[position] ^= int(rng.integers(1, 256))
        with pytest.raises(ModelRefusedError):
            parse(bytes(data), "mi.ts")
        data[position] = old
    parse(bytes(data), "mi.ts")  # and unchanged it is fine


def test_appended_bytes_are_refused_also_with_a_new_seal(saved: Path) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data + b"\0")
    refused(saved, "its seal does not match")
    saved.write_bytes(resealed(data + b"\0"))
    refused(saved, "1 bytes more than its tensors")
    saved.write_bytes(data + data)
    refused(saved, "its seal does not match")


def not_a_model(kind: str, tmp_path: Path) -> bytes:
    out = io.BytesIO()
    match kind:
        case "pickle":
            return pickle.dumps({"weights": [1.0]})
        case "torch.save":
            torch.save(toy_network().state_dict(), out)
        case "torch.save legacy":
            torch.save(toy_network().state_dict(), out, _use_new_zipfile_serialization=False)
        case "zip":
            with zipfile.ZipFile(out, "w") as archive:
                archive.writestr("readme.txt", "hello")
        case "bomb":
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("mi/data.pkl", bytes(50_000_000))
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
        ("zip", "is a zip archive"),
        ("bomb", "a pickle written by torch.save"),
        ("safetensors", "no neuript manifest"),
        ("text", "a text file"),
        ("noise", "an unknown kind of file"),
        ("xdf", "an XDF recording"),
        ("null", "an unknown kind of file"),
    ],
)
def test_other_files_are_named_and_refused(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "mi.ts"
    path.write_bytes(not_a_model(kind, tmp_path))
    refused(path, words)


class Boom:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("boom",)


def test_a_pickle_is_never_run(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ts").write_bytes(pickle.dumps(Boom()))
    refused(tmp_path / "evil.ts", "pickle", trust=True)
    evil = pickle.dumps(Boom())
    edit(saved, head__bias=TensorBytes("U8", (len(evil),), evil))
    refused(saved, "weights are not those", trust=True)
    edit(saved, neuript__code=TensorBytes("U8", (len(evil),), evil))
    refused(saved, "weights are not those", trust=True)
    assert not Path("boom").exists()


# -- manifest ----------------------------------------------------------------------------------


def test_a_newer_format_is_refused_with_its_version(saved: Path) -> None:
    edit_manifest(saved, format=2, neuript_version="9.1.0", new_field=1)
    refused(saved, r"written in format 2 by neuript 9\.1\.0.*update neuript")


def test_another_layout_is_refused_with_its_number(saved: Path) -> None:
    edit_metadata(saved, container="2")
    refused(saved, "has layout 2, and this neuript reads layout 1: update neuript")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"surprise": 1}, "the manifest: unknown field surprise"),
        ({"format": "1"}, "not a version number"),
        ({"format": True}, "not a version number"),
        ({"window_s": 2.0}, "golden vectors of shape"),
        ({"window_s": 1e308}, "window_s=1e"),
        ({"window_s": 1e308, "preprocess": {"sfreq": 1e308}}, "window_s=1e"),
        ({"hop_s": 10**400}, "has 401 digits"),
        ({"preprocess": {"sfreq": 10**17}}, "window_s=1.0 is"),
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
        ({"montage": {"ch_names": ["\ud800"] * 5}}, "not valid JSON"),
    ],
)
def test_manifests_that_do_not_fit(saved: Path, changes: dict[str, object], match: str) -> None:
    edit_manifest(saved, **changes)
    refused(saved, match)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 1, "format": 1}', '{"format": NaN}', "[" * 100_000, '{"a":' * 2000, "{}"]
)
def test_manifests_that_are_not_json(saved: Path, text: str) -> None:
    edit_metadata(saved, manifest=text)
    refused(saved, "manifest")


# -- weights and the module ----------------------------------------------------------------------


def with_weights(path: Path, **changes: TensorBytes | None) -> Path:
    """Change weights and the manifest's hash of them, too."""
    edit(path, **changes)
    weights = {k: v for k, v in taken_apart(path).tensors.items() if not k.startswith("neuript.")}
    return edit_manifest(path, weights_sha256=tensors_sha256(weights))


def f32(array: Any) -> TensorBytes:
    array = np.asarray(array, np.float32)
    return TensorBytes("F32", array.shape, array.tobytes())


@pytest.mark.parametrize(
    ("bias", "match"),
    [
        (f32([0, np.nan, 0]), "'head.bias' hold NaN or infinity"),
        (f32([0, np.inf, 0]), "'head.bias' hold NaN or infinity"),
        (f32([0, 0]), r"'head.bias' are \(2,\) torch.float32, and the manifest asks for \(3,\) torch.float32"),
        (f32([[0, 0, 0]]), r"'head.bias' are \(1, 3\)"),
        (TensorBytes("F64", (3,), bytes(24)), r"'head.bias' are \(3,\) torch.float64"),
        (TensorBytes("I32", (3,), bytes(12)), r"'head.bias' are \(3,\) torch.int32"),
        (None, "'head.bias' are nothing"),
        (f32([0, 0, 0.5]), "golden outputs"),
    ],
)
def test_weights_that_are_not_those_of_the_model(saved: Path, bias: TensorBytes | None, match: str) -> None:
    with_weights(saved, head__bias=bias)
    refused(saved, match)


def test_weights_that_nobody_asks_for_are_refused(saved: Path) -> None:
    with_weights(saved, more=f32([1.0]))
    refused(saved, r"'more' are \(1,\) torch.float32, and the manifest asks for nothing")


def test_changed_weights_with_a_new_seal_are_refused(saved: Path) -> None:
    edit(saved, head__bias=f32([0, 0, 0.5]))
    refused(saved, "weights are not those")


@pytest.mark.parametrize(
    "changes",
    [
        {"d_model": 10**9},
        {"d_model": 2**16, "n_heads": 2},
        {"n_times": 10**9},
        {"d_ff": 10**15},
        {"d_expert": 10**12},
        {"n_heads": 4},
        {"experts": [0, 10**15]},
        {"merges": [4, 10**15]},
        {"merges": [2] * 2000, "experts": [0] * 2000},
        {"pooling": "covariance", "covariance_heads": 12},
        {"spatial_pe": "learned_1d"},
        {"temporal_pe": "learned"},
        {"temporal_pe": "learned", "n_times": 10**12},
        {"spatial_bias": True},
        {"d_model": 10**400},
        {"d_model": "12"},
        {"dropout": 1e308},
        {"activation": "run"},
    ],
    ids=lambda ask: str(ask)[:40],
)
def test_a_shape_that_the_weights_do_not_account_for(saved: Path, changes: dict[str, Any]) -> None:
    edit_manifest(saved, model=CONFIG.to_dict() | changes)
    refused(saved, "mi.ts")


@pytest.mark.parametrize(
    "montage",
    [
        {},
        {"pos_m": [[0.0, 0.0, 1e308]] * 5},
        {"pos_m": [[0.0, 0.0]] * 5},
        {"pos_m": POS_M[:4]},
        {"lobes": {"a": [7]}},
        {"lobes": {str(i): [0] for i in range(1000)}},
        {"lobes": []},
        {"lobes": {"a": {}, "b": "x"}},
        {"pos_m": [["a"] * 3] * 5},
    ],
    ids=lambda m: str(m)[:40],
)
def test_a_montage_that_the_weights_do_not_fit(saved: Path, montage: dict[str, Any]) -> None:
    values = {"name": "toy", "ch_names": CH_NAMES}
    edit_manifest(saved, montage=values | ({"pos_m": POS_M, "lobes": {"a": [0]}} | montage if montage else {}))
    refused(saved, "mi.ts")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX limits of a process")
def test_nothing_is_built_that_the_file_does_not_pay_for(saved: Path, tmp_path: Path) -> None:
    """Files of some kilobytes, read where no more than 300 MB can be had beyond what PyTorch takes."""
    asks = [
        {"d_model": 2**20, "n_heads": 2},
        {"n_times": 10**9},
        {"d_ff": 2**28},
        {"experts": [0, 2**24]},
        {"temporal_pe": "learned", "n_times": 2**26},
        {"merges": [4, 2**26]},
    ]
    original = saved.read_bytes()
    for i, ask in enumerate(asks):
        saved.write_bytes(original)
        edit_manifest(saved, model=CONFIG.to_dict() | ask)
        saved.rename(tmp_path / f"bomb{i}.ts")
    header = (1 << 40).to_bytes(8, "little") + original[8:]
    (tmp_path / "bomb-length.ts").write_bytes(header)
    (tmp_path / "bomb-zip.ts").write_bytes(not_a_model("bomb", tmp_path))
    code = f"""
import resource, sys
from pathlib import Path
import torch
from neuript.errors import ModelRefusedError
from neuript.modelfile.deployable import open_model
import neuript.modelfile.engines, neuript.network.network
Path({str(tmp_path)!r}, "good.ts").exists() and open_model({str(tmp_path / "good.ts")!r})
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
for path in sorted(Path({str(tmp_path)!r}).glob("bomb*.ts")):
    try:
        open_model(path)
    except ModelRefusedError as error:
        print(path.name, error)
    else:
        sys.exit(f"{{path.name}} was opened")
"""
    (tmp_path / "good.ts").write_bytes(original)
    lines = finished(python(code), ok=True).stdout.splitlines()
    assert len(lines) == len(asks) + 2
    assert not [line for line in lines if "alloc" in line or "emory" in line]  # no attempt was made


# -- golden vectors and parts --------------------------------------------------------------------


def test_golden_vectors_that_do_not_match(saved: Path) -> None:
    golden = load_model(saved).golden
    signal, logits = golden.signal, golden.logits
    original = saved.read_bytes()
    for changes, match in [
        ({"logits": f32(logits + 0.01)}, "golden outputs"),
        ({"signal": f32(signal * 1.5)}, "golden outputs"),
        ({"logits": f32(logits[:-1])}, "golden vectors of shape"),
        ({"signal": f32(signal[..., 1:])}, "golden vectors of shape"),
        ({"signal": f32(signal[:0]), "logits": f32(logits[:0])}, "golden vectors of shape"),
        ({"signal": f32(0.0)}, "golden vectors of shape"),
        ({"logits": f32(logits * np.nan)}, "NaN or infinity"),
        ({"logits": TensorBytes("I32", logits.shape, bytes(logits.nbytes))}, "not float32"),
        ({"tangent": f32(np.zeros((len(logits), 1)))}, "golden vectors of shape"),
        ({"tangent": None}, r"without neuript\.golden\.tangent"),
        ({"signal": None}, r"without neuript\.golden\.signal"),
    ]:
        saved.write_bytes(original)
        edit(saved, **{f"neuript__golden__{part}": tensor for part, tensor in changes.items()})
        refused(saved, match)


PART = b"onnx" * 10


@pytest.fixture
def with_part(saved: Path) -> Path:
    saved.write_bytes(load_model(saved).with_parts({"network.onnx": Part(PART)}))
    return saved


@pytest.mark.parametrize(
    ("tensors", "match"),
    [
        ({"network__onnx": TensorBytes("U8", (40,), PART[::-1])}, "its part network.onnx is not the one"),
        ({"network__onnx": TensorBytes("U8", (36,), PART[4:])}, "its part network.onnx is not the one"),
        ({"network__onnx": TensorBytes("I8", (40,), PART)}, "its part network.onnx is not the one"),
        ({"network__onnx": None}, "lacks one: 'neuript.part.network.onnx'"),
        ({"network__rtx": TensorBytes("U8", (40,), PART)}, "does not know, or lacks one: 'neuript.part.network.rtx'"),
        ({"evil": TensorBytes("U8", (40,), PART)}, "does not know, or lacks one: 'neuript.part.evil'"),
    ],
)
def test_parts_that_are_missing_swapped_or_too_many(
    with_part: Path, tensors: dict[str, TensorBytes | None], match: str
) -> None:
    open_model(with_part)
    edit(with_part, **{f"neuript__part__{name}": tensor for name, tensor in tensors.items()})
    refused(with_part, match)


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("", "table of parts is not valid JSON"),
        ("[]", "table of parts is not a JSON object"),
        ('{"evil": {}}', "does not know, or lacks one"),
        ('{"network.onnx": 3}', "is not the one that its table names"),
        ('{"network.onnx": {"sha256": "0", "size": 40, "about": {}}}', "is not the one that its table names"),
        (json.dumps({"network.onnx": {"sha256": Part(PART).sha256, "size": 40, "about": 3}}), "is not a table"),
        (json.dumps({"network.onnx": {"sha256": Part(PART).sha256, "size": 40}}), "is not the one"),
    ],
)
def test_a_table_of_parts_that_lies(with_part: Path, table: str, match: str) -> None:
    edit_metadata(with_part, parts=table)
    refused(with_part, match)


def test_a_weight_may_not_take_a_name_of_the_file(saved: Path) -> None:
    file = taken_apart(saved)
    file.tensors["neuript.more"] = f32([1.0])
    put_together(saved, file)
    refused(saved, "does not know, or lacks one: 'neuript.more'")


# -- the rest ------------------------------------------------------------------------------------


def test_other_classes_than_expected(saved: Path) -> None:
    open_model(saved, expect_classes=["rest", "right_hand", "left_hand"])
    refused(saved, "left_hand, right_hand, rest, but feet, rest", expect_classes=["feet", "rest"])


def test_a_file_from_elsewhere_needs_no_trust(saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "another-person"))
    engine = open_model(saved)
    assert np.isfinite(engine.infer(np.zeros((N_TIMES, len(CH_NAMES)), np.float32))).all()
    assert not (tmp_path / "another-person").exists()


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.ts", "no file .*none.ts")
    (tmp_path / "empty.ts").touch()
    refused(tmp_path / "empty.ts", "0 bytes")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ts")
        refused(tmp_path / "pipe.ts", "a device or a pipe")


def test_too_large_a_file(tmp_path: Path) -> None:
    with (tmp_path / "big.ts").open("wb") as file:
        file.truncate((2 << 30) + 1)  # with holes: it takes no room
    refused(tmp_path / "big.ts", "larger than 2 GiB")


def test_what_learning_needs_is_not_taken_from_a_model_file(saved: Path) -> None:
    from neuript.modelfile.checkpoint import load_checkpoint

    with pytest.raises(ModelRefusedError, match="not a checkpoint to learn from"):
        load_checkpoint(saved)


def test_weights_with_our_names_are_not_written(tmp_path: Path) -> None:
    network = toy_network()
    network.neuript = torch.nn.Linear(1, 1)
    with pytest.raises(Exception, match=r"'neuript\.weight' have a name that the model file keeps for itself"):
        save_model(tmp_path / "mi.ts", network, make_manifest())
