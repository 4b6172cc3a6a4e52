"""The dashboard without Qt, LSL or a clock: traces, header, states in words, snapshots, text views."""

from __future__ import annotations

import io

import numpy as np
import pytest
from chunkings import cut
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import finished, python
from rich.console import Console

from neuript.realtime.dashboard import terminal as text_view
from neuript.realtime.dashboard.theme import THEMES
from neuript.realtime.dashboard.traces import DisplayFilter
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.dashboard.words import Tone, describe, duration
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.proba_row import pack_row
from neuript.realtime.decoding.states import STATE_ORDER, State, state_name
from neuript.realtime.recordings.header import signal_info


def header(classes=("left_hand", "right_hand"), **said):
    return DecoderHeader(
        **{"task": "mi", "classes": classes, "window_s": 4.0, "hop_s": 0.125, "threshold": 0.75} | said
    )


def eeg_header(names=("C3", "C4"), units=None, sfreq=250, name="amp", maker=""):
    units = ["microvolts"] * len(names) if units is None else units
    channels = "".join(
        f"<channel><label>{n}</label><unit>{u}</unit></channel>" for n, u in zip(names, units, strict=True)
    )
    return (
        f"<info><name>{name}</name><source_id>amp-1</source_id><channel_count>{len(names)}"
        f"</channel_count><nominal_srate>{sfreq}</nominal_srate><channel_format>float32</channel_format><desc><channels>{channels}"
        f"</channels><acquisition><manufacturer>{maker}</manufacturer></acquisition></desc></info>"
    )


def row(proba, decision=-1, confidence=0.7, state="OK", age=3.0, latency=12.0, evidence=None):
    code = STATE_ORDER.index(State(state))
    evidence = proba if evidence is None else evidence
    return np.array([[*proba, decision, confidence, code, age, latency, *evidence]], np.float32)


# --- headers -------------------------------------------------------------------------------------


def test_eeg_header_gives_names_units_and_the_simulated_mark():
    model = ViewModel()
    model.connect_eeg(signal_info(eeg_header(("Fp1", "", "TRG"), ("µV", "mV", ""))))
    assert model.eeg.ch_names == ("Fp1", "2", "TRG")
    assert model.scale_uv.tolist() == [1.0, 1000.0, 1.0]  # the trigger is drawn like the first
    assert not model.snapshot(0.0).simulated
    model.connect_eeg(signal_info(eeg_header(units=["", "furlong"])))
    assert model.scale_uv is None
    model.connect_eeg(signal_info(eeg_header(maker="neuript (simulated)")))
    assert model.snapshot(0.0).simulated


@pytest.mark.parametrize("unit", ["uV", "[µV]", "micro volts", "mcV", "-6", "Microvolts"])
def test_a_unit_that_the_decoder_knows_is_known_here(unit):
    model = ViewModel()
    model.connect_eeg(signal_info(eeg_header(units=[unit, unit])))
    assert model.scale_uv.tolist() == [1.0, 1.0]


# --- states and snapshots ------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATE_ORDER)
def test_every_state_has_words_a_hint_and_a_mark(state):
    words = describe(str(state), 4.0)
    assert state_name(state.code) == state
    assert len(words.hint) > 20
    assert "{" not in words.hint
    assert (words.tone is Tone.GOOD) == (state is State.OK)
    if state is not State.OK:
        assert "no commands" in words.hint
    if state is State.GAP:
        assert "4 s of clean signal" in words.hint


def test_unknown_states_are_warnings_that_say_so():
    assert state_name(float("nan")) == "STATE nan"
    assert state_name(42) == "STATE 42"
    assert describe("STATE 42").tone is Tone.WARN
    marks = {describe(s).mark for s in ("OK", "WARMUP", "GAP", "LOST")}
    assert len(marks) == 4  # told apart without colour


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0.0 s"), (3.14, "3.1 s"), (42, "42 s"), (185, "3:05"), (3723, "1:02:03")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def connected(now=100.0, **decoder) -> ViewModel:
    model = ViewModel()
    model.connect_decoder(header(**decoder), now)
    model.connect_eeg(signal_info(eeg_header()))
    return model


