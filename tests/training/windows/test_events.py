"""From markers to trials."""

from __future__ import annotations

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Event
from neuript.training.windows.events import parse_event_map, require_classes, trials_of


def events(*pairs):
    return [Event(float(t), label) for t, label in pairs]


def test_pairs_keep_their_order_and_a_class_may_have_several_markers():
    mapping = parse_event_map(["right = 770", "left=769", "left=T1", "left=769"])
    assert list(mapping.items()) == [("right", ("770",)), ("left", ("769", "T1"))]


def test_a_marker_may_hold_an_equals_sign_and_commas():
    assert parse_event_map(["one=switch,3,1,2", "two=a=b"]) == {"one": ("switch,3,1,2",), "two": ("a=b",)}


@pytest.mark.parametrize("pair", ["left", "=769", "left=", " = ", ""])
def test_what_is_no_pair_is_shown_with_an_example(pair):
    with pytest.raises(NeuriptError, match=r"class=marker; for example left_hand=769") as refused:
        parse_event_map([pair])
    assert repr(pair) in str(refused.value)


def test_one_marker_cannot_mean_two_classes():
    with pytest.raises(NeuriptError, match="marker '769' was given to both 'left' and 'right'"):
        parse_event_map(["left=769", "right=769"])


GRAZ = {"left": ("769",), "right": ("770",)}


def test_each_mapped_marker_is_a_trial():
    found = trials_of(events((1, "768"), (3, "769"), (7, "800"), (8, "768"), (10.5, "770")), GRAZ, recording=2)
    assert [(t.label, t.onset_s, t.recording, t.epochs_s) for t in found] == [
        ("left", 3.0, 2, (3.0,)),
        ("right", 10.5, 2, (10.5,)),
    ]


ESSENTIALS = {"neutral": ("switch,3,0,2",), "one": ("switch,3,1,2", "switch,3,1,4")}


def test_trials_of_several_events_ignore_markers_of_other_classes_inside():
    """Online runs of BCI Essentials strew markers of class 0 into the trials."""
    found = trials_of(
        events(
            (0, "switch,3,1,2"),  # before any trial
            (1, "Trial Started"),
            (2, "switch,3,1,2"),
            (3, "switch,3,0,2"),
            (4, "switch,3,1,4"),
            (5, "Trial Ends"),
            (6, "Trial Started"),  # broken off
            (7, "Trial Started"),
            (8, "switch,3,0,2"),
            (10, "switch,3,0,2"),
            (11, "switch,3,1,2"),
        ),
        ESSENTIALS,
        trial_start="Trial Started",
    )
    assert [(t.label, t.onset_s, t.epochs_s) for t in found] == [
        ("one", 2.0, (2.0, 4.0)),
        ("neutral", 8.0, (8.0, 10.0)),
    ]


def test_an_unknown_trial_start_lists_what_is_there():
    with pytest.raises(NeuriptError, match=r"trial start 'Go' does not occur.*'769' x2, '770' x1"):
        trials_of(events((1, "769"), (2, "769"), (3, "770")), GRAZ, trial_start="Go")


def test_a_class_without_trials_lists_the_markers_that_are_there():
    seen = events((1, "769"), (2, "771"), (3, "771"))
    with pytest.raises(NeuriptError) as refused:
        require_classes(trials_of(seen, GRAZ), GRAZ, seen)
    text = str(refused.value)
    assert "the marker '770' of class 'right' does not occur" in text
    assert "'771' x2, '769' x1" in text
    assert "--event class=marker" in text


def test_a_recording_without_markers_says_so():
    with pytest.raises(NeuriptError, match="hold no markers; send them on a marker stream"):
        require_classes([], GRAZ, [])


def test_many_kinds_of_markers_are_cut_short():
    seen = events(*[(i, f"m{chr(ord('A') + i)}") for i in range(30)])
    with pytest.raises(NeuriptError, match="and 10 more"):
        require_classes([], GRAZ, seen)


def test_classes_that_all_have_trials_pass():
    seen = events((1, "769"), (2, "770"))
    trials = trials_of(seen, GRAZ)
    require_classes(trials, GRAZ, seen)
    with pytest.raises(NeuriptError):  # and it is not blind
        require_classes(trials[:1], GRAZ, seen)


def test_a_trial_of_a_class_that_is_not_mapped_is_left_out_with_its_strewn_markers():
    found = events(
        (0, "Trial Started"), (0.1, "two"), (0.6, "zero"), (2, "two"), (2.5, "zero"), (9, "Trial Started"), (9, "zero")
    )
    (trial,) = trials_of(found, {"neutral": ("zero",), "other": ("one",)}, trial_start="Trial Started")
    assert (trial.label, trial.onset_s) == ("neutral", 9)


def test_a_star_in_a_marker_takes_all_labels_that_fit():
    seen = events((1, "left_17.5"), (3, "right_18.1"), (5, "left_19"), (7, "pause"))
    found = trials_of(seen, {"left": ("left_*",), "right": ("right_*",)})
    assert [(t.label, t.onset_s) for t in found] == [("left", 1), ("right", 3), ("left", 5)]


def test_a_label_that_is_a_marker_letter_by_letter_is_not_taken_by_a_star():
    seen = events((1, "left"), (3, "left_rest"), (5, "left_2"), (7, "*"))
    found = trials_of(seen, {"hand": ("left*",), "rest": ("left_rest",), "star": ("*",)})
    assert [(t.label, t.onset_s) for t in found] == [("hand", 1), ("rest", 3), ("hand", 5), ("star", 7)]


def test_a_label_that_fits_two_classes_is_refused():
    with pytest.raises(NeuriptError, match="the marker 'left_right' fits both 'a' and 'b'"):
        trials_of(events((1, "left_right")), {"a": ("left*",), "b": ("*right",)})


def test_the_trial_start_may_hold_a_star():
    seen = events((0, "start 1"), (1, "one"), (5, "start 2"), (6, "two"))
    found = trials_of(seen, {"a": ("one",), "b": ("two",)}, trial_start="start *")
    assert [(t.label, t.onset_s) for t in found] == [("a", 1), ("b", 6)]


def test_a_marker_that_is_typed_has_the_spelling_of_a_label():
    assert parse_event_map(["left= 769.0 ", "right=r\t1 "]) == {"left": ("769",), "right": ("r 1",)}
