"""The safetensors layout: as the library writes and reads it, and nothing that only looks like it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from neuript.errors import ModelRefusedError
from neuript.modelfile.strict_json import strict_json
from neuript.modelfile.tensor_file import KINDS, read_tensors, write_tensors
from neuript.modelfile.torch_tensors import state_to_bytes, to_state

STATE = {
    "b.weight": torch.arange(6, dtype=torch.float32).view(2, 3),
    "a": torch.tensor([1.5, -2.5], dtype=torch.float64),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "nothing": torch.empty(3, 0),
    "half": torch.tensor([0.1, 3.0], dtype=torch.bfloat16),
    "flags": torch.tensor([True, False, True]),
    "bytes": torch.tensor([0, 255, 7], dtype=torch.uint8),
}


def file_of(header: Any, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def one(**changes: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


def test_the_library_reads_what_is_written() -> None:
    data = bytes(write_tensors(state_to_bytes(STATE), {"one": "1", "two": "zwölf \"'\n"}))
    found = safetensors.torch.load(data)
    assert found.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    assert data == write_tensors(dict(reversed(state_to_bytes(STATE).items())), {"one": "1", "two": "zwölf \"'\n"})


def test_what_the_library_writes_is_read() -> None:
    file = read_tensors(safetensors.torch.save(STATE, {"one": "1"}), "x")
    assert file.metadata == {"one": "1"}
    found = to_state(file.tensors)
    assert found.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert torch.equal(found[name], tensor)


def test_every_kind_is_as_long_as_pytorch_says() -> None:
    for name, size in KINDS.values():
        assert getattr(torch, name).itemsize == size


def test_numbers_begin_where_a_processor_likes_them(rng: np.random.Generator) -> None:
    for length in range(9):
        data = write_tensors(state_to_bytes(STATE), {"filler": "x" * length})
        assert (8 + int.from_bytes(data[:8], "little")) % 8 == 0


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not a safetensors"),
        (b"\x00" * 100, "not a safetensors"),
        ((1 << 62).to_bytes(8, "little") + b"{}" * 50, "not a safetensors"),
        (file_of(b"{" + b"[" * 100_000), "not valid JSON"),
        (file_of(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "not valid JSON"),
        (file_of(b'{"x":1' + b"0" * 400 + b"}"), "has 401 digits"),
        (file_of(b'{"x":1e999}'), "1e999 is not a JSON number"),
        (file_of(b'{"x":NaN}'), "NaN is not"),
        (file_of(b'{"x":1,"x":1}'), "'x' appears twice"),
        (file_of(b'{"\\ud800":1}'), "not valid JSON"),
        (file_of(b"\xff\xfe{}"), "not a safetensors"),
        (file_of({"__metadata__": {"a": 1}}), "not a table of texts"),
        (file_of({"__metadata__": []}), "not a table of texts"),
        (file_of({"x": 1}), "of no known kind"),
        (file_of({"x": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "of no known kind"),
        (file_of(one(dtype="F128"), bytes(8)), "of no known kind"),
        (file_of(one(more=1), bytes(8)), "of no known kind"),
        (file_of(one(shape=[-2]), bytes(8)), "no valid shape"),
        (file_of(one(shape=[2.0]), bytes(8)), "no valid shape"),
        (file_of(one(shape=[True, 2]), bytes(8)), "no valid shape"),
        (file_of(one(shape=[1] * 20), bytes(8)), "no valid shape"),
        (file_of(one(data_offsets=[0, 8, 8]), bytes(8)), "no valid shape"),
        (file_of(one(shape=[10**17, 10**17]), bytes(8)), "not as long as its shape"),
        (file_of(one(), bytes(7)), "cut short"),
        (file_of(one(), bytes(9)), "1 bytes more"),
        (file_of(one(data_offsets=[1, 9]), bytes(9)), "not where it should be"),
        (file_of(one() | {"y": one()["x"]}, bytes(8)), "not where it should be"),  # two share their numbers
        (file_of({f"t{i}": {} for i in range(20_001)}), "at most 20000"),
    ],
)  # fmt: skip
def test_what_is_not_in_order_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(ModelRefusedError, match=match) as caught:
        read_tensors(data, "mi.ts")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_json_that_is_no_object_is_refused() -> None:
    for text in ("[]", "1", '"a"', "null", ""):
        with pytest.raises(ModelRefusedError, match="it is not"):
            strict_json(text, "it")
    assert strict_json('{"a": [1, -2.5e-3, "ü", null, true]}', "it") == {"a": [1, -0.0025, "ü", None, True]}
