"""A session of the real decoder on the digital twin in which everything happens, on a clock of its own.

Nothing waits: a packet of the twin's amplifier is there when the session's clock has come to it, and silence is told as
an LSL inlet would tell it. What the decoder publishes is kept with the time at which it came.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from neuript.modelfile.deployable import open_model
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.proba_row import pack_row
from neuript.realtime.live.bad_news import BadNews
from neuript.realtime.live.demo import DEMO_MODEL
from neuript.realtime.live.intake import take_in
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.live.own_header import own_header
from neuript.realtime.twin.cues import CueProtocol, TwinEvent
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import Device, Unplugged
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject
from neuript.realtime.twin.twin_source import twin_info
from screens.shots import once

FAULTS = "gap@34:0.7,flat:C3@48:4,stall@64:1.5,unplug@98:6,clock@118:12"
OVERLOAD_S = (74.0, 80.0)
"""Seconds in which the computer is too slow."""
PAUSED_S = (86.0, 92.0)
"""Seconds in which somebody has paused the commands."""
END_S = 126.0
STALE_S, LOST_S = 0.25, 3.0
"""Seconds of silence after which an LSL inlet calls a stream stale, and lost."""
SFREQ = 250.0


class TimedSource:
    """The twin's amplifier on a clock that moves by a pull at a time."""

    def __init__(self, signal: TwinSignal, faults: str, end_s: float) -> None:
        self._device = Device(signal, faults=parse_faults(faults))
        self._steps = self._device.steps()
        self._next = next(self._steps)
        self._end_s = end_s
        self._away = False
        self._recovers = False
        self.now = self._heard_at = 0.0
        self.chunks: list[Chunk] = []
        self.info: SignalInfo = twin_info(signal)

    @property
    def events(self) -> list[TwinEvent]:
        return self._device.signal.events(0.0, self._end_s)

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        self.now += 0.02
        taken: list[Packet] = []
        while self._next.due_s <= self.now:
            if isinstance(self._next, Packet):
                taken.append(self._next)
            else:
                self._away = isinstance(self._next, Unplugged)
                self._recovers |= not self._away
            self._next = next(self._steps)
        if self.now >= self._end_s:
            return self._empty(SourceStatus.ENDED)
        if not taken:
            silent_s = self.now - self._heard_at
            lost = self._away and silent_s > LOST_S
            return self._empty(
                SourceStatus.LOST if lost else SourceStatus.STALE if silent_s > STALE_S else SourceStatus.OK
            )
        status = SourceStatus.RECOVERED if self._recovers else SourceStatus.OK
        if self._recovers:
            self.info = replace(self.info, uid="again")
        self._recovers, self._heard_at = False, self.now
        data, stamps = np.concatenate([p.data for p in taken]), np.concatenate([p.stamps_s for p in taken])
        self.chunks.append(Chunk(data, stamps, status, self.now))
        return self.chunks[-1]

    def _empty(self, status: SourceStatus) -> Chunk:
        return Chunk(np.empty((0, len(self.info.ch_names)), np.float32), np.empty(0), status, self.now)

    def close(self) -> None:
        pass


class SlowNow:
    """The demo's engine, and a stopwatch on which it takes long for a while."""

    def __init__(self, engine: Any, source: TimedSource) -> None:
        self._engine, self._source, self._extra_s = engine, source, 0.0

    def infer(self, signal: Any, tangent: Any) -> Any:
        if OVERLOAD_S[0] <= self._source.now < OVERLOAD_S[1]:
            self._extra_s += 0.4
            self._source.now += 0.4
        return self._engine.infer(signal, tangent)

    def perf(self) -> float:
        return time.perf_counter() + self._extra_s


