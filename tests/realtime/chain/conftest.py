"""A reference that many tests begin with."""

from __future__ import annotations

import numpy as np
import pytest
from aligned_play import Play, aligned, eeg

from neuript.realtime.chain.alignment import Reference


@pytest.fixture
def settled(rng: np.random.Generator) -> Reference:
    """The reference after 60 s."""
    play = Play(aligned())
    play(eeg(rng, 60.0))
    assert play.windows.reference is not None
    return play.windows.reference
