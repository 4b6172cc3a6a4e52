"""One way from what a signal says about itself to a plan: labels, types and reference count, live and in training."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage, plan_channels
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.live.intake import take_in
from neuript.realtime.recordings.build_stream import signal_stream
from neuript.realtime.recordings.channel_plan import absent_electrodes, draft_signal_plan, plan_signal, with_estimated
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.recordings.replay_source import ReplaySource

SFREQ = 128.0
PAIRS = load_montage("double-banana")
NAMES = tuple(name for name in PAIRS.electrodes if name != "C3")
INFO = SignalInfo(
    name="made",
    sfreq=SFREQ,
    ch_names=(*NAMES, "ECG"),
    units=("microvolts",) * (len(NAMES) + 1),
    ch_types=("EEG",) * len(NAMES) + ("ECG",),
    reference="C3",
)


def test_the_reference_of_the_recording_is_known_to_be_zero():
    plan = plan_signal(INFO, PAIRS)
    expected = plan_channels(NAMES, PAIRS, reference="C3")
    np.testing.assert_array_equal(plan.matrix[:, :-1], expected.matrix)
    assert not plan.names_with("interpolated")
    assert plan_signal(replace(INFO, reference=""), PAIRS).names_with("interpolated")


def test_live_plans_as_training_does(rng):
    x = 15 * rng.standard_normal((round(4 * SFREQ), len(NAMES) + 1))
    stream = signal_stream(INFO, x.astype(np.float32), np.arange(len(x)) / SFREQ)
    recording = Recording(Path("made.xdf"), [stream], "XDF", [], 0)
    intake = take_in(ReplaySource(recording), PAIRS)
    np.testing.assert_array_equal(intake.plan.matrix, plan_signal(INFO, PAIRS).matrix)


def test_types_count():
    ten_twenty = load_montage("10-20")
    typed = replace(INFO, ch_types=("EOG", *INFO.ch_types[1:]))
    assert len(plan_signal(typed, ten_twenty, max_interpolated=0.5).used) < len(INFO.ch_names) - 1


def test_what_cannot_be_is_refused_or_told():
    few = replace(INFO, ch_names=("Fz",), units=("",), ch_types=("EEG",))
    assert draft_signal_plan(few, PAIRS).problems
    with pytest.raises(NeuriptError):
        plan_signal(few, PAIRS)


CAP = load_montage("10-20").pick(["F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4"])


def signal_of(*names: str) -> SignalInfo:
    n = len(names)
    return SignalInfo(name="made", sfreq=SFREQ, ch_names=names, units=("microvolts",) * n, ch_types=("EEG",) * n)


def test_electrodes_that_a_signal_does_not_have_or_has_in_bad_order_are_absent():
    assert absent_electrodes(signal_of(*CAP.ch_names), CAP) == set()
    assert absent_electrodes(signal_of("F3", "C3", "Cz", "C4", "P3", "Pz", "P4"), CAP) == {"F4"}
    assert absent_electrodes(signal_of(*CAP.ch_names), CAP, bads=["Pz", "C3"]) == {"Pz", "C3"}
    assert absent_electrodes(signal_of("C3", "C4"), CAP) == set(CAP.ch_names) - {"C3", "C4"}  # too few to interpolate


def test_absent_electrodes_are_named_as_estimated_in_the_order_of_the_channels():
    found = with_estimated(CAP, {"Pz", "F3", "Oz"}, "the population")
    assert found.estimated == ("F3", "Pz")
    assert replace(found, estimated=()) == CAP
    assert with_estimated(CAP, {"Oz"}, "the population") is CAP
    assert with_estimated(CAP, (), "the population") is CAP


@pytest.mark.parametrize("n_absent", [4, 5])
def test_no_more_than_half_of_the_electrodes_are_estimated(n_absent):
    absent = CAP.electrodes[:n_absent]
    if n_absent == 4:
        assert with_estimated(CAP, absent, "the population").estimated == absent
        return
    with pytest.raises(NeuriptError) as refusal:
        with_estimated(CAP, absent, "the population")
    assert str(refusal.value) == (
        f"the population needs the electrodes {', '.join(CAP.electrodes)}; 3 of these 8 are here and good, at least 4 "
        "are needed: use a cap that has them, or name the cap with --montage"
    )


def test_half_of_an_odd_number_is_rounded_up():
    seven = CAP.pick(CAP.ch_names[:7])
    assert len(with_estimated(seven, seven.electrodes[:3], "it").estimated) == 3
    with pytest.raises(NeuriptError, match="3 of these 7 are here and good, at least 4 are needed"):
        with_estimated(seven, seven.electrodes[:4], "it")


def test_what_was_estimated_from_the_beginning_is_interpolated_without_a_refusal():
    """Half of the electrodes: refused as a new loss, taken where the model was made for this cap."""
    info = signal_of("F4", "C3", "C4", "Pz")
    with pytest.raises(NeuriptError, match=r"at most 25% may be interpolated|nothing measured remains"):
        plan_signal(info, CAP)
    model = with_estimated(CAP, absent_electrodes(info, CAP), "it")
    plan = plan_signal(info, model)
    assert set(plan.names_with("interpolated")) == set(model.estimated) == {"F3", "Cz", "P3", "P4"}
    np.testing.assert_allclose(plan.matrix.sum(axis=1), 1.0, atol=1e-6)


def test_what_was_not_estimated_from_the_beginning_still_counts():
    """One electrode in eight may go; of the four that were there, one is a quarter, two are too much."""
    model = with_estimated(CAP, {"F3", "Cz", "P3", "P4"}, "it")
    assert plan_signal(signal_of("C3", "C4", "Pz"), replace(model, lobes={"all": tuple(range(8))}))
    with pytest.raises(NeuriptError, match=r"the stream has 2 of the 4 electrodes that montage .* missing F4, C3"):
        plan_signal(signal_of("C4", "Pz", "Oz"), replace(model, lobes={"all": tuple(range(8))}))


def test_a_whole_cap_gives_a_model_with_estimated_electrodes_what_it_measures():
    model = with_estimated(CAP, {"F3", "Pz"}, "it")
    plan = plan_signal(signal_of(*CAP.ch_names), model)
    np.testing.assert_array_equal(plan.matrix, np.eye(8))


def test_nobody_else_makes_a_plan_of_a_signal():
    """Only who has no signal (labels typed on a command line, the choice of a corpus' montage) plans from labels."""
    root = Path(__file__).parents[3]
    callers = {
        path.relative_to(root).as_posix()
        for folder in ("neuript", "realtime", "training")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("plan_channels", "draft_plan")
    }
    allowed = {"realtime/recordings/channel_plan.py", "training/corpus/channels.py", "neuript/cli/montages.py"}
    assert callers <= allowed