@dataclass
class TwinSession:
    """What arrived, each with the time in seconds at which it did."""

    header: DecoderHeader
    info: SignalInfo
    chunks: list[Chunk]
    cues: list[TwinEvent]
    rows: list[tuple[float, Decision]] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, what: str, text: str) -> None:
        self.told.append((0.0, f"neuript/{what}/{text}"))

    def moment(self, state: str, after_s: float = 1.3) -> float:
        """Time a little after the state began, the time that it lasted longest."""
        spans = [list(rows) for name, rows in groupby(self.rows, key=lambda row: row[1].state) if name == state]
        longest = max(spans, key=lambda rows: rows[-1][0] - rows[0][0])
        return min(longest[0][0] + after_s, longest[-1][0] + 0.05)

    def held(self) -> float:
        """Time at which a command has been given for two seconds, late in the session's quiet part."""
        return max(at for at, row in self.rows if row.committed and at < 30.0) + 2.0

    def model(self, until_s: float, now: float, *, rows_until_s: float | None = None, shows: str = "") -> ViewModel:
        """Return what a dashboard knows that opened at the start and is shown at `now` on the LSL clock."""
        model, zero = ViewModel(), now - until_s
        model.connect_decoder(self.header, zero)
        model.connect_eeg(self.info)
        if shows:
            model.head.choose(shows)
        rows_until_s = until_s if rows_until_s is None else rows_until_s
        for chunk in self.chunks:
            if until_s - 40 <= chunk.pulled_at <= until_s:
                if chunk.status is SourceStatus.RECOVERED:  # another stream of the same name
                    model.disconnect_eeg()
                    model.connect_eeg(self.info)
                model.add_eeg(chunk.data, chunk.timestamps + zero, chunk.pulled_at + zero)
        for at, row in self.rows:
            if at <= rows_until_s:
                packed = np.array([pack_row(row, self.header.classes)], np.float32)
                model.add_rows(packed, np.array([row.t + zero]), at + zero)
        seen = [e for e in self.cues if e.time_s <= until_s]
        model.add_cues([e.label for e in seen], np.array([e.time_s + zero for e in seen]))
        for at, text in self.told:
            if at <= until_s:
                model.add_events([text], np.array([at + zero]), at + zero)
        return model


@lru_cache(maxsize=4)
@once
def twin_session(cap: str = "unicorn-8", faults: str = FAULTS, end_s: float = END_S) -> TwinSession:
    """Decode the demo's person with the demo's model."""
    engine = open_model(DEMO_MODEL)
    manifest = engine.manifest
    who = manifest.provenance["demo_person"]
    subject = Subject(skill=who["skill"], seed=who["seed"])
    protocol = CueProtocol(classes=manifest.classes)
    source = TimedSource(TwinSignal(load_montage(cap), SFREQ, subject, protocol=protocol, seed=1), faults, end_s)
    intake = take_in(source, Montage.from_dict(manifest.montage), clock=lambda: source.now)
    spec = replace(PreprocessSpec.from_dict(manifest.preprocess), mains_hz=intake.mains_hz)
    conditioner = Conditioner(spec, intake.plan.matrix, intake.scale, SFREQ)
    policy = DecisionPolicy(PolicySpec.from_dict(manifest.policy), manifest.classes, manifest.hop_s)
    header = own_header(engine, intake, conditioner, policy, LiveOptions(demo=True, model=str(DEMO_MODEL)))
    session = TwinSession(header, source.info, source.chunks, source.events)
    slow = SlowNow(engine, source)
    decoder = Decoder(
        intake.source,
        conditioner,
        slow,
        policy,
        manifest.n_times,
        reference=Reference.of(engine.reference),
        clock=lambda: source.now,
        perf=slow.perf,
    )
    news = BadNews(decoder, session)  # type: ignore[arg-type]
    while not decoder.ended:
        decoder.paused = PAUSED_S[0] <= source.now < PAUSED_S[1]
        session.rows += [(source.now, row) for row in decoder.step(0.0)]
        n_told = len(session.told)
        news.tell(source.now)
        session.told[n_told:] = [(source.now, text) for _, text in session.told[n_told:]]
    return session
