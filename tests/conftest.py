"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
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
