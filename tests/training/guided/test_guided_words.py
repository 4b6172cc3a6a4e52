"""What is said between two blocks and at the end: true, kind, and with a command that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from guided_specs import guided_spec

from neuript.training.guided import guided_words
from neuript.training.guided.refit import FittedSoFar


def fitted(accuracy: float, *, model: bool = True, forecast: str = "") -> FittedSoFar:
    card = {"accuracy": accuracy, "chance_bound_5": 0.65, "interval_95": [0.5, 0.9]}
    return FittedSoFar(
        shown=frozenset(range(20)),
        kept=None,
        model=Path("so-far.ts") if model else None,
        figures={"decoders": {"Stack (published)": card}} if model else {},
        forecast=forecast,
        problem="" if model else "class 'rest' has 2 trials",
    )


def test_a_break_says_how_it_goes_and_which_electrode_fell_off():
    page = guided_words.block_summary(2, 4, lost=["C3", "Pz"], so_far=fitted(0.81), fitting=True)
    assert page["title"] == "Block 2 of 4 is done"
    assert "C3, Pz lost contact" in page["text"]
    assert "8 of 10 right" in page["text"]
    first = guided_words.block_summary(1, 4, lost=[], so_far=None, fitting=True)
    assert "learns meanwhile" in first["text"]
    assert "lost contact" not in first["text"]


@pytest.mark.parametrize(("accuracy", "words"), [(0.66, "7 of 10 right"), (0.65, "cannot tell"), (0.4, "cannot tell")])
def test_what_guessing_reaches_is_no_success(accuracy: float, words: str):
    assert words in guided_words.block_summary(1, 2, lost=[], so_far=fitted(accuracy), fitting=False)["text"]


def test_whoever_leads_the_session_hears_the_bound_and_what_more_trials_would_bring():
    said = guided_words.so_far(fitted(0.8, forecast="12 more trials would bring about +3 %."))
    assert said == [
        "after 20 trials: 80% right on trials held out (50% to 90%), above chance (65%)",
        "stop now (q and Enter), or go on: 12 more trials would bring about +3 %.",
    ]
    assert guided_words.so_far(fitted(0, model=False)) == [
        "after 20 trials: no decoder yet (class 'rest' has 2 trials)"
    ]


def test_nobody_is_to_blame_for_chance():
    card = SimpleNamespace(above_chance=False, accuracy=0.5)
    page = guided_words.result_screen(SimpleNamespace(published=card))
    assert "says nothing about you" in page["text"]
    good = guided_words.result_screen(SimpleNamespace(published=SimpleNamespace(above_chance=True, accuracy=0.91)))
    assert "9 of 10" in good["text"]


def test_what_a_screen_cannot_do_is_said():
    assert guided_words.about_window({"refresh_hz": 60.0, "notes": []}) == []
    slow, note = guided_words.about_window({"refresh_hz": 30.0, "notes": ["no sound"]})
    assert "only 30 frames a second: a cue comes up to 67 ms late" in slow
    assert note == "no sound"
    assert guided_words.late_trials(1).startswith("1 trial of this block had a late frame, or a window that was moved")


def test_the_command_that_goes_on_can_be_pasted():
    words = shlex.split(guided_words.resume(Path("my sessions/S01/2026-11-30-1")).removeprefix("go on with: "))
    assert words == ["neuript-calibrate", "--resume", "my sessions/S01/2026-11-30-1"]


def test_the_instructions_name_the_tasks_and_the_time():
    text = guided_words.welcome(guided_spec(), practice=True)["text"]
    assert "left hand, right hand" in text
    assert "24 times, in 3 blocks, about 3 minutes" in text
    assert "practice" in text
