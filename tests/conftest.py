"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20251116)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real recordings beside the checkout; tests that need it skip where it is not."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(
            "the real recordings are not on this machine (they are not part of the project)"
        )
    return path


@pytest.fixture(scope="session")
def xdf_writer() -> ModuleType:
    """The module `tests/helpers/xdf_writer.py`: writes small XDF files from the specification."""
    path = Path(__file__).parent / "helpers" / "xdf_writer.py"
    spec = importlib.util.spec_from_file_location("xdf_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fake_corpus() -> ModuleType:
    """The module `tests/helpers/fake_corpus.py`: a small corpus in memory, and settings to train on it."""
    path = Path(__file__).parent / "helpers" / "fake_corpus.py"
    spec = importlib.util.spec_from_file_location("fake_corpus", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_corpus"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
