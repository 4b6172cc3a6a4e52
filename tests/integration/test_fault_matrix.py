"""The fault laboratory in short: what breaks is shown, commands nothing, is counted, and decoding goes on.

The long form is `python benchmarks/fault_matrix.py --out DIR`; docs/faults.md is its result.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from benches import load_benchmark
from fault_cases import LATE_SAMPLES, LOST, NO_BRAIN, NO_SAMPLES, ORDER, SESSIONS, FaultCase, FaultSession
from fault_judge import SeenRow, judge
from fault_player import Played, play_direct, play_on_lsl

from neuript.realtime.twin.faults import KINDS, parse_faults

ROOT = Path(__file__).resolve().parents[2]


def named(session: FaultSession, *parts: str) -> list[FaultCase]:
    found = [next(case for case in session.cases if part in case.name) for part in parts]
    assert len(found) == len(parts)
    return found


def shorter(case: FaultCase, script: str, lasts_s: float) -> FaultCase:
    return replace(case, faults=script, lasts_s=lasts_s)


def check(played: Played) -> None:
    assert played.commands_before > 0
    assert {result.case: result.wrong for result in played.results if result.wrong} == {}
    assert played.wrong == []


def test_faults_of_the_signal_command_nothing():
    """Without LSL and without a clock, so that minutes of signal take seconds."""
    swapped, reversed_, shuffled = named(ORDER, "swapped", "reversed", "shuffled")
    four_percent, repeated = named(NO_SAMPLES, "4 % of samples NaN", "4 % of samples repeated")
    cases = (
        *named(NO_SAMPLES, "flat for 0.4 s"),
        shorter(*named(NO_SAMPLES, "one channel flat"), "flat:C4@0:0.3", 0.3),
        shorter(four_percent, "holes@0:4:20", 4.0),
        shorter(repeated, "held@0:4:20", 4.0),
        *named(ORDER, "40 ms comes twice"),
        shorter(swapped, "swap@0:1", 1.0),
        shorter(reversed_, "reverse@0:1", 1.0),
        shorter(shuffled, "shuffle@0:1:100", 1.0),
        *named(LOST, "3 samples", "0.1 s"),
        *named(NO_BRAIN, "cap off"),
    )
    check(play_direct(FaultSession(name="direct", cases=cases, lead_s=1.0), hop_s=0.25))


@pytest.mark.lsl
@pytest.mark.timeout(120)
def test_faults_of_time_over_lsl_command_nothing_late(tmp_path):
    """What happens to the clock on the wall: a decoder stopped, a sender frozen, samples that never come."""
    (stopped,) = named(LATE_SAMPLES, "decoder stopped for 2 s")
    frozen, gap = named(LATE_SAMPLES, "frozen")[0], named(LOST, "0.1 s")[0]
    cases = (replace(stopped, recover_s=3.5), replace(shorter(frozen, "stall@0:2", 2.0), recover_s=3.5), gap)
    check(play_on_lsl(FaultSession(name="short", cases=cases), tmp_path))


# --- the laboratory itself ---


def rows(*, state="OK", decision=None, first=0.0, last=20.0, age=0.02):
    n = round((last - first) * 8)
    return [SeenRow(first + i / 8, first + i / 8 + age, state, decision) for i in range(n)]


def test_a_command_from_a_touched_window_a_late_one_and_silence_are_wrong():
    case = FaultCase(name="x", lasts_s=1.0, states=("GAP",), recover_s=6.0)
    good = rows(last=2.0, decision="a") + rows(state="GAP", first=2.0, last=8.0) + rows(first=8.0, decision="a")
    assert judge(case, "s", good, 2.0, 20.0).wrong == ()
    unseen = judge(case, "s", rows(decision="a"), 2.0, 20.0)
    assert unseen.commands == 8 * 5 - 1  # the first ends with the last sound sample
    assert math.isnan(unseen.noticed_s)
    assert len(unseen.wrong) == 2
    after = rows(first=8.0, decision="a", age=2.0)
    late = judge(case, "s", rows(last=2.0) + rows(state="GAP", first=2.0, last=8.0) + after, 2.0, 25.0)
    assert late.oldest_s == pytest.approx(2.0)
    assert "EEG 2.0 s old" in " ".join(late.wrong)
    dead = judge(case, "s", rows(last=2.0) + rows(state="GAP", first=2.0, last=8.0), 2.0, 20.0)
    assert "decoding goes on nan s" in " ".join(dead.wrong)


def test_commands_that_came_before_anybody_could_know_are_counted_apart():
    case = FaultCase(name="x", lasts_s=10.0, states=("BAD_SIGNAL",), notice_s=4.5, blind_s=4.5, recover_s=6.0)
    seen = rows(last=6.0, decision="a") + rows(state="BAD_SIGNAL", first=6.0, last=17.0) + rows(first=17.0)
    result = judge(case, "s", seen, 2.0, 20.0)
    assert (result.commands, result.blind_commands, result.wrong) == (0, 31, ())


def test_a_timetable_is_a_script_of_the_twin(tmp_path):
    for session in SESSIONS:
        path = tmp_path / "script.yaml"
        path.write_text(session.yaml())
        assert [(f.kind, round(f.at_s, 6), f.channel) for f in parse_faults(path)] == [
            (f.kind, round(f.at_s, 6), f.channel) for f in session.faults()
        ]
    assert {fault.kind for session in SESSIONS for fault in session.faults()} == KINDS.keys() - {"mains"}


def test_the_page_holds_a_row_for_every_case_and_is_written_by_the_laboratory(tmp_path):
    matrix = load_benchmark("fault_matrix")
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    table = page.partition(matrix.BEGIN)[2].partition(matrix.END)[0]
    told = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")}
    assert {case.name for session in SESSIONS for case in session.cases} == told - {"fault"}
    copy = tmp_path / "page.md"
    copy.write_text(page)
    matrix.into_page(copy, table.strip("\n"))
    assert copy.read_text() == page


def test_a_result_says_what_is_wrong():
    matrix = load_benchmark("fault_matrix")
    session = FaultSession(name="s", cases=(FaultCase(name="x", lasts_s=1.0, states=("GAP",)),))
    result = judge(session.cases[0], "s", rows(decision="a"), 2.0, 20.0)
    told = Played("s", [result], {}, rows=3).to_dict()
    line = next(line for line in matrix.table([json.loads(json.dumps(told))]).splitlines() if line.startswith("| x"))
    assert "**no**: 39 rows with a command" in line
