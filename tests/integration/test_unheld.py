"""A decoder whose output nobody takes: it decodes on, hears signals, and ends with report and exit code."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from amplifier import plugged_in
from builders import save_power_model
from processes import neuript, running
from waiting import wait_for

from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.outlet import decoder_source_id

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes"),
]
HEARD_S = 4.0
"""Until the report is written; a second of it is for a reader who may still come, the rest for a busy computer."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder / "config"))
        yield save_power_model(folder / "power.ts", task="testing")


@contextmanager
def a_pipe_that_nobody_reads():
    reading, writing = os.pipe()
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def a_full_disk():
    with Path("/dev/full").open("w") as full:
        yield full


@pytest.mark.parametrize(
    ("name", "stdout", "stderr"),
    [
        ("SIGTERM", a_pipe_that_nobody_reads, a_full_disk),
        ("SIGHUP", a_pipe_that_nobody_reads, a_pipe_that_nobody_reads),
    ],
)
def test_a_signal_is_heard_though_nobody_takes_what_is_said(model, tmp_path, name, stdout, stderr):
    report = tmp_path / "report.json"
    command = ["--headless", "--json", "--hop", "0.015625", "--report", str(report)]
    with ExitStack() as stack:
        ends = {"stdout": stack.enter_context(stdout()), "stderr": stack.enter_context(stderr())}
        source_id, _ = stack.enter_context(plugged_in())
        child = stack.enter_context(
            running(neuript("live", "--model", model, "--source-id", source_id, *command), **ends)
        )
        header = DecoderHeader(task="testing", classes=("a", "b"), eeg_source_id=source_id)
        rows_of = decoder_source_id(header, "proba")
        found = wait_for(lambda: pylsl.resolve_byprop("source_id", rows_of, 1, 1.0), 60, "the decoder's rows")
        inlet, rows = pylsl.StreamInlet(found[0]), 0

        def many() -> bool:
            nonlocal rows
            rows += len(inlet.pull_chunk(timeout=0.2)[1])
            return rows > 600  # more than a pipe holds

        wait_for(many, 60, "rows on LSL, whoever reads stdout")
        told_at = time.time()
        child.process.send_signal(getattr(signal, name))
        assert child.wait(60) == 130
        assert report.stat().st_mtime - told_at < HEARD_S
    written = json.loads(report.read_text())
    assert written["ended"] == "interrupted"
    dropped = written["dropped_lines"]
    assert dropped["stdout"] > 0
    if stderr is a_full_disk:
        assert dropped["log"] > 0
