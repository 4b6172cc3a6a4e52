"""Event-related desynchronisation: how deep, on which side, when; measured from the signal with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from neuript.realtime.twin.cues import CueProtocol, TrialSchedule
from neuript.realtime.twin.motor import AREAS, effects
from neuript.realtime.twin.signal import record_session
from neuript.realtime.twin.subject import SessionConditions, Subject

SFREQ = 250.0
CAP = "motor-16"
LOUD = {  # a person whose motor rhythm stands out, so that it can be measured exactly
    "background_uv": 0.5,
    "alpha_uv": 0.1,
    "visual_uv": 0.0,
    "mu_harmonic": 0.02,  # its place is the beta band
    "blinks_per_min": 0.0,
    "saccades_per_min": 0.0,
    "muscle_bursts_per_min": 0.0,
}
QUIET = SessionConditions(mains_uv=0.0, drift_uv=0.0, pops_per_min=0.0, reference="average")


def power_course(recording, band, label, channel, before=2.0, after=8.0):
    """Mean band power around the true intent, relative to the stretch before the cue."""
    sos = signal.butter(3, band, "bandpass", fs=SFREQ, output="sos")
    x = recording.data[:, recording.ch_names.index(channel)]
    power = np.abs(signal.hilbert(signal.sosfiltfilt(sos, x - x.mean()))) ** 2
    rows = []
    for intent in recording.intents:
        i = round((intent.onset_s - before) * SFREQ)
        j = i + round((before + after) * SFREQ)
        if intent.label == label and not intent.failed and i >= 0 and j <= len(power):
            rows.append(power[i:j])
    mean = np.mean(rows, axis=0)
    t = np.arange(len(mean)) / SFREQ - before
    return t, mean / mean[(t > -1.8) & (t < -0.3)].mean()


@pytest.fixture(scope="module")
def loud():
    person = Subject(skill=0.8, seed=1, depth_spread=0.05, onset_spread_s=0.05, **LOUD)
    protocol = CueProtocol(trials_per_class=60, pause_s=(2.5, 3.0))
    return record_session(CAP, SFREQ, person, QUIET, protocol, seed=1)


@pytest.mark.parametrize(("label", "contra", "ipsi"), [("left_hand", "C4", "C3"), ("right_hand", "C3", "C4")])
def test_mu_falls_contralaterally_by_the_depth_and_less_on_the_other_side(loud, label, contra, ipsi):
    depth = {}
    for channel in (contra, ipsi):
        t, power = power_course(loud, (8.0, 13.0), label, channel)
        depth[channel] = 1.0 - power[(t > 1.2) & (t < 3.5)].mean()
    assert depth[contra] == pytest.approx(0.8, abs=0.12)
    assert depth[ipsi] == pytest.approx(0.15 * 0.8, abs=0.2)
    assert depth[contra] - depth[ipsi] > 0.4


def test_beta_falls_less_and_rebounds(loud):
    t, power = power_course(loud, (17.0, 25.0), "left_hand", "C4")
    during = power[(t > 1.2) & (t < 3.5)].mean()
    assert 0.2 < during < 0.8
    end = 3.9  # imagery lasts 4 s from the cue, the intent begins about 0.2 s later
    assert power[(t > end + 0.8) & (t < end + 1.6)].mean() > 1.25


@pytest.mark.parametrize("delay", [0.3, 0.6])
def test_desynchronisation_begins_with_the_persons_delay(delay):
    person = Subject(skill=0.9, seed=2, onset_delay_s=delay, onset_spread_s=0.02, **LOUD)
    recording = record_session(CAP, SFREQ, person, QUIET, CueProtocol(trials_per_class=30), seed=2)
    t, left = power_course(recording, (8.0, 13.0), "left_hand", "C4")
    _, right = power_course(recording, (8.0, 13.0), "right_hand", "C3")
    power = np.convolve((left + right) / 2, np.ones(51) / 51, mode="same")
    low = power[(t > 1.5) & (t < 3.5)].mean()
    window = (t > -0.5) & (t < 2.0)
    half = t[window][np.argmax(power[window] < (1.0 + low) / 2)]
    assert half == pytest.approx(delay, abs=0.15)
    onsets = [i.erd_onset_s - i.onset_s for i in recording.intents]
    assert np.mean(onsets) == pytest.approx(delay, abs=0.02)


def test_without_skill_nothing_falls():
    schedule = TrialSchedule(CueProtocol(trials_per_class=60), Subject(skill=0.0), seed=3)
    assert schedule.end_s is not None
    assert [i.depth for i in schedule.intents] == [0.0] * 120


def test_zero_skill_makes_the_same_signal_whatever_is_imagined():
    """Nothing of the class reaches the signal of a person without skill: not even through the cues."""
    people = Subject(skill=0.0)
    one, two = (
        record_session(CAP, SFREQ, people, protocol=CueProtocol(classes=c, trials_per_class=5), seed=4)
        for c in (("left_hand", "right_hand"), ("right_hand", "left_hand"))
    )
    assert [e.label for e in one.events] != [e.label for e in two.events]
    assert np.array_equal(one.data, two.data)


def test_feet_and_tongue_act_elsewhere():
    person = Subject(skill=0.9, seed=4, **LOUD)
    protocol = CueProtocol(classes=("feet", "tongue"), trials_per_class=30, pause_s=(1.5, 2.0))
    recording = record_session(CAP, SFREQ, person, QUIET, protocol, seed=4)
    depth = {}
    for label in protocol.classes:
        for channel in ("Cz", "C3", "C5"):
            t, power = power_course(recording, (8.0, 13.0), label, channel)
            depth[label, channel] = 1.0 - power[(t > 1.2) & (t < 3.5)].mean()
    assert depth["feet", "Cz"] > depth["feet", "C3"] + 0.1
    assert depth["feet", "Cz"] > depth["tongue", "Cz"] + 0.1
    assert depth["feet", "C3"] < 0.1  # the hands' rhythm rises a little


def test_failed_trials_are_as_frequent_as_the_skill_says():
    schedule = TrialSchedule(CueProtocol(trials_per_class=300), Subject(skill=0.4), seed=1)
    assert schedule.end_s is not None
    rate = np.mean([i.failed for i in schedule.intents])
    assert rate == pytest.approx(0.15, abs=0.05)
    assert all(i.depth == 0.0 for i in schedule.intents if i.failed)


def test_effects_are_mirrored_between_the_hands():
    left, right = effects("left_hand", 0.2), effects("right_hand", 0.2)
    mirror = {"hand_lh": "hand_rh", "hand_rh": "hand_lh"}
    assert {mirror[a]: s for a, s in left.items()} == right
    by_name = {a.name: np.array(a.direction) for a in AREAS}
    for one, other in (("hand_lh", "hand_rh"), ("tongue_lh", "tongue_rh")):
        np.testing.assert_array_equal(by_name[one] * [-1, 1, 1], by_name[other])


def test_schedule_is_balanced_graz_timed_and_sorted():
    protocol = CueProtocol(classes=("left_hand", "right_hand", "rest"), trials_per_class=7)
    schedule = TrialSchedule(protocol, Subject(), seed=3)
    end = schedule.end_s
    assert end is not None
    labels = [t.label for t in schedule.trials]
    assert {label: labels.count(label) for label in protocol.classes} == dict.fromkeys(protocol.classes, 7)
    for before, after in zip(schedule.trials[:-1], schedule.trials[1:], strict=True):
        assert 1.5 <= after.start_s - before.end_s <= 2.5
    for trial in schedule.trials:
        assert trial.cue_s - trial.start_s == 2.0
        assert trial.end_s - trial.cue_s == 4.0
    for events in (schedule.events, schedule.intent_events):
        assert [e.time_s for e in events] == sorted(e.time_s for e in events)
    assert len(schedule.intents) == 14  # rest is no intent
    assert end > schedule.trials[-1].end_s


def test_self_paced_person_sends_intents_but_no_cues():
    schedule = TrialSchedule(CueProtocol(cued=False, trials_per_class=3), Subject(), seed=3)
    assert schedule.end_s is not None
    assert schedule.events == []
    assert len(schedule.intent_events) == 12
