"""Each class has a GDF code of its own, and none that means something else."""

from __future__ import annotations

import pytest

from neuript.realtime.lsl.gdf import CLASS_CODES, TRIAL_CODES, gdf_codes

TAKEN = {*range(781, 784), 785, 786, 800, 897, 898, 1010, 1023, *range(256, 512)}
"""Feedback, unknown cue, beep, cross, ends, correct, rejected; artefacts and EEG events."""


def test_the_known_classes_have_the_graz_codes():
    codes = gdf_codes(["left_hand", "right_hand", "feet", "tongue", "rest", "both_hands"])
    assert list(codes.values()) == [769, 770, 771, 772, 779, 774]


@pytest.mark.parametrize("n", [1, 5, 6, 10, 200])
def test_so_many_unknown_classes_have_as_many_codes(n):
    classes = ["left_hand", *(f"task {k}" for k in range(n)), "rest"]
    codes = gdf_codes(classes)
    assert list(codes) == classes
    assert len(set(codes.values())) == n + 2
    unknown = {code for name, code in codes.items() if name not in CLASS_CODES}
    assert not unknown & (TAKEN | set(CLASS_CODES.values()) | set(TRIAL_CODES.values()))
    assert all(0 < code < 0x8000 for code in unknown)  # the high bit ends an event


def test_adding_a_class_changes_no_code_before_it():
    names = [f"task {k}" for k in range(10)]
    assert list(gdf_codes(names[:5]).values()) == [775, 776, 777, 778, 780]
    assert gdf_codes(names[:7]).items() <= gdf_codes(names).items()


def test_two_names_for_one_movement_are_still_two_classes():
    codes = gdf_codes(["foot", "feet"])
    assert codes["foot"] == 771
    assert codes["feet"] != 771


def test_more_classes_than_codes_are_refused():
    with pytest.raises(ValueError, match="300 classes are more than GDF has codes for"):
        gdf_codes([str(k) for k in range(300)])