def test_snapshot_before_anything_arrives():
    snapshot = ViewModel().snapshot(5.0)
    assert snapshot.state == "SEARCHING"
    assert snapshot.proba is None
    assert snapshot.latency_words == "– / –"
    assert "waiting" in snapshot.stream_words


def test_rows_become_probabilities_commands_and_percentiles():
    model = connected()
    for k in range(101):
        decision = 1 if 20 <= k < 40 else 0 if k >= 60 else -1
        model.add_rows(row((0.3, 0.7), decision, latency=k), np.array([99 + k / 8]), 100 + k / 8)
    now = 100 + 100 / 8
    snapshot = model.snapshot(now)
    assert snapshot.proba == pytest.approx((0.3, 0.7))
    assert [e.label for e in snapshot.log] == ["left_hand", "right_hand", "OK"]
    assert snapshot.held == "left_hand"
    assert snapshot.n_decisions == 2
    assert snapshot.last_decision.stamp == 99 + 60 / 8
    assert snapshot.latency_p50_ms == pytest.approx(50)
    assert snapshot.latency_p99_ms == pytest.approx(99)
    assert snapshot.sample_age_ms == pytest.approx(3)
    assert snapshot.rows_per_s == pytest.approx(8)


def test_rows_without_a_window_show_no_probability():
    model = connected()
    model.add_rows(row((0.2, 0.8), 1), np.array([99.0]), 100.0)
    nan = float("nan")
    model.add_rows(row((nan, nan), -1, 0.0, "GAP", nan, nan), np.array([99.1]), 100.1)
    snapshot = model.snapshot(100.2)
    assert (snapshot.proba, snapshot.evidence, snapshot.held) == (None, None, None)
    assert snapshot.words.title == "GAP"
    assert "4 s" in snapshot.words.hint
    assert snapshot.latency_p50_ms == 12  # the row without a latency does not count
    assert snapshot.since_s == pytest.approx(0.1)


def test_events_add_nothing_that_the_rows_told_and_everything_they_did_not():
    model = connected()
    model.add_rows(row((0.2, 0.8), 1), np.array([99.0]), 100.0)
    model.add_events(["neuript/state/OK", "neuript/decision/right_hand"], np.array([99.0, 99.0]), 100.1)
    assert len(model.snapshot(101).log) == 2
    # the class is held on, and committed again: only the event knows
    model.add_rows(row((0.2, 0.8), 1), np.array([100.5]), 101.5)
    model.add_events(["neuript/decision/right_hand", "someone/else"], np.array([100.5, 100.6]), 101.6)
    log = model.snapshot(101).log
    assert [e.stamp for e in log if e.kind == "decision"] == [100.5, 99.0]
    # an event that comes late is put in its place
    model.add_events(["neuript/decision/left_hand"], np.array([99.8]), 101.7)
    stamps = [e.stamp for e in model.snapshot(101).log]
    assert stamps == sorted(stamps, reverse=True)


