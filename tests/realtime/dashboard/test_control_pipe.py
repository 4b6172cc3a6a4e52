"""The pipe between a decoder and its dashboard: what is understood, and that nobody waits for the other."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from processes import python
from waiting import wait_for

from neuript.realtime.dashboard.control_pipe import MAX_LINE, WAITING, ControlPipe, understood


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ({"said": "p", "text": ""}, "p"),
        ({"said": "m", "text": " eyes closed "}, "m eyes closed"),
        ({"said": "m", "text": ""}, "m"),
        ({"said": "t", "text": "0.80"}, "t 0.80"),
        ({"said": "p", "text": "now"}, None),
        ({"said": "q", "text": ""}, None),
        ({"said": ["p"], "text": ""}, None),
        ({"said": "m", "text": "a\nq"}, None),
        ({"said": "m", "text": "x" * 65}, None),
        ({"said": "m", "text": 3}, None),
        ({"said": "p"}, None),
        ({"said": "p", "text": "", "more": 1}, None),
        (["p"], None),
    ],
)
def test_only_what_a_person_can_ask_for_is_understood(said, typed):
    assert understood(json.dumps(said).encode()) == typed


@pytest.mark.parametrize("line", [b"", b"p", b"{", b"\xff\xfe", b"[" * 400])
def test_what_is_no_json_is_not_understood(line):
    assert understood(line) is None


def started(code: str) -> tuple[subprocess.Popen[bytes], ControlPipe]:
    process = subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    pipe = ControlPipe(process)
    pipe.open()
    return process, pipe


def test_a_dashboard_asks_and_is_told():
    """Its end is the `LinePipe` that the window has; what it is told it sends back as a mark."""
    code = (
        "import json, threading; from neuript.realtime.dashboard.line_pipe import LinePipe\n"
        "over = threading.Event()\n"
        "def told(line):\n"
        "    over.set() if line is None else pipe.say('m', text=f\"{json.loads(line)['threshold']:g}\")\n"
        "pipe = LinePipe(told); pipe.open(); print('not for the decoder'); pipe.say('p', text=''); over.wait(60)"
    )
    process, pipe = started(code)
    heard: list[str] = []
    wait_for(lambda: heard.extend(pipe.newest()) or heard == ["p"], 30, "a request")
    pipe.tell(paused=True, threshold=0.8, text="")
    wait_for(lambda: heard.extend(pipe.newest()) or heard == ["p", "m 0.8"], 10, "the answer")
    process.kill()
    process.wait(10)
    pipe.close()
    assert pipe.newest() == []


def test_a_dashboard_that_floods_and_never_reads_holds_nobody_up():
    code = (
        'import os, time; line = b\'{"said": "p", "text": ""}\\n\'\n'
        f"os.write(1, b'x' * {4 * MAX_LINE} + b'\\n' + line * 1000)\n"
        "time.sleep(60)"
    )
    process, pipe = started(code)
    wait_for(lambda: pipe._heard.full(), 30, "as many requests as may wait")
    began = time.process_time()
    for k in range(3000):  # far more than a pipe takes
        pipe.tell(threshold=0.5, text="x" * 100 + str(k))
    assert time.process_time() - began < 1.0
    assert pipe.newest() == ["p"] * WAITING
    process.kill()
    process.wait(10)
    pipe.close()
