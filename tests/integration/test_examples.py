"""The examples as they are, behind a decoder's real streams, the real bridge and a real recording."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from decoder_streams import Publisher
from processes import finished, neuript, running
from xdf_writer import XdfWriter, channels_xml

from neuript.realtime.decoding.states import State

EXAMPLES = Path(__file__).parents[2] / "examples"
lsl = pytest.mark.lsl

BROWSER = """
const fs = require("fs"), text = fs.readFileSync(process.argv[1], "utf8");
const parts = { says: { style: {} }, box: { style: {} } };
globalThis.document = { getElementById: (id) => parts[id] };
globalThis.location = { hash: "#" + process.argv[2] };
let before = "";
setInterval(() => {
  const now = parts.says.textContent + " " + (parts.box.style.left ?? "");
  if (now !== before) console.log(before = now);
}, 10);
eval(text.match(/<script>([^]*)<\\/script>/)[1]);
"""
"""What of a browser the page needs, in Node: two elements and an address. The WebSocket is real."""


def example(name: str, *words: object) -> list[str]:
    return [sys.executable, "-P", str(EXAMPLES / name), *map(str, words)]


@lsl
@pytest.mark.timeout(60)
def test_the_reader_of_rows_prints_commands_and_refuses_everything_else():
    with Publisher() as decoder, running(example("read_decisions.py")) as reader:
        reader.wait_until_it_says("no command {'left_hand': 0.15, 'right_hand': 0.15, 'rest': 0.7}")
        decoder.held = "right_hand"
        reader.wait_until_it_says("right_hand {'left_hand': 0.15, 'right_hand': 0.7, 'rest': 0.15}")
        decoder.state = State.BAD_SIGNAL
        reader.wait_until_it_says("stop: BAD_SIGNAL")
        decoder.state, decoder.age_s = State.OK, 3.0
        reader.wait_until_it_says("stop: the row is too old")
        decoder.fall_silent()
        reader.wait_until_it_says("stop: no row comes")


@lsl
@pytest.mark.timeout(60)
def test_the_osc_receiver_and_the_web_page_follow_the_bridge():
    pytest.importorskip("pythonosc")
    pytest.importorskip("websockets")
    if not free(9000):
        pytest.skip("the port of the example is taken")
    node = shutil.which("node")
    with contextlib.ExitStack() as stack:
        decoder = stack.enter_context(Publisher())
        hears = stack.enter_context(running(example("osc_receiver.py")))
        options = ("--osc", 9000, "--websocket", free_port(), "--source-id", decoder.source_id)
        bridge = stack.enter_context(running(neuript("bridge", *options)))
        url = bridge.wait_until_it_says("ws://")
        pages = []
        if node:
            command = [node, "--experimental-websocket", "-e", BROWSER, str(EXAMPLES / "web_page.html"), url]
            pages.append(stack.enter_context(running(command)))
            pages[0].wait_until_it_says("no command 50%")
        decoder.held = "left_hand"
        hears.wait_until_it_says("left_hand 0.7")
        for page in pages:
            page.wait_until_it_says("left_hand 47%")
        decoder.state = State.GAP
        hears.wait_until_it_says("stop: GAP")
        for page in pages:
            page.wait_until_it_says("stop: GAP")
        bridge.interrupt()
        hears.wait_until_it_says("stop: ENDED")
        hears.wait_until_it_says("stop: the bridge is silent")
        for page in pages:
            page.wait_until_it_says("stop: the bridge is gone")


def test_mne_users_get_an_epoch_for_each_command(tmp_path, rng):
    pytest.importorskip("mne")
    names = ["C3", "Cz", "C4"]
    writer = XdfWriter()
    writer.stream(1, "amp", n_chans=3, sfreq=100.0, desc=channels_xml(names))
    writer.samples(1, 50.0 + np.arange(1000) / 100.0, rng.normal(scale=20, size=(1000, 3)))
    writer.stream(2, "neuript-mi-events", "Markers", fmt="string")
    said = ["neuript/state/OK", "neuript/decision/left_hand", "neuript/decision/right_hand", "neuript/state/GAP"]
    writer.samples(2, [51.0, 54.0, 57.0, 58.0], said)
    (tmp_path / "session.xdf").write_bytes(writer.bytes())
    done = finished(example("mne_users.py", tmp_path / "session.xdf"), ok=True)
    assert "<Epochs | 2 events" in done.stdout
    assert "'left_hand': 1" in done.stdout
    assert "-2" in done.stdout


def test_every_example_is_listed():
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.iterdir():
        assert f"]({path.name})" in listed or path.name == "README.md"
        assert len(path.read_text("utf-8").splitlines()) <= 30 or path.suffix == ".md"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
