"""What a person asks of a decoder that runs, at the terminal or in its dashboard, between two steps of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuript.realtime.chain.alignment import AlignedWindows
from neuript.realtime.dashboard.control_pipe import MARK, MAX_TEXT, PAUSE, RECENTRE, THRESHOLD, UNDO

if TYPE_CHECKING:
    from neuript.realtime.decoding.decoder import Decoder
    from neuript.realtime.lsl.outlet import DecisionOutlets

LOWEST, HIGHEST = 0.05, 1.0
"""Thresholds that can be asked for."""
REMIND_S = 5.0
"""Seconds after which a changed threshold is published again."""
FIXED = "this model does not recentre its windows, so there is nothing to begin anew"


@dataclass
class Steering:
    """Does what is asked and says so in a sentence; `done` keeps what was done, for the report.

    Parameters
    ----------
    decoder : Decoder
        What is steered.
    outlets : DecisionOutlets or None
        Where marks and a new threshold are published; None in a replay, which publishes nothing.
    """

    decoder: Decoder
    outlets: DecisionOutlets | None = None

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        self.done: list[dict[str, Any]] = []
        self._began_with = self.decoder.policy.spec.threshold
        self._told_at_s = -math.inf

    @property
    def actions(self) -> Mapping[str, Callable[[str], str]]:
        """What each word does; it is given what stands behind the word."""
        words = {
            PAUSE: self._pause,
            MARK: self._mark,
            THRESHOLD: self._threshold,
            RECENTRE: self._recentre,
            UNDO: self._undo,
        }
        return {word: self._kept(word, action) for word, action in words.items()}

    @property
    def settle_s(self) -> float:
        """Seconds of clean signal that a new reference needs; 0 for a model that does not recentre."""
        windows = self.decoder.windows
        return windows.spec.settle_s if isinstance(windows, AlignedWindows) else 0.0

    @property
    def invitation(self) -> str:
        """What can be typed."""
        cap = " · r recentre (the cap moved) · u back to before" if self.settle_s else ""
        return f"type, and Enter: p pause commands · m TEXT mark this moment · t 0.8 threshold{cap}"

    def now(self) -> dict[str, float | bool]:
        """How the decoder stands, for the dashboard."""
        return {
            "paused": self.decoder.paused,
            "threshold": self.decoder.policy.spec.threshold,
            "recentres": self.settle_s > 0,
        }

    def remind(self, now_s: float) -> None:
        """Say a changed threshold again now and then: the streams' header, which who comes later reads, keeps the old.

        Parameters
        ----------
        now_s : float
            Any clock, in seconds.
        """
        value = self.decoder.policy.spec.threshold
        if self.outlets is not None and value != self._began_with and now_s - self._told_at_s >= REMIND_S:
            self._told_at_s = now_s
            self.outlets.tell("threshold", f"{value:g}")

    def _kept(self, word: str, action: Callable[[str], str]) -> Callable[[str], str]:
        def act(text: str) -> str:
            sentence = action(text)
            newest_t = self.decoder.conditioner.newest_t
            self.done.append({"t": newest_t if math.isfinite(newest_t) else None, "asked": word, "did": sentence})
            return sentence

        return act

    def _pause(self, text: str) -> str:
        """Pause or go on; "on" and "off" say which, so that two hands do not undo each other."""
        self.decoder.paused = {"on": True, "off": False}.get(text, not self.decoder.paused)
        return "commands are paused; p goes on" if self.decoder.paused else "commands are enabled again"

    def _mark(self, text: str) -> str:
        text = text[:MAX_TEXT].replace("/", "-") or "mark"
        if self.outlets is None:
            return "a replay publishes nothing, so there is nothing to mark"
        self.outlets.tell("mark", text)
        return f"marked: {text}"

    def _threshold(self, text: str) -> str:
        try:
            value = round(float(text), 4)
        except ValueError:
            value = math.nan
        if not LOWEST <= value <= HIGHEST:
            return f"{text!r} is no threshold; type t and a number from {LOWEST:.2f} to {HIGHEST:.2f}"
        self.decoder.policy.set_threshold(value)
        self._told_at_s = -math.inf
        if self.outlets is not None:
            self.outlets.tell("threshold", f"{value:g}")
        return f"a command now needs an evidence of {value:.2f}"

    def _recentre(self, _text: str) -> str:
        if not self.settle_s:
            return FIXED
        self.decoder.recentre()
        return f"recentring: nothing is decoded before there are {self.settle_s:g} s of clean signal; u goes back"

    def _undo(self, _text: str) -> str:
        if not self.settle_s:
            return FIXED
        self.decoder.undo_recentre()
        settled = self.decoder.windows.settled
        return "seen from the earlier reference again" if settled else "there is no reference to go back to yet"
