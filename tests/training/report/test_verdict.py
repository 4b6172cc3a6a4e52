"""Headline and advice in words, from made-up figures."""

from __future__ import annotations

from copy import deepcopy

import pytest

from neuript.training.report.verdict import headline, next_steps

FIGURES = {
    "subject": "S07",
    "classes": ["left_hand", "rest"],
    "idle_class": "rest",
    "calibration": {"decoders": {"Stack (published)": {"chance_bound_5": 0.6}}},
    "decoders": [
        {
            "name": "Stack (published)",
            "published": True,
            "above_chance": True,
            "permutation_p": 0.0002,
            "balanced_accuracy": 0.8125,
            "hits": 65,
            "trials": 80,
            "accuracy": 65 / 80,
            "interval_95": [0.71, 0.89],
        }
    ],
    "commands": {
        "hits": 20,
        "wrong": 0,
        "events": 40,
        "sentence": "At rest: nothing.",
        "max_false_per_minute": 1.0,
        "bound_kept": True,
    },
    "controls": {"figures": {}, "warnings": []},
    "electrodes": {"quality": {"electrodes": ["C3", "C4"], "bad_share": [0.0, 0.0]}},
    "trials": {"used": {"left_hand": 40, "rest": 40}, "rejected": []},
    "provenance": {},
    "calibration_curve": {"ece": 0.1, "ece_of_luck": 0.1},
    "learning_curve": None,
}


CHANCE = {"decoders__0__above_chance": False, "decoders__0__permutation_p": 0.4}


def told(**changes):
    """Headline and advice of the figures with some changes, by paths with dots."""
    figures = deepcopy(FIGURES)
    for path, value in changes.items():
        *where, last = path.split("__")
        place = figures
        for key in where:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    figures["headline"] = headline(figures)
    return figures["headline"], next_steps(figures)


def test_somebody_who_is_decoded_is_told_what_to_expect():
    top, steps = told()
    assert top["verdict"] == "above_chance"
    assert top["title"] == "This decoder tells left_hand from rest for S07"
    assert "65 of 80" in top["sentences"][0]
    assert "below 60%" in top["sentences"][0]
    assert "It can command left_hand; rest means no command." in top["sentences"][1]
    assert steps == ["Use it: neuript-live --model FILE.ts. On another day a few new trials bring it up to date."]


def test_somebody_at_chance_is_told_so_kindly_and_what_to_try():
    top, steps = told(**CHANCE, decoders__0__hits=41)
    assert top["verdict"] == "at_chance"
    assert top["title"] == "This decoder cannot tell left_hand from rest for S07 today"
    said = " ".join(top["sentences"])
    assert "no judgement of the person" in said
    assert "about one in five" in said
    assert "Do not let it command" in said
    assert "movement that is executed" in steps[0]
    assert any("--population" in step for step in steps)
    assert not any(step.startswith("Use it") for step in steps)


@pytest.mark.parametrize("changes", [{"decoders__0__above_chance": False}, {"decoders__0__permutation_p": 0.2}])
def test_where_the_two_checks_disagree_nothing_is_promised(changes):
    top, steps = told(**changes, trials__used={"left_hand": 20, "rest": 40})
    assert top["verdict"] == "uncertain"
    assert "not certain" in top["title"]
    assert "more frequent class" in top["sentences"][0]
    assert not any(step.startswith("Use it") for step in steps)


def test_earlier_people_are_not_advised_to_those_who_have_them():
    _, steps = told(**CHANCE, provenance__people=["P1"])
    assert not any("--population" in step for step in steps)


def test_without_a_trial_held_out_nothing_is_promised():
    top, steps = told(decoders=None, trials__used={"left_hand": 0, "rest": 0}, provenance__people=["P1", "P2"])
    assert top["verdict"] == "not_judged"
    assert top["sentences"][0] == "No trial was recorded, so no accuracy can be said."
    assert "2 earlier people" in top["sentences"][1]
    assert "better 20" in steps[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"electrodes__quality__bad_share": [0.0, 0.25]}, "Improve the contact of C4 (25% of the time)."),
        ({"trials__rejected": [{}] * 20}, "20 of 100 trials were lost"),
        ({"controls__warnings": ["The rim decodes."]}, "The rim decodes."),
        ({"commands__bound_kept": False}, "Record more rest"),
        ({"commands__hits": 2}, "Only 2 of 40 tasks were commanded"),
        ({"calibration_curve__ece": 0.3}, "off by 30% on average"),
        ({"trials__used": {"left_hand": 8, "rest": 40}}, "8 of a class are few"),
    ],
)
def test_what_is_wrong_is_what_to_do_next(changes, words):
    _, steps = told(**changes)
    assert any(words in step for step in steps), steps


def test_a_control_that_decodes_makes_the_figure_suspicious():
    top, steps = told(controls__warnings=["The rim decodes."])
    assert top["verdict"] == "suspicious"
    assert "Read the controls below first" in top["sentences"][-1]
    assert not any(step.startswith("Use it") for step in steps)


def test_three_classes_are_told_apart():
    top, _ = told(classes=["left", "right", "rest"], commands__wrong=3)
    assert top["title"] == "This decoder tells left, right and rest apart for S07"
    assert "3 of 23 were the wrong one." in top["sentences"][1]
