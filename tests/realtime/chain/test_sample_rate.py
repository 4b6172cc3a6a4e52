"""A declared rate is compared with the measured one, no sooner than the measurement allows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.realtime.chain.sample_rate import RateMeter, RateVerdict


def metered(declared, stamps, size=50):
    meter = RateMeter(declared)
    verdicts = []
    for k in range(0, len(stamps), size):
        meter.stamped(stamps[k : k + size])
        meter.forget_old()
        verdicts.append(meter.verdict)
    return meter, verdicts


@pytest.mark.parametrize(
    ("declared", "true", "verdict"),
    [
        (250, 250, "fine"),
        (500, 499.83, "fine"),
        (250, 250.25, "fine"),
        (250, 247, "odd"),
        (250, 200, "wrong"),
        (256, 200, "wrong"),
        (250, 125, "wrong"),
        (125, 250, "wrong"),
        (250, 2, "wrong"),
    ],
)
def test_exact_and_scattered_stamps_lead_to_the_same_verdict(declared, true, verdict):
    t = 50.0 + np.arange(round(90 * true)) / true
    for scatter in (0.0, 0.0005):
        meter, _ = metered(declared, t + np.abs(np.random.default_rng(2).normal(0, scatter, len(t))))
        assert meter.verdict == RateVerdict(verdict)
        assert meter.hz == pytest.approx(true, rel=2e-3)


def test_exact_stamps_are_judged_within_two_seconds():
    _, verdicts = metered(250, np.arange(1000) / 200, size=50)
    assert RateVerdict.WRONG in verdicts[:8]


@pytest.mark.parametrize("chunk", [10, 62])
def test_lumps_and_jitter_of_the_right_rate_are_never_accused(chunk):
    rng = np.random.default_rng(4)
    t = np.arange(250 * 300) / 250
    lumps = t[: len(t) // chunk * chunk].reshape(-1, chunk)[:, -1:].repeat(chunk, 1).ravel()
    for stamps in (lumps, lumps + np.repeat(rng.normal(0, 0.02, len(lumps) // chunk), chunk)):
        _, verdicts = metered(250, stamps)
        assert set(verdicts) == {RateVerdict.FINE}


def test_arrivals_tell_what_stamps_hide():
    meter = RateMeter(250.0, 10.0)
    rng, verdicts = np.random.default_rng(0), []
    for k in range(1500):  # 20 ms chunks of which each lacks a fifth
        meter.arrived(4, 7.0 + 0.02 * k + rng.uniform(0, 0.05))
        verdicts.append(meter.verdict)
    assert set(verdicts[:450]) == {RateVerdict.FINE}
    assert verdicts[-1] is RateVerdict.WRONG
    assert meter.hz == pytest.approx(200, rel=0.01)
    assert meter.said("amp") == f"'amp' declares 250 Hz and sends {meter.hz:.4g} Hz"


def test_a_change_is_seen_although_much_was_right_before():
    t = np.r_[np.arange(250 * 120) / 250, 120 + np.arange(200 * 70) / 200]
    meter, verdicts = metered(250, t)
    assert verdicts[600 - 1] is RateVerdict.FINE
    assert meter.verdict is RateVerdict.WRONG


def test_nothing_is_said_without_a_measurement():
    meter = RateMeter(250.0)
    meter.stamped(np.full(9, np.nan))
    meter.arrived(3, math.nan)
    assert math.isnan(meter.hz)
    assert meter.verdict is RateVerdict.FINE
    meter.stamped(np.array([1.0]))
    assert meter.verdict is RateVerdict.FINE
