"""Simulated people whose imagery changes nothing are told so, whoever they are."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from scipy.stats import binom
from twin_people import calibration_spec, session

import neuript
from neuript.cli.show_calibration import print_calibration
from neuript.training.guided.guided_words import result_screen
from neuript.training.report.report_page import report_page
from neuript.training.report.report_pictures import report_pictures

PEOPLE = range(4)
TRIALS = 10  # of each class


@pytest.fixture(scope="module")
def results():
    return [neuript.calibrate(session(k, trials=TRIALS, skill=0.0), calibration_spec(subject=f"P{k}")) for k in PEOPLE]


@pytest.fixture(scope="module")
def reports(results):
    return [neuript.report(result) for result in results]


def test_hardly_anybody_passes_for_decoded(results, reports):
    """A bound that guessing passes in 5 % of cases is passed by two of four in 1 % of all such experiments."""
    passed = [f["headline"]["verdict"] not in ("at_chance", "uncertain") for f in reports]
    assert sum(passed) <= 1
    n = 2 * TRIALS * len(PEOPLE)
    n_right = sum(result.published.n_hits for result in results)
    assert n_right <= binom.ppf(0.995, n, 0.5), n_right
    assert sum(f["headline"]["verdict"] == "at_chance" for f in reports) >= 3


def test_report_terminal_and_screen_say_so_kindly(results, reports):
    told = [(r, f) for r, f in zip(results, reports, strict=True) if f["headline"]["verdict"] == "at_chance"]
    result, figures = told[0]
    page = report_page(figures, report_pictures(figures, result.grounds.data.montage))
    assert "cannot tell left_hand from right_hand" in page
    assert "no judgement of the person" in page
    assert "Do not let it command anything yet" in page
    assert not any(step.startswith("Use it") for step in figures["next"])
    with redirect_stdout(io.StringIO()) as out:
        print_calibration(result)
    assert "not above chance for this person and session" in " ".join(out.getvalue().split())
    screen = result_screen(result)["text"]
    assert "says nothing about you" in screen
    assert "of 10 right" not in screen
