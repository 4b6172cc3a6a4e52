"""Files and headers of strangers, thousands of them: read or refused in a sentence, soon, and for little memory.

`pytest -m fuzz` goes on for as long as NEURIPT_FUZZ_MINUTES says (30 for each reader). What it finds is written as a
line of `FOUND` here.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mutations
import pytest
from fuzz_targets import TARGETS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from neuript.errors import NeuriptError

MOST_S, MOST_BYTES = 5.0, 500 << 20
FOUND = (
    ("manifest", b'"sfreq": 64.0', b'"sfreq": 65536'),  # a model that works at a higher rate than any stream
    ("xdf", b"<sample_count>200<", b"<sample_count>200.0<"),
    ("xdf", b"<version>1.0<", b"<version>1.0\xff<"),
    ("xdf", b"<channel_count>3<", b"<channel_count>4096<"),
    ("config", b"threads: 2", b"threads: .inf"),
    ("config", b"model: a.ts", b"model: &a [*a]"),
    ("config", b"hop: 0.25", b"hop: " + b"9" * 400),
    ("config", b"unit: microvolts", b"trust: true"),
    ("montage", b"[0, 0, 90]", b"[0, 0, 1" + b"0" * 400 + b"]"),
    ("montage", b"[0, 0, 90]", b"[.nan, 0, 90]"),
    ("montage", b"my-cap", b"!!python/name:os.system x"),
    ("decisions", b'"decision": "left"', b'"decision": ["left"]'),
    ("decisions", b'"left": 0.7, ', b""),
    ("decisions", b'"t": 1.0', b'"t": NaN'),
    ("manifest", b'"window_s": 2.0', b'"window_s": 1e308'),
    ("manifest", b'"window_s": 2.0', b'"window_s": ' + b"9" * 400),
    ("manifest", b'"hop_s": 0.125', b'"hop_s": 1e-320'),
    ("manifest", b'"hop_s": 0.125', b'"hop_s": 1e308'),
    ("manifest", b'"highpass_hz": 0.1', b'"highpass_hz": 1e-320'),
    ("forged container", b'"d_model": 12', b'"d_model": 1000000'),
    ("forged checkpoint", b'"d_model": 12', b'"d_model": 1000000'),
    ("cue marker", b'{"ev"', b'{"a": ' + b"[" * 100_000 + b'"ev"'),
    ("replay log", b"1.5", b"9" * 400),
    ("stream header", b"<channel_count>3<", b"<channel_count>1e308<"),
)
"""What went wrong once: reader, and what stands where in a right input."""


@contextmanager
def little_memory() -> Iterator[None]:
    """Give this process so much address space beyond what it has."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def read_it(name: str, data: bytes) -> None:
    """Read what a stranger sent; nothing but our own error may come of it."""
    began = time.process_time()
    try:
        TARGETS[name].read(data)
    except NeuriptError as error:
        assert str(error)  # noqa: PT017
    took = time.process_time() - began
    assert took < MOST_S, f"{took:.1f} s"


def fuzz(name: str, n: int, **how: object) -> None:
    """Read so many inputs that are nearly right."""
    target = TARGETS[name]

    @settings(max_examples=n, database=None, deadline=None, suppress_health_check=list(HealthCheck), **how)  # type: ignore[arg-type]
    @given(st.sampled_from(target.right()), mutations.mutations())
    def nearly_right(data: bytes, steps: Sequence[mutations.Mutation]) -> None:
        read_it(name, mutations.mutated(data, steps, target.kinds))

    for data in target.right():  # what is right is read, and what is loaded on the way is loaded
        target.read(data)
    with little_memory():
        nearly_right()


@pytest.mark.parametrize("name", TARGETS)
def test_strangers_get_a_sentence(name: str) -> None:
    fuzz(name, 60, derandomize=True, phases=[Phase.generate, Phase.shrink])


@pytest.mark.parametrize(("name", "old", "new"), FOUND)
def test_what_went_wrong_once_is_refused_or_read(name: str, old: bytes, new: bytes) -> None:
    right = next(data for data in TARGETS[name].right() if old in data)
    with little_memory():
        read_it(name, right.replace(old, new, 1))


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_for_long(name: str) -> None:
    until = time.monotonic() + 60 * float(os.environ.get("NEURIPT_FUZZ_MINUTES", "30"))
    while time.monotonic() < until:
        fuzz(name, 300)
