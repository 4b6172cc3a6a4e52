"""Files of neuript 0.1: opened once a person has accepted them, converted to the same answers, refused when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from eight_electrodes import CONFIG, N_TANGENT, eeg, hybrid_of, make_manifest
from torchscript_files import change, entries_of, packed, save_old
from toy_model import refused

from neuript.cli import main
from neuript.errors import ModelRefusedError
from neuript.modelfile import trust
from neuript.modelfile.deployable import load_model, open_model
from neuript.modelfile.describe import describe_model, read_manifest
from neuript.modelfile.old_files import is_old, parse_old
from neuript.network.network import NeurIPTNetwork


@pytest.fixture(scope="module")
def old_bytes(network: NeurIPTNetwork, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a hybrid with all parts."""
    return save_old(tmp_path_factory.mktemp("old") / "old.ts", *hybrid_of(network, "gated")).read_bytes()


@pytest.fixture
def old(old_bytes: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "old.ts"
    path.write_bytes(old_bytes)
    return path


def test_it_opens_once_it_is_accepted_and_answers_as_the_module_does(
    old: Path, network: NeurIPTNetwork, rng: np.random.Generator
) -> None:
    refused(old, r"old\.ts is a program .*: neuript-train export .*old\.ts .*old-plain\.ts --trust")
    module, manifest = hybrid_of(network, "gated")
    engine = open_model(old, trust=True, engine="eager")
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT).astype(np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(window.T.copy())[None], torch.from_numpy(tangent)[None])[0].numpy()
    np.testing.assert_array_equal(engine.infer(window, tangent), expected)
    assert engine.manifest.classes == manifest.classes
    open_model(old)  # now it is known
    assert "--trust" in trust.trust_file().read_text("utf-8")


def test_it_is_converted_by_the_command_that_its_refusal_names(
    old: Path, capsys: pytest.CaptureFixture[str], own_config: Path
) -> None:
    new = old.with_name("new.ts")
    assert main(["train", "export", str(old), str(new)]) == 5
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert main(["train", "export", *said.partition("neuript-train export ")[2].split()]) == 0
    told = capsys.readouterr().err
    for words in (str(old), hashlib.sha256(old.read_bytes()).hexdigest(), old.owner(), "author unknown"):
        assert words in told
    plain = old.with_name("old-plain.ts")
    assert main(["train", "export", str(old), "--out", str(new)]) == 0
    assert new.read_bytes() == plain.read_bytes()
    before, after = parse_old(old.read_bytes(), "old.ts"), load_model(new)
    assert after.manifest == before.manifest == read_manifest(old)
    for part, stored in before.vectors.items():
        assert getattr(after.golden, part).tobytes() == stored.data
    assert set(after.module.state_dict()) == set(before.weight_names)
    own_config.joinpath("trusted-models.txt").unlink()
    open_model(new)  # nobody has to be trusted for it


def test_it_is_described_without_being_loaded(old: Path) -> None:
    text = describe_model(old)
    assert "a program (TorchScript) of neuript 0.1" in text
    assert "left_hand, right_hand, rest" in text


def test_a_program_that_the_manifest_does_not_describe_is_not_converted(
    network: NeurIPTNetwork, tmp_path: Path
) -> None:
    changed = CONFIG.to_dict() | {"gating": "source"}  # the same weights, other answers
    for model, match in [
        (changed, "answers differently from its program"),
        ({"architecture": "riemann"}, "architecture 'riemann' is not known"),
        (CONFIG.to_dict() | {"d_model": 128}, "the manifest asks for"),
    ]:
        path = save_old(tmp_path / "other.ts", network, make_manifest(model=model))
        refused(path, f"cannot be converted: .*{match}", trust=True)
        assert not trust.trust_file().exists()


def test_every_truncation_and_every_changed_byte_is_refused(old_bytes: bytes, rng: np.random.Generator) -> None:
    for cut in {*range(1, 110), *rng.integers(1, len(old_bytes), 30)}:
        with pytest.raises(ModelRefusedError):
            parse_old(old_bytes[:-cut], "old.ts")
    data = bytearray(old_bytes)
    for position in (*range(60), *range(len(data) - 120, len(data)), *rng.integers(0, len(data), 60)):
        kept = data[position]
        data[position] ^= int(rng.integers(1, 256))
        with pytest.raises(ModelRefusedError):
            parse_old(bytes(data), "old.ts")
        data[position] = kept
    assert is_old(bytes(data))
    assert parse_old(bytes(data), "old.ts").manifest.classes


class Boom:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("boom",)


def test_a_pickle_in_it_is_never_run(tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change(old, "/data.pkl", pickle.dumps(Boom()))
    refused(old, "is a program")
    refused(old, "cannot be loaded by PyTorch", trust=True)
    assert not Path("boom").exists()


def test_zip_bombs_do_not_unfold(old: Path) -> None:
    entries = entries_of(old)
    top = next(iter(entries)).split("/")[0]
    data = packed(entries | {f"{top}/data/bomb": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ModelRefusedError, match="compressed, encrypted or badly named"):
        parse_old(data, "old.ts")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "other/evil", "a\\b", "t/é", "t/\n"])
def test_bad_entry_names_are_refused(old: Path, name: str) -> None:
    old.write_bytes(packed(entries_of(old) | {name: b"x"}))
    refused(old, "badly named", trust=True)


@pytest.mark.parametrize(
    "entry", ["extra/manifest.json", "neuript/golden.safetensors", "neuript/weights.json", "constants.pkl"]
)
def test_missing_parts_are_named(old: Path, entry: str) -> None:
    change(old, entry, None)
    refused(old, f"without {entry}", trust=True)


@pytest.mark.parametrize(
    ("entry", "content", "match"),
    [
        ("manifest.json", b"[" * 100_000, "not valid JSON"),
        ("manifest.json", b"{}", "format is None"),
        ("golden.safetensors", b"\xff" * 50, "golden vectors is not a safetensors"),
        ("weights.json", b"{}", "no valid list of weights"),
        ("weights.json", b"[" * 100_000, "no valid list of weights"),
        ("weights.json", json.dumps(["bias"]).encode(), "weights are not those"),
    ],
)
def test_parts_that_are_not_what_they_should_be(old: Path, entry: str, content: bytes, match: str) -> None:
    change(old, entry, content)
    refused(old, match, trust=True)


def test_trust_does_not_excuse_damage(old: Path) -> None:
    data = bytearray(old.read_bytes())
    data[len(data) // 2] ^= 1
    old.write_bytes(data)
    refused(old, "checksum", trust=True)
