"""A short recording that several readers are asked for."""

from __future__ import annotations

import numpy as np
import pytest

SFREQ = 250.0


@pytest.fixture
def eeg(rng):
    """(data, stamps): 3 s of 3 channels with stamps that jitter."""
    n = 750
    stamps = 1000.0 + np.arange(n) / SFREQ + rng.normal(0, 2e-4, n)
    return (20 * rng.standard_normal((n, 3))).astype(np.float32), stamps
