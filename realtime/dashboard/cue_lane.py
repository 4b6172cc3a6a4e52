"""Cues and other markers beside the commands: what was asked for, what the decoder did, and how often it was right.

The last command that is given in a trial, from a second after its cue to a little after its end, answers the cue. This
counts commands; the accuracy of single windows is another measure (`decoding.scoring`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from neuript.realtime.recordings.cue_markers import PRACTICE, read_cue_marker

SOONEST_S = 1.0
"""Seconds after a cue before which a command cannot be its answer: no window has seen enough of the trial."""
LATEST_S = 1.5
"""Seconds after the end of a trial in which a command still answers it: windows, smoothing and dwell lag behind."""
LONGEST_S = 10.0
"""Seconds after which a trial is over that nobody ends."""
KEPT = 4096
REJECTED = "rejected"


class Answer(StrEnum):
    """How a cue was answered."""

    PENDING = ""
    RIGHT = "✓"
    WRONG = "✗"
    NONE = "–"
    """No command was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMark:
    """A marker on the lane."""

    stamp: float
    """Seconds on the LSL clock."""
    text: str
    """Class of a cue, or what else happened."""
    cue: bool = False
    noted: bool = False
    """True for what a person marked by hand, which is written out."""
    counts: bool = False
    """True for a cue whose answer is counted: not one of a practice."""
    answer: Answer = Answer.PENDING


@dataclass(frozen=True, slots=True)
class CueScore:
    """How the cues were answered so far."""

    right: int = 0
    wrong: int = 0
    none: int = 0

    @property
    def words(self) -> str:
        """In a few words; empty before the first trial is over."""
        total = self.right + self.wrong + self.none
        if not total:
            return ""
        return f"{self.right} of {total} cues answered right, {self.wrong} wrong, {self.none} not"


class CueLane:
    """Collects markers and rows, and judges every trial once it is over."""

    def __init__(self) -> None:
        self._marks: list[LaneMark] = []
        self._rows: deque[tuple[float, str | None]] = deque(maxlen=KEPT)
        self._paused: deque[float] = deque(maxlen=KEPT)

    @property
    def score(self) -> CueScore:
        """How the cues that count were answered."""
        counts = Counter(mark.answer for mark in self._marks if mark.counts)
        return CueScore(counts[Answer.RIGHT], counts[Answer.WRONG], counts[Answer.NONE])

    @property
    def newest_cue(self) -> LaneMark | None:
        """The cue that came last."""
        return next((mark for mark in reversed(self._marks) if mark.cue), None)

    def add_marker(self, text: str, stamp: float, classes: Sequence[str]) -> None:
        """Take a marker: JSON of a cue program, or the bare name of a class or of anything else."""
        mark = _mark(text, stamp, classes)
        if mark is not None:
            insort(self._marks, mark, key=lambda m: m.stamp)
            del self._marks[:-KEPT]
        if mark is not None and mark.text == REJECTED:
            self._withdraw(stamp)

    def add_mark(self, text: str, stamp: float) -> None:
        """Take what a person marked by hand."""
        insort(self._marks, LaneMark(stamp=stamp, text=text, noted=True), key=lambda m: m.stamp)

    def add_row(self, stamp: float, held: str | None, *, paused: bool = False) -> None:
        """Take what was commanded at `stamp`, and whether commands were paused by hand."""
        self._rows.append((stamp, held))
        if paused:
            self._paused.append(stamp)

    def since(self, stamp: float) -> list[LaneMark]:
        """Judge what is over, and return the markers after `stamp`, oldest first."""
        self._judge()
        return self._marks[bisect_left(self._marks, stamp, key=lambda m: m.stamp) :]

    def _judge(self) -> None:
        if not self._rows:
            return
        oldest, newest = self._rows[0][0], self._rows[-1][0]
        first = bisect_right(self._marks, newest - 3 * LONGEST_S, key=lambda m: m.stamp)
        for at in range(first, len(self._marks)):
            mark, end = self._marks[at], self._end_of(at)
            paused = any(mark.stamp <= stamp <= end for stamp in self._paused) if mark.counts else False
            if mark.counts and (paused or mark.stamp < oldest):  # or from before there were rows
                self._marks[at] = replace(mark, counts=False)
            elif mark.counts and mark.answer is Answer.PENDING and newest >= end:
                self._marks[at] = replace(mark, answer=self._answer(mark, end))

    def _end_of(self, at: int) -> float:
        following = [mark for mark in self._marks[at + 1 :] if not mark.noted]
        end = min([self._marks[at].stamp + LONGEST_S, *(mark.stamp for mark in following[:1])])
        return min([end + LATEST_S, *(mark.stamp for mark in following if mark.cue)])

    def _withdraw(self, stamp: float) -> None:
        """Count the trial before `stamp` no more: whoever gave the cue rejects it."""
        cues = [at for at, mark in enumerate(self._marks) if mark.cue and mark.stamp <= stamp]
        if cues:
            self._marks[cues[-1]] = replace(self._marks[cues[-1]], counts=False)

    def _answer(self, cue: LaneMark, end: float) -> Answer:
        given = [held for stamp, held in self._rows if cue.stamp + SOONEST_S <= stamp <= end and held is not None]
        if not given:
            return Answer.NONE
        return Answer.RIGHT if given[-1] == cue.text else Answer.WRONG


def _mark(text: str, stamp: float, classes: Sequence[str]) -> LaneMark | None:
    """Return what a marker is on the lane; None for what only a machine wants to see."""
    said = read_cue_marker(text)
    if said is None:
        if text.startswith("{"):
            return None
        return LaneMark(stamp=stamp, text=text, cue=text in classes, counts=text in classes)
    if said["ev"] not in ("cue", "trial_end", REJECTED):
        return None
    if said["ev"] != "cue":
        return LaneMark(stamp=stamp, text=str(said["ev"]))
    cls = str(said["cls"]).removeprefix(PRACTICE)
    return LaneMark(stamp=stamp, text=cls, cue=True, counts=cls in classes and not said["practice"])
