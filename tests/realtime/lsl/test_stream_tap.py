"""What a tap takes out of LSL, without a network: the inlet is one that fails where LSL's own would."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_tap import StreamTap


class LastSample:
    """An inlet whose sender is gone after one more sample."""

    def __init__(self) -> None:
        self.n = 0

    def pull_chunk(self, timeout: float, max_samples: int) -> tuple[np.ndarray, np.ndarray]:
        self.n += 1
        if self.n > 1:
            raise RuntimeError("the stream is lost")
        return np.full((1, 2), 7.0), np.array([3.5])


def test_the_last_sample_of_a_sender_that_goes_is_kept():
    tap = StreamTap(pylsl.StreamInfo("amp", "EEG", 2, 250.0, "float32", "tap"))
    assert tap.offset_s is None  # not measured is not zero
    with pytest.raises(RuntimeError, match="lost"):
        tap._pull_on(LastSample())
    [(values, stamps)] = tap.take()
    assert values.tolist() == [[7.0, 7.0]]
    assert stamps.tolist() == [3.5]
