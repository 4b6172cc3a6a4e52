"""One source that was started again while it was recorded: the recorder holds a stream for each start."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuript.realtime.recordings.header import signal_info
from neuript.realtime.recordings.recording import Gap, RecordedStream


def sources(streams: Sequence[RecordedStream]) -> list[list[int]]:
    """Return which streams are of one source, each group in order of time, in order of the first.

    They are where the source id says so, they declare the same in everything, and no two were there at a time.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(streams)), key=lambda i: float(streams[i].timestamps.min())):
        mine = next((group for group in groups if _goes_on(streams[group[-1]], streams[i])), None)
        if mine is None:
            groups.append([i])
        else:
            mine.append(i)
    return sorted(groups, key=min)


def joined(parts: Sequence[RecordedStream]) -> RecordedStream:
    """Return the parts of one source, in order of time, as one stream with a gap at each start."""
    first = next((part for part in parts if part.info.explained), parts[0])
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    period = 1.0 / first.info.sfreq
    gaps: list[Gap] = []
    for start, part in zip(starts, parts, strict=False):
        if start:
            missing_s = _away_s(parts, start, starts) - period
            gaps += [Gap(start, missing_s, round(missing_s / period))] if missing_s > 0.5 * period else []
        gaps += [replace(gap, index=gap.index + start) for gap in part.gaps]
    return RecordedStream(
        info=first.info,
        values=np.concatenate([np.asarray(part.values) for part in parts]),
        timestamps=np.concatenate([part.timestamps for part in parts]),
        raw_timestamps=np.concatenate([part.raw_timestamps for part in parts]),
        header=first.header,
        segments=tuple(
            (a + start, b + start) for start, part in zip(starts, parts, strict=False) for a, b in part.segments
        ),
        gaps=tuple(gaps),
        n_clock_resets=sum(part.n_clock_resets for part in parts),
    )


def missing_between_s(parts: Sequence[RecordedStream]) -> float:
    """Return the seconds between the parts, all together."""
    return sum(float(b.timestamps.min() - a.timestamps.max()) for a, b in itertools.pairwise(parts))


def _away_s(parts: Sequence[RecordedStream], start: int, starts: Sequence[int]) -> float:
    k = starts.index(start)
    return float(parts[k].timestamps[0] - parts[k - 1].timestamps[-1])


def _goes_on(earlier: RecordedStream, later: RecordedStream) -> bool:
    """Tell whether a stream is another one's source, started again after it ended."""
    one, other = _declared(earlier), _declared(later)
    return bool(one[0]) and one == other and float(later.timestamps.min()) > float(earlier.timestamps.max())


def _declared(stream: RecordedStream) -> tuple[object, ...]:
    sent = signal_info(stream.header)  # not what a recorder explained, which may know one part only
    return (
        *(sent.source_id, sent.name, sent.stype, sent.sfreq, sent.channel_format, sent.hostname),
        *(sent.ch_names, sent.units, sent.ch_types, sent.reference),
    )
