"""What a file notes beside its signal: cuts, stretches that are bad or were never recorded, and events.

The names are those that recorders and EEGLAB, MNE, BrainVision and BIDS write. A cut is a place where two stretches
that did not follow each other in life lie side by side in the file.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.recording import Gap

MISSING = "BAD_ACQ_SKIP"
"""FileMark of a stretch in which nothing was recorded; the file fills it, and MNE leaves it out by this name."""
MARKED_BAD = "BAD_marked"
"""Name of a stretch that is bad by the word of a recording which does not say why."""
UNKNOWN_CUT_S = 1.0
"""Seconds that a cut lasts whose length nobody says."""
LEAST_CUT_S = 0.5
"""Seconds that a cut lasts at least: a jump of the stamps that cannot be taken for late samples."""
_CUT = re.compile(r"((bad|edge)[ _])?boundary|new segment(/.*)?", re.IGNORECASE)
_EDGE = "EDGE"
_BAD = re.compile(r"bad(?![a-z])", re.IGNORECASE)
_LOST = re.compile(r"lost ?samples: *(\d+)", re.IGNORECASE)
_NAMED = 4
"""At most so many names of marks stand in one sentence."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """An annotation of a file.

    Attributes
    ----------
    onset_s : float
        Seconds from the first sample of the file.
    duration_s : float
        Seconds that it lasts; 0 for a moment, NaN where the file leaves it open.
    text : str
        What it says.
    """

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True, slots=True)
class FileMarks:
    """The marks of a file by what they mean, each in the order of the file.

    Attributes
    ----------
    skipped, cuts, bad, events : tuple of FileMark
        What was never recorded, where the file was cut, what is bad, and what happened. The duration of a cut is how
        long it lasts, and NaN where nobody knows.
    """

    skipped: tuple[FileMark, ...] = ()
    cuts: tuple[FileMark, ...] = ()
    bad: tuple[FileMark, ...] = ()
    events: tuple[FileMark, ...] = ()

    @classmethod
    def of(cls, marks: Iterable[FileMark], sfreq: float, also_cuts: Collection[str] = ()) -> Self:
        """Sort marks by what they mean.

        Parameters
        ----------
        marks : iterable of FileMark
            All marks of a file.
        sfreq : float
            Rate of the file in Hz.
        also_cuts : collection of str
            Texts that mean a cut in this format.
        """
        skipped, cuts, bad, events = [], [], [], []
        for mark in marks:
            text, lasts = mark.text.strip(), mark.duration_s > 0
            if text.upper().startswith(MISSING):
                skipped.append(mark)
            elif text == _EDGE or text in also_cuts or _CUT.fullmatch(text):
                cuts.append(replace(mark, duration_s=_pause_s(text, mark.duration_s, sfreq)))
                if lasts and _BAD.match(text):  # MNE's: what lies under it is bad, not gone
                    bad.append(mark)
            elif lasts and _BAD.match(text):
                bad.append(mark)
            else:
                events.append(mark)
        return cls(tuple(skipped), tuple(cuts), tuple(bad), tuple(events))

    def with_pauses(self, pauses_s: dict[float, float], sfreq: float) -> Self:
        """Return the marks with the lengths of cuts that are known otherwise, by their onsets in seconds."""
        known = {round(onset_s * sfreq): pause_s for onset_s, pause_s in pauses_s.items()}
        cuts = [
            replace(cut, duration_s=known.get(round(cut.onset_s * sfreq), cut.duration_s))
            if math.isnan(cut.duration_s)
            else cut
            for cut in self.cuts
        ]
        return replace(self, cuts=tuple(cuts))


class FileTime:
    """When each sample of a file was measured, with the pauses that the file declares.

    Parameters
    ----------
    times_s : ndarray, shape (n_times,)
        Seconds of each sample from the first one, as the samples or the file's records count them.
    sfreq : float
        Rate in Hz.
    cuts : sequence of FileMark
        Declared cuts. What follows one is later by its duration; a cut where time is missing anyway adds nothing.
    """

    def __init__(self, times_s: NDArray[np.float64], sfreq: float, cuts: Iterable[FileMark] = ()) -> None:
        self._counted, self._sfreq = times_s, sfreq
        pauses: dict[int, float] = {}
        for cut in cuts:
            at = self.index(cut.onset_s)
            if 0 < at < len(times_s) and times_s[at] - times_s[at - 1] < 1.5 / sfreq:
                pauses[at] = float(np.fmax(pauses.get(at, math.nan), cut.duration_s))
        self.cuts = tuple(sorted(pauses))
        """Samples that begin a new stretch."""
        self.n_guessed = sum(math.isnan(pause) for pause in pauses.values())
        """Cuts whose length nobody says."""
        lengths = [UNKNOWN_CUT_S if math.isnan(pauses[at]) else max(pauses[at], LEAST_CUT_S) for at in self.cuts]
        self._late = np.cumsum([0.0, *lengths])
        self._began = times_s[list(self.cuts)]

    def index(self, onset_s: float) -> int:
        """Return the first sample at or after a moment of the file; a mark just before a sample means that sample."""
        return int(np.searchsorted(self._counted, onset_s - 0.4 / self._sfreq))

    def of_samples(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the times of samples in seconds."""
        late = self._late[np.searchsorted(self.cuts, samples, "right")]
        times: NDArray[np.float64] = self._counted[samples] + late
        return times

    def of_moment(self, onset_s: float) -> float:
        """Return the time of a moment of the file in seconds."""
        return onset_s + float(self._late[np.searchsorted(self._began, onset_s + 0.4 / self._sfreq, "right")])

    def spans(self, marks: Iterable[FileMark]) -> tuple[tuple[int, int], ...]:
        """Return the half-open runs of samples that marks cover."""
        found = [(self.index(mark.onset_s), self.index(mark.onset_s + mark.duration_s)) for mark in marks]
        return tuple((start, stop) for start, stop in found if stop > start)


