"""Which stream of a recording is the EEG: the one that is meant, or a refusal. Whoever reads a recording asks here.

The rule is the one of live streams: a stream whose type says EEG, or what the person names; of two that could be meant
none is taken, because decoding the wrong one would look normal.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Sequence

from neuript.durations import clock
from neuript.errors import NeuriptError
from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.realtime.recordings.restarted import joined, missing_between_s, sources
from neuript.realtime.recordings.wanted_stream import WantedStream, wanted_stream

LEAST_S = 2.0
"""A stream of fewer seconds is not taken for the EEG where there is a longer one."""
_NUMBER = "#"


def choose_eeg(
    recording: Recording, wanted: str | None = None, explained: Collection[str] = (), *, refuse: bool = True
) -> int | None:
    """Return the index of the EEG among the streams of a recording; None where there is none.

    Parts of one source that was started again are put together, in the recording itself.

    Parameters
    ----------
    recording : Recording
        All streams; what was decided is added to its warnings.
    wanted : str, optional
        Name, source id or type of the stream, `name=X`, or `#2` for the second stream; None goes by the types.
    explained : collection of str
        Uids of the streams that the recorder took for its EEG.
    refuse : bool
        False warns where several streams could be meant, and takes none.

    Raises
    ------
    NeuriptError
        If no stream is the wanted one, or several are.
    """
    streams = recording.streams
    sampled = [i for i, s in enumerate(streams) if not s.is_text and len(s) and s.info.sfreq > 0]
    if wanted is not None:
        found = _wanted(recording, wanted, sampled)
    else:
        meant = [i for i in sampled if streams[i].info.uid in explained]
        found = meant or [i for i in sampled if is_eeg_stream(streams[i].info.stype)]
        if meant:  # and what the same source sent before or after
            found += [i for i in sampled if i not in meant and _is_of(streams[i], [streams[k] for k in meant])]
    if not found:
        return None
    groups = [[found[k] for k in group] for group in sources([streams[i] for i in found])]
    long = [group for group in groups if sum(streams[i].duration_s for i in group) >= LEAST_S]
    if len(long or groups) > 1:
        sentence = _several(streams, groups, wanted)
        if refuse:
            raise NeuriptError(f"{recording.path}: {sentence}")
        recording.warnings.append(sentence.partition(":\n")[0])
        return None
    taken = (long or groups)[0]
    if wanted is None:
        _say_what_is_left_out(recording, taken, sampled)
    return _put_together(recording, taken)


def _wanted(recording: Recording, text: str, sampled: Sequence[int]) -> list[int]:
    streams = recording.streams
    if text[:1] == _NUMBER and text[1:].isdecimal() and 0 < int(text[1:]) <= len(streams):
        found = [int(text[1:]) - 1]
    else:
        found = _matching(streams, text)
    if usable := [i for i in found if i in sampled]:
        return usable
    if not found:
        held = "; it has\n" + "\n".join(describe(streams, i) for i in range(len(streams))) if streams else ""
        raise NeuriptError(f"{recording.path} has no stream with the name, source id or type '{text}'{held}")
    one = streams[found[0]]
    why = "holds text" if one.is_text else "holds no samples" if not len(one) else "has no sampling rate"
    raise NeuriptError(f"{recording.path}: the stream '{one.info.name}' {why}, so it cannot be the EEG")


def _matching(streams: Sequence[RecordedStream], text: str) -> list[int]:
    wanted = wanted_stream(text)
    plain = WantedStream(("name", "source_id"), text)  # a name may look like a predicate
    for fits in (plain.is_this, *((wanted.is_this, wanted.is_nearly) if wanted is not None else ())):
        if found := [i for i, stream in enumerate(streams) if fits(stream.info)]:
            return found
    return []


def _is_of(stream: RecordedStream, others: Sequence[RecordedStream]) -> bool:
    return len(sources([stream, *others])) <= len(sources(others))


def _several(streams: Sequence[RecordedStream], groups: Sequence[Sequence[int]], wanted: str | None) -> str:
    kind = "EEG streams" if wanted is None else f"streams that are '{wanted}'"
    lines = "\n".join(describe(streams, i) for group in groups for i in group)
    choice = " or ".join(f"--eeg {_telling(streams, group, groups)}" for group in groups)
    return (
        f"there are {len(groups)} {kind}, and neuript does not guess, because the wrong one would look normal; choose "
        f"with {choice}:\n{lines}"
    )


def _telling(streams: Sequence[RecordedStream], group: Sequence[int], groups: Sequence[Sequence[int]]) -> str:
    """Return what names one group and no other: its source id, its name, or else its number."""
    firsts = [streams[one[0]].info for one in groups]
    ids, names = Counter(info.source_id for info in firsts), Counter(info.name for info in firsts)
    info = streams[group[0]].info
    if info.source_id and ids[info.source_id] == 1 and info.source_id not in names:
        return shlex.quote(info.source_id)
    if info.name and names[info.name] == 1 and info.name not in ids:
        return shlex.quote(info.name)
    return shlex.quote(f"{_NUMBER}{group[0] + 1}")


def describe(streams: Sequence[RecordedStream], i: int) -> str:
    """One line for people on a stream of a recording, with its number."""
    info = streams[i].info
    n_chans = len(info.ch_names)
    rate = f"{info.sfreq:g} Hz" if info.sfreq else "irregular"
    return (
        f"  {_NUMBER}{i + 1} '{info.name}' ({info.stype or 'no type'}): {n_chans} channel{'s' * (n_chans != 1)}, "
        f"{rate}, {clock(streams[i].duration_s, n_decimals=1)}, source id {info.source_id or '(none)'}"
    )


def _say_what_is_left_out(recording: Recording, taken: Sequence[int], sampled: Sequence[int]) -> None:
    streams = recording.streams
    others = [i for i in sampled if i not in taken and is_eeg_stream(streams[i].info.stype)]
    if others:
        said = [
            f"'{streams[i].info.name}' ({streams[i].info.source_id or 'no source id'})" for i in (taken[0], *others)
        ]
        recording.warnings.append(f"{said[0]} is taken as the EEG, and not {', '.join(said[1:])}")


def _put_together(recording: Recording, taken: Sequence[int]) -> int:
    if len(taken) == 1:
        return taken[0]
    parts = [recording.streams[i] for i in taken]
    info = parts[0].info
    recording.warnings.append(
        f"'{info.name}' ({info.source_id}) was started again during the recording: its {len(parts)} parts are taken as "
        f"one stream, with {missing_between_s(parts):.1f} s missing between them"
    )
    first = min(taken)
    whole = joined(parts)
    recording.streams = [
        whole if i == first else stream for i, stream in enumerate(recording.streams) if i == first or i not in taken
    ]
    return sum(i not in taken for i in range(first))