def test_channels_are_called_by_the_electrodes_of_the_plan_and_the_bad_one_is_named(rng):
    """A stream of bare numbers: the decoder knows which of them is which electrode."""
    from neuript.realtime.decoding.header_electrodes import HeaderElectrode

    model = ViewModel()
    electrodes = (
        HeaderElectrode(name="C4", channel=2, pos_m=(0.067, -0.01, 0.063)),
        HeaderElectrode(name="C3", channel=1, pos_m=(-0.065, -0.011, 0.064)),
        HeaderElectrode(name="Oz", channel=None, pos_m=(0.0, -0.11, 0.015)),
    )
    model.connect_decoder(header(electrodes=electrodes, used=(1, 2)), 100.0)
    model.connect_eeg(signal_info(eeg_header(("", "", "", ""))))
    assert model.snapshot(100.0).eeg.ch_names == ("1", "C3", "C4", "4")
    x = rng.normal(0, 10, size=(1000, 4)).astype(np.float32)
    model.add_eeg(x, 96 + np.arange(1000) / 250, 100.0)
    model.add_rows(row((0.5, 0.5), state="BAD_SIGNAL"), np.array([100.0]), 100.0)
    assert model.snapshot(100.1).words.hint.startswith("A channel that the model needs")  # not told which yet
    model.add_events(["neuript/bad/C3=flat"], np.array([100.0]), 100.0)
    snapshot = model.snapshot(100.1)
    assert snapshot.words.hint.startswith("C3 is flat: no commands")
    assert model.verdicts() == ["", "flat", "", ""]
    points = {p.name: p for p in snapshot.electrodes}
    assert [points[name].level for name in ("C3", "C4", "Oz")] == ["bad", "good", "absent"]
    assert points["C3"].why == "is flat"
    assert points["C3"].x < -0.3 < 0.3 < points["C4"].x
    assert points["Oz"].y < -0.5
    assert snapshot.used == {1, 2}
    assert model.snapshot(104.0).electrodes[1].level == "good"  # no samples: nothing is known
    model.add_events(["neuript/bad/none"], np.array([101.0]), 101.0)
    assert model.snapshot(101.0).electrodes[1].level == "good"
    model.connect_decoder(header(), 101.0)  # another decoder that says nothing of electrodes
    assert model.snapshot(101.0).eeg.ch_names == ("1", "2", "3", "4")


def test_ages_are_right_after_the_streams_clock_has_jumped():
    model = connected()
    model.add_rows(row((0.2, 0.8), 1), np.array([99.0]), 100.0)
    model.add_rows(row((0.2, 0.8), -1, state="CLOCK"), np.array([5000.0]), 101.0)
    model.add_rows(row((0.2, 0.8), 0), np.array([30.0]), 102.0)  # and back, further than it came
    snapshot = model.snapshot(103.0)
    assert [(e.label, 103.0 - e.heard) for e in snapshot.log] == [
        ("left_hand", 1.0), ("OK", 1.0), ("CLOCK", 2.0), ("right_hand", 3.0), ("OK", 3.0),
    ]  # fmt: skip
    assert snapshot.last_decision.label == "left_hand"
    stamps, _ = model.evidence_history(0.0)
    assert stamps.tolist() == [30.0]  # what came before the jump lies on another clock


CLASSES = ("a", "b", "c")


def decided(policy, classes, t, logits, state=State.OK, hops=1) -> Decision:
    """What a decoder publishes for these logits."""
    result = policy.update(logits, state, hops=hops)

    def named(values):
        return None if values is None else dict(zip(classes, values.tolist(), strict=True))

    return Decision(
        t=t,
        window_index=0,
        state=state,
        proba=named(result.proba),
        evidence=named(result.evidence),
        decision=None if result.decision is None else classes[result.decision],
        confidence=result.confidence,
        committed=result.committed,
    )


def shown(model: ViewModel, row: Decision, now: float):
    model.add_rows(np.array([pack_row(row, model.decoder.classes)], np.float32), np.array([row.t]), now)
    return model.snapshot(now)


def test_the_bar_and_the_decoder_agree_about_the_threshold_when_hops_were_skipped():
    """Two windows of log-odds 2.2, two hops skipped before each: counted row by row the bar would show 0.704."""
    classes = ("left_hand", "right_hand")
    spec = PolicySpec(smoothing_s=0.5, threshold=0.75, dwell_s=0.0)
    policy = DecisionPolicy(spec, classes, 0.125)
    model = connected(smoothing_s=spec.smoothing_s, threshold=spec.threshold)
    for k in (3, 6):
        row = decided(policy, classes, 100 + k / 8, [0.0, 2.2], hops=3)
        snapshot = shown(model, row, 100 + k / 8)
    assert row.confidence == pytest.approx(0.847, abs=5e-4)
    assert snapshot.evidence[1] == pytest.approx(row.confidence, abs=1e-6)
    assert snapshot.held == "right_hand"
    every = DecisionPolicy(spec, classes, 0.125)
    for _ in range(2):
        blind = every.update([0.0, 2.2])  # what a reader of the rows alone would make of it
    assert blind.confidence == pytest.approx(0.704, abs=5e-4)


