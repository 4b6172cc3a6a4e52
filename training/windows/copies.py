"""One event that a recording holds several times: a marker that is sent twice, or a trigger that is an annotation too.

A copy is no evidence: counted as a trial of its own it would make noise look decodable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuript.realtime.recordings.recording import Event

COPY_S = 0.125
"""Two markers of one class less than this many seconds apart (the usual hop) are one event."""


def without_copies(events: Sequence[Event], meaning: Mapping[str, str]) -> tuple[list[Event], str]:
    """Return the events without the copies of those that mean something, and a sentence, empty where there are none.

    Of the records of one event that of the stream counts that comes first in the recording, so that what belongs
    together stays in one stream.

    Parameters
    ----------
    events : sequence of Event
        Events of one recording in order of time.
    meaning : mapping of str to str
        What labels mean, such as a class; events of other labels are left as they are.
    """
    rank: dict[str, int] = {}
    groups: dict[str, list[list[int]]] = {}
    for i, event in enumerate(events):
        if (means := meaning.get(event.label)) is None:
            continue
        rank.setdefault(event.stream, len(rank))
        alike = groups.setdefault(means, [])
        if alike and event.time_s - events[alike[-1][0]].time_s < COPY_S:
            alike[-1].append(i)
        else:
            alike.append([i])
    copies: set[int] = set()
    for group in (group for alike in groups.values() for group in alike):
        copies |= set(group) - {min(group, key=lambda i: (rank[events[i].stream], i))}
    if not copies:
        return list(events), ""
    streams = " and ".join(f"'{name}'" for name in rank)
    n = f"{len(copies)} marker{' is a copy' if len(copies) == 1 else 's are copies'}"
    return (
        [event for i, event in enumerate(events) if i not in copies],
        f"{n} of another of the same class less than {COPY_S:g} s away (in {streams}); each event counts once",
    )
