"""Percentiles from bins against NumPy; bounded memory."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from neuript.realtime.decoding.decision import STAGES, Decision
from neuript.realtime.decoding.latency import LatencyHistogram, LatencyLedger, latency_text, read_latency_text
from neuript.realtime.decoding.states import State


def test_percentiles_agree_with_numpy_to_a_bin(rng):
    values = rng.lognormal(1.0, 1.5, 5000)
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    for q in (1, 50, 95, 99):
        expected = np.percentile(values, q, method="inverted_cdf")
        assert histogram.percentile(q) == pytest.approx(expected, rel=0.0116)
    summary = histogram.summary()
    assert summary["n"] == 5000
    assert summary["max"] == pytest.approx(values.max(), abs=1e-4)
    assert summary["mean"] == pytest.approx(values.mean(), abs=1e-4)


def test_odd_values():
    histogram = LatencyHistogram()
    assert math.isnan(histogram.percentile(50))
    for value in (math.nan, math.inf, 0.0, -1.0, 1e12):
        histogram.add(value)
    assert histogram.n == 3
    assert json.dumps(histogram.summary(), allow_nan=False)


def test_ledger_counts_states_commands_and_only_decoded_windows():
    ledger = LatencyLedger()
    latency = dict.fromkeys(STAGES, 2.0)
    ledger.publish(Decision(t=0.0, window_index=0, state=State.WARMUP, latency_ms=latency))
    ledger.publish(
        Decision(
            t=1.0,
            window_index=1,
            state=State.OK,
            proba={"a": 0.9, "b": 0.1},
            decision="a",
            committed=True,
            latency_ms=latency,
            sample_age_ms=7.0,
        )
    )
    summary = ledger.summary()
    assert summary["states"] == {"WARMUP": 1, "OK": 1}
    assert summary["commands"] == {"a": 1}
    assert summary["rows"] == 2
    assert summary["latency_ms"]["infer"]["n"] == 1
    assert summary["sample_age_ms"]["p50"] == pytest.approx(7.0, rel=0.012)


def test_json_line_is_strict_json_with_the_promised_keys():
    row = Decision(t=12.5, window_index=3, state=State.GAP, sample_age_ms=math.nan)
    values = json.loads(row.to_json_line())
    assert list(values) == [
        "t", "proba", "decision", "confidence", "state", "sample_age_ms", "latency_ms",
    ]  # fmt: skip
    assert values["state"] == "GAP"
    assert values["sample_age_ms"] is None
    row.rec_t = 1.25
    assert json.loads(row.to_json_line())["rec_t"] == 1.25


def test_the_ledger_travels_as_text():
    ledger = LatencyLedger()
    for ms in range(1, 101):
        row = Decision(t=0.0, window_index=ms, state=State.OK, proba={"a": 1.0}, sample_age_ms=3.0)
        row.latency_ms = {"infer": float(ms), "total": 2.0 * ms}
        ledger.publish(row)
    read = read_latency_text(latency_text(ledger))
    assert list(read) == ["age", "infer", "total"]
    assert read["infer"] == pytest.approx((50, 95, 99), rel=0.012)
    assert read["total"] == pytest.approx((100, 190, 198), rel=0.012)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "3", '{"infer": 3}', '{"infer": [1, 2]}', '{"infer": [1, 2, "x"]}', '{"infer": [1, 2, NaN]}',
     '{"other": [1, 2, 3]}', '{"infer": [1, 2, -3]}', '{"infer": [1, 2, 1e999]}'],
)  # fmt: skip
def test_what_is_no_ledger_is_left_out(text):
    assert read_latency_text(text) == {}
