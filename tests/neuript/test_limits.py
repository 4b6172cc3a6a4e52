"""The bounds that several rooms keep are one answer, wherever one asks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.limits import can_decode
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.lsl.discovery import StreamSummary, check_decodable


@pytest.mark.parametrize(
    ("sfreq", "decoded"),
    [
        *[(rate, True) for rate in (99.0, 99.8, 100.0, 250.0, 20_000.0, 20_200.0)],
        *[(rate, False) for rate in (0.0, 1.0, 98.9, 20_201.0, math.inf, math.nan)],
    ],
)
def test_a_stream_and_a_recording_of_the_same_rate_are_decoded_or_refused_alike(sfreq, decoded):
    assert can_decode(sfreq) is decoded
    stream = StreamSummary(
        name="amp",
        stype="EEG",
        source_id="1",
        uid="1",
        hostname="here",
        created_at=0.0,
        n_chans=2,
        sfreq=sfreq,
        channel_format="float32",
    )
    for ask in (lambda: check_decodable(stream), lambda: CausalChain(PreprocessSpec(), np.eye(2), sfreq)):
        if decoded:
            ask()
        else:
            with pytest.raises(NeuriptError, match="Hz"):
                ask()
