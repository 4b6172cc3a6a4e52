"""One live session: find the signal, open the model, decode until the end, close everything."""

from __future__ import annotations

import logging
import math
import sys
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError
from neuript.files import check_writable
from neuript.interrupt import Interrupt
from neuript.montages import load_montage
from neuript.outflow import dropped_on_stderr
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.windowing import hop_samples
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.latency import LatencyLedger
from neuript.realtime.decoding.policy import DecisionPolicy
from neuript.realtime.live.bad_news import BadNews
from neuript.realtime.live.first_words import announce
from neuript.realtime.live.intake import Intake, take_in
from neuript.realtime.live.last_words import reason_of, summary_of
from neuript.realtime.live.latency_news import LatencyNews
from neuript.realtime.live.model_settings import model_montage, policy_here, preprocess_here, reference_here
from neuript.realtime.live.no_garbage import no_garbage
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.live.own_header import own_header
from neuript.realtime.live.session_inputs import followed_by, model_of, signal_of
from neuript.realtime.live.session_report import ProcessCosts, build_report, write_report
from neuript.realtime.live.sinks import JsonLines, Sentences, SinceFirst, StdoutLines, time_of_day
from neuript.realtime.live.steering import Steering
from neuript.realtime.live.typed import TypedLines, obey
from neuript.realtime.live.woken_channels import WokenChannels
from neuript.realtime.recordings.channel_plan import absent_electrodes, assumed_cap, with_estimated
from neuript.realtime.recordings.given_channels import check_channels
from neuript.realtime.recordings.recording_files import recording_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuript.modelfile.engines import Engine
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.chain.chunk import SignalInfo
    from neuript.realtime.dashboard.launch import Handle, View
    from neuript.realtime.decoding.decision import Sink
    from neuript.realtime.live.demo import Demo
    from neuript.realtime.live.live_recording import LiveRecording
    from neuript.realtime.lsl.namesakes import Namesakes
    from neuript.realtime.lsl.outlet import DecisionOutlets

logger = logging.getLogger(__name__)

EXIT_INTERRUPTED = 130
_TIMEOUT_S = 0.1


def run_live(options: LiveOptions, *, publish: Sink | None = None) -> int:
    """Run a session and return the exit code.

    Parameters
    ----------
    options : LiveOptions
        What is asked for.
    publish : Sink, optional
        Takes the rows in the place of the LSL outlets and of all lines on stdout, for a program that publishes them
        itself.

    Raises
    ------
    NeuriptError
        If the session cannot begin or go on; the error has an exit code of its own. Everything that was opened has been
        closed, and the report is written.
    """
    stop = Interrupt()
    session = _Session(options, stop, publish)
    try:
        with stop, session.stack:
            return session.run()
    finally:  # after the dashboard has left the terminal
        for text in session.last_words:
            logger.info("%s", text)