STEP = st.tuples(
    st.integers(1, 20),
    st.sampled_from([State.OK, State.OK, State.GAP, State.CLOCK, State.OVERLOAD, State.RECOVERED, State.BAD_SIGNAL]),
    st.one_of(st.none(), st.lists(st.floats(-30, 30), min_size=3, max_size=3)),
    st.booleans(),  # whether the row reaches the dashboard
)


@settings(deadline=None)
@given(steps=st.lists(STEP, min_size=1, max_size=40), smoothing_s=st.sampled_from([0.0, 0.3, 0.5, 4.0]))
def test_the_bar_is_the_decoders_evidence_after_skips_gaps_clock_steps_and_lost_rows(steps, smoothing_s):
    policy = DecisionPolicy(PolicySpec(smoothing_s=smoothing_s, dwell_s=0.0), CLASSES, 0.125)
    model = connected(classes=CLASSES, smoothing_s=smoothing_s)
    now = t = 100.0
    for hops, state, logits, arrives in steps:
        now += 0.125 * hops
        t = t - 3.0 if state is State.CLOCK else t + 0.125 * hops
        row = decided(policy, CLASSES, t, logits, state, hops)
        if not arrives:
            continue
        snapshot = shown(model, row, now)
        if row.evidence is None:
            assert snapshot.evidence is None
            continue
        assert snapshot.evidence == pytest.approx(tuple(row.evidence.values()), abs=1e-6)
        assert max(snapshot.evidence) == pytest.approx(snapshot.confidence, abs=0)
        assert snapshot.held == row.decision


def test_silence_is_never_shown_as_a_calm_brain():
    model = connected()
    model.add_rows(row((0.2, 0.8), 1), np.array([99.0]), 100.0)
    assert model.snapshot(100.5).proba is not None
    silent = model.snapshot(104.0)
    assert silent.state == "SILENT"
    assert (silent.proba, silent.held, silent.confidence) == (None, None, None)
    assert silent.since_s == pytest.approx(4.0)
    model.disconnect_decoder(105.0)
    assert model.snapshot(105.0).state == "GONE"
    assert model.snapshot(105.0).proba is None
    model.connect_decoder(header(), 110.0)
    model.add_rows(row((0.6, 0.4)), np.array([110.0]), 110.1)
    assert model.snapshot(110.2).state == "OK"


def test_other_classes_after_a_reconnect_clear_what_was_shown():
    model = connected()
    model.add_rows(row((0.2, 0.8), 1), np.array([99.0]), 100.0)
    model.disconnect_decoder(101.0)
    model.connect_decoder(header(classes=("x", "y", "z")), 102.0)
    snapshot = model.snapshot(102.0)
    assert snapshot.proba is None
    assert snapshot.last_decision is None
    assert model.evidence_history(0)[1].shape == (0, 3)


@pytest.mark.parametrize("chunk", [1, 7, 100, 5000])
def test_eeg_is_scaled_filtered_and_cut_into_columns_in_any_chunking(rng, chunk):
    x = (rng.normal(size=(1000, 2)) * 1e-5).astype(np.float32)
    stamps = 50 + np.arange(1000) / 250
    model = ViewModel()
    model.connect_eeg(signal_info(eeg_header(units=["V", "V"])))
    for start, stop in cut(1000, [chunk]):
        model.add_eeg(x[start:stop], stamps[start:stop], 50.0)
    shown, _ = model.ring.columns(0, model.ring.total)
    wanted = DisplayFilter(2, 250).process(x * np.float32(1e6)).reshape(500, 2, 2)
    np.testing.assert_array_equal(shown, wanted)
    assert model.unit == "µV"


def test_lost_samples_leave_a_hole_in_the_traces():
    model = ViewModel()
    model.connect_eeg(signal_info(eeg_header()))
    x = np.ones((250, 2), np.float32)
    model.add_eeg(x, 10 + np.arange(250) / 250, 11.0)
    model.add_eeg(x, 12 + np.arange(250) / 250, 13.0)
    shown, _ = model.ring.columns(0, model.ring.total)
    assert np.isnan(shown).all(axis=(1, 2)).sum() == pytest.approx(125, abs=2)  # 1 s of 8 ms


