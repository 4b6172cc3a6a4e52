"""The helper that starts children of tests: default signals, one end in every outcome, no pipe that fills up."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import psutil
import pytest
from processes import finished, python, running
from waiting import wait_for

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
command = [sys.executable, "-P", "-c", {DEAF!r}]
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
time.sleep(60)
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def deaf_to_ctrl_c():
    """As a suite is that was started in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@posix
def test_a_child_hears_ctrl_c_where_the_suite_does_not(deaf_to_ctrl_c):
    code = "import signal, time; print(signal.getsignal(signal.SIGINT).__name__, flush=True); time.sleep(60)"
    with running(python(code)) as child:
        assert child.wait_until_it_says("_") == "default_int_handler"
        child.interrupt()
        assert child.wait() == -signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def fail_with_a_grandchild(*, kill_its_parent: bool) -> psutil.Process:
    """Leave the block by an exception; return what the child had started."""
    with suppress(ZeroDivisionError), running(python(PARENT), grace_s=0.5) as child:
        child.wait_until_it_says("up")
        wait_for(lambda: len(child.lines) == 2, 10)
        grandchild = psutil.Process(int(next(line for line in child.lines if line.isdigit())))
        if kill_its_parent:
            child.process.kill()
            child.wait()
        _ = 1 / 0
    assert not child.running
    return grandchild


@posix
@pytest.mark.parametrize("killed", [False, True], ids=["parent alive", "parent killed"])
def test_what_a_child_started_does_not_outlive_the_block(killed):
    """Also where it left the session of the child, ignores the wish to end, and has no parent any more."""
    grandchild = fail_with_a_grandchild(kill_its_parent=killed)
    gone = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    wait_for(lambda: not grandchild.is_running() or grandchild.status() in gone, 5)


def test_more_than_a_pipe_holds_is_read_whole():
    done = finished(python("import sys; print('x' * 300_000); print('y' * 300_000, file=sys.stderr); sys.exit(3)"))
    assert (done.returncode, len(done.stdout), len(done.stderr)) == (3, 300_001, 300_001)


def test_waiting_is_bounded_and_says_for_what():
    with pytest.raises(AssertionError, match="waited 0 s in vain for a miracle"):
        wait_for(lambda: False, 0, "a miracle")
    with running(python("print('something else')")) as child, pytest.raises(AssertionError, match="never said 'ready'"):
        child.wait_until_it_says("ready")
    with running(python("import time; time.sleep(60)")) as child, pytest.raises(AssertionError, match="the end of"):
        child.wait(0.05)