class _Session:
    """Puts the pieces together; the stack closes them in reverse order, whatever happens."""

    def __init__(self, options: LiveOptions, stop: Interrupt, rows_to: Sink | None) -> None:
        self.options, self.stop, self.rows_to, self.stack = options, stop, rows_to, ExitStack()
        self.last_words: list[str] = []
        self.demo: Demo | None = None
        self.view: View | None = None
        self.recording: LiveRecording | None = None
        self.stdout: StdoutLines | None = None
        self.dashboard: Handle | None = None
        self.dashboard_dropped = 0
        self.outlets: DecisionOutlets | None = None
        self.steering: Steering | None = None
        self.dead: tuple[str, ...] = ()
        self.namesakes: Namesakes | None = None
        self.log_level = logging.getLogger("neuript").level
        self.live = options.replay is None

    def run(self) -> int:
        if self.options.report is not None:
            check_writable(self.options.report, keep=(self.options.model, self.options.replay))
        if self.options.record is not None:
            from neuript.realtime.lsl.recorder import check_recording

            check_recording(self.options.record)
        cap = load_montage(self.options.montage) if self.options.montage else None
        if self.options.channels is not None:
            check_channels(self.options.channels, cap)
        if self.options.demo:
            self._start_demo()
        engine = model_of(self.options)
        self.stop.check()
        manifest = engine.manifest
        hop_samples(self.options.hop_s or manifest.hop_s, manifest.sfreq)
        self._choose_view()
        source = signal_of(self.options, self.demo, self._check)
        self.stack.callback(source.close)
        if self.live and self.rows_to is None:
            from neuript.realtime.lsl.namesakes import Namesakes

            self.namesakes = Namesakes()
        announce(source.info, manifest)
        montage = model_montage(manifest)
        if self.options.population is not None:
            worn = cap or assumed_cap(source.info, montage)
            montage = with_estimated(montage, absent_electrodes(source.info, montage, worn), "the population")
        intake = take_in(source, montage, cap, unit=self.options.unit, mains=self.options.mains, check=self.stop.check)
        logger.info("%s", intake.plan.text())
        for note in intake.notes:
            logger.info("%s", note)
        return self._decode(engine, intake)

    # -- opening ---------------------------------------------------------------------------------

    def _choose_view(self) -> None:
        """Ask now whether a window can be opened: with the stream open, its samples would queue up."""
        if self.live and not self.options.headless:
            from neuript.realtime.dashboard.launch import choose_view

            self.view = choose_view(console=self.options.console)
            self.stop.check()

    def _start_demo(self) -> None:
        """Start the twin first: it gets ready while PyTorch is loaded."""
        from neuript.modelfile.describe import read_manifest
        from neuript.realtime.live.demo import DEMO_MODEL, Demo
        from neuript.realtime.lsl.library import stay_on_this_computer

        if not self.options.network:
            stay_on_this_computer()
        model = self.options.model or str(DEMO_MODEL)
        self.demo = Demo(self.options.seed, network=self.options.network)
        self.stack.callback(self.demo.close)
        self.demo.start(read_manifest(model))
        self.options = replace(self.options, model=model)

    def _check(self) -> None:
        """Between two looks for the stream."""
        self.stop.check()
        if self.demo is not None:
            self.demo.check()

    # -- decoding --------------------------------------------------------------------------------

    def _decode(self, engine: Engine, intake: Intake) -> int:
        manifest, options = engine.manifest, self.options
        self.dead = intake.dead
        spec = preprocess_here(manifest, intake.mains_hz, options.mains)
        conditioner = Conditioner(spec, intake.plan.matrix, intake.scale, intake.source.info.sfreq)
        policy = DecisionPolicy(policy_here(manifest, options), manifest.classes, options.hop_s or manifest.hop_s)
        ledger = LatencyLedger()
        sinks: list[Sink] = [ledger, *self._listeners(manifest), *filter(None, [self.demo])]
        if self.live and self.rows_to is None:
            sinks.insert(0, self._open_outlets(engine, intake, conditioner, policy))
        source = intake.source
        if self.recording is not None:
            source = self.recording.tallied(source)
            sinks.append(self.recording.rows)
        clock: Callable[[], float] | None = None
        if self.live:
            from neuript.realtime.lsl.library import lsl_clock

            clock = lsl_clock
        decoder = Decoder(
            source,
            conditioner,
            engine,
            policy,
            manifest.n_times,
            sinks,
            reference=reference_here(engine, spec, options),
            moving=options.alignment != "frozen",
            clock=clock,
            max_age_s=options.max_age_s,
            rec_zero=intake.first_t,
        )
        costs = ProcessCosts()
        ended = "failed"
        try:
            with no_garbage(), nullcontext() if self.stdout is None else self.stdout.to_the_end():
                ended = self._loop(decoder, costs, LatencyNews(engine, ledger, self.outlets))
        except BaseException as error:
            ended = reason_of(error)
            raise
        finally:
            self._finish(engine, intake, decoder, ledger, costs, ended)
        if self.recording is not None and (recorded := self.recording.close()).missing:
            raise recorded.incomplete(Path(str(options.record)))
        return EXIT_INTERRUPTED if ended == "interrupted" else 0

    def _loop(self, decoder: Decoder, costs: ProcessCosts, latency: LatencyNews) -> str:
        began, limit = time.monotonic(), self.options.duration_s
        steering = self.steering = Steering(decoder, self.outlets)
        typed, news = self._listen(steering), BadNews(decoder, self.outlets)
        woken = WokenChannels(decoder, self.dead)
        while not self.stop.requested:
            decoder.step(_TIMEOUT_S)
            news.tell(time.monotonic())
            woken.tell()
            latency.tell(time.monotonic())
            self._obey(typed, steering)
            if decoder.ended:
                return "end of the recording"
            costs.sample()
            self._look_after_recording(steering)
            self._notice_closed_dashboard()
            if self.demo is not None:
                self.demo.step()
            if limit is not None:
                heard_s = decoder.conditioner.n_in / decoder.source.info.sfreq
                passed_s = time.monotonic() - began if self.live else 0.0
                if max(heard_s, passed_s) >= limit:
                    return "duration reached"
        return "interrupted"

    def _look_after_recording(self, steering: Steering) -> None:
        """Say in the dashboard as well what went wrong with it; the decoder goes on."""
        for sentence in () if self.recording is None else self.recording.check():
            if self.dashboard is not None:
                self.dashboard.tell(**steering.now(), text=sentence)

    def _notice_closed_dashboard(self) -> None:
        """Say once that the dashboard has ended by itself: closed, killed or broken, decoding goes on."""
        handle = self.dashboard
        if handle is None or handle.running:
            return
        self.dashboard, self.dashboard_dropped = None, handle.n_dropped
        logging.getLogger("neuript").setLevel(self.log_level)  # a console view has left the terminal to us again
        logger.warning("the dashboard was closed; the decoder goes on, and `neuript dashboard` shows it again")

    def _listen(self, steering: Steering) -> TypedLines:
        """Hear what is typed while the pace is that of a person, and say what can be."""
        paced = self.live or self.options.speed < math.inf
        typed = TypedLines(sys.stdin if paced else None)
        self.stack.callback(typed.close)
        if typed.listening:
            logger.info("%s", steering.invitation)
        if self.dashboard is not None:
            self.dashboard.tell(**steering.now(), text="")
        return typed

    def _obey(self, typed: TypedLines, steering: Steering) -> None:
        """Do what was typed, or asked for in the dashboard that this process has started."""
        steering.remind(time.monotonic())
        lines = typed.newest() + (self.dashboard.asked() if self.dashboard is not None else [])
        if not lines:
            return
        for sentence in obey(lines, steering.actions):
            logger.info("%s", sentence)
            if self.dashboard is not None:
                self.dashboard.tell(**steering.now(), text=sentence)

    def _listeners(self, manifest: Manifest) -> list[Sink]:
        if self.rows_to is not None:
            return [self.rows_to]
        known, replay = manifest.recordings, self.options.replay
        trained_on = replay is not None and bool(known) and recording_sha256(Path(replay)) in known
        if trained_on:
            logger.warning("the model has learnt from this very recording, so its answers are no measure")
        rows: list[Sink] = []
        if self.options.json or not self.live or self.options.headless:
            lines = self.stdout = StdoutLines(sys.stdout, gives_up=None if self.live else lambda: self.stop.requested)
            when = time_of_day if self.live else SinceFirst()
            as_json = self.options.json
            rows = [JsonLines(lines.say, trained_on=trained_on) if as_json else Sentences(lines.say, when=when)]
        if self.live and (self.options.json or not self.options.headless):
            rows.append(Sentences(logger.info, commands=False))
        return rows

    def _open_outlets(self, engine: Engine, intake: Intake, conditioner: Conditioner, policy: DecisionPolicy) -> Sink:
        from neuript.realtime.lsl.outlet import DecisionOutlets, decoder_source_id

        header = own_header(engine, intake, conditioner, policy, self.options)
        if self.namesakes is not None:
            self.namesakes.warn([decoder_source_id(header, "proba")])
            self.namesakes = None
        self.outlets = outlets = DecisionOutlets(header, stim=self.options.stim)
        self.stack.callback(outlets.close)
        logger.info("publishing neuript-%s-proba and -events on LSL", header.task)
        if self.options.record is not None:
            from neuript.realtime.live.live_recording import LiveRecording

            path, limit_s, follow = self.options.record, self.options.duration_s, followed_by(self.options)
            self.recording = LiveRecording(path, intake.header, outlets, limit_s, follow)
            self.stack.callback(self.recording.close)  # before the outlets close
            self.recording.start()
        if self.view is not None:
            self._open_dashboard(self.view, header, intake.source.info)
        return outlets

    def _open_dashboard(self, view: View, header: DecoderHeader, eeg: SignalInfo) -> None:
        from neuript.realtime.dashboard.launch import launch
        from neuript.realtime.lsl.outlet import decoder_source_id

        self.dashboard = handle = launch(decoder_source_id(header, "proba"), eeg.source_id, view=view)
        self.stack.callback(handle.close)
        if handle.kind == "console":  # it draws on stderr; our lines would tear it
            ours = logging.getLogger("neuript")
            self.stack.callback(ours.setLevel, ours.level)
            ours.setLevel(logging.ERROR)

    def _dropped(self) -> dict[str, int]:
        """How much of what was said nobody took."""
        return {
            "stdout": self.stdout.n_dropped if self.stdout else 0,
            "dashboard": self.dashboard.n_dropped if self.dashboard else self.dashboard_dropped,
            "log": dropped_on_stderr(),
        }

    def _finish(
        self, engine: Engine, intake: Intake, decoder: Decoder, ledger: LatencyLedger, costs: ProcessCosts, ended: str
    ) -> None:
        more: dict[str, Any] = {}
        recorded = None if self.recording is None else self.recording.close()
        if recorded is not None:
            more["recording"] = recorded.figures
        if self.demo is not None:
            more["demo"] = self.demo.score(engine.manifest)
        texts = [more["demo"]["text"]] if self.demo is not None else []
        more["steered"] = self.steering.done if self.steering is not None else []
        more["dropped_lines"] = self._dropped()
        report = build_report(
            options=self.options,
            engine=engine,
            intake=intake,
            decoder=decoder,
            ledger=ledger,
            costs=costs,
            ended=ended,
            more=more,
        )
        self.last_words = [summary_of(report), *texts, *(() if recorded is None else recorded.notes)]
        if self.options.report is not None:
            try:
                write_report(self.options.report, report)
            except NeuriptError as error:
                if ": " not in ended:  # nothing worse to say
                    raise
                self.last_words.append(str(error))
