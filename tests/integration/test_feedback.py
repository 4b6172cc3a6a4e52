"""The feedback as a user runs it: a window behind a decoder's real streams, and a person who does what is asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

import pytest
from decoder_streams import Publisher
from processes import finished, neuript, running
from waiting import wait_for

from neuript import cli
from neuript.realtime.lsl.library import LostError, pylsl

pytestmark = [pytest.mark.lsl, pytest.mark.qt, pytest.mark.timeout(90)]

OFFSCREEN = {"QT_QPA_PLATFORM": "offscreen"}


@contextlib.contextmanager
def obedient(decoder: Publisher) -> Iterator[list[tuple[float, dict[str, object]]]]:
    """Who hears the targets as any recorder would, and makes the decoder command them."""
    heard: list[tuple[float, dict[str, object]]] = []
    over = threading.Event()

    def listen() -> None:
        found = ()
        while not found and not over.is_set():
            found = pylsl.resolve_bypred("name='neuript-feedback-targets'", timeout=1.0)
        inlet = pylsl.StreamInlet(found[0], recover=False)
        with contextlib.suppress(LostError):  # the window was closed
            while not over.is_set():
                texts, stamps = inlet.pull_chunk(timeout=0.05)
                for t, (text,) in zip(stamps, texts, strict=True):
                    marker = json.loads(text)
                    heard.append((t, marker))
                    asked = marker["ev"] == "cue" and marker["cls"] != "rest"
                    decoder.held = str(marker["cls"]) if asked else None
        inlet.close_stream()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()


def test_a_session_from_the_first_target_to_the_results(tmp_path):
    out = tmp_path / "hits.json"
    options = ("--targets", 1, "--time", 3, "--pause", 1.5, "--size", "640x400", "--out", out)
    with (
        Publisher() as decoder,
        obedient(decoder) as heard,
        running(neuript("feedback", *options, "--source-id", decoder.source_id), env=OFFSCREEN) as window,
    ):
        wait_for(lambda: len(heard) == 6, 40, lambda: f"six markers; {heard}")
        window.interrupt()
        assert window.wait() == 130
        assert "3 of 3 hit: 100 % (29 to 100 %)" in window.err
    said = json.loads(out.read_text())
    assert said["simulated"] is True
    assert {t["target"]: t["answer"] for t in said["targets"]} == {c: c for c in decoder.header.classes}
    cues = [(t, m) for t, m in heard if m["ev"] == "cue"]
    assert [t for t, _ in cues] == [t["t"] for t in said["targets"]]
    assert {m["cls"]: m["gdf"] for _, m in cues} == {"left_hand": 769, "right_hand": 770, "rest": 779}
    assert [m["gdf"] for _, m in heard if m["ev"] == "result"] == [897] * 3
    assert all(t["time_s"] < 3 for t in said["targets"] if t["target"] != "rest")


def test_what_the_decoder_lacks_ends_it_in_one_sentence():
    with Publisher() as decoder:
        options = ("--classes", "feet", "--size", "640x400", "--source-id", decoder.source_id)
        done = finished(neuript("feedback", *options), env=OFFSCREEN)
    assert done.returncode == 2
    assert "feet is no class of this decoder; it has left_hand, right_hand, rest" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "wide"], "--size"),
        (["--size", "1x1"], "such as 1280x800"),
        (["--targets", "0"], "--targets 0 must be"),
        (["--out", "no/such/folder.json"], "there is no folder"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_sentence(capsys, options, words):
    assert cli.main(["feedback", *options]) == 2
    assert words in capsys.readouterr().err


def test_without_a_display_it_says_why(monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("neuript.realtime.dashboard.launch.sys.platform", "linux")
    assert cli.main(["feedback"]) == 2
    assert "the feedback needs a window: there is no display" in capsys.readouterr().err
