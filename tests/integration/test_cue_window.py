"""The cue window as a process: real markers on LSL, drawn offscreen, times a tenth of the real ones."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid

import psutil
import pytest
from processes import finished, python, running
from waiting import wait_for

from neuript.errors import NeuriptError
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_rehearsal import rehearse
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.task_cues import OwnCue
from neuript.realtime.recordings.cue_markers import CODES, cue_classes_in, plain_labels
from neuript.realtime.recordings.header import parse_xml

pytestmark = [pytest.mark.lsl, pytest.mark.qt, pytest.mark.timeout(100)]

CLASSES = ("left_hand", "words", "rest")


def settings(**how) -> CueSettings:
    own = (OwnCue(name="words"),)
    return CueSettings(
        classes=CLASSES, own=own, subject=uuid.uuid4().hex[:8], time_scale=0.1, fullscreen=False, sound=False, **how
    )


class Session:
    """A window and what it has said so far."""

    def __init__(self, window: CueProcess) -> None:
        self.window, self.said = window, []

    def heard(self, said: str, **about) -> dict:
        """Wait for a message."""

        def look():
            self.said += self.window.poll(0.1)
            return next((m for m in self.said if m["said"] == said and about.items() <= m.items()), None)

        return wait_for(look, 30, lambda: f"{said} {about}; it said {self.said[-5:]}")


@pytest.fixture
def session():
    window = CueProcess()
    try:
        yield Session(window)
    finally:
        window.close()
    assert not window.running


def inlet_of(source_id: str) -> pylsl.StreamInlet:
    (info,) = pylsl.resolve_byprop("source_id", source_id, 1, 20)
    inlet = pylsl.StreamInlet(info, recover=False)
    inlet.open_stream(10)
    return inlet


def trials(*numbers: int) -> list[dict]:
    return [{"trial": n, "cls": CLASSES[n % 3]} for n in numbers]


def test_markers_say_what_was_shown_when_and_what_became_of_it(session, tmp_path):
    window = session.window
    ready = window.start(settings(feedback=True, seed=5))
    assert ready["stamps"] in ("frame swapped", "paint")
    markers, codes = inlet_of(ready["markers"]), inlet_of(ready["gdf"])
    assert cue_classes_in(parse_xml(markers.info().as_xml())) == CLASSES
    assert cue_classes_in(parse_xml(codes.info().as_xml()), CODES) == CLASSES

    began = pylsl.local_clock()
    window.send(do="run", block=0, trials=trials(90), practice=True)
    session.heard("listeners", markers=True, gdf=True)
    session.heard("block", block=0, status="done")
    window.send(do="run", block=1, n_blocks=2, trials=trials(1, 2, 3))
    window.send(do="message", title="not now")  # a block runs
    session.heard("error", text='another screen was asked for while a block runs; send {"do": "stop"} first')
    session.heard("trial", trial=1)
    window.send(do="pause")
    window.send(do="screenshot", file=str(tmp_path / "held.png"))
    session.heard("screenshot")
    window.send(do="go_on")
    session.heard("block", block=1, status="done")
    window.send(do="run", block=2, trials=trials(4, 5))
    session.heard("trial", trial=4, status="done")
    window.send(do="repeat")
    session.heard("trial", trial=4, status="aborted")
    window.send(do="stop")
    session.heard("block", block=2, status="stopped")
    jitter = [m for m in session.said if m["said"] == "jitter"]
    assert len(jitter) == 3
    ended = pylsl.local_clock()

    texts, stamps = markers.pull_chunk(timeout=2.0, max_samples=1000)
    numbers, code_stamps = codes.pull_chunk(timeout=2.0, max_samples=1000)
    texts = [row[0] for row in texts]
    assert stamps == sorted(stamps)
    assert began < stamps[0]
    assert stamps[-1] < ended
    said = [json.loads(text) for text in texts]
    assert code_stamps == stamps
    assert [row[0] for row in numbers] == [one["gdf"] for one in said]

    cues = [(one["trial"], t) for one, t in zip(said, stamps, strict=True) if one["ev"] == "cue"]
    told = [m for m in session.said if m["said"] == "trial" and m["cue_t"] is not None]
    assert {(m["trial"], m["cue_t"]) for m in told} <= set(cues)  # to the last bit
    assert jitter[-1]["n"] == len(cues)
    counted = [
        one["trial"] for one, label in zip(said, plain_labels(texts), strict=True)
        if one["ev"] == "cue" and label.startswith("cue/")
    ]  # fmt: skip
    assert counted == [1, 2, 3]  # 90 was practice, 4 was rejected, 5 never came
    practice = [one for one in said if one["trial"] == 90]
    assert {one["cls"] for one in practice} == {"practice_left_hand"}
    assert [one["gdf"] for one in practice] == [768, 786, 785, 783, 781, 800]
    assert [one["gdf"] for one in said if one["trial"] == 2][-6:] == [768, 786, 785, 779, 781, 800]
    assert (tmp_path / "held.png").read_bytes().startswith(b"\x89PNG")

    window.send(do="end")
    session.heard("closed")
    wait_for(lambda: not window.running, 10, "its end")
    assert window.poll() == []


def test_what_is_no_command_is_an_error_and_a_killed_window_says_so_once(session):
    session.window.start(settings())
    session.window.send(do="dance")
    assert "do='dance' is not known" in session.heard("error")["text"]
    session.window.send(do="run", block=1, trials=[{"trial": 1, "cls": "feet"}])
    session.heard("error", text="block 1 cues 'feet'; the window was started with left_hand, words, rest")
    session.window.send(do="run", block=1, trials=trials(1))
    session.heard("trial", status="done")
    (child,) = (p for p in psutil.Process().children() if "neuript.realtime.paradigm" in p.cmdline())
    child.kill()
    session.heard("closed")
    assert "ended with code -9" in session.said[-2]["text"]
    assert [m["said"] for m in session.said[-2:]] == ["error", "closed"]
    assert not session.window.running
    session.window.send(do="pause")  # harmless
    assert session.window.poll(0.2) == []


def test_what_cannot_be_shown_is_said_before_the_session(session, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    own = (OwnCue(name="words", picture=str(broken)),)
    with pytest.raises(NeuriptError, match=r"the picture .*broken.png cannot be read"):
        session.window.start(CueSettings(classes=("words", "rest"), own=own, fullscreen=False))
    with pytest.raises(NeuriptError, match="there is no screen 7; there are 0"):
        session.window.start(CueSettings(screen=7))


def test_without_a_display_there_is_one_sentence(session, monkeypatch):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("neuript.realtime.dashboard.launch.sys.platform", "linux")
    with pytest.raises(NeuriptError, match="cues are shown in a window: there is no display"):
        session.window.start(CueSettings())


_PARENT = """
import sys, time
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_settings import CueSettings
window = CueProcess()
window.start(CueSettings(fullscreen=False, sound=False, subject=sys.argv[1]))
print("pid", window._process.pid, flush=True)
time.sleep(100)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_the_window_ends_with_its_parent():
    with running(python(_PARENT, uuid.uuid4().hex[:8])) as parent:
        pid = int(parent.wait_until_it_says("pid").split()[1])
        assert psutil.pid_exists(pid)
        parent.process.send_signal(signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 15, "its end")


