"""Who may go on where a stream has stopped: itself, or its sender started again, and nobody who only says so.

Name and source id are what a sender claims, and so is when it was created; anybody on the network can claim the same.
So the stream that was lost is waited for first. Another one is a candidate: it is compared in all that it says, it is
named in the log, and it is taken only while the first is not announced any more, and from where the user allows it.
Connecting may hang, and an announcement may be forged, so each candidate is asked in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import unit_name
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_choice import predicate_for

logger = logging.getLogger(__name__)

Follow = Literal["restarts", "any", "never"]
"""Who is taken in place of a lost stream: the same sender started again on the same computer, the same sender on any
computer, or nobody."""

SETTLE_S = 1.5
"""Seconds for which announcements are gathered before another stream may be taken: the first may answer later."""
FORGET_S = 2.0
"""Seconds after which a stream that is not announced any more counts as gone."""
RETRY_S = 5.0
"""Seconds after which a candidate that did not answer is asked again."""
AT_ONCE = 8
"""Largest number of candidates that are asked at the same time."""

Opened = tuple[pylsl.StreamInlet, SignalInfo]
Open = Callable[[pylsl.StreamInfo], Opened]


@dataclass(slots=True)
class _Asked:
    """One candidate, while a thread talks to it and after."""

    at: float
    opened: Opened | None = None
    done: bool = False


class Candidates:
    """Looks for a lost stream and for who may be it, without ever waiting.

    Parameters
    ----------
    sent : SignalInfo
        What the lost stream said about itself.
    open_stream : callable
        Connects to an announced stream and returns its inlet and what it says; may take seconds, and raise.
    follow : str
        Who may be taken; see `Follow`.
    lost : bool
        Whether the connection itself has broken: then the same stream, too, has to be connected to again.
    """

    def __init__(self, sent: SignalInfo, open_stream: Open, follow: Follow, *, lost: bool) -> None:
        self._sent, self._open, self._follow, self.lost = sent, open_stream, follow, lost
        self._resolver = pylsl.ContinuousResolver(pred=same_stream(sent), forget_after=FORGET_S)
        self._since = time.monotonic()
        self._asked: dict[str, _Asked] = {}
        self._refused: dict[str, str] = {}
        self._said: set[str] = set()

    @property
    def why_not(self) -> str:
        """What was found and not taken, as it follows "came back"; empty where there was nothing."""
        return next(iter(self._refused.values()), "")

    def taken(self) -> Opened | None:
        """Return the inlet to go on with and what its stream says, once there is exactly one."""
        found = {info.uid(): info for info in self._resolver.results()}
        own = found.pop(self._sent.uid, None)
        if own is not None:
            self._alarm(found, "it is not taken, since the first one is still there")
            return self._answer({self._sent.uid: own}) if self.lost else None
        if time.monotonic() - self._since < SETTLE_S:
            return None
        return self._answer(found)

    def _answer(self, found: dict[str, pylsl.StreamInfo]) -> Opened | None:
        self._ask(found)
        fit = [uid for uid in found if self._fits(uid)]
        if len(fit) > 1:
            self._alarm({uid: found[uid] for uid in fit}, f"{len(fit)} streams say that they are it, and none is taken")
            return None
        return self._asked.pop(fit[0]).opened if fit else None

    def _ask(self, found: dict[str, pylsl.StreamInfo]) -> None:
        now = time.monotonic()
        for uid, asked in list(self._asked.items()):
            if asked.done and (uid not in found or (asked.opened is None and now - asked.at > RETRY_S)):
                del self._asked[uid]
        for uid, info in found.items():
            if uid not in self._asked and uid not in self._refused and self._n_open < AT_ONCE:
                self._asked[uid] = asked = _Asked(now)
                threading.Thread(target=self._talk, args=(info, asked), daemon=True).start()

    @property
    def _n_open(self) -> int:
        return sum(not asked.done for asked in self._asked.values())

    def _talk(self, info: pylsl.StreamInfo, asked: _Asked) -> None:
        try:
            asked.opened = self._open(info)
        except (NeuriptError, RuntimeError):
            logger.debug("'%s' is announced but does not open yet", self._sent.name)
        asked.done = True

    def _fits(self, uid: str) -> bool:
        asked = self._asked.get(uid)
        if asked is None or not asked.done or asked.opened is None:
            return False
        info = asked.opened[1]
        why_not = "; ".join(changes_between(self._sent, info)) or self._not_followed(info)
        if not why_not:
            return True
        self._refused[uid] = why_not
        del self._asked[uid]
        logger.warning("a stream with the name and source id of '%s' is not taken: %s", self._sent.name, why_not)
        return False

    def _not_followed(self, info: SignalInfo) -> str:
        if info.uid == self._sent.uid or self._follow == "any":
            return ""
        if self._follow == "never":
            return "another instance of it, and --pin keeps to the first"
        if info.hostname != self._sent.hostname:
            return f"host {self._sent.hostname} -> {info.hostname} (--follow any takes it)"
        return ""

    def _alarm(self, others: dict[str, pylsl.StreamInfo], what: str) -> None:
        for uid, info in others.items():
            if uid not in self._said:
                self._said.add(uid)
                logger.warning(
                    "another stream has the name and source id of '%s', from %s: %s",
                    self._sent.name,
                    info.hostname() or "an unknown computer",
                    what,
                )


def changes_between(before: SignalInfo, after: SignalInfo) -> list[str]:
    """Name each difference that matters in what a stream says, such as `sampling rate 250 Hz -> 500 Hz`."""
    pairs = {
        "sampling rate": (f"{before.sfreq:g} Hz", f"{after.sfreq:g} Hz"),
        "channel count": (len(before.ch_names), len(after.ch_names)),
        "labels": (" ".join(before.ch_names), " ".join(after.ch_names)),
        "units": (_units(before), _units(after)),
        "format": (before.channel_format, after.channel_format),
        "channel types": (" ".join(before.ch_types), " ".join(after.ch_types)),
        "reference": (before.reference or "none", after.reference or "none"),
        "type": (before.stype, after.stype),
        "simulated": (_yes(before.simulated), _yes(after.simulated)),
    }
    out = [f"{what} {old} -> {new}" for what, (old, new) in pairs.items() if old != new]
    return out + (["positions of the electrodes"] if before.positions_m != after.positions_m else [])


def same_stream(info: SignalInfo) -> str:
    """Return the predicate that finds a stream again when its sender was started anew."""
    name, source_id = info.identity or (info.name, info.source_id)
    return predicate_for(name=name, source_id=source_id) if source_id else predicate_for(name=name)


def _units(info: SignalInfo) -> str:
    """Units in one spelling: `uV` and `microvolts` are the same."""
    units = [unit_name(unit) or unit for unit in info.units]
    return " ".join(units) if len(set(units)) > 1 else "".join(set(units)) or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
