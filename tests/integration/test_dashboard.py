"""The dashboard as an LSL client: real streams from another process, a window drawn offscreen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from processes import Child, finished, python, running
from qt_pixels import pixels_of
from waiting import wait_for

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.control_pipe import ControlPipe
from neuript.realtime.dashboard.launch import launch
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.discovery import quoted
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(90)]

HELPER = Path(__file__).parents[1] / "helpers" / "fake_decoder.py"
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture
def prefix() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@contextlib.contextmanager
def publisher(prefix: str, *options: str) -> Iterator[Child]:
    with running([sys.executable, str(HELPER), "--prefix", prefix, *options]) as child:
        child.wait_until_it_says("READY")
        yield child


def snapshot(client: DashboardClient):
    with client.lock:
        return client.model.snapshot(pylsl.local_clock())


def test_client_follows_decoder_eeg_and_events(prefix):
    script = "OK:6,GAP:2,OK:60"
    with (
        publisher(prefix, "--channels", "8", "--classes", "3", "--script", script, "--simulated"),
        DashboardClient(ViewModel(), f"{prefix}-proba-x") as client,
    ):
        wait_for(lambda: snapshot(client).last_decision is not None, 25, "a command")
        wait_for(lambda: snapshot(client).state == "GAP", 25, "the gap")
        gap = snapshot(client)
        assert gap.proba is None
        assert gap.simulated
        assert gap.decoder.classes == ("left_hand", "right_hand", "rest")
        assert gap.eeg.ch_names[:2] == ("Fz", "C3")
        wait_for(lambda: snapshot(client).state == "OK", 25, "the end of the gap")
        # rows and events tell the same commands, each is listed once
        stamps = [e.stamp for e in snapshot(client).log if e.kind == "decision"]
        assert len(stamps) == len(set(stamps))
        assert min(np.diff(sorted(stamps)), default=1.0) > 0.5
        with client.lock:
            ring = client.model.ring
            extremes, at = ring.columns(0, ring.total)
        assert np.isnan(extremes).all(axis=(1, 2)).sum() * ring.column_s == pytest.approx(0.9, abs=0.3)
        assert abs(at[-1] - pylsl.local_clock()) < 1.0
        assert client.failure is None


def test_client_reads_what_the_decoder_really_publishes(prefix):
    """The real outlets of neuript, not the stand-in: same words on both sides."""
    header = DecoderHeader(
        task=prefix,
        classes=("left_hand", "rest"),
        eeg_source_id="nobody",
        threshold=0.8,
        idle_class="rest",
        simulated=True,
        smoothing_s=0.5,
    )
    outlets = DecisionOutlets(header)
    try:
        with DashboardClient(ViewModel(), decoder_source_id(header, "proba")) as client:
            wait_for(lambda: snapshot(client).decoder is not None, 25, "the header")
            wait_for(lambda: client.events.connected, 25, "the events stream")
            began = pylsl.local_clock()
            for k in range(8):
                gap = k >= 6
                outlets.publish(
                    Decision(
                        t=began + k / 8,
                        window_index=k,
                        state=State.GAP if gap else State.OK,
                        proba=None if gap else {"left_hand": 0.9, "rest": 0.1},
                        evidence=None if gap else {"left_hand": 0.8, "rest": 0.2},
                        decision="left_hand" if 2 <= k < 6 else None,
                        confidence=0.0 if gap else 0.9,
                        committed=k == 2,
                        sample_age_ms=2.0,
                        latency_ms={"total": 7.0},
                    )
                )
            wait_for(lambda: snapshot(client).state == "GAP", 10, "the last row")
            seen = snapshot(client)
            assert [(e.kind, e.label) for e in seen.log] == [
                ("state", "GAP"),
                ("decision", "left_hand"),
                ("state", "OK"),
            ]
            assert seen.last_decision.stamp == pytest.approx(began + 2 / 8, abs=5e-3)
            assert (seen.proba, seen.held, seen.simulated) == (None, None, True)
            assert (seen.decoder.threshold, seen.decoder.idle_class) == (0.8, "rest")
            assert seen.latency_p50_ms == 7.0
            with client.lock:
                stamps, evidence = client.model.evidence_history(0.0)
            assert len(stamps) == 8
            np.testing.assert_allclose(evidence[:6, 0], 0.8, atol=1e-6)
            assert np.isnan(evidence[6:]).all()
    finally:
        outlets.close()


def test_client_finds_streams_again_and_takes_their_new_header(prefix):
    with DashboardClient(ViewModel(), f"{prefix}-proba-x", f"{prefix}-eeg") as client:
        with publisher(prefix, "--channels", "8"):
            wait_for(lambda: snapshot(client).latency_p50_ms is not None, 25, "rows")
        wait_for(lambda: snapshot(client).state in {"GONE", "SILENT"}, 25, "the loss")
        assert snapshot(client).proba is None
        with publisher(prefix, "--channels", "16", "--classes", "4", "--script", "OK:60"):
            wait_for(lambda: snapshot(client).state == "OK", 30, "recovery")
            assert len(snapshot(client).decoder.classes) == 4
            wait_for(lambda: len(snapshot(client).eeg.ch_names) == 16, 25, "the new EEG stream")
            with client.lock:
                before = client.model.ring.total
            wait_for(lambda: client.model.ring.total > before, 10, "new samples")
        assert client.failure is None


def test_the_verb_finds_the_decoder_and_shows_it(prefix, tmp_path):
    from neuript import cli
    from neuript.realtime.dashboard.show import find_decoder

    picture = tmp_path / "dashboard.txt"
    with publisher(prefix, "--script", "OK:60"):
        assert find_decoder(f"{prefix}-proba-x", wait_s=20).name.startswith("neuript-")
        words = ("--source-id", f"{prefix}-proba-x", "--console", "--screenshot", str(picture), "--after", "4")
        assert cli.main(["dashboard", *words]) == 0
    assert "● OK" in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["plain", "it's", 'say "x"', "both ' and \""])
def test_any_source_id_can_be_looked_for(prefix, text):
    """As liblsl itself understands the predicate, with a stream beside it that must not match."""
    wanted = pylsl.StreamOutlet(pylsl.StreamInfo("wanted", "Test", 1, 0, "float32", f"{prefix} {text}"))
    other = pylsl.StreamOutlet(pylsl.StreamInfo("other", "Test", 1, 0, "float32", f"{prefix} x{text}"))
    found = pylsl.resolve_bypred(f"source_id={quoted(f'{prefix} {text}')}", timeout=20)
    assert [info.name() for info in found] == ["wanted"]
    del wanted, other


def test_a_stream_of_another_program_is_refused_once_and_waited_past(prefix, caplog):
    """Something calls itself predictions and has other channels; the decoder that comes later is found."""
    source_id = f"{prefix}-proba-x"
    other = pylsl.StreamOutlet(pylsl.StreamInfo("neuript-x-proba", "Predictions", 2, 0, "float32", source_id))
    with DashboardClient(ViewModel(), source_id) as client:
        wait_for(lambda: "is not a predictions stream" in caplog.text, 25, "the refusal")
        with publisher(prefix, "--script", "OK:60"):
            wait_for(lambda: snapshot(client).state == "OK", 25, "the decoder")
        assert caplog.text.count("is not a predictions stream") == 1
        assert client.failure is None
    del other


@pytest.mark.qt
@pytest.mark.parametrize(
    ("options", "theme", "qt"),
    [
        (("--channels", "8", "--simulated", "--script", "OK:60"), "dark", "PyQt6"),
        (("--channels", "64", "--sfreq", "1000", "--chunk", "20", "--flat"), "light", "PySide6"),
    ],
)
def test_window_shows_traces_state_and_banner(prefix, tmp_path, options, theme, qt):
    pytest.importorskip(qt)
    from qtpy.QtGui import QImage

    from neuript.realtime.dashboard.theme import THEMES

    picture = tmp_path / "window.png"
    with publisher(prefix, *options):
        done = finished(
            [
                *(sys.executable, "-P", "-W", "error", "-m", "neuript.realtime.dashboard", "--window"),
                *("--proba-source-id", f"{prefix}-proba-x", "--theme", theme, "--stats"),
                *("--screenshot", str(picture), "--after", "6"),
            ],
            env={"QT_QPA_PLATFORM": "offscreen", "QT_API": qt.lower()},
        )
    assert done.returncode == 0, done.stderr
    assert "frames" in done.stderr
    pixels = pixels_of(QImage(str(picture)))

    def share(color: str, part: np.ndarray) -> float:
        rgb = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
        return float((np.abs(part.astype(int) - rgb).max(axis=-1) < 40).mean())

    colors = THEMES[theme]
    height, width = pixels.shape[:2]
    traces = pixels[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3]
    assert share(colors.trace, traces) > 0.02
    assert (share(colors.banner, pixels[: height // 15]) > 0.2) == ("--simulated" in options)
    marked = share(colors.trace_bad, pixels[height // 12 :, : width // 8])
    assert (marked > 1e-4) == ("--flat" in options)


@pytest.fixture
def window(monkeypatch, rng) -> Iterator[Any]:
    """A window over a model that the test feeds: 20 channels at 250 Hz, no LSL."""
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    from neuript.realtime.dashboard.qt.window import Dashboard
    from neuript.realtime.dashboard.theme import DARK

    app = QApplication.instance() or QApplication(["test"])
    client = DashboardClient(ViewModel())
    names = tuple(f"E{k}" for k in range(20))
    client.model.connect_eeg(SignalInfo(name="x", source_id="x", sfreq=250, ch_names=names))
    view = Dashboard(client, DARK)
    view.resize(1200, 760)
    view.show()
    app.processEvents()
    view.feed = lambda start, stop: client.model.add_eeg(
        rng.normal(0, 10, (stop - start, 20)).astype(np.float32), 1000 + np.arange(start, stop) / 250, 1000 + stop / 250
    )
    yield view
    view.close()
    app.processEvents()


@pytest.mark.qt
def test_moved_picture_equals_one_drawn_anew(window):
    """Scrolling piece by piece must give what drawing everything at once gives."""
    traces = window.traces
    traces._verdicts_at = np.inf  # a verdict changes the colour of what comes after it
    for k in range(400):
        window.feed(8 * k, 8 * k + 8)
        traces.advance(8 / 250)
    for k in range(60):  # a hole, and what follows
        window.feed(3700 + 8 * k, 3708 + 8 * k)
        traces.advance(8 / 250)
    moved = pixels_of(traces._pixmap.toImage()).astype(int)
    traces._redraw()
    anew = pixels_of(traces._pixmap.toImage()).astype(int)
    assert moved.shape == anew.shape
    assert anew.std() > 10  # there is something on it
    different = (np.abs(moved - anew).max(axis=-1) > 48).mean()
    assert different < 0.03, different  # only smoothing at the seams
    shifted = (np.abs(np.roll(moved, 1, axis=1) - anew).max(axis=-1) > 48).mean()
    assert shifted > 4 * different


@pytest.mark.qt
def test_keys_pause_scale_and_turn_pages(window):
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QKeyEvent

    def press(key) -> None:
        window.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))

    traces = window.traces
    for k in range(200):
        window.feed(8 * k, 8 * k + 8)
        traces.advance(8 / 250)
    scale = traces.shown.scale
    press(Qt.Key.Key_Minus)
    assert traces.shown.scale > scale
    press(Qt.Key.Key_Plus)
    assert traces.shown.scale == scale
    assert list(traces.shown_channels()) == list(range(20))
    press(Qt.Key.Key_C)
    assert list(traces.shown_channels()) == list(range(8))
    press(Qt.Key.Key_PageUp)
    assert list(traces.shown_channels()) == list(range(16, 20))
    assert "17 to 20 of 20" in window._caption.text()
    press(Qt.Key.Key_Space)
    before = pixels_of(traces._pixmap.toImage())
    window.feed(1600, 2000)
    traces.advance(1.0)
    np.testing.assert_array_equal(pixels_of(traces._pixmap.toImage()), before)
    assert "HELD" in window._caption.text()
    press(Qt.Key.Key_Space)
    window.feed(2000, 2100)
    traces.advance(1.0)
    assert not np.array_equal(pixels_of(traces._pixmap.toImage()), before)
    press(Qt.Key.Key_F)
    window._refresh_cards()
    assert "high-pass" in window._caption.text()
    press(Qt.Key.Key_Q)
    assert not window.isVisible()


@posix
@pytest.mark.qt
def test_stopping_and_killing_the_window_disturbs_nobody(prefix, tmp_path, monkeypatch):
    """Stop the window for longer than liblsl buffers for it, then kill it: nothing else notices."""
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    report = tmp_path / "report.json"
    options = ("--channels", "128", "--sfreq", "2000", "--chunk", "40", "--count")
    ending = ("--duration", "15", "--report", str(report))
    with publisher(prefix, *options, *ending) as child:
        found = pylsl.resolve_bypred(f"source_id='{prefix}-eeg'", timeout=15)
        inlet = pylsl.StreamInlet(found[0], max_buflen=60, recover=False, as_numpy=True)
        inlet.open_stream(timeout=10)
        handle = launch(f"{prefix}-proba-x", console=False)
        assert handle.kind == "window"
        counts: list[np.ndarray] = []
        marks: dict[str, float] = {}
        began = time.monotonic()
        while child.running:
            data, stamps = inlet.pull_chunk(timeout=0.2, max_samples=2048, min_samples=1)
            if len(stamps):
                counts.append(data[:, -1].copy())
            after = time.monotonic() - began
            if "stop" not in marks and after > 5:
                assert handle.running
                marks["stop"] = pylsl.local_clock()
                os.kill(handle.process.pid, signal.SIGSTOP)
            if "kill" not in marks and after > 11:
                marks["kill"] = pylsl.local_clock()
                os.kill(handle.process.pid, signal.SIGKILL)
            if len(counts) and counts[-1][-1] >= 29_800:
                break
        child.wait(20)
        handle.process.wait(5)
    received = np.concatenate(counts)
    np.testing.assert_array_equal(np.diff(received), 1.0)  # another client loses nothing
    pushes = np.array(json.loads(report.read_text())["pushes"])
    when, took_ms = pushes[:, 0], 1000 * pushes[:, 1]
    alone = took_ms[when > marks["kill"] + 0.5]
    stopped = took_ms[(when > marks["stop"]) & (when < marks["kill"])]
    assert len(stopped) > 200
    assert np.median(stopped) < 3 * np.median(alone) + 0.5
    # 6 MB went unread, more than the 3 s that liblsl keeps for the window, yet no push waited
    assert np.percentile(stopped, 99) < 50


@posix
def test_console_process_is_modest_and_ends_with_its_parent(prefix):
    code = (
        "import time; from neuript.realtime.dashboard.launch import launch;"
        f"handle = launch('{prefix}-proba-x', console=True);"
        "print(handle.process.pid, flush=True); time.sleep(60)"
    )
    with running(python(code)) as parent:
        wait_for(lambda: parent.lines, 60, "its process id")
        view = psutil.Process(int(parent.lines[0]))
        wait_for(lambda: view.nice() == 10, 20, "low priority")
        assert view.pid != parent.process.pid
        assert os.getsid(view.pid) != os.getsid(parent.process.pid)  # Ctrl-C reaches the parent alone
        parent.wait_until_it_says("SEARCHING")
        parent.process.kill()
        gone = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        wait_for(lambda: not view.is_running() or view.status() in gone, 15, "the end")


def test_launch_without_a_display_gives_the_console_view_and_closes(prefix, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("neuript.realtime.dashboard.launch.sys.platform", "linux")
    handle = launch(f"{prefix}-proba-x")
    try:
        assert handle.kind == "console"
        assert "no display" in handle.note
        assert handle.running
    finally:
        handle.close()
    assert not handle.running
    handle.close()


@pytest.mark.qt
def test_keys_of_a_window_that_may_steer_reach_the_decoder_and_its_answer_the_window(prefix, tmp_path):
    """The window's process with real pipes; this test is the decoder."""
    pytest.importorskip("qtpy")
    code = (
        "import sys; import neuript.realtime.dashboard.qt.window as w; from qtpy import QtCore, QtGui\n"
        "from neuript.realtime.dashboard.__main__ import main\n"
        "start, Key = w.Dashboard.start, QtCore.Qt.Key\n"
        "def started(self):\n"
        "    def press(key):\n"
        "        none = QtCore.Qt.KeyboardModifier.NoModifier\n"
        "        self.keyPressEvent(QtGui.QKeyEvent(QtCore.QEvent.Type.KeyPress, key, none))\n"
        "    keys = Key.Key_Up, Key.Key_P, Key.Key_M, Key.Key_Q\n"
        "    self.steering.heard.connect(lambda said: list(map(press, keys)))\n"
        "    start(self)\n"
        "w.Dashboard.start = started\n"
        f"sys.exit(main(['--window', '--steer', '--proba-source-id={prefix}-nobody']))"
    )
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "NEURIPT_CONFIG_DIR": str(tmp_path)}
    process = subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=env)
    pipe = ControlPipe(process)
    pipe.open()
    try:
        pipe.tell(paused=False, threshold=0.7, recentres=True, text="")
        assert process.wait(60) == 0
        heard: list[str] = []
        wait_for(lambda: heard.extend(pipe.newest()) or len(heard) == 3, 10, "what the keys ask for")
        assert heard == ["t 0.75", "p on", "m mark 1"]
    finally:
        process.kill()
        process.wait(10)
        pipe.close()


@pytest.mark.qt
def test_any_other_window_only_watches_and_says_so(window):
    assert window.steering.said.whole().startswith("watch only")
    window.steering.ask("p")  # nobody is asked
    assert not window.steering._buttons
