"""Settings become an amplifier that says who is simulated; nothing is published by building it."""

from __future__ import annotations

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.twin.simulation import SimulationSpec, build_amplifier, describe, session_end_s, status


def test_the_person_stays_the_same_on_another_day():
    today, later = (build_amplifier(SimulationSpec(person_seed=7, seed=seed)).signal for seed in (0, 1))
    assert today.subject == later.subject
    assert (today.seed, later.seed) == (0, 1)
    assert build_amplifier(SimulationSpec(seed=7)).signal.subject == today.subject


def test_a_person_may_be_drawn_with_a_given_skill():
    drawn = build_amplifier(SimulationSpec(random_person=True, skill=0.9)).signal.subject
    assert drawn.skill == 0.9
    assert drawn != build_amplifier(SimulationSpec(skill=0.9)).signal.subject


def test_it_ends_with_its_trials_or_before():
    endless, counted = SimulationSpec(), SimulationSpec(trials_per_class=2)
    assert session_end_s(endless, build_amplifier(endless)) is None
    end_s = session_end_s(counted, build_amplifier(counted))
    assert end_s == build_amplifier(counted).signal.schedule.end_s
    short = SimulationSpec(trials_per_class=2, duration_s=3.0)
    assert session_end_s(short, build_amplifier(short)) == 3.0


def test_what_is_said_of_it():
    spec = SimulationSpec(name="My amp", classes=("feet", "tongue"), self_paced=True, faults="gap@10:0.5")
    amplifier = build_amplifier(spec)
    said = "\n".join(describe(amplifier))
    for words in (
        "'My amp (simulated)'",
        "16 channels of openbci-16 at 250 Hz",
        "feet, tongue, self-paced",
        "at 10 s: gap",
    ):
        assert words in said
    assert status(amplifier)["markers"] == amplifier.markers_name
    assert status(amplifier)["lsl_start"] is None


@pytest.mark.parametrize(
    ("given", "message"), [({"duration_s": 0.0}, "must be above zero"), ({"seed": -1}, "must be 0 or more")]
)
def test_numbers_that_cannot_be(given, message):
    with pytest.raises(NeuriptError, match=message):
        SimulationSpec(**given)
