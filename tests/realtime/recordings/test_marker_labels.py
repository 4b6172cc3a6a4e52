"""One spelling for a marker, whether it arrives, stands in a file or is typed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xdf_writer
from hypothesis import given
from hypothesis import strategies as st

from neuript.realtime.recordings.marker_labels import fits, number_label, patterns_of, plain_label, received_label
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of


def labels_of(path) -> list[str]:
    return [event.label for event in events_of(read_recording(path))]


def recording(tmp_path, stype, fmt, rows):
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0).samples(1, [9.0, 9.01], [[1], [2]])
    out.stream(2, "M", stype, len(rows[0]), 0.0, fmt).samples(2, [10.0 + i for i in range(len(rows))], rows)
    return out.save(tmp_path / "m.xdf")


@pytest.mark.parametrize(
    ("fmt", "numbers"),
    [
        ("int32", [4128769, 4128770, -8191998, -8191997, 2**31 - 1]),
        ("int64", [2**53 + 1, 2**53 + 2, -(2**62) - 1, 2**63 - 1]),
        ("double64", [202501021.0, 202501022.0, 2.0**53, 1e18, -4128769.0]),
        ("float32", [4128769.0, 4128770.0, 2.0**24]),
    ],
)
def test_whole_numbers_come_out_exactly(tmp_path, fmt, numbers):
    found = labels_of(recording(tmp_path, "Markers", fmt, [[n] for n in numbers]))
    assert found == [str(int(n)) for n in numbers]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_from_its_label(value):
    assert float(number_label(np.float64(value))) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_short_float_comes_back_from_a_short_label(value):
    assert np.float32(number_label(np.float32(value))) == np.float32(value)
    assert abs(value) >= 2**53 or len(number_label(np.float32(value))) <= 20  # whole numbers have all their digits


def test_short_floats_are_not_given_digits_that_they_never_had():
    assert [number_label(np.float32(x)) for x in (0.1, 1.5, 769.0)] == ["0.1", "1.5", "769"]


@pytest.mark.parametrize(
    "text",
    ["left", "left  ", "left\n", "left\r\n", "\tleft", "left\x00\x00\x00", "\ufeffleft", "left\u00a0", " left\x1b"],
)
def test_padding_is_no_part_of_a_label(tmp_path, text):
    assert labels_of(recording(tmp_path, "Markers", "string", [[text]])) == ["left"]
    assert plain_label(text) == "left"


@given(st.text())
def test_a_label_is_printable_and_settles_at_once(text):
    label = plain_label(text)
    assert plain_label(label) == label
    assert label == label.strip()
    assert all(c.isprintable() for c in label) or any(ord(c) >= 0xD800 or ord(c) > 0x7F for c in label)


def test_what_arrives_live_has_the_label_of_the_file():
    assert received_label(np.array(["linke Hand üben \n".encode("latin-1")], dtype=object)) == "linke Hand üben"
    assert received_label(np.array([b"left_hand"], dtype=object)) == "left_hand"
    assert received_label(np.array([4128769], dtype=np.int32)) == "4128769"
    assert received_label(np.array([1.5, 2.0])) == "1.5,2"


def test_samples_of_several_values_are_markers_too(tmp_path):
    rows = [[1.7e9 + i, 1 + i % 2, 1.7e9 + i + 0.25] for i in range(12)]
    path = recording(tmp_path, "Markers", "double64", rows)
    events = events_of(read_recording(path))
    assert events[0].label == "1700000000,1,1700000000.25"
    assert {event.n_values for event in events} == {3}
    assert patterns_of([event.label for event in events]) == {"*,1,*": 6, "*,2,*": 6}


def test_a_star_stands_for_any_text_and_everything_else_for_itself():
    assert fits("left_hand_17.5", "left_hand_*")
    assert fits("left_hand_", "left_hand_*")
    assert not fits("my_left_hand_1", "left_hand_*")
    assert fits('{"class": "left", "t": 3}', '{"class": "left"*')
    assert not fits("left?", "lef??")
    assert not fits("a", "[ab]")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda c, i: f"{c}_{1.7e9 + 7.3 * i:.3f}", {"left_*", "right_*"}),
        (lambda c, i: json.dumps({"class": c, "n": i}), {'{"class": "left", "n": *}', '{"class": "right", "n": *}'}),
        (lambda c, i: f"block {i % 2}: {c}, trial {i}", None),
        (lambda c, i: f"{769 + (c == 'right')} at {i}", {"769 at *", "770 at *"}),
    ],
)  # fmt: skip
def test_what_different_labels_have_in_common(make, expected):
    labels = [make(("left", "right")[i // 2 % 2], i) for i in range(40)]
    found = patterns_of(labels)
    assert sum(found.values()) == 40
    assert all(sum(fits(label, pattern) for pattern in found) == 1 for label in labels)
    assert expected is None or set(found) == expected


def test_few_labels_and_mere_numbers_have_nothing_in_common():
    assert patterns_of(["769"] * 20 + ["770"] * 20) == {}
    assert patterns_of([str(1.7e9 + 3.1 * i) for i in range(40)]) == {}
    assert patterns_of([]) == {}


def test_a_star_in_a_label_is_a_letter_like_others():
    labels = [f"go*{i}" for i in range(12)] + ["***"] * 12
    assert patterns_of(labels) == {"go**": 12, "***": 12}


def test_many_stars_cost_little():
    assert not fits("a" * 100_000 + "b", "*a" * 40 + "*c")
    assert fits("xaybzc", "x*y*c")
    assert not fits("ab", "ab*b")
