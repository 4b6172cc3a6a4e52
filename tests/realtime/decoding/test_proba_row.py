"""A row is read as it was written, whatever the classes are called."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import ROW_CHANNELS, n_classes_of, pack_row, row_kinds, row_labels, unpack_row
from neuript.realtime.decoding.states import State

CLASSES = ("decision", "b", "evidence_b")
"""Two of them are called like channels."""


def decision(**changes):
    values = {
        "t": 1.0,
        "window_index": 3,
        "state": State.GAP,
        "proba": {"b": 0.5, "decision": 0.25, "evidence_b": 0.25},
        "evidence": {"decision": 0.125, "b": 0.75, "evidence_b": 0.125},
        "decision": "evidence_b",
        "confidence": 0.75,
        "sample_age_ms": 3.25,
        "latency_ms": {"pull": 1.0, "total": 12.5},
    }
    return Decision(**values | changes)


def test_a_row_is_read_as_it_was_written():
    read = unpack_row(np.array(pack_row(decision(), CLASSES), np.float32), 3)
    assert read.proba.tolist() == [0.25, 0.5, 0.25]
    assert read.evidence.tolist() == [0.125, 0.75, 0.125]
    assert (read.decision, read.confidence, read.state_code) == (2, 0.75, State.GAP.code)
    assert (read.sample_age_ms, read.latency_ms) == (3.25, 12.5)


def test_what_a_row_does_not_know_is_nan_or_no_command():
    row = decision(proba=None, evidence=None, decision=None, latency_ms={}, sample_age_ms=math.nan)
    read = unpack_row(np.array(pack_row(row, CLASSES), np.float32), 3)
    assert np.isnan([*read.proba, *read.evidence, read.sample_age_ms, read.latency_ms]).all()
    assert read.decision is None


@pytest.mark.parametrize("sent", [-1, 3, 1e9, 0.5, math.nan, math.inf])
def test_a_decision_that_names_no_class_is_no_command(sent):
    values = np.array(pack_row(decision(), CLASSES))
    values[3] = sent
    assert unpack_row(values, 3).decision is None


def test_labels_kinds_and_values_go_together():
    labels = row_labels(CLASSES)
    assert labels == (*CLASSES, *ROW_CHANNELS, "evidence_decision", "evidence_b", "evidence_evidence_b")
    assert len(labels) == len(row_kinds(3)) == len(pack_row(decision(), CLASSES))
    kinds = dict(zip(labels, row_kinds(3), strict=True))
    assert kinds["latency_ms"] == ("Latency", "milliseconds")
    assert kinds["evidence_b"] == ("Probability", "none")


def test_the_number_of_channels_tells_the_number_of_classes():
    assert [n_classes_of(2 * n + 5) for n in (1, 2, 40)] == [1, 2, 40]
    assert [n_classes_of(n) for n in (0, 1, 5, 6, 8)] == [None] * 5


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="11 values are no row of 2 classes"):
        unpack_row(np.zeros(11), 2)
