"""What a person reads while decoding: states, faults and their end, commands."""

from __future__ import annotations

import os
import re
import threading
import time

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State
from neuript.realtime.live.sinks import Sentences, SinceFirst, StdoutLines, time_of_day


def rows(*states_at: tuple[State, float]) -> list[Decision]:
    return [Decision(t, i, state) for i, (state, t) in enumerate(states_at)]


def lines(decisions: list[Decision], **options: object) -> list[str]:
    said: list[str] = []
    sink = Sentences(said.append, **options)
    for decision in decisions:
        sink.publish(decision)
    return said


def test_after_a_fault_it_says_that_it_is_fine_again_and_how_long_it_lasted():
    said = lines(
        rows(
            (State.WARMUP, 10.0), (State.OK, 12.0), (State.OK, 13.0), (State.STALE, 14.0), (State.GAP, 15.0),
            (State.OK, 17.5), (State.WARMUP, 18.0), (State.OK, 19.0),
        ),
        when=SinceFirst(),
    )  # fmt: skip
    assert [line.split("  ")[-1] for line in said] == [
        f"WARMUP: {State.WARMUP.text}",
        "OK: decoding",
        f"STALE: {State.STALE.text}",
        f"GAP: {State.GAP.text}",
        "OK: fine again, after 3.5 s (STALE, GAP)",
        f"WARMUP: {State.WARMUP.text}",
        "OK: decoding",
    ]
    assert said[0].startswith("     0.00 s  ")
    assert said[4].startswith("     7.50 s  ")


def test_live_lines_carry_the_time_of_day():
    (line,) = lines(rows((State.OK, 4000.0)), when=time_of_day)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  OK: decoding", line)


def test_commands_are_said_unless_something_else_says_them():
    row = Decision(1.0, 0, State.OK, decision="left_hand", confidence=0.9, committed=True)
    assert lines([row]) == ["OK: decoding", "-> left_hand  (0.90)"]
    assert lines([row], commands=False) == ["OK: decoding"]


N_LINES = 3000
"""Of 100 letters: more than a pipe holds."""


def speak_and_fail(said: StdoutLines, n: int, error: BaseException) -> None:
    with said.to_the_end():
        for k in range(n):
            said.say(f"{k:0100d}")
        raise error


def test_what_was_said_before_a_replay_is_refused_reaches_a_slow_reader():
    inward, outward = os.pipe()
    got: list[bytes] = []

    def read() -> None:
        time.sleep(1.3)  # longer than a reader is waited for who is not waited for
        with open(inward, "rb") as file:
            got.extend(file)

    reader = threading.Thread(target=read)
    reader.start()
    with open(outward, "w") as out:
        said = StdoutLines(out, gives_up=lambda: False)
        with pytest.raises(NeuriptError, match="refused"):
            speak_and_fail(said, N_LINES, NeuriptError("refused"))
    reader.join()
    assert len(got) == N_LINES
    assert said.n_dropped == 0


def test_what_nobody_took_before_something_failed_is_counted():
    inward, outward = os.pipe()
    with open(outward, "w") as out, open(inward, "rb"):
        said = StdoutLines(out)
        with pytest.raises(KeyboardInterrupt):
            speak_and_fail(said, 1000, KeyboardInterrupt())
        assert 300 < said.n_dropped < 1000
