"""Whatever happens to the dashboard, the decisions are those of a decoder that has none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import xdf_writer
from builders import save_power_model
from processes import Child, neuript, running
from waiting import wait_for

from neuript import cli
from neuript.errors import StreamNotFoundError
from neuript.realtime.dashboard.launch import View, launch
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.lsl.outlet import decoder_source_id
from neuript.realtime.lsl.publisher import LslReplay
from neuript.realtime.recordings.read import read_recording

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]

NAMES = ("C3", "Cz", "C4", "Pz")
CAP = (*NAMES, *["Fp1", "Fp2", "F3", "F4", "Fz", "P3", "P4", "O1", "O2", "T7", "T8", "Oz"])
SFREQ = 500.0
HOP_S = 0.125


@pytest.fixture(scope="module")
def make_model(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """Make a model file: task name -> path. All of them have the same weights."""
    folder = tmp_path_factory.mktemp("models")

    def make(task: str) -> Path:
        return save_power_model(folder / f"{task}.ts", task=task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder / "config"))
        yield make


@pytest.fixture
def replay(tmp_path, rng) -> Iterator[LslReplay]:
    """A minute of EEG on LSL that begins when `run` is called."""
    n = round(60 * SFREQ)
    t = np.arange(n)[:, None] / SFREQ
    alpha = 20 * np.sin(2 * np.pi * (10 * t + np.arange(len(CAP)) / 3)) * (1 + np.sin(0.9 * t))
    data = (alpha + rng.normal(scale=5, size=(n, len(CAP)))).astype(np.float32)
    path = xdf_writer.session(
        data, 100.0 + t[:, 0], [(99.0, "a second of silence before it")], sfreq=SFREQ,
        labels=list(CAP), source_id=f"test-{uuid.uuid4().hex[:10]}", n_per_chunk=20,
    ).save(tmp_path / "session.xdf")  # fmt: skip
    with LslReplay(read_recording(path)) as replay:
        yield replay


class Live:
    """A `neuript-live` process and the report that it writes at its end."""

    def __init__(self, child: Child, report_path: Path) -> None:
        self.child, self.report_path = child, report_path

    @property
    def lines(self) -> list[str]:
        """Whole lines on stdout so far."""
        self.check()
        return self.child.lines

    def check(self) -> None:
        assert self.child.process.poll() in (None, 130), self.child.err

    @property
    def listening(self) -> bool:
        """True once it has subscribed to the EEG."""
        self.check()
        return "stream '" in self.child.err

    def dashboard(self) -> psutil.Process | None:
        """The process of its dashboard."""
        self.check()
        views = (c for c in self.child.process.children() if "neuript.realtime.dashboard" in c.cmdline())
        return next(views, None)


@contextmanager
def decoding(model: Path, source_id: str, *options: str) -> Iterator[Live]:
    report = model.with_suffix(".json")
    words = ("--model", model, "--source-id", source_id, "--wait", "40", "--json", "--report", report, *options)
    words += ("--max-age", "30")  # what a busy computer does late at the start is not what this is about
    with running(neuript("live", *words), env={"QT_QPA_PLATFORM": "offscreen"}) as child:
        yield Live(child, report)


def receives(view: psutil.Process) -> bool:
    """True once EEG, probabilities and events flow to a dashboard."""
    connections = view.net_connections("tcp")
    return sum(c.status == psutil.CONN_ESTABLISHED for c in connections) >= 3


@contextmanager
def publishing(replay: LslReplay) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=replay.run, kwargs={"stop": stop.is_set, "linger_s": 0.0})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.qt
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_stopped_and_killed_dashboards_change_no_decision(make_model, replay) -> None:
    """Two decoders side by side on one stream: one with a window and a console view, one with nothing."""
    pytest.importorskip("qtpy")
    source_id = replay.recording.eeg.info.source_id
    with (
        decoding(make_model("watched"), source_id) as watched,
        decoding(make_model("alone"), source_id, "--headless") as alone,
    ):
        decoders = (watched, alone)
        wait_for(lambda: all(d.listening for d in decoders), 80, "two subscriptions")
        header = DecoderHeader(task="watched", classes=("left_hand", "right_hand"), eeg_source_id=source_id)
        proba = decoder_source_id(header, "proba")
        console = launch(proba, source_id, view=View("console"))
        with publishing(replay), closing(console):
            wait_for(watched.dashboard, 40, "the window's process")
            shown = [watched.dashboard(), psutil.Process(console.process.pid)]
            for view in shown:
                wait_for(lambda v=view: receives(v), 40, f"data in {view.cmdline()}")
            before = len(alone.lines)
            for view in shown:
                view.send_signal(signal.SIGSTOP)
            wait_for(lambda: len(alone.lines) >= before + 3 / HOP_S, 20, "3 s of decisions")
            assert all(view.status() == psutil.STATUS_STOPPED for view in shown)
            killed = len(alone.lines)
            for view in shown:
                view.kill()
            enough = killed + round(1.5 / HOP_S)
            wait_for(lambda: all(len(d.lines) >= enough for d in decoders), 20, "1.5 s more")
            for live in decoders:
                live.child.interrupt()
            for live in decoders:
                assert live.child.wait(20) == 130, live.child.err
        closed = "the dashboard was closed; the decoder goes on, and `neuript dashboard` shows it again"
        assert [live.child.err.count(closed) for live in decoders] == [1, 0]
        told = [
            [
                (row["t"], row["state"], row["proba"], row["decision"], row["confidence"])
                for row in map(json.loads, live.lines)
            ]
            for live in decoders
        ]
    n = min(map(len, told))
    assert n >= enough
    assert told[0][:n] == told[1][:n]
    assert sum(proba is not None for _, _, proba, _, _ in told[1][before:killed]) >= 3 / HOP_S
    assert len({decision for _, _, _, decision, _ in told[1]}) > 1
    for live in decoders:
        report = json.loads(live.report_path.read_text())
        assert (report["skipped_hops"], report["gaps"], report["clock_steps"]) == (0, 0, 0)
        assert report["states"].keys() == {"WARMUP", "OK"}


def test_whether_a_window_can_be_opened_is_asked_before_data_flow(make_model, monkeypatch) -> None:
    """The answer may take 20 s; with the inlet open the samples of that time would queue up."""
    from neuript.realtime.dashboard import launch as launching
    from neuript.realtime.lsl import discovery

    order: list[str] = []

    def slow_answer() -> None:
        order.append("window")

    def no_stream(*args: object, **kwargs: object) -> None:
        order.append("stream")
        raise StreamNotFoundError("there is none")

    monkeypatch.setattr(launching, "why_no_window", slow_answer)
    monkeypatch.setattr(discovery, "find_stream", no_stream)
    assert cli.main(["live", "--model", str(make_model("order"))]) == 3
    assert order == ["window", "stream"]


def test_a_view_that_was_chosen_is_launched_without_asking_again(monkeypatch) -> None:
    from neuript.realtime.dashboard import launch as launching

    monkeypatch.setattr(launching, "why_no_window", lambda: pytest.fail("asked again"))
    handle = launch("nobody-proba", view=View("console", "because"))
    try:
        assert (handle.kind, handle.note) == ("console", "because")
        assert isinstance(handle.process, subprocess.Popen)
    finally:
        handle.close()
