"""A simulated person who follows somebody else's cues."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from neuript.errors import NeuriptError
from neuript.realtime.twin.cues import CueProtocol, cued_class
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.simulation import SimulationSpec
from neuript.realtime.twin.subject import Subject

SFREQ = 250.0
PERSON = Subject(seed=3, skill=0.95)


def obedient(cues: dict[float, str], seconds: float) -> np.ndarray:
    """The signal of a person who hears of each cue when it is shown, read in chunks of 20 ms."""
    protocol = CueProtocol(classes=("left_hand", "right_hand", "rest"), obeys=True)
    signal = TwinSignal("openbci-16", SFREQ, PERSON, protocol=protocol, seed=5)
    waiting, parts = dict(cues), []
    for k in range(round(seconds * 50)):
        for cue_s in [t for t in waiting if t <= k / 50]:
            signal.obey(waiting.pop(cue_s), cue_s)
        parts.append(signal.read(5))
    return np.concatenate(parts)


def mu_power(data: np.ndarray, channel: str) -> np.ndarray:
    names = list(TwinSignal("openbci-16", SFREQ).ch_names)
    band = sosfilt(butter(4, (PERSON.mu_hz - 2, PERSON.mu_hz + 2), "bandpass", fs=SFREQ, output="sos"), data, axis=0)
    return band[:, names.index(channel)] ** 2


def test_nothing_happens_before_the_cue_and_mu_falls_over_the_other_hand_after_it():
    cues = {10.0 + 8 * k: "left_hand" for k in range(12)}
    asked, left_alone = obedient(cues, 108.0), obedient({}, 108.0)
    before = round(10.0 * SFREQ)
    np.testing.assert_array_equal(asked[:before], left_alone[:before])
    during = np.zeros(len(asked), dtype=bool)
    for cue_s in cues:
        during[round((cue_s + 1.5) * SFREQ) : round((cue_s + 4) * SFREQ)] = True
    fall = {c: mu_power(asked, c)[during].mean() / mu_power(left_alone, c)[during].mean() for c in ("C3", "C4")}
    assert fall["C4"] < 0.6
    assert fall["C4"] < 0.8 * fall["C3"]


def test_rest_and_unknown_classes_change_nothing_but_what_the_eyes_see():
    np.testing.assert_array_equal(obedient({4.0: "feet"}, 9.0), obedient({}, 9.0))
    rested = obedient({4.0: "rest"}, 9.0)
    ratio = mu_power(rested, "C4")[round(5.5 * SFREQ) :].mean() / mu_power(obedient({}, 9.0), "C4")[1375:].mean()
    assert ratio == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("marker", "label"),
    [
        ("left_hand", "left_hand"),
        ('{"ev": "cue", "cls": "feet", "trial": 3}', "feet"),
        ('{"ev": "trial_start", "cls": "feet"}', ""),
        ('["cue"]', ""),
        ("{", ""),
        ("whatever", ""),
    ],
)
def test_what_a_marker_asks_for(marker: str, label: str):
    assert cued_class(marker) == label


def test_who_obeys_has_no_plan_of_his_own():
    with pytest.raises(NeuriptError, match="--obey follows somebody else's cues"):
        SimulationSpec(obey="cues", trials_per_class=3)
