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
from neuript.realtime.recordings.channel_plan import draft_signal_plan, plan_signal
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
