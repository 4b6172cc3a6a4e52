"""The head map's two sides: what the decoder says of each electrode, and the power of its rhythms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chunkings import cut

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.dashboard.band_power import BANDS, POWER_S, BandPower
from neuript.realtime.dashboard.stream_head import QUALITY, SHOWS, StreamHead
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.header_electrodes import HeaderElectrode

SFREQ = 250.0
MU, BETA = BANDS
NAMES = ("C3", "Cz", "C4", "Pz", "X1")


def rhythm(freq_hz: float, amplitude: float, n: int = 1000) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * freq_hz * np.arange(n) / SFREQ)


@pytest.mark.parametrize("chunk", [1, 7, 400])
def test_the_power_of_a_sine_is_half_its_amplitude_squared_in_its_band_and_nowhere_else(chunk):
    x = np.stack([rhythm(10, 4.0), rhythm(20, 2.0), 300 + rhythm(2, 50.0)], axis=1).astype(np.float32)
    power = BandPower(3, SFREQ)
    for start, stop in cut(len(x), [chunk]):
        power.add(x[start:stop])
    assert power.of(MU) == pytest.approx([8.0, 0.0, 0.0], abs=0.02)
    assert power.of(BETA) == pytest.approx([0.0, 2.0, 0.0], abs=0.02)


def test_power_is_that_of_the_last_seconds_alone(rng):
    """White noise of 5 µV has 25 µV² over 125 Hz: 1 µV² in 5 Hz."""
    x = rng.normal(0, 5, (round(POWER_S * SFREQ), 64)).astype(np.float32)
    power = BandPower(64, SFREQ)
    power.add(1000 * x)
    power.add(x)
    assert power.of(MU).mean() == pytest.approx(1.0, rel=0.15)
    assert power.of(BETA).mean() == pytest.approx(3.4, rel=0.15)
    power.reset()
    assert power.of(MU) is None
    slow = BandPower(1, 50.0)
    slow.add(np.ones((200, 1), np.float32))
    assert slow.of(BETA) is None  # 30 Hz is not in it


def head_of(used=(0, 1, 2)) -> StreamHead:
    """A decoder of C3, Cz and C4, on a stream that measures Pz and something else as well."""
    head = StreamHead()
    electrodes = tuple(
        HeaderElectrode(name=name, channel=k, pos_m=pos)
        for k, (name, pos) in enumerate([("C3", (-0.065, 0, 0.06)), ("Cz", (0, 0, 0.09)), ("C4", (0.065, 0, 0.06))])
    )
    head.take_decoder(DecoderHeader(classes=("a", "b"), electrodes=electrodes, used=used))
    head.take_eeg(SignalInfo(name="x", sfreq=SFREQ, ch_names=NAMES))
    return head


def test_electrodes_beside_the_plan_are_shown_where_their_name_says():
    points = {point.name: point for point in head_of().points(silent=False)}
    assert list(points) == ["C3", "Cz", "C4", "Pz"]  # nobody knows where X1 is
    assert [point.used for point in points.values()] == [True, True, True, False]
    assert points["Pz"].y < -0.2
    assert points["C3"].x < 0 < points["C4"].x


def test_the_strongest_electrode_is_the_strongest_colour_and_a_bad_one_stays_bad():
    head = head_of()
    head.take_bad("Cz=huge")
    x = np.stack([rhythm(10, a) for a in (1.0, 500.0, 10.0, 3.0, 80.0)], axis=1).astype(np.float32)
    head.add(x, in_uv=True)
    assert head.scale is None
    assert all(math.isnan(point.share) for point in head.points(silent=False))
    assert SHOWS == (QUALITY, "mu", "beta")
    head.choose("mu")
    head.add(x, in_uv=True)
    points = {point.name: point for point in head.points(silent=False)}
    shares = [points[name].share for name in ("C3", "Pz", "C4")]
    assert shares == pytest.approx([0.0, math.log(9) / math.log(100), 1.0], abs=0.01)
    assert math.isnan(points["Cz"].share)
    assert (points["Cz"].level, points["Cz"].why) == ("bad", "is far too large")
    assert points["C4"].why == "mu 50 µV²"
    assert (head.scale.low, head.scale.high) == pytest.approx((0.5, 50.0), rel=0.01)
    assert head.scale.unit == "µV²"
    assert all(math.isnan(point.share) for point in head.points(silent=True))
    head.broke()
    assert head.scale is None


def test_equal_electrodes_look_equal():
    head = head_of()
    head.choose("beta")
    head.add(np.stack([rhythm(20, a) for a in (1.0, 1.05, 1.0, 1.0, 1.0)], axis=1).astype(np.float32), in_uv=False)
    shares = [point.share for point in head.points(silent=False)]
    assert max(shares) - min(shares) < 0.1
    assert head.scale.unit == "(stream unit)²"


def test_every_verdict_has_its_words():
    from neuript.realtime.chain.quality import Verdict
    from neuript.realtime.dashboard import stream_head
    from neuript.training.report.electrode_quality import WHY

    assert set(stream_head._WORDS) == set(stream_head._SHORT) == set(Verdict)
    assert set(WHY) == set(Verdict) - {Verdict.OK}