def test_unknown_units_are_said_and_the_decoders_choice_wins():
    model = ViewModel()
    model.connect_eeg(signal_info(eeg_header(units=["", ""])))
    assert model.unit == "stream units"
    model.connect_decoder(header(eeg_scale_volts=1e-6), 1.0)
    assert model.unit == "µV"
    np.testing.assert_allclose(model.scale_uv, 1.0, rtol=1e-6)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_is_readable_and_warnings_are_not_class_colours(theme):
    def luminance(color):
        rgb = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(a, b):
        high, low = sorted((luminance(a), luminance(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    on_panel = [theme.text, theme.muted, theme.trace, theme.trace_bad, *theme.tones.values()]
    assert min(contrast(color, theme.panel) for color in on_panel) >= 4.5
    assert min(contrast(color, theme.panel) for color in theme.classes) >= 3.0
    assert contrast(theme.muted, theme.background) >= 4.5
    assert contrast(theme.banner_text, theme.banner) >= 7
    alarms = {theme.tones[Tone.WARN], theme.tones[Tone.BAD]}
    assert not alarms & set(theme.classes)


# --- text views and start ------------------------------------------------------------------------


def full_model() -> ViewModel:
    model = connected(simulated=True, group_delay_10hz_ms=17.9, smoothing_s=0.5)
    t = np.arange(1000) / 250
    wave = np.stack([20 * np.sin(2 * np.pi * 10 * t), 0 * t], axis=1).astype(np.float32)
    model.add_eeg(wave, 96 + t, 100.0)
    model.add_rows(row((0.1, 0.9), 1, 0.86, evidence=(0.38, 0.62)), np.array([100.0]), 100.0)
    return model


@pytest.mark.parametrize("size", [(100, 30), (140, 50), (70, 24), (40, 12)])
def test_console_view_says_what_the_window_says(size):
    model = full_model()
    snapshot = model.snapshot(100.4)
    extremes, _ = model.ring.columns(0, model.ring.total)
    console = Console(record=True, width=size[0], height=size[1], file=io.StringIO())
    console.print(text_view.render(snapshot, extremes, model.verdicts(), model.unit, *size))
    text = console.export_text()
    assert len(text.splitlines()) <= size[1] + 1
    assert "SIMULATED" in text
    assert "OK" in text
    if size[0] >= 100:
        for words in ("right_hand", "0.62", "threshold 0.75", "C3", "17.9 / – ms", "12.0 / 12.0 ms", "µV"):
            assert words in text, words


def test_status_line_for_logs():
    line = text_view.status_line(full_model().snapshot(100.4))
    assert line.startswith("SIMULATED | ● OK | amp · 2 channels")
    assert "right_hand 0.90" in line


def test_only_the_qt_modules_import_qt():
    code = (
        "import sys, neuript.realtime.dashboard.terminal, neuript.realtime.dashboard.launch;"
        "import neuript.realtime.dashboard.__main__;"
        "bad = [m for m in sys.modules if m.startswith(('PyQt6', 'PySide6', 'qtpy', 'pyqtgraph', 'torch', 'mne'))];"
        "sys.exit(str(bad) if bad else 0)"
    )
    finished(python(code), ok=True)


@pytest.mark.parametrize("uncalibrated", [False, True])
def test_a_model_that_was_not_calibrated_on_the_person_is_named_as_such(uncalibrated):
    model = ViewModel()
    said = header(model_name="lab.safetensors", model_sha256="ab" * 32, uncalibrated=uncalibrated)
    model.connect_decoder(said, 0.0)
    words = model.snapshot(0.0).model_words
    assert words.startswith("model lab.safetensors abababab")
    assert words.endswith(" · not calibrated on this person") is uncalibrated


def test_a_threshold_that_was_changed_and_a_mark_are_seen_by_whoever_watches():
    model = connected(threshold=0.75, release=0.6)
    model.add_events(["neuript/threshold/0.5", "neuript/mark/eyes closed"], np.array([99.0, 99.5]), 100.0)
    seen = model.snapshot(100.0).decoder
    assert (seen.threshold, seen.release) == (0.5, 0.5)
    (mark,) = model.cues.since(0.0)
    assert (mark.text, mark.stamp, mark.noted, mark.cue) == ("eyes closed", 99.5, True, False)
    model.add_events(["neuript/threshold/0.8", "neuript/threshold/much"], np.array([101.0, 101.0]), 101.0)
    seen = model.snapshot(101.0).decoder
    assert (seen.threshold, seen.release) == (0.8, 0.6)


@pytest.mark.parametrize("jump_s", [3600.0, -20.0])
def test_a_jump_of_the_clock_is_drawn_as_one_and_not_as_lost_samples(rng, jump_s):
    pytest.importorskip("qtpy")
    from neuript.realtime.dashboard.qt.trace_labels import clock_steps

    model = connected()
    stamps = 96 + np.arange(1000) / 250
    model.add_eeg(rng.normal(size=(1000, 2)).astype(np.float32), stamps, 100.0)
    model.add_eeg(rng.normal(size=(1000, 2)).astype(np.float32), stamps + 4 + jump_s, 104.0)
    extremes, at = model.ring.columns(0, model.ring.total)
    assert np.isnan(extremes).all(axis=(1, 2)).sum() <= 1
    (step,) = clock_steps(at)
    assert step * model.ring.column_s == pytest.approx(4.0, abs=0.03)
    assert at[step] - at[step - 1] == pytest.approx(jump_s, abs=0.1)


def test_late_and_lost_samples_are_no_jump_of_the_clock(rng):
    pytest.importorskip("qtpy")
    from neuript.realtime.dashboard.qt.trace_labels import clock_steps

    model = connected()
    for k, start in enumerate((96.0, 100.0, 104.9)):  # the third begins 0.9 s after the second has ended
        stamps = start + np.arange(1000) / 250
        model.add_eeg(rng.normal(size=(1000, 2)).astype(np.float32), stamps, 100.0 + 5 * k)
    extremes, at = model.ring.columns(0, model.ring.total)
    assert np.isnan(extremes).all(axis=(1, 2)).sum() * model.ring.column_s == pytest.approx(0.9, abs=0.03)
    assert clock_steps(at) == []


def test_a_hole_in_the_stream_is_no_fault_of_a_channel(rng):
    from neuript.realtime.decoding.header_electrodes import HeaderElectrode

    model = connected(electrodes=(HeaderElectrode(name="C3", channel=0), HeaderElectrode(name="C4", channel=1)))
    for k in range(6):  # 0.4 s of samples after 1.5 s of nothing, again and again
        x = rng.normal(0, 10, size=(100, 2)).astype(np.float32)
        x[:, 1] = np.nan
        now = 96 + 1.9 * k
        model.add_eeg(x, now + np.arange(100) / 250, now + 0.4)
        levels = [(point.level, point.why) for point in model.snapshot(now + 0.4).electrodes]
        assert levels[0] == ("good", "")


def test_the_ledger_and_another_engine_are_seen_by_whoever_watches():
    model = connected()
    assert model.snapshot(100.0).stages.words == "–"
    events = ['neuript/latency/{"age":[1,2,3],"filter":[1,2,4],"infer":[10,20,40.5],"total":[12,22,50]}']
    model.add_events([*events, "neuript/engine/eager"], np.array([100.0, 100.0]), 100.0)
    snapshot = model.snapshot(100.0)
    assert snapshot.stages.words == "infer 10.0 / 40.5 ms"
    assert "filter: 1.00 / 2.00 / 4.00 ms" in snapshot.stages.table
    assert snapshot.decoder.engine == "eager"
    model.add_events(["neuript/latency/nonsense"], np.array([101.0]), 101.0)
    assert model.snapshot(101.0).stages.words == "–"
