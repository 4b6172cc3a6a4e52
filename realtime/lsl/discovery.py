"""Find the one EEG stream that is meant, or say what is visible instead."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.foreign import one_line, plain
from neuript.limits import SFREQ_MAX, SFREQ_MIN, can_decode
from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_choice import ANY_EEG, in_words, predicate_for, quoted

__all__ = [
    "ANY_EEG",
    "StreamSummary",
    "check_decodable",
    "find_stream",
    "in_words",
    "predicate_for",
    "quoted",
    "visible_streams",
]

logger = logging.getLogger(__name__)

RIVALS_S, RIVALS_NAMED_S = 2.0, 0.5
"""How long a second match is waited for, and how long if the user named the stream's own id.  Where multicast is
lossy or switched off, answers come with liblsl's unicast queries, 0.75 s apart."""

_LOOK_EVERY_S = 0.05
_FORMATS = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """The short header that a stream announces on the network."""

    name: str
    stype: str
    n_chans: int
    sfreq: float
    channel_format: str
    source_id: str
    uid: str
    hostname: str
    created_at: float

    @classmethod
    def of(cls, info: pylsl.StreamInfo) -> StreamSummary:
        """Read the short header of a resolved stream."""
        code = info.channel_format()
        return cls(
            name=plain(info.name()),
            stype=plain(info.type()),
            n_chans=info.channel_count(),
            sfreq=info.nominal_srate(),
            channel_format=_FORMATS[code] if 0 <= code < len(_FORMATS) else str(code),
            source_id=plain(info.source_id()),
            uid=info.uid(),
            hostname=plain(info.hostname()),
            created_at=info.created_at(),
        )

    def describe(self) -> str:
        """One line for people."""
        rate = f"{self.sfreq:g} Hz" if self.sfreq else "irregular"
        name, stype, source_id, host = map(one_line, (self.name, self.stype, self.source_id, self.hostname))
        return (
            f"'{name}' ({stype or 'no type'}): {self.n_chans} channel{'s' * (self.n_chans != 1)}, {rate}, "
            f"{self.channel_format}, source id {source_id or '(none)'}, from {host}"
        )


def visible_streams(wait_s: float = RIVALS_S) -> list[StreamSummary]:
    """Return everything that announces itself within `wait_s`, EEG first."""
    found = {s.uid: s for s in map(StreamSummary.of, pylsl.resolve_streams(wait_s))}
    return sorted(found.values(), key=_rank)


def find_stream(predicate: str, *, wait_s: float = 5.0, on_wait: Callable[[], None] | None = None) -> pylsl.StreamInfo:
    """Return the one stream that matches.

    Parameters
    ----------
    predicate : str
        XPath 1.0 predicate on the stream header, such as `name='X' and type='EEG'`.
    wait_s : float
        Seconds to wait for the stream to appear.
    on_wait : callable, optional
        Function called between tries (a place to notice that the user gave up); None calls nothing.

    Raises
    ------
    StreamNotFoundError
        If nothing matches; the message lists what is visible.
    NeuriptError
        If several streams match, or the stream cannot be decoded (text, irregular, too slow).
    """
    deadline = time.monotonic() + wait_s
    try:  # it asks on, where tries of less than 0.75 s would miss unicast answers
        resolver = pylsl.ContinuousResolver(pred=predicate)
    except RuntimeError as error:
        raise NeuriptError(
            f"the LSL library does not understand {predicate!r}; write the plain name of the stream (neuript streams "
            "lists them)"
        ) from error
    while not (matches := resolver.results()):
        if time.monotonic() > deadline:
            raise StreamNotFoundError(_nothing_found(predicate, wait_s, visible_streams()))
        if on_wait is not None:
            on_wait()
        time.sleep(_LOOK_EVERY_S)
    named = "source_id" in predicate or "uid" in predicate
    rivals_s = RIVALS_NAMED_S if named else RIVALS_S  # a second one may answer later
    more = pylsl.resolve_bypred(predicate, len(matches) + 1, rivals_s)
    by_uid = {info.uid(): info for info in (*matches, *more)}
    candidates = _without_own(list(by_uid.values()))
    if len(candidates) != 1:
        raise NeuriptError(_several_found(candidates))
    check_decodable(StreamSummary.of(candidates[0]))
    return candidates[0]


def check_decodable(stream: StreamSummary) -> None:
    """Refuse streams that are not sampled signals, with the reason.

    Raises
    ------
    NeuriptError
        If the stream carries text, has an irregular rate, or one outside `SFREQ_MIN` to `SFREQ_MAX`.
    """
    what = f"the stream '{stream.name}'"
    if stream.channel_format == "string":
        raise NeuriptError(
            f"{what} carries text (type '{stream.stype}', format string), not samples; "
            "choose the EEG stream with --stream or --source-id"
        )
    if stream.sfreq == 0:
        raise NeuriptError(
            f"{what} has an irregular rate (nominal rate 0); decoding needs a fixed sampling rate "
            f"of {SFREQ_MIN:g} Hz to {SFREQ_MAX / 1000:g} kHz in the stream's header: set it in the "
            "sender, or choose another stream with --stream or --source-id"
        )
    if not can_decode(stream.sfreq):
        raise NeuriptError(
            f"{what} runs at {stream.sfreq:g} Hz; {SFREQ_MIN:g} Hz to {SFREQ_MAX / 1000:g} kHz "
            "can be decoded; set another rate on the amplifier"
        )


def _without_own(infos: list[pylsl.StreamInfo]) -> list[pylsl.StreamInfo]:
    """Leave out what a decoder publishes, unless nothing else matches."""
    others = [i for i in infos if not i.source_id().startswith("neuript-") or is_eeg_stream(i.type())]
    return others or infos


def _rank(stream: StreamSummary) -> tuple[bool, bool, str]:
    return (not is_eeg_stream(stream.stype), not can_decode(stream.sfreq), stream.name)


def _nothing_found(predicate: str, wait_s: float, visible: Sequence[StreamSummary]) -> str:
    head = f"no LSL stream {in_words(predicate)} appeared within {wait_s:g} s"
    if not visible:
        return (
            f"{head}, and no other stream is visible either; is the amplifier's LSL output on, on "
            "this network, and not blocked by a firewall? (`neuript-live --demo` needs no amplifier)"
        )
    lines = "\n".join(f"  {s.describe()}" for s in visible)
    return f"{head}; visible are:\n{lines}\nchoose one with --stream NAME or --source-id ID"


def _several_found(infos: Sequence[pylsl.StreamInfo]) -> str:
    streams = sorted(map(StreamSummary.of, infos), key=lambda s: -s.created_at)
    lines = "\n".join(f"  {s.describe()}" for s in streams)
    return (
        f"{len(streams)} streams match, and decoding the wrong one would look normal; "
        f"choose with --stream NAME or --source-id ID:\n{lines}"
    )
