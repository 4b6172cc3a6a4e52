"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from processes import default_signals

from neuript.errors import NeuriptError
from neuript.qt_choice import choose_qt

# No test is heard or hears beyond this computer. Programs that use plain pylsl get the same by liblsl's own settings,
# and enough ports: within one computer only those are asked.
os.environ.setdefault("NEURIPT_LSL_SCOPE", "machine")
if "LSLAPICFG" not in os.environ:
    _settings = Path(tempfile.mkdtemp(prefix="neuript-tests-")) / "lsl_api.cfg"
    _settings.write_text("[multicast]\nResolveScope = machine\n[ports]\nPortRange = 128\n", "utf-8")
    os.environ["LSLAPICFG"] = str(_settings)
    atexit.register(shutil.rmtree, _settings.parent, ignore_errors=True)

# A test may ask for Qt before it imports a window.
with suppress(NeuriptError):
    choose_qt()

# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes a quarter of an hour, unless it is asked for."""
    unasked = [mark for mark in ("guided", "fuzz") if mark not in config.option.markexpr]
    long = [item for item in items if any(map(item.get_closest_marker, unasked))]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session", autouse=True)
def started_as_from_a_terminal() -> Iterator[None]:
    """Tests that press Ctrl-C in their own process work where the suite was started with SIGINT ignored."""
    with default_signals():
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20251116)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real recordings beside the checkout; tests that need it skip where it is not."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the real recordings are not on this machine (they are not part of the project)")
    return path
