"""Signals that set a flag: which, when one of them raises, and that they are given back."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from neuript.interrupt import CLUSTER, KEYBOARD, Interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def handlers():
    """The handlers before and after a test, which must be the same."""
    before = [signal.getsignal(s) for s in SIGNALS]
    yield
    assert [signal.getsignal(s) for s in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_nothing_is_cut(number):
    with Interrupt(CLUSTER) as interrupt:
        assert not interrupt.requested
        interrupt.check()
        signal.raise_signal(number)
        assert interrupt.requested
    with pytest.raises(KeyboardInterrupt):
        interrupt.check()


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("insist", [KEYBOARD, ("SIGINT",), ()])
def test_who_insists_is_heard_at_once(first, second, insist):
    with Interrupt(CLUSTER, insist=insist) as interrupt:
        signal.raise_signal(first)
        if second.name in insist:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(second)
        else:
            signal.raise_signal(second)
        assert interrupt.requested


def test_a_terminal_that_is_closed_may_say_so_twice():
    """The shell and the system both do, and the second must not cut the report that the first has caused."""
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert interrupt.requested


def test_only_the_signals_asked_for_are_taken():
    before = signal.getsignal(signal.SIGUSR1)
    with Interrupt():
        assert signal.getsignal(signal.SIGUSR1) == before
        assert signal.getsignal(signal.SIGINT) != signal.default_int_handler


def test_a_system_without_a_signal_goes_without_it(monkeypatch):
    monkeypatch.delattr(signal, "SIGUSR1")
    with Interrupt(CLUSTER) as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.requested


def test_another_thread_leaves_the_signals_alone():
    before = [signal.getsignal(s) for s in SIGNALS]

    def inside() -> list[object]:
        with Interrupt(CLUSTER) as interrupt:
            assert not interrupt.requested
            return [signal.getsignal(s) for s in SIGNALS]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result(timeout=30) == before


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_ignored_stays_ignored(ignored):
    """So a script starts what stands before an `&`: the Ctrl-C of its user is not for it."""
    before = signal.signal(ignored, signal.SIG_IGN)
    other = signal.SIGTERM if ignored == signal.SIGINT else signal.SIGINT
    try:
        with Interrupt(CLUSTER) as interrupt:
            signal.raise_signal(ignored)
            assert not interrupt.requested
            signal.raise_signal(other)
            assert interrupt.requested
        assert signal.getsignal(ignored) is signal.SIG_IGN
    finally:
        signal.signal(ignored, before)
