"""A session with cues for nobody: see the paradigm, try its keys, and measure the screen, without an amplifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.cue_order import cue_order
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_settings import CueSettings

_WORDS = (
    "A cross, then an arrow or a circle: imagine what it shows until the cross goes away.\n\n"
    "Space pauses and goes on, R repeats a trial, S skips it, Esc twice stops."
)
_POLL_S = 0.2


def rehearse(
    settings: CueSettings,
    trials_per_class: int,
    *,
    say: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
    at_once: bool = False,
) -> dict[str, Any]:
    """Show one block of cues and return how punctual they were.

    Parameters
    ----------
    settings : CueSettings
        Classes, times, looks.
    trials_per_class : int
        How many trials of each class.
    say : callable
        Takes a sentence at a time: the screen, the markers, each trial.
    stop : callable
        Asked several times a second; True ends it.
    at_once : bool
        True begins without waiting for a key.

    Returns
    -------
    dict
        What the window said of its frames: the fields of `jitter`.

    Raises
    ------
    NeuriptError
        If no window can be opened, or it ends by itself.
    """
    order = cue_order(settings.classes, trials_per_class, 1, settings.seed)
    window = CueProcess()
    ready = window.start(settings)
    try:
        _tell(ready, say)
        window.send(do="message", title="Cues", text=_WORDS, hint="Space: begin    Esc twice: stop")
        rehearsal = _Rehearsal(window, order, say)
        if at_once:
            rehearsal.begin()
        return rehearsal.run(stop)
    finally:
        window.close()


class _Rehearsal:
    def __init__(self, window: CueProcess, order: tuple[str, ...], say: Callable[[str], None]) -> None:
        self._window, self._order, self._say = window, order, say
        self._begun = self._over = False
        self._figures: dict[str, Any] = {}

    def begin(self) -> None:
        self._begun = True
        trials = [{"trial": i, "cls": cls} for i, cls in enumerate(self._order, start=1)]
        self._window.send(do="run", block=1, trials=trials)

    def run(self, stop: Callable[[], bool]) -> dict[str, Any]:
        while not self._over and not stop():
            for said in self._window.poll(_POLL_S):
                self._hear(said)
        return self._figures

    def _hear(self, said: dict[str, Any]) -> None:
        kind = said["said"]
        if kind == "key":
            self._key(said["key"])
        elif kind == "listeners" and not said["markers"]:
            self._say("nobody listens to the markers")
        elif kind == "trial":
            late = ", late" if said["late"] else ""
            self._say(f"trial {said['trial']} of {len(self._order)}: {said['cls']}, {said['status']}{late}")
        elif kind == "jitter":
            self._figures = {name: value for name, value in said.items() if name != "said"}
        elif kind == "error":
            raise NeuriptError(said["text"])
        elif kind in ("block", "closed"):
            self._over = True

    def _key(self, key: str) -> None:
        if self._begun and key != "back":
            self._window.send(do=key)
        elif key == "stop":
            self._over = True
        elif key == "go_on":
            self.begin()


def _tell(ready: dict[str, Any], say: Callable[[str], None]) -> None:
    w, h = ready["size"]
    say(f"a screen of {w} x {h} at {ready['refresh_hz']:g} Hz; markers carry the time of the frame ({ready['stamps']})")
    for note in ready["notes"]:
        say(note)
    say(f"marker streams: {ready['markers']} and {ready['gdf']}")
