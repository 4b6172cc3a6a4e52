"""The parts of a guided session, and the one loop that looks after all of them.

One loop without threads of its own (`tend`) takes what EEG has come, looks after the recording, hears what the cue
window and the keyboard say, and takes what the fit in the background brought. Cues are shown and stamped by another
process, so nothing here can delay one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from neuript.errors import NeuriptError, RecordingIncompleteError
from neuript.interrupt import Interrupt
from neuript.realtime.chain.chunk import Chunk
from neuript.realtime.live.typed import TypedLines, obey
from neuript.realtime.live.watched_recording import WatchedRecording
from neuript.realtime.lsl.recorder import check_recording
from neuript.realtime.lsl.recording_room import check_room
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.training.guided import guided_words
from neuript.training.guided.guided_view import GuidedView
from neuript.training.guided.kept_trials import note_lost_trials
from neuript.training.guided.refit import FittedSoFar, Refit
from neuript.training.guided.session_decoder import SessionDecoder
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.guided.session_signal import SessionSignal, session_source

PULL_S = 0.05
FEEDBACK_S = 20.0
"""Seconds that a decoder may take to start before the session goes on without it."""
WITH_BREAKS = 2.0
"""How much longer than its trials a session may take, breaks and repeated blocks included."""
_CLOSED = "the cue window was closed, and the session ends with it"
Show = Callable[[str, float, float], None]
"""Progress: words, trials so far, trials in all."""


class SessionParts:
    """Amplifier, cue window, recording, fit and decoder of one session.

    Parameters
    ----------
    folder : SessionFolder
        Where everything is kept.
    view : GuidedView
        How the session is shown.
    tell : callable
        Takes a sentence for whoever leads the session.
    show : callable
        Takes progress.
    stop : Interrupt
        The wish to end now, and go on another day.
    typed : TypedLines
        What is typed meanwhile.
    """

    def __init__(
        self,
        folder: SessionFolder,
        view: GuidedView,
        *,
        tell: Callable[[str], None],
        show: Show,
        stop: Interrupt,
        typed: TypedLines,
    ) -> None:
        self.folder, self.spec, self.view, self.tell = folder, folder.spec, view, tell
        self.cues = CueProcess()
        self.refit = Refit(folder.path, self.spec.calibration, self.spec.earlier)
        self.stopped = False
        """True once somebody has had enough: what there is is learnt from."""
        self.block_over = False
        """True once the last block that was shown has ended."""
        self.so_far: FittedSoFar | None = None
        """What the last fit in the background brought."""
        self.decoded_by: str | None = None
        """What the decoder has learnt from that answers at the moment; None while there is none."""
        self.screen: Callable[[], dict[str, str]] | None = None
        """Gives the words that are on the screen, which change when a fit brings news; None while cues are shown."""
        self._show, self._stop, self._typed = show, stop, typed
        self._decoder: SessionDecoder | None = None
        self._await_s = 0.0
        self._recording: WatchedRecording | None = None
        self._window: dict[str, Any] = {}
        self._key, self._n_late = "", 0
        self._held_by_hand = False

    # --- begin and end -------------------------------------------------------------------------------------------

    signal: SessionSignal
    """The amplifier; there from `open` on."""

    def open(self, stack: ExitStack) -> None:
        """Connect the amplifier and open the cue window; the stack closes both."""
        stack.callback(self.refit.close)
        self._connect(stack)
        self._open_window(stack)

    def _settings(self) -> CueSettings:
        spec, view = self.spec, self.view
        return CueSettings(
            classes=spec.classes,
            own=spec.own,
            timing=spec.timing,
            subject=spec.subject,
            seed=spec.seed,
            feedback=spec.feedback,
            sound=view.sound,
            screen=view.screen,
            fullscreen=view.fullscreen,
        )

    def _connect(self, stack: ExitStack) -> None:
        source = session_source(self.spec, self.view.wait_s, self._stop)
        stack.callback(source.close)
        source.start()
        self.signal = SessionSignal(self.spec, source)
        self.signal.same_as_before(self.folder)
        check_room(self.folder.path, WITH_BREAKS * 60 * self.spec.minutes, source.info)
        self.tell(f"'{source.info.name}': {len(source.info.ch_names)} channels at {source.info.sfreq:g} Hz")

    def _open_window(self, stack: ExitStack) -> None:
        stack.callback(self.cues.close)
        self._window = self.cues.start(self._settings())
        how = "at the frame that shows them" if self._window.get("stamps") == "frame swapped" else "when they are drawn"
        self.tell(
            f"cue window at {self._window.get('refresh_hz', 0):g} Hz, cues stamped {how}"
            + ("" if self._window.get("sound") else ", without sound")
        )
        for note in guided_words.about_window(self._window):
            self.tell(note)
        self.folder.note("window", **{k: v for k, v in self._window.items() if k != "said"})

    def start_decoder(self, stack: ExitStack) -> None:
        """Publish whatever decoder there is; what is known already gets ready while the signal is checked."""
        decoder = self._decoder = SessionDecoder(self.spec, self.signal.source.info)
        stack.callback(decoder.close)
        self._await_s = FEEDBACK_S if decoder.begin() and self.spec.feedback else 0.0
        if shown := self.folder.shown_trials():  # resumed: what was learnt is to be learnt again
            self.refit.ask(self.folder.recordings, shown)

    def await_decoder(self) -> None:
        """Wait for a decoder that is there before the first trial, where the person is to see what it says."""
        until = time.monotonic() + self._await_s
        while self.decoded_by is None and time.monotonic() < until:
            self.tend()

    def start_recording(self, stack: ExitStack) -> None:
        """Record everything that is on the network, from before the first trial on."""
        path = check_recording(self.folder.next_recording())
        self._recording = WatchedRecording(path, self.signal.source, self.spec.cap, self.spec.unit)
        stack.callback(self._recording.close)
        self.cues.send(do="message", **guided_words.preparing())
        wanted = [str(self._window["markers"]), str(self._window["gdf"])]
        if self._decoder is not None:
            wanted.append(self._decoder.source_id)
        self._recording.start(self._stop.check, wanted)
        self.folder.note("recording", file=path.name)

    def end_recording(self) -> None:
        """Close the file and all that goes with it; the cue window stays."""
        self.refit.close()
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()  # before what it records goes
        if self._decoder is not None:
            self._decoder.close()
        if recording is not None:
            try:
                recording.check_complete()
            except RecordingIncompleteError as error:  # which trials are whole is read from the file
                self.tell(str(error))
        self.folder.keep_private()

    # --- what is asked of them -----------------------------------------------------------------------------------

    def take_key(self) -> str:
        """Return what somebody pressed, once; empty if nobody did."""
        key, self._key = self._key, ""
        return key

    # --- the loop ------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """One turn: EEG, recording, cue window, keyboard, fit."""
        if self._recording is not None:
            self._look_at(self._recording.tend(PULL_S))
        else:
            self.signal.watch.pull(self.signal.source, PULL_S)
        for said in self.cues.poll(0.0):
            self._hear(said)
        for sentence in obey(self._typed.newest(), self._actions):
            self.tell(sentence)
        if (fitted := self.refit.poll()) is not None:
            self._take(fitted)
        if self._decoder is not None:
            self._tend_decoder(self._decoder)
        self._stop.check()

    def _tend_decoder(self, decoder: SessionDecoder) -> None:
        """Note which decoder answers, and show what it says to who asked for it."""
        if (name := decoder.began()) is not None:
            self.decoded_by = name
            self.folder.note("decodes", by=name)
        if problem := decoder.problem():
            self.tell(f"nothing is decoded at the moment, and the session goes on: {problem}")
        if self.spec.feedback and (row := decoder.newest()) is not None:
            self.cues.send(do="feedback", proba=row.proba or {}, state=str(row.state))

    def _until(self, condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
        began = time.monotonic()
        while not condition():
            self.tend()
            if time.monotonic() - began > within_s:
                raise NeuriptError(otherwise)

    def _look_at(self, chunk: Chunk) -> None:
        """Judge the signal; without one the cues wait."""
        if not self.signal.take(chunk):
            return
        if self.signal.away:
            self.cues.send(do="pause")
            self.tell("the EEG has stopped: the cues wait until it is back")
        elif self._held_by_hand:
            self.tell("the EEG is back; g and Enter, or Space in the window, goes on")
        else:
            self.cues.send(do="go_on")
            self.tell("the EEG is back; the trial comes again")

    def _hear(self, said: dict[str, Any]) -> None:
        """Take what the cue window says."""
        what = said.get("said")
        if what == "trial" and said.get("practice"):
            self._show(f"practice: {said['cls']} {said['status']}", 0, self.spec.n_trials)
        elif what == "trial":
            self.folder.note("trial", **{k: said.get(k) for k in ("trial", "cls", "status", "cue_t", "late")})
            n = int(said["trial"])
            self._show(f"trial {n} of {self.spec.n_trials}: {said['cls']} {said['status']}", n, self.spec.n_trials)
        elif what == "block":
            if said.get("status") == "closed":
                raise NeuriptError(_CLOSED)
            self.block_over = True
            self.stopped = self.stopped or said.get("status") == "stopped"
        elif what == "key":
            self._wish(str(said.get("key")))
        elif what == "jitter":
            self.folder.note("jitter", **{k: v for k, v in said.items() if k != "said"})
            if (n_late := said["late"] - self._n_late) > 0:
                self.tell(guided_words.late_trials(n_late))
            self._n_late = said["late"]
        elif what == "error":
            raise NeuriptError(f"the cue window says: {said.get('text')}")
        elif what == "closed":
            raise NeuriptError(_CLOSED)

    def _wish(self, word: str) -> bool:
        """Do what a key or a typed line asks for; return False where there is no EEG to go on with."""
        if self.signal.away and word in ("go_on", "repeat"):
            self.tell("the EEG is not back yet: see to the amplifier")
            return False
        self._held_by_hand = word == "pause" or (self._held_by_hand and word not in ("go_on", "repeat", "skip"))
        self._key = word
        if word in ("pause", "go_on", "repeat", "skip", "stop"):
            self.cues.send(do=word)  # about the block that runs; between two blocks the window takes no notice
        return True

    @property
    def _actions(self) -> dict[str, Callable[[str], str]]:
        """What may be typed, and what it does."""

        def wish(word: str, sentence: str) -> Callable[[str], str]:
            def act(_more: str) -> str:
                return sentence if self._wish(word) else "nothing changes"

            return act

        return {
            "p": wish("pause", "paused: g and Enter goes on"),
            "g": wish("go_on", "goes on"),
            "r": wish("repeat", "comes again"),
            "s": wish("skip", "left out"),
            "q": wish("stop", "ends here, with what there is"),
        }

    def _take(self, fitted: FittedSoFar) -> None:
        self.so_far = fitted
        for sentence in guided_words.so_far(fitted):
            self.tell(sentence)
        self.folder.note("fitted", n_trials=len(fitted.shown), figures=fitted.figures, problem=fitted.problem)
        if fitted.kept is not None:
            note_lost_trials(self.folder, fitted.shown, fitted.kept, self.tell)
        if self._decoder is not None and fitted.model is not None:
            self._decoder.use(fitted.model, len(fitted.kept or fitted.shown))
        if self.screen is not None:
            self.cues.send(do="message", **self.screen())