_KEYS = """
import sys
from qtpy.QtGui import QGuiApplication
from qtpy.QtCore import Qt, QPoint
from qtpy.QtTest import QTest
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.qt.beep import Beep
from neuript.realtime.paradigm.qt.cue_stage import CueStage
from neuript.realtime.paradigm.qt.surfaces import PaintingWindow
app = QGuiApplication([])
said = []
stage = CueStage(CueSettings(), send=lambda *a, **k: None, say=lambda s, **f: said.append(f.get("key", s)),
                 ready=lambda period_s, paced: said.append("ready"), listeners=dict)
window = PaintingWindow(stage)
window.resize(800, 600)
window.show()
stage.open(window, 60.0, Beep())
QTest.qWait(100)
def keys(words, *codes):
    del said[:]
    for code in codes:
        QTest.keyClick(window, code)
    assert said == words, (said, words)
K = Qt.Key
assert said == ["ready"], said
stage.told.emit('{"do":"message","title":"Hello"}')
keys(["go_on", "go_on", "back"], K.Key_Space, K.Key_Return, K.Key_Backspace)
keys(["repeat"], K.Key_R)
keys([], K.Key_S, K.Key_P, K.Key_Escape)
keys(["stop"], K.Key_Escape)
del said[:]
QTest.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
assert said == ["go_on"], said
stage.told.emit('{"do":"run","block":1,"trials":[{"trial":1,"cls":"left_hand"}]}')
assert said[-1] == "listeners", said
keys(["pause", "pause", "repeat", "skip"], K.Key_Space, K.Key_P, K.Key_R, K.Key_S)
QTest.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
keys([], K.Key_Return)
stage.told.emit('{"do":"pause"}')
keys(["go_on", "repeat", "skip"], K.Key_Space, K.Key_R, K.Key_S)
keys([], K.Key_Escape)
QTest.qWait(2200)
keys([], K.Key_Escape)  # twice within two seconds, or not at all
keys(["stop"], K.Key_Escape)
window.close()
QTest.qWait(500)
assert said[-3:] == ["jitter", "block", "closed"], said
"""


def test_keys_and_clicks_ask_for_what_fits_the_screen():
    finished(python(_KEYS), ok=True)


def test_stdout_holds_nothing_but_lines_and_a_closed_stdin_ends_it():
    command = [sys.executable, "-P", "-m", "neuript.realtime.paradigm", "--settings"]
    done = finished([*command, json.dumps({"fullscreen": False, "subject": uuid.uuid4().hex[:8]})], ok=True)
    assert [json.loads(line)["said"] for line in done.stdout.splitlines()][-1] == "closed"
    refused = finished([*command, '{"screeen": 1}'])
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["text"].startswith("--settings: unknown field screeen; known are classes")


def test_a_rehearsal_shows_every_class_and_measures_the_screen():
    said = []
    figures = rehearse(settings(), 1, say=said.append, at_once=True)
    assert figures["n"] == 3
    assert 0 <= figures["p50_ms"] <= figures["p99_ms"]
    assert sorted(line.split()[4] for line in said if line.startswith("trial")) == sorted(f"{c}," for c in CLASSES)
    with pytest.raises(NeuriptError, match="no negative number"):
        rehearse(settings(), -1, say=said.append)


def send_far_too_much(window: CueProcess) -> None:
    for _ in range(30_000):
        window.send(do="message", title="x" * 100)


def test_sending_never_waits(session):
    window = session.window
    window.start(settings())
    (child,) = (p for p in psutil.Process().children() if "neuript.realtime.paradigm" in p.cmdline())
    child.suspend()
    began = time.monotonic()
    with pytest.raises(NeuriptError, match="has not read"):
        send_far_too_much(window)
    assert window.poll(0.1) == []
    window.close(timeout_s=0.5)
    assert time.monotonic() - began < 20
    assert not window.running
