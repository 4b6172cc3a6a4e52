"""What the signal view shows of a stream: model, window and console, without LSL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import signal

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.signal_check import check_signal
from neuript.realtime.live.worn_cap import worn_cap
from neuript.realtime.view.signal_client import SignalClient
from neuript.realtime.view.signal_console import render_signal, signal_line
from neuript.realtime.view.signal_model import SignalModel, spectrum_of, what_to_type
from neuript.realtime.view.viewing import ViewOptions, check_cap

CAP = load_montage("openbci-8")
SFREQ = 250.0
INFO = SignalInfo(name="amp", source_id="x", sfreq=SFREQ, ch_names=CAP.ch_names, units=("microvolts",) * 8)
BARE = replace(INFO, ch_names=("",) * 8, units=())


@pytest.fixture
def eeg(rng):
    t = np.arange(round(4 * SFREQ))[:, None] / SFREQ
    return (rng.normal(0, 8, (len(t), 8)) + 10 * np.sin(2 * np.pi * 10 * t)).astype(np.float32)


def fed(model: SignalModel, info: SignalInfo, x: np.ndarray, **given: Any) -> SignalModel:
    model.connect_eeg(info)
    stamps = 100 + np.arange(len(x)) / SFREQ
    model.add_eeg(x, stamps, 104.0)
    check = check_signal(info, x, stamps, **given)
    model.take_check(check, spectrum_of(x, SFREQ, check))
    return model


def test_the_spectrum_is_welchs_in_microvolts(eeg):
    info = replace(INFO, units=("millivolts",) * 8)
    check = check_signal(info, eeg / 1000)
    found = spectrum_of(eeg / 1000, SFREQ, check)
    freq, power = signal.welch(eeg[:, 3], SFREQ, nperseg=500)
    np.testing.assert_allclose(found.power[:, 3], power[1 : 1 + len(found.freq)], rtol=1e-3)
    np.testing.assert_allclose(found.freq, freq[1 : 1 + len(found.freq)])
    assert found.unit == "µV²/Hz"
    assert found.freq[-1] <= 70
    assert found.freq[found.power[:, 0].argmax()] == 10


def test_numbers_without_a_unit_are_drawn_in_microvolts_once_the_check_has_found_it(eeg):
    model = SignalModel()
    model.connect_eeg(BARE)
    assert model.unit == "stream units"
    before = model.ring_generation
    fed(model, BARE, eeg)
    assert model.unit == "µV"
    assert model.ring_generation > before
    np.testing.assert_allclose(model.scale_uv, 1.0)
    generation = model.ring_generation
    model.take_check(check_signal(BARE, eeg), None)
    assert model.ring_generation == generation  # the picture is not begun anew with every check


def test_the_verdict_ends_when_samples_end_and_when_the_stream_goes(eeg):
    model = fed(SignalModel(), INFO, eeg)
    assert model.snapshot(104.1).level is Level.GOOD
    quiet = model.snapshot(107.0)
    assert "no samples for 3 s" in quiet.verdict
    assert quiet.level is Level.BAD
    model.disconnect_eeg()
    model.note("the stream is gone", 104.2)
    gone = model.snapshot(104.3)
    assert "gone" in gone.verdict
    assert gone.notices == ("the stream is gone (0.1 s ago)",)
    assert model.snapshot(200.0).notices == ()
    model.keep_saying("changed", "it came back different")
    assert model.snapshot(900.0).notices == ("it came back different",)


def test_bad_electrodes_are_marked_at_their_traces_as_the_check_has_them(eeg):
    eeg[:, 2] = 0
    model = fed(SignalModel(), INFO, eeg)
    assert model.verdicts() == ["", "", "bad", "", "", "", "", ""]


def test_what_the_openbci_gui_sends_is_answered_with_a_command_that_works(eeg):
    text = what_to_type(worn_cap(BARE), None)
    assert "neuript view --montage openbci-8 --unit microvolts" in text
    assert "unicorn-8" in text
    unicorn = replace(BARE, name="Unicorn Hybrid Black", units=("uV",) * 8)
    assert "neuript view --montage unicorn-8 (or" in what_to_type(worn_cap(unicorn), None)
    assert what_to_type(worn_cap(BARE, CAP), "microvolts") == ""
    assert what_to_type(worn_cap(INFO), None) == ""
    assert check_signal(BARE, eeg, cap=CAP, unit="microvolts").go


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "furlong"}, "furlong"),
        ({"stream": "name='amp"}, "is not complete"),
        ({"wait_s": 0.0}, "--wait"),
        ({"after": -1.0}, "--after"),
        ({"screenshot": "no/such/folder/x.png"}, "folder that does not exist"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, words):
    with pytest.raises(NeuriptError, match=words):
        ViewOptions(**options)


def test_a_montage_of_another_size_is_refused_with_those_that_fit():
    with pytest.raises(NeuriptError, match=r"openbci-16 has 16.*openbci-8"):
        check_cap(BARE, load_montage("openbci-16"))
    check_cap(BARE, CAP)
    check_cap(BARE, None)


@pytest.mark.parametrize("size", [(80, 24), (140, 50)])
def test_the_console_names_the_bad_electrode_and_what_to_do(eeg, size):
    eeg[:, 2] = 0
    model = fed(SignalModel("openbci-8"), INFO, eeg)
    snapshot = model.snapshot(104.1)
    extremes, _ = model.ring.columns(0, model.ring.total)
    console = Console(width=size[0], height=size[1], record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render_signal(snapshot, extremes, model.verdicts(), model.unit, *size))
    console.file.close()
    text = console.export_text()
    assert len(text.splitlines()) <= size[1]
    assert "C3 is flat: see that it is plugged in" in text
    assert "■ C3" in text
    assert "7 good · 1 bad" in text
    assert "C3 is flat" in signal_line(snapshot)
    assert "\n" not in signal_line(snapshot)


@pytest.fixture
def window(monkeypatch) -> Iterator[Any]:
    """A window over a client that never looks for a stream."""
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    from neuript.realtime.dashboard.theme import DARK
    from neuript.realtime.view.qt.signal_window import SignalWindow

    app = QApplication.instance() or QApplication(["test"])
    view = SignalWindow(SignalClient(INFO, "name='nobody'"), DARK, clock=lambda: 104.1)
    view.resize(1024, 640)
    view.show()
    app.processEvents()
    yield view
    view.close()
    app.processEvents()


@pytest.mark.qt
def test_the_window_shows_head_table_spectrum_and_follows_a_click(window, eeg):
    eeg[:, 2] = 0
    fed(window._client.model, INFO, eeg)
    window.refresh()
    assert "C3 is flat" in window._verdict.text()
    assert window.table.rowCount() == 8
    assert [window.table.item(0, k).text() for k in range(5)] == ["■", "C3", "C3", "µV", "is flat"]
    assert len(window._spectrum._strong.getData()[0]) == 140
    window.head.picked.emit("C4")
    assert window.table.selectedItems()[1].text() == "C4"
    assert "C4 strong" in window._spectrum_caption.whole()
    drawn = window._spectrum._strong.getData()[1]
    expected = window._client.model.snapshot(104.1).spectrum.power[:, 3]
    np.testing.assert_allclose(10.0**drawn, expected, rtol=1e-6)
    window.table.picked.emit("C4")  # a second click takes it back
    assert "median strong" in window._spectrum_caption.whole()
    assert (window.width(), window.height()) == (1024, 640)
    window._client.model.disconnect_eeg()
    window.refresh()
    assert "gone" in window._verdict.text()


@pytest.mark.qt
def test_windows_stay_inside_the_screen_and_remember_their_size_and_theme(tmp_path, monkeypatch, window):
    from qtpy.QtWidgets import QApplication, QWidget

    from neuript.realtime.dashboard.qt.window_frame import ElidedLabel, WindowMemory, size_of

    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path))
    free = QApplication.primaryScreen().availableGeometry()
    first = QWidget()
    memory = WindowMemory("test")
    memory.place(first, "5000x4000")
    assert free.contains(first.geometry())
    assert memory.theme("light").name == "light"
    first.resize(320, 240)
    first.move(free.left() + 50, free.top() + 60)
    memory.keep(first)
    second = QWidget()
    again = WindowMemory("test")
    again.place(second, "500x400")
    assert (second.width(), second.height(), second.x() - free.left()) == (320, 240, 50)
    assert again.theme(None).name == "light"
    assert again.theme("system").name in ("dark", "light")
    again.place(second, "500x400", "410x300")
    assert (second.width(), second.height()) == (410, 300)
    picture = WindowMemory("test", remembers=False)
    picture.place(second, "5000x4000")
    assert (second.width(), picture.theme(None).name) == (5000, "dark")
    with pytest.raises(NeuriptError, match="1360x840"):
        size_of("wide")
    label = ElidedLabel("a text that is far too long for this")
    label.resize(60, 20)
    label.show()
    assert label.text().endswith("…")
    assert (label.whole(), label.toolTip()) == ("a text that is far too long for this",) * 2
