"""A model that is quick to save, and its file taken apart and put together again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import builders
import pytest
import torch
from torch import nn

from neuript.errors import ModelRefusedError
from neuript.modelfile.container import pack
from neuript.modelfile.deployable import open_model
from neuript.modelfile.manifest import Manifest

N_CHANS, N_TIMES, N_OUTPUTS = 5, 64, 3


class Toy(nn.Module):
    """A buffer that is not saved, shared weights and a matrix product: what models have."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(N_TIMES, 16)
        self.head = nn.Linear(16 * N_CHANS, N_OUTPUTS)
        self.again = self.mix
        self.register_buffer("table", torch.linspace(0, 1, 16), persistent=False)
        self.register_buffer("scale", torch.tensor(1e5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((self.mix(x * self.scale) + self.table).tanh().flatten(1))


def make_manifest(**changes: object) -> Manifest:
    values = {
        "task": "motor-imagery",
        "classes": ("left_hand", "right_hand", "rest"),
        "idle_class": "rest",
        "model": {"architecture": "toy"},
        "montage": {"name": "toy", "ch_names": [f"C{i}" for i in range(N_CHANS)]},
        "preprocess": {"sfreq": 64.0, "highpass_hz": 0.1},
        "window_s": 1.0,
        "hop_s": 0.125,
        "metrics": {"accuracy": {"value": 0.8, "protocol": "blocked 5-fold"}},
        "provenance": {"simulated": True, "data": ["one.xdf"], "counts": {"left_hand": 20}},
    }
    return builders.make_manifest(**(values | changes))


def refused(path: Path, match: str, **kwargs: object) -> None:
    with pytest.raises(ModelRefusedError, match=match) as caught:
        open_model(path, **kwargs)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def edit(path: Path, name: str, content: bytes) -> Path:
    """Change one entry and seal the file again, as somebody with bad intent would."""
    entries = entries_of(path)
    (key,) = [k for k in entries if k.endswith(name)]
    path.write_bytes(pack(entries | {key: content}))
    return path