def missing_between(times_s: NDArray[np.float64], sfreq: float) -> tuple[Gap, ...]:
    """Return where samples are missing in stamps that do not jitter."""
    steps = np.diff(times_s)
    return tuple(
        Gap(i + 1, float(steps[i]) - 1 / sfreq, round(float(steps[i]) * sfreq) - 1)
        for i in np.flatnonzero(steps > 1.5 / sfreq).tolist()
    )


def joined_spans(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return half-open runs in order, those that overlap or touch as one, without empty ones."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def said_cuts(marks: FileMarks, time: FileTime) -> list[str]:
    """Return a sentence about the cuts that a file declares; none without cuts."""
    n = len(time.cuts)
    if not n:
        return []
    open_ended = f"; {time.n_guessed} of unknown length taken as {UNKNOWN_CUT_S:g} s" if time.n_guessed else ""
    return [
        f"the file was cut in {n} place{'' if n == 1 else 's'} ({_names(marks.cuts)}){open_ended}: each is a gap, and "
        "no window lies over it"
    ]


def said_bad(marks: FileMarks) -> list[str]:
    """Return a sentence about the stretches that a file calls bad; none without them."""
    n, seconds = len(marks.bad), sum(mark.duration_s for mark in marks.bad)
    if not n:
        return []
    return [
        f"the file marks {n} stretch{'' if n == 1 else 'es'} of {seconds:.1f} s together as bad ({_names(marks.bad)}): "
        "no window that touches one is used"
    ]


def _pause_s(text: str, duration_s: float, sfreq: float) -> float:
    """Seconds that a cut lasts by what stands in it; NaN where nothing does."""
    if lost := _LOST.search(text):
        return int(lost[1]) / sfreq
    return duration_s if duration_s > 0 and text.casefold() == "boundary" else math.nan


def _names(marks: Iterable[FileMark]) -> str:
    counts = Counter(mark.text.strip() for mark in marks)
    some = ", ".join(f"'{text}'" for text, _ in counts.most_common(_NAMED))
    return some + (", ..." if len(counts) > _NAMED else "")
