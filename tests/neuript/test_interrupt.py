"""Signals that set a flag: which, when one of them raises, and that they are given back."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from neuript.interrupt import CLUSTER, KEYBOARD, Interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]


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
