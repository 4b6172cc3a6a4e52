from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time

import pytest
from processes import finished, python
from waiting import wait_for

from neuript.outflow import MOST_LINES, Outflow, UnheldText, dropped_on_stderr, unheld_stderr

LINE = "x" * 99 + "\n"


@pytest.fixture
def pipe():
    """A pipe whose reader is the test: (reading descriptor, file to write)."""
    reading, writing = os.pipe()
    out = os.fdopen(writing, "w", encoding="utf-8")
    yield reading, out
    for close in (lambda: os.close(reading), out.close):
        with contextlib.suppress(OSError):
            close()


def read_all(reading: int, into: list[bytes]) -> None:
    while got := os.read(reading, 65536):
        into.append(got)


def test_who_writes_never_waits_and_every_line_is_written_whole_or_counted(pipe):
    reading, out = pipe
    outflow, n, began = Outflow(out), 20_000, time.monotonic()
    for k in range(n):
        outflow.put(f"{k:07d} {LINE}")
    assert time.monotonic() - began < 5
    assert outflow.n_dropped > n - MOST_LINES - 2000  # a pipe holds some 64 kB
    got: list[bytes] = []
    thread = threading.Thread(target=read_all, args=(reading, got))
    thread.start()
    outflow.close(20)
    out.close()
    thread.join(10)
    lines = b"".join(got).decode().splitlines()
    assert len(lines) + outflow.n_dropped == n
    assert all(line[8:] + "\n" == LINE for line in lines)
    numbers = [int(line[:7]) for line in lines]
    assert numbers == sorted(numbers)
    assert numbers[-1] == n - 1  # the oldest are dropped


def test_the_end_waits_for_a_while_and_counts_what_is_left(pipe):
    outflow = Outflow(pipe[1])
    for _ in range(900):
        outflow.put(LINE)
    began = time.monotonic()
    outflow.close(0.3)
    assert 0.2 < time.monotonic() - began < 3
    assert 0 < outflow.n_dropped < 900


def test_a_reader_that_went_away_is_known(pipe):
    reading, out = pipe
    outflow = Outflow(out)
    os.close(reading)
    outflow.put(LINE)
    wait_for(lambda: outflow.error is not None, 5)
    assert isinstance(outflow.error, BrokenPipeError)
    outflow.put(LINE)
    outflow.close()
    assert outflow.n_dropped == 2


def test_where_nothing_runs_in_real_time_lines_wait_for_their_reader(pipe):
    reading, out = pipe
    outflow, n, got = Outflow(out, gives_up=lambda: False), 5000, []
    thread = threading.Thread(target=read_all, args=(reading, got))

    def later() -> None:
        time.sleep(0.3)
        thread.start()

    threading.Thread(target=later).start()
    for _ in range(n):
        outflow.put(LINE)
    assert outflow.flush(20)
    assert outflow.n_dropped == 0
    out.close()
    thread.join(10)
    assert b"".join(got) == n * LINE.encode()


def test_waiting_ends_when_somebody_gives_up(pipe):
    given_up = threading.Event()
    outflow = Outflow(pipe[1], gives_up=given_up.is_set)
    threading.Timer(0.3, given_up.set).start()
    began = time.monotonic()
    for _ in range(5000):
        outflow.put(LINE)
    assert time.monotonic() - began < 5
    assert outflow.n_dropped > 0


def test_a_stream_that_is_no_file_is_written_as_well():
    out = io.StringIO()
    outflow = Outflow(out)
    outflow.put("grün\n")
    outflow.close()
    assert out.getvalue() == "grün\n"


def test_stderr_in_its_place_says_what_it_is_and_gives_way(capsys):
    before = sys.stderr
    with unheld_stderr():
        assert isinstance(sys.stderr, UnheldText)
        assert sys.stderr.isatty() == before.isatty()
        sys.stderr.write("to somebody who reads\n")
        assert dropped_on_stderr() == 0
    assert sys.stderr is before
    assert capsys.readouterr().err == "to somebody who reads\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that is full")
def test_python_ends_though_nobody_reads_its_stderr():
    code = """
import sys
from neuript.outflow import unheld_stderr
with unheld_stderr():
    for k in range(5000): print("y" * 100, file=sys.stderr)
print("done")
sys.exit(7)
"""
    reading, writing = os.pipe()
    try:
        done = finished(python(code), within_s=30, stderr=writing)
    finally:
        os.close(reading)
        os.close(writing)
    assert (done.returncode, done.stdout) == (7, "done\n")
