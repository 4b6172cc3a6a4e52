"""The guided session: check the signal, show cues, record everything, learn meanwhile, and fit the decoder at the end.

One loop without threads (`_tend`) takes what EEG has come, looks after the recording, hears what the cue window and the
keyboard say, and takes what the fit in the background brought. Cues are shown and stamped by another process, so
nothing here can delay one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import Chunk, SourceStatus
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.signal_check import SignalCheck
from neuript.realtime.live.signal_watch import SignalWatch
from neuript.realtime.live.typed import TypedLines, obey
from neuript.realtime.live.watched_recording import WatchedRecording
from neuript.realtime.lsl.discovery import find_stream, predicate_for
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.labrecorder import check_recording
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.guided import guided_words
from neuript.training.guided.live_feedback import LiveFeedback
from neuript.training.guided.refit import FittedSoFar, Refit
from neuript.training.guided.session_folder import SessionFolder
from neuript.training.guided.session_plan import SessionBlock, plan_session, practice, still_to_do

logger = logging.getLogger(__name__)

PULL_S = 0.05
READ_S = 120.0
"""Longest time in seconds for which the result stays on the screen."""
FEEDBACK_S = 20.0
"""Seconds that a decoder may take to start before the session goes on without it."""
FIRST_BYTE_S = 40.0
"""Seconds that the recording may take until its first byte."""
LOST_SHARE = 0.25
"""Share of a block for which an electrode may be bad before the block is offered again."""
GIVE_UP_S = 120.0
"""Seconds for which an EEG stream that went away is waited for: somebody has to walk to the amplifier."""
Show = Callable[[str, float, float], None]
"""Progress: words, trials so far, trials in all."""


@dataclass(frozen=True, kw_only=True)
class GuidedView:
    """How a session is shown; nothing of it changes what is learnt."""

    fullscreen: bool = True
    """False opens an ordinary window."""
    screen: int = 0
    """Number of the screen."""
    sound: bool = True
    """False never beeps."""
    go_on_after_s: float | None = None
    """Seconds after which every screen that waits for a key goes on by itself; None waits."""
    wait_s: float = 10.0
    """Seconds to wait for the EEG stream."""


class GuidedSession:
    """One session, from `run` to its end.

    Parameters
    ----------
    folder : SessionFolder
        Where everything is kept; a session that was begun before goes on.
    view : GuidedView
        How it is shown.
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
        self.folder, self.spec, self.view = folder, folder.spec, view
        self._tell, self._show, self._stop, self._typed = tell, show, stop, typed
        self._blocks = plan_session(self.spec)
        self._cues = CueProcess()
        self._refit = Refit(folder.path, self.spec.calibration)
        self._feedback: LiveFeedback | None = None
        self._source: LslSource | None = None
        self._watch: SignalWatch | None = None
        self._recording: WatchedRecording | None = None
        self._ready: dict[str, Any] = {}
        self._key = ""
        self._block_over = False
        self._stopped = False
        self._waits_for_eeg = False
        self._screen: Callable[[], dict[str, Any]] | None = None
        self._bad_counts: dict[str, int] = {}
        self._n_checks = 0
        self.so_far: FittedSoFar | None = None
        """What the last fit in the background brought."""

    def run(self, learn: Callable[[], CalibrationResult]) -> CalibrationResult:
        """Hold the session until its trials are over, or somebody stops it, and learn from them.

        Parameters
        ----------
        learn : callable
            Makes and saves the decoder of all that was recorded.

        Raises
        ------
        NeuriptError
            If a part of it cannot go on; everything until then is kept, and the session can be resumed.
        KeyboardInterrupt
            If it was interrupted; the same holds.
        """
        with ExitStack() as stack:
            stack.enter_context(self.folder.held())
            self._connect(stack)
            self._open_window(stack)
            stack.callback(self._refit.close)
            self._check_signal()
            self._start_feedback(stack)
            self._start_recording(stack)
            self._practise()
            while not self._stopped and (left := still_to_do(self._blocks, self.folder.journal())):
                self._hold(left[0])
            self._end_recording()
            return self._finish(learn)

    # --- parts ---------------------------------------------------------------------------------------------------

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
        spec = self.spec
        found = find_stream(
            predicate_for(spec.stream, source_id=spec.source_id), wait_s=self.view.wait_s, on_wait=self._stop.check
        )
        self._source = LslSource(found, give_up_s=GIVE_UP_S)
        stack.callback(self._source.close)
        self._source.start()
        info = self._source.info
        self._same_cap_as_before(info.ch_names, info.sfreq)
        self._watch = SignalWatch(info, cap=load_montage(spec.montage), unit=spec.unit)
        self._tell(f"'{info.name}': {len(info.ch_names)} channels at {info.sfreq:g} Hz")

    def _same_cap_as_before(self, ch_names: tuple[str, ...], sfreq: float) -> None:
        """Refuse to go on with another amplifier than the one that the session was begun with."""
        began = next((line for line in self.folder.journal() if line["event"] == "stream"), None)
        if began is None:
            self.folder.note("stream", ch_names=list(ch_names), sfreq=sfreq)
        elif (began["ch_names"], began["sfreq"]) != (list(ch_names), sfreq):
            raise NeuriptError(
                f"the session was begun with {len(began['ch_names'])} channels at {began['sfreq']:g} Hz "
                f"({', '.join(began['ch_names'][:4])}, ...), and this stream has {len(ch_names)} at {sfreq:g} Hz "
                f"({', '.join(ch_names[:4])}, ...); connect the same amplifier, or begin a new session"
            )

    def _open_window(self, stack: ExitStack) -> None:
        stack.callback(self._cues.close)
        self._ready = self._cues.start(self._settings())
        how = "at the frame that shows them" if self._ready.get("stamps") == "frame swapped" else "when they are drawn"
        self._tell(
            f"cue window at {self._ready.get('refresh_hz', 0):g} Hz, cues stamped {how}"
            + ("" if self._ready.get("sound") else ", without sound")
        )
        self.folder.note("window", **{k: v for k, v in self._ready.items() if k != "said"})

    def _check_signal(self) -> None:
        self._tell("signal check: look at the window; Space goes on when it says GO")
        began, shown, key = time.monotonic(), None, ""
        while True:
            self._tend()
            check = self._watch.latest if self._watch is not None else None
            if check is not None and check is not shown:
                shown = check
                self._cues.send(do="check", **guided_words.check_screen(check))
            key, self._key = self._key, ""
            waited_s = time.monotonic() - began
            by_itself = self.view.go_on_after_s is not None and waited_s > self.view.go_on_after_s
            if key == "stop":
                raise KeyboardInterrupt
            if shown is not None and (key == "go_on" or by_itself):
                if shown.go:
                    break
                if key:
                    self._tell(f"not yet: {shown.fix}")
        self._tell(f"signal: {shown.verdict}")
        self.folder.note("check", go=True, bad=[e.name for e in shown.with_level(Level.BAD, Level.ABSENT)])

    def _start_feedback(self, stack: ExitStack) -> None:
        """Begin with what earlier people say, if there are some; before the recording, which then has the rows too."""
        assert self._source is not None
        if not self.spec.feedback:
            return
        self._feedback = LiveFeedback(self.spec, self._source.info.source_id)
        stack.callback(self._feedback.close)
        if self.spec.calibration.population is not None:
            self._feedback.use_population()
            began = time.monotonic()
            while time.monotonic() - began < FEEDBACK_S and self._feedback.newest() is None:
                self._tend()

    def _start_recording(self, stack: ExitStack) -> None:
        assert self._source is not None
        path = check_recording(self.folder.next_recording())
        cap = load_montage(self.spec.montage)
        self._recording = WatchedRecording(path, self._source, cap, self.spec.unit)
        stack.callback(self._recording.close)
        self._cues.send(do="message", **guided_words.preparing())
        self._recording.start(self._stop.check, [str(self._ready["markers"]), str(self._ready["gdf"])])
        recording = self._recording
        self._until(lambda: recording.n_bytes > 0, FIRST_BYTE_S, f"nothing was written to {path.name}")
        self.folder.note("recording", file=path.name)

    def _end_recording(self) -> None:
        """Close the file, and let go of the amplifier: the rest needs neither."""
        self._refit.close()
        if self._feedback is not None:
            self._feedback.close()
        self._cues.send(do="message", **guided_words.goodbye())
        if self._recording is not None:
            self._recording.close()
            self._recording.read_again()
            self._recording = None
        self.folder.keep_private()

    def _finish(self, learn: Callable[[], CalibrationResult]) -> CalibrationResult:
        """Learn, and leave what came of it on the screen until somebody has read it."""
        result = learn()
        self._cues.send(do="message", **guided_words.result_screen(result))
        until = time.monotonic() + (READ_S if self.view.go_on_after_s is None else self.view.go_on_after_s)
        while time.monotonic() < until and not self._stop.requested:
            if any(said["said"] in ("key", "closed") for said in self._cues.poll(PULL_S)):
                break
        return result

    # --- blocks --------------------------------------------------------------------------------------------------

    def _practise(self) -> None:
        block = practice(self.spec)
        done = any(line["event"] == "practised" for line in self.folder.journal())
        self._pause_at(lambda: guided_words.welcome(self.spec, practice=block is not None and not done))
        if block is None or done or self._stopped:
            return
        self._show_trials(block, practice=True)
        self.folder.note("practised")
        if not self._stopped:
            self._pause_at(guided_words.after_practice)

    def _hold(self, block: SessionBlock) -> None:
        """Show the trials of a block, then rest; somebody may ask for it once more, or for the end."""
        self._bad_counts, self._n_checks = {}, 0
        self._show_trials(block)
        shown = sum(line["event"] == "trial" and line["status"] == "done" for line in self.folder.journal())
        if shown:
            self._refit.ask(self.folder.recordings, shown)
        if self._stopped or not still_to_do(self._blocks, self.folder.journal()):
            return
        key = self._pause_at(lambda: self._summary(block))
        if key == "repeat":
            self.folder.note("repeat", block=block.number)
            self._tell(f"block {block.number} comes again")

    def _show_trials(self, block: SessionBlock, *, practice: bool = False) -> None:
        self._block_over = False
        trials = [{"trial": t.trial, "cls": t.cls} for t in block.trials]
        self._cues.send(do="run", block=block.number, n_blocks=len(self._blocks), trials=trials, practice=practice)
        while not self._block_over:
            self._tend()

    def _summary(self, block: SessionBlock) -> dict[str, str]:
        return guided_words.block_summary(
            block.number,
            len(self._blocks),
            lost=[name for name, n in self._bad_counts.items() if n > LOST_SHARE * max(1, self._n_checks)],
            so_far=self.so_far,
            fitting=self._refit.running,
        )

    def _pause_at(self, screen: Callable[[], dict[str, str]]) -> str:
        """Show words until a key says how it goes on; return the key."""
        self._screen, self._key = screen, ""
        self._cues.send(do="message", **screen())
        began = time.monotonic()
        while not self._key and not self._stopped:
            self._tend()
            if self.view.go_on_after_s is not None and time.monotonic() - began > self.view.go_on_after_s:
                self._key = "go_on"
        self._screen = None
        key, self._key = self._key, ""
        if key == "stop":
            self._stopped = True
        return key

    # --- the loop ------------------------------------------------------------------------------------------------

    def _tend(self) -> None:
        """One turn: EEG, recording, cue window, keyboard, fit."""
        if self._recording is not None:
            self._look_at(self._recording.tend(PULL_S))
        elif self._source is not None:
            self._look_at(self._source.pull(PULL_S))
        for said in self._cues.poll(0.0):
            self._hear(said)
        for sentence in obey(self._typed.newest(), self._actions):
            self._tell(sentence)
        if (fitted := self._refit.poll()) is not None:
            self._take(fitted)
        if self._feedback is not None and (row := self._feedback.newest()) is not None:
            self._cues.send(do="feedback", proba=row["proba"], state=row["state"])
        self._stop.check()

    def _until(self, condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
        began = time.monotonic()
        while not condition():
            self._tend()
            if time.monotonic() - began > within_s:
                raise NeuriptError(f"{otherwise}; {guided_words.resume(self.folder.path)}")

    def _look_at(self, chunk: Chunk) -> None:
        """Judge the signal; without one the cues wait."""
        assert self._watch is not None
        away = chunk.status in (SourceStatus.STALE, SourceStatus.LOST)
        if away and not self._waits_for_eeg and self._recording is not None:
            self._waits_for_eeg = True
            self._tell("the EEG has stopped: the cues wait until it is back")
            self._cues.send(do="pause")
        if not len(chunk):
            return
        if self._waits_for_eeg:
            self._waits_for_eeg = False
            self._tell("the EEG is back; the trial comes again")
            self._cues.send(do="go_on")
        if chunk.status is SourceStatus.RECOVERED:
            self._watch.reset()
        check = self._watch.add(chunk.data, chunk.timestamps)
        if check is not None:
            self._count(check)

    def _count(self, check: SignalCheck) -> None:
        self._n_checks += 1
        for electrode in check.with_level(Level.BAD):
            self._bad_counts[electrode.name] = self._bad_counts.get(electrode.name, 0) + 1

    def _hear(self, said: dict[str, Any]) -> None:
        """Take what the cue window says."""
        what = said.get("said")
        if what == "trial" and said.get("practice"):
            self._show(f"practice: {said['cls']} {said['status']}", 0, self.spec.n_trials)
        elif what == "trial":
            self.folder.note("trial", **{k: said.get(k) for k in ("trial", "cls", "status", "cue_t", "late")})
            n = sum(t.trial <= said["trial"] for block in self._blocks for t in block.trials)
            self._show(f"trial {n} of {self.spec.n_trials}: {said['cls']} {said['status']}", n, self.spec.n_trials)
        elif what == "block":
            self._block_over = True
            self._stopped = self._stopped or said.get("status") == "stopped"
        elif what == "key":
            self._key = str(said.get("key"))
        elif what == "jitter":
            self.folder.note("jitter", **{k: v for k, v in said.items() if k != "said"})
        elif what == "error":
            raise NeuriptError(f"the cue window: {said.get('text')}; {guided_words.resume(self.folder.path)}")
        elif what == "closed":
            raise NeuriptError(f"the cue window was closed; all is kept: {guided_words.resume(self.folder.path)}")

    @property
    def _actions(self) -> dict[str, Callable[[], str]]:
        """What may be typed, and what it does."""

        def wish(word: str, sentence: str) -> Callable[[], str]:
            def act() -> str:
                self._key = word
                self._cues.send(do=word)
                return sentence

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
            self._tell(sentence)
        self.folder.note("fitted", n_trials=fitted.n_trials, figures=fitted.figures, problem=fitted.problem)
        if self._feedback is not None and fitted.model is not None:
            self._feedback.use_model(fitted.model)
        if self._screen is not None:
            self._cues.send(do="message", **self._screen())
