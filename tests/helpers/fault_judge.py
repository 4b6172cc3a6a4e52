"""What a decoder made of a case: its rows, judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fault_cases import MAX_AGE_S, WINDOW_S, FaultCase

STAMP_S = 0.002
"""Seconds by which the stamp of a window, which lies on a fitted line, may miss that of its newest sample."""
BUSY = "OVERLOAD"
"""Other programs may keep the computer busy: then this state comes before the fault's own, or in its place."""
ON_THE_WAY_S = 0.25
"""Seconds that a row may take from the decoder to the one who notes when it arrived, on a busy machine."""


@dataclass(frozen=True)
class SeenRow:
    """One row as it was received: stamp and arrival in seconds of the LSL clock."""

    t: float
    arrived: float
    state: str
    decision: str | None


@dataclass(frozen=True)
class CaseResult:
    """What was seen of one case; times in seconds, NaN where there was nothing."""

    case: str
    session: str
    states: tuple[str, ...]
    noticed_s: float
    commands: int
    blind_commands: int
    oldest_s: float
    recovered_s: float
    silent_s: float
    wrong: tuple[str, ...]
    sent_lost: int = 0
    counted_lost: int = -1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}


def judge(
    case: FaultCase, session: str, rows: Sequence[SeenRow], at: float, until: float, *, live: bool = True
) -> CaseResult:
    """Judge one case by the rows that arrived from its beginning until that of the next.

    Parameters
    ----------
    case : FaultCase
        What was to happen.
    session : str
        Name of its session.
    rows : sequence of SeenRow
        All rows of the session, by arrival.
    at, until : float
        When the case began, and when it is over; LSL clock.
    live : bool
        Whether rows have an age.
    """
    end = at + case.lasts_s
    here = [row for row in rows if at <= row.arrived < until]
    shown = [row for row in here if row.state != "OK"]
    states = (*case.states, BUSY) if case.states else ()
    noticed = next((row.arrived for row in shown if row.state in states), math.nan)
    back = next((row.arrived for row in here if row.state == "OK" and row.arrived > max(end, noticed)), math.nan)
    commands = [row for row in here if row.decision is not None]
    touched = [r for r in commands if case.touches and at + STAMP_S < _true_t(case, r) < end + WINDOW_S]
    blind = [row for row in touched if _true_t(case, row) < at + case.blind_s]
    ages = [row.arrived - _true_t(case, row) for row in commands]
    result = CaseResult(
        case=case.name,
        session=session,
        states=tuple(dict.fromkeys(row.state for row in shown)),
        noticed_s=noticed - at,
        commands=len(touched) - len(blind),
        blind_commands=len(blind),
        oldest_s=max(ages, default=math.nan) if live else math.nan,
        recovered_s=back - end,
        silent_s=_silence(here, count_busy=case.action == "starve"),
        wrong=(),
    )
    return CaseResult(**{**asdict(result), "wrong": tuple(_wrong(case, result, here))})


def _true_t(case: FaultCase, row: SeenRow) -> float:
    """Time at which the newest sample was measured: where a stamp lies ahead of the clock, the sender's has stepped."""
    return row.t - (case.ahead_s if row.t > row.arrived + 0.5 * case.ahead_s else 0.0)


def _silence(rows: Sequence[SeenRow], *, count_busy: bool) -> float:
    """Seconds in other states than OK; those for which other programs kept the computer busy are no fault's."""
    fine = ("OK",) if count_busy else ("OK", BUSY)
    ends = [*(row.arrived for row in rows[1:]), rows[-1].arrived] if rows else []
    return sum(max(0.0, b - row.arrived) for row, b in zip(rows, ends, strict=True) if row.state not in fine)


def _wrong(case: FaultCase, seen: CaseResult, rows: Sequence[SeenRow]) -> list[str]:
    """Return in words what is not as it has to be."""
    wrong = []
    if not rows and math.isfinite(case.recover_s):
        wrong.append("there is no row at all")
    if seen.commands:
        wrong.append(f"{seen.commands} rows with a command from windows that the fault touches")
    if seen.oldest_s > MAX_AGE_S + ON_THE_WAY_S:
        wrong.append(f"a command from EEG {seen.oldest_s:.1f} s old")
    if case.states and math.isfinite(case.notice_s) and not seen.noticed_s <= case.notice_s:
        wrong.append(f"noticed after {seen.noticed_s:.1f} s, and not within {case.notice_s:g} s")
    if case.states and math.isfinite(case.recover_s) and not seen.recovered_s <= case.recover_s:
        wrong.append(f"decoding goes on {seen.recovered_s:.1f} s after its end, and not within {case.recover_s:g} s")
    if case.states and not math.isfinite(case.recover_s) and any(row.state == "OK" for row in rows[-16:]):
        wrong.append("it ends in state OK")
    if not case.states and seen.silent_s > case.silent_s + 0.3:
        wrong.append(f"{seen.silent_s:.1f} s without decisions, and not {case.silent_s:g}")
    return wrong
