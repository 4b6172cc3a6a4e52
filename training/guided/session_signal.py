"""The amplifier of a session: the same one from the check to the last trial, and how well its electrodes hold."""

from __future__ import annotations

import math

from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.realtime.chain.chunk import Chunk, SourceStatus
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.signal_check import SignalCheck
from neuript.realtime.live.signal_watch import SignalWatch
from neuript.realtime.lsl.discovery import find_stream
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.stream_choice import predicate_for
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.session_folder import SessionFolder

LOST_SHARE = 0.25
"""Share of a block for which an electrode may be bad before the block is offered again."""
STILL_S = 2.0
"""Seconds without EEG after which the cues wait; a shorter hole costs no more than the trial that it is in."""
GIVE_UP_S = 120.0
"""Seconds for which an EEG stream that went away is waited for: somebody has to walk to the amplifier."""


def session_source(spec: GuidedSpec, wait_s: float, stop: Interrupt) -> LslSource:
    """Find the EEG stream of a session, waiting `wait_s` seconds at most unless somebody stops it.

    Raises
    ------
    StreamNotFoundError
        If there is no such stream.
    """
    asked = predicate_for(spec.stream, source_id=spec.source_id)
    found = find_stream(asked, wait_s=wait_s, on_wait=stop.check)
    return LslSource(found, give_up_s=GIVE_UP_S, channels=spec.calibration.channels)


class SessionSignal:
    """The EEG stream with a watch on it.

    Parameters
    ----------
    spec : GuidedSpec
        What is on the head.
    source : LslSource
        The stream, as `session_source` finds it.
    """

    def __init__(self, spec: GuidedSpec, source: LslSource) -> None:
        self.source = source
        self.watch = SignalWatch(source.info, cap=spec.cap, unit=spec.unit)
        self.away = False
        """True while no EEG comes."""
        self._heard_at = math.inf
        self._bad_counts: dict[str, int] = {}
        self._n_checks = 0

    def same_as_before(self, folder: SessionFolder) -> None:
        """Refuse to go on with another amplifier than the one that the session was begun with.

        Raises
        ------
        NeuriptError
            If channels or rate differ.
        """
        info = self.source.info
        now = {"ch_names": list(info.ch_names), "sfreq": info.sfreq}
        began = next((line for line in folder.journal() if line["event"] == "stream"), None)
        if began is None:
            folder.note("stream", **now)
        elif any(began[name] != value for name, value in now.items()):
            raise NeuriptError(
                f"the session was begun with {_words(began['ch_names'], began['sfreq'])}, and this stream has "
                f"{_words(info.ch_names, info.sfreq)}; connect the same amplifier, or begin a new session"
            )

    def take(self, chunk: Chunk) -> bool:
        """Judge what has come; return True if the EEG has just stopped, or is just back (`away` says which)."""
        before = self.away
        if len(chunk):
            self.away, self._heard_at = False, chunk.pulled_at
            if chunk.status is SourceStatus.RECOVERED:
                self.watch.reset()
            if (check := self.watch.add(chunk.data, chunk.timestamps)) is not None:
                self._count(check)
        elif chunk.status is SourceStatus.LOST or chunk.pulled_at - self._heard_at > STILL_S:
            self.away = True
        return self.away != before

    def begin_block(self) -> None:
        """Count anew how long which electrode is bad."""
        self._bad_counts, self._n_checks = {}, 0

    def lost_electrodes(self) -> list[str]:
        """Electrodes that were bad for much of the block."""
        return [name for name, n in self._bad_counts.items() if n > LOST_SHARE * max(1, self._n_checks)]

    def _count(self, check: SignalCheck) -> None:
        self._n_checks += 1
        for electrode in check.with_level(Level.BAD):
            self._bad_counts[electrode.name] = self._bad_counts.get(electrode.name, 0) + 1


def _words(ch_names: list[str] | tuple[str, ...], sfreq: float) -> str:
    some = ", ".join(name or "(no name)" for name in ch_names[:4])
    return f"{len(ch_names)} channels at {sfreq:g} Hz ({some}{', ...' if len(ch_names) > 4 else ''})"
