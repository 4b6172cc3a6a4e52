"""Controls that catch the wrong brain: signal put where it should not be is named, a clean one is not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_people import flipped

from neuript.modelfile.manifest import Manifest
from neuript.montages import load_montage
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.scoring import ScoreCard, Trial, TrialScore
from neuript.training.calibration.controls import EYES, MOTOR, PRE_CUE, RIM, Control, regions, run_controls, warnings_of
from neuript.training.calibration.held_out import blocks_of
from neuript.training.windows.around_trials import PreCue
from neuript.training.windows.dataset import Dataset

CAP = load_montage("10-20")
N_TRIALS = 40


def before(tangent: np.ndarray, trial: np.ndarray) -> PreCue:
    """Windows before the cues of some trials, of which the tangent vectors count here."""
    return PreCue(tangent=tangent.astype(np.float32), trial=trial)


def recorded(
    rng: np.random.Generator, channels: tuple[str, ...], *, before_the_cue: float = 0.0, cap: str = "10-20"
) -> Dataset:
    """Trials of two classes that differ in the power of some channels, or in the tangent vectors before the cue."""
    montage = load_montage(cap)
    y = rng.permutation(np.arange(N_TRIALS) % 2)
    trial = np.repeat(np.arange(N_TRIALS), 2)
    x = rng.normal(size=(len(trial), montage.n_chans, 128))
    for name in channels:
        x[:, montage.ch_names.index(name)] *= np.where(y[trial] == 0, 2.0, 1.0)[:, None]
    manifest = Manifest(
        task="test",
        classes=("left", "right"),
        model={},
        montage=montage.to_dict(),
        preprocess=PreprocessSpec().to_dict(),
        window_s=2.0,
        hop_s=0.125,
    )
    trials = tuple(Trial(("left", "right")[c], 8.0 * i) for i, c in enumerate(y))
    tangent = rng.normal(size=(N_TRIALS, 6)) + before_the_cue * (2 * y[:, None] - 1)
    pre_cue = before(tangent, np.arange(N_TRIALS))
    return Dataset((1e-5 * x).astype(np.float32), trial, trials, montage, manifest, pre_cue=pre_cue)


def controlled(data: Dataset) -> dict[str, Control]:
    return {control.name: control for control in run_controls(data, blocks_of(data, 4))}


def card(n_hits: int, n_trials: int = 40) -> ScoreCard:
    """A score of so many hits, half of the trials of each class."""
    labels = [("left", "right")[i % 2] for i in range(n_trials)]
    other = {"left": "right", "right": "left"}
    said = [label if i < n_hits else other[label] for i, label in enumerate(labels)]
    trials = (TrialScore(Trial(a, float(i)), b, 1, ()) for i, (a, b) in enumerate(zip(labels, said, strict=True)))
    return ScoreCard(tuple(trials), ("left", "right"))


def named(montage: str) -> dict[str, set[str]]:
    cap = load_montage(montage)
    return {name: {cap.ch_names[i] for i in index} for name, index in regions(cap).items()}


def test_regions_of_the_10_20_system() -> None:
    assert named("10-20") == {
        EYES: {"Fp1", "Fp2", "F7", "F8"},
        RIM: {"Fp1", "Fp2", "F7", "F8", "T7", "T8", "P7", "P8", "O1", "O2"},
        MOTOR: {"C3", "Cz", "C4"},
    }


@pytest.mark.parametrize(
    ("montage", "expected"),
    [
        ("openbci-8", {EYES, RIM, MOTOR}),
        ("peterson-15", {EYES, RIM, MOTOR}),
        ("unicorn-8", {RIM, MOTOR}),
        ("muse-4", {EYES, RIM}),
        ("motor-16", {MOTOR}),
        ("dsi-7", {MOTOR}),
        ("epoc-14", {EYES, RIM}),
        ("sleep-edfx", set()),
    ],
)
def test_regions_of_a_cap_are_those_with_two_channels(montage: str, expected: set[str]) -> None:
    found = named(montage)
    assert set(found) == expected
    assert all(len(channels) >= 2 for channels in found.values())


@pytest.mark.parametrize("montage", ["10-10", "10-20", "biosemi-64", "motor-16", "eegmmidb-64", "acticap-32"])
def test_regions_are_the_same_on_both_sides_of_the_head(montage: str) -> None:
    """An imagined left hand must not be looked for over the left hemisphere alone."""
    there = set(load_montage(montage).ch_names)
    for name, channels in named(montage).items():
        for channel in channels:
            number = channel.lstrip("AFpTCPOIz")
            other = int(number) + (1 if int(number) % 2 else -1) if number.isdigit() else None
            mirrored = channel if other is None else channel.removesuffix(number) + str(other)
            assert mirrored in channels or mirrored not in there, f"{name}: {channel} without {mirrored}"


def test_motor_areas_hold_no_rim_and_eyes_are_part_of_it() -> None:
    found = named("10-10")
    assert not found[MOTOR] & found[RIM]
    assert found[EYES] < found[RIM]
    assert {"C3", "C4", "Cz", "C5", "C6"} <= found[MOTOR]


@pytest.fixture(scope="module")
def clean() -> dict[str, Control]:
    """The controls of a signal of the motor areas."""
    return controlled(recorded(np.random.default_rng(20251116), ("C3",)))


def test_every_control_is_judged_on_the_trials_of_the_decoder(clean: dict[str, Control]) -> None:
    assert set(clean) == {PRE_CUE, EYES, RIM, MOTOR}
    for control in clean.values():
        assert control.card.n_trials == N_TRIALS
        json.dumps(control.to_dict(), allow_nan=False)
    assert set(clean[MOTOR].channels) == {"C3", "Cz", "C4"}
    assert clean[PRE_CUE].channels == ()
    assert clean[MOTOR].to_dict()["above_chance"]


def test_a_clean_motor_signal_gives_no_warning(clean: dict[str, Control]) -> None:
    assert clean[MOTOR].card.accuracy > 0.9
    assert warnings_of(tuple(clean.values())) == ()


def test_signal_of_the_front_alone_is_named(rng: np.random.Generator) -> None:
    controls = controlled(recorded(rng, ("Fp1", "F7")))
    assert controls[EYES].card.accuracy > 0.9
    said = warnings_of(tuple(controls.values()))
    assert len(said) == 2  # the front is part of the rim
    assert said[0].startswith("The front of the head alone (Fp1, Fp2, F7, F8) decodes as well as the motor areas (")
    assert said[0].endswith("check that it is not the eyes.")
    assert said[1].startswith("The rim of the cap alone")


def test_signal_of_the_temples_alone_is_named(rng: np.random.Generator) -> None:
    controls = controlled(recorded(rng, ("T7", "T8")))
    (said,) = warnings_of(tuple(controls.values()))
    assert said.startswith("The rim of the cap alone")
    assert said.endswith("check that it is not muscles of face and jaw.")


def test_signal_before_the_cue_alone_is_named(rng: np.random.Generator) -> None:
    controls = controlled(recorded(rng, (), before_the_cue=1.0))
    assert controls[PRE_CUE].card.accuracy > 0.9
    (said,) = warnings_of(tuple(controls.values()))
    assert said.startswith("The time before the cue tells the classes apart (")
    assert "Mix the classes at random" in said


@pytest.mark.parametrize(
    ("motor", "eyes", "warned"),
    [(35, 36, True), (35, 35, True), (36, 35, False), (20, 24, False), (24, 30, True)],
    ids=["better", "as good", "worse", "both guess", "above chance and better"],
)
def test_only_what_decodes_as_well_as_the_motor_areas_is_named(motor: int, eyes: int, warned: bool) -> None:
    controls = (Control(EYES, ("Fp1", "Fp2"), card(eyes)), Control(MOTOR, ("C3", "C4"), card(motor)))
    assert bool(warnings_of(controls)) is warned
    assert warnings_of(controls[:1]) == ()  # without motor areas there is nothing to compare with


def test_without_windows_before_the_cue_there_is_no_such_control(rng: np.random.Generator) -> None:
    data = recorded(rng, ("C3",), cap="motor-16")
    nothing = before(np.empty((0, 6)), np.empty(0, dtype=np.int64))
    no_bands = before(np.empty((N_TRIALS, 0)), np.arange(N_TRIALS))
    for pre_cue in (None, nothing, no_bands):
        assert PRE_CUE not in controlled(replace(data, pre_cue=pre_cue))


def test_trials_without_a_window_before_the_cue_are_not_judged_by_it(rng: np.random.Generator) -> None:
    """They would count as wrong, and hide what the others tell."""
    data = recorded(rng, (), before_the_cue=2.0)
    pre_cue = before(data.pre_cue.tangent[::2], data.pre_cue.trial[::2])
    found = controlled(replace(data, pre_cue=pre_cue))[PRE_CUE]
    assert found.card.n_trials == N_TRIALS // 2
    assert found.card.accuracy > 0.9


def test_before_the_cue_is_judged_by_readouts_that_had_not_seen_the_trial(rng: np.random.Generator) -> None:
    """Labels of noise can be learnt by heart, not guessed: so many features that every training set is separable."""
    data = recorded(rng, (), cap="motor-16")
    noise = before(rng.normal(size=(N_TRIALS, 200)), np.arange(N_TRIALS))
    found = controlled(replace(data, pre_cue=noise))[PRE_CUE]
    assert not found.card.above_chance
    swapped = flipped(replace(data, pre_cue=noise), np.ones(N_TRIALS, dtype=bool))
    other = controlled(swapped)[PRE_CUE]
    assert other.card.accuracy == pytest.approx(found.card.accuracy)


def test_a_cap_without_rim_and_eyes_has_the_motor_areas_alone(rng: np.random.Generator) -> None:
    assert set(controlled(recorded(rng, ("C3",), cap="motor-16"))) == {PRE_CUE, MOTOR}
