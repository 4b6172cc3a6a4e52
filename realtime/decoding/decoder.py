"""One `step()`: pull, prepare, infer, publish. No thread, no wall clock of its own, the same live and in replay."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.alignment import AlignedWindows, PlainWindows, Reference, Windows
from neuript.realtime.chain.chunk import Chunk, Source, SourceStatus
from neuript.realtime.chain.conditioner import Conditioner, Piece, Stretch
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.chain.timestamps import StampEvent, StampKind
from neuript.realtime.chain.windowing import hop_samples
from neuript.realtime.decoding.admission import Admission, DueWindow
from neuript.realtime.decoding.arrivals import Arrivals
from neuript.realtime.decoding.contacts import ContactLog
from neuript.realtime.decoding.decision import Decision, Sink
from neuript.realtime.decoding.freshness import MAX_AGE_S, Freshness
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.skipping import Skipper
from neuript.realtime.decoding.states import State

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest

BATCH_S = 0.02
"""Between decisions samples are filtered in batches of so many seconds, so little is left when one is due."""
SLICE_S = 4.0
"""A chunk of more seconds is taken in slices, so that the ring can be small."""
_SILENT = {SourceStatus.STALE: State.STALE, SourceStatus.LOST: State.LOST}


class Infers(Protocol):
    """What the decoder needs of an engine."""

    def infer(self, signal: NDArray[Any], tangent: NDArray[Any], /) -> NDArray[np.float32]:
        """Return logits (n_outputs,) for a window's signal (n_times, n_chans) and its tangent vector (n_tangent,)."""
        ...


class Decoder:
    """Turns chunks of a source into decision rows.

    Parameters
    ----------
    source : Source
        Where the chunks come from, started; its rate and channels are those of `conditioner`.
    conditioner : Conditioner
        What turns the chunks into samples in volts at the model's rate.
    engine : Infers
        What turns a window into logits.
    policy : DecisionPolicy
        What turns logits into commands; its `hop_s` is the time in seconds from one decision to the next.
    n_times : int
        Number of samples in a window.
    reference : Reference, optional
        What windows are first seen from, where the preprocessing aligns them; None learns it from the stream's first
        seconds, in which nothing is decoded.
    moving : bool
        Whether the alignment follows the stream; False stays with `reference`.
    sinks : sequence of Sink
        What takes each row, in this order; the time the earlier ones took is the `publish` time of the later ones.
    clock : callable or None
        The LSL clock, for live use: windows are as old as it says, and hops that queued up are skipped.
        None decodes everything, as a replay must.
    max_age_s : float
        Age in seconds above which a window commands nothing, where there is a clock.
    rec_zero : float
        Stamp from which a replay counts `rec_t`, in seconds; NaN takes that of the first sample that comes.
    perf : callable
        Stopwatch for the stages, in seconds.
    """

    def __init__(
        self,
        source: Source,
        conditioner: Conditioner,
        engine: Infers,
        policy: DecisionPolicy,
        n_times: int,
        sinks: Sequence[Sink] = (),
        *,
        reference: Reference | None = None,
        moving: bool = True,
        clock: Callable[[], float] | None = None,
        max_age_s: float = MAX_AGE_S,
        rec_zero: float = math.nan,
        perf: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.source, self.conditioner, self.engine, self.policy = source, conditioner, engine, policy
        self.sinks = tuple(sinks)
        self.n_times = n_times
        hop = hop_samples(policy.hop_s, conditioner.spec.sfreq)
        self.admission = Admission(n_times, hop, conditioner.settle_samples)
        self.skipper = Skipper(policy.hop_s, live=clock is not None)
        self.freshness = Freshness(max_age_s, clock)
        self.ended = False
        self.paused = False
        """Set from outside between two steps: what would be OK is PAUSED, so nothing is commanded."""
        capacity = n_times + math.ceil((SLICE_S + 1) * conditioner.spec.sfreq)
        self.windows: Windows = PlainWindows(n_times, conditioner.n_chans, capacity)
        if conditioner.spec.alignment is not None:
            if reference is not None:
                conditioner.plausibility.usual_v = reference.usual_v(conditioner.spec.alignment)
            shape = n_times, conditioner.n_chans, conditioner.spec.sfreq, capacity
            self.windows = AlignedWindows(conditioner.spec.alignment, *shape, hop=hop, start=reference, moving=moving)
        self.contacts = ContactLog(source.info.ch_names, conditioner.matrix, live=clock is not None)
        """Which channels are bad now."""
        self._clock, self._perf = clock, perf
        self._uid = source.info.uid
        self._silence: tuple[State, float] | None = None
        self._rec_zero = rec_zero
        self._hops = 1  # since the last row that the policy saw
        self._arrivals = Arrivals(source.info)

    @classmethod
    def from_manifest(
        cls,
        source: Source,
        matrix: ArrayLike,
        scale: ArrayLike,
        manifest: Manifest,
        engine: Infers,
        sinks: Sequence[Sink] = (),
        *,
        reference: Reference | None = None,
        moving: bool = True,
        clock: Callable[[], float] | None = None,
        max_age_s: float = MAX_AGE_S,
        perf: Callable[[], float] = time.perf_counter,
    ) -> Decoder:
        """Build the decoder that a model's manifest describes.

        Parameters
        ----------
        source : Source
            Where the chunks come from, started.
        matrix : array_like, shape (n_model_chans, n_stream_chans)
            Weights of the stream's channels in each channel of the model, from `montages.plan_channels`.
        scale : array_like, shape (n_stream_chans,) or scalar
            Volts per number of the stream, from `chain.units`.
        manifest : Manifest
            Description of the model: classes, window, hop, preprocessing and policy.
        engine : Infers
            What turns windows into logits.
        sinks : sequence of Sink
            What takes each row; see `Decoder`.
        reference : Reference, optional
            What windows are first seen from; see `Decoder`.
        moving : bool
            Whether the alignment follows the stream.
        clock : callable or None
            The LSL clock, in seconds, for live use; None for a replay.
        max_age_s : float
            Age in seconds above which a window commands nothing.
        perf : callable
            Stopwatch for the stages, in seconds.
        """
        spec = PreprocessSpec.from_dict(manifest.preprocess)
        conditioner = Conditioner(spec, matrix, scale, source.info.sfreq)
        policy = DecisionPolicy(PolicySpec.from_dict(manifest.policy), manifest.classes, manifest.hop_s)
        return cls(
            source,
            conditioner,
            engine,
            policy,
            manifest.n_times,
            sinks,
            reference=reference,
            moving=moving,
            clock=clock,
            max_age_s=max_age_s,
            perf=perf,
        )

    def step(self, timeout_s: float = 0.1) -> list[Decision]:
        """Pull once, publish every decision that fell due, and return them.

        Raises
        ------
        StreamLostError
            If the stream is gone for good or came back as something else; the source raises it.
        """
        before = self._perf()
        chunk = self.source.pull(timeout_s, self._n_wanted())
        now = self._perf()
        self.ended = chunk.status is SourceStatus.ENDED
        if len(chunk) == 0:
            return self._silent(chunk, now)
        pulled_s = self._pulled_s(chunk, now - before)
        if self._silence is not None or chunk.status is SourceStatus.RECOVERED:
            self._recover(chunk)
        self.freshness.arrived(chunk)
        self._arrivals.arrived(chunk)
        rows: list[Decision] = []
        for part in self._slices(len(chunk)):
            began = self._perf() if part.start else now
            due = self._prepare(chunk.data[part], chunk.timestamps[part], marked_bad=chunk.marked_bad)
            self.freshness.fitted(self.conditioner.newest_t, chunk.pulled_at)
            latency = {"pull": pulled_s * 1e3, "filter": (self._perf() - began) * 1e3, "window": 0.0}
            late = self._pass_over(due, whole=part.stop < len(chunk))
            rows += self._decide(
                [w for w in due if w.index not in late], latency, self._age_ms(chunk), began - pulled_s
            )
        return rows

    def _slices(self, n_times: int) -> list[slice]:
        """Cut a chunk so that what is due in a piece is still in the ring."""
        size = max(1, round(SLICE_S * self.conditioner.sfreq))
        return [slice(start, min(start + size, n_times)) for start in range(0, n_times, size)]

    def recentre(self) -> None:
        """See windows from the signal that comes from now on, as at the start of a session without a calibration.

        Nothing is decoded until the new reference has settled. `undo_recentre` brings the old one back.

        Raises
        ------
        NeuriptError
            If the model does not recentre.
        """
        self._aligned().recentre()
        self.policy.start_over()

    def undo_recentre(self) -> None:
        """See windows from where they were seen before the last `recentre`, or else from where the session began.

        Raises
        ------
        NeuriptError
            If the model does not recentre.
        """
        self._aligned().undo()
        self.policy.start_over()

    def _aligned(self) -> AlignedWindows:
        if not isinstance(self.windows, AlignedWindows):
            raise NeuriptError("this model does not recentre its windows, so there is nothing to begin anew")
        return self.windows

    def _n_wanted(self) -> int:
        """Return a batch of samples, or exactly those that complete the next window."""
        batch = max(1, round(BATCH_S * self.conditioner.sfreq))
        needed = self.conditioner.inputs_until(self.admission.next_end - 1)
        return max(1, needed) if needed <= 1.5 * batch else batch

    def _pulled_s(self, chunk: Chunk, waited_s: float) -> float:
        """Time since the first sample of this pull was in hand; all of the pull where nobody waits."""
        if self._clock is None or math.isnan(chunk.pulled_at):
            return waited_s
        return min(max(self._clock() - chunk.pulled_at, 0.0), waited_s)

    def _age_ms(self, chunk: Chunk) -> float:
        return (chunk.pulled_at - self.conditioner.newest_t) * 1e3

    def _prepare(
        self, data: NDArray[np.float32], stamps: NDArray[np.float64], *, marked_bad: bool = False
    ) -> list[DueWindow]:
        """Take samples into the ring and return the decisions that fell due."""
        if math.isnan(self._rec_zero):
            self._rec_zero = float(stamps[0])
        if marked_bad:
            self.admission.touch(self.conditioner.n_taken + len(stamps) - 1, State.BAD_SIGNAL)
        due: list[DueWindow] = []
        for piece in self.conditioner.push(data, stamps):
            piece = self._told_apart(piece)
            self.contacts.note(piece)
            due += self.admission.take(piece, counted=self.conditioner.order.exact)
            if isinstance(piece, Stretch):
                self.windows.append(piece.y)
            elif isinstance(piece, StampEvent) and piece.breaks:
                self.windows.restart()
        return due

    def _told_apart(self, piece: Piece) -> Piece:
        """Tell lost samples from a step of the sender's clock by the time that passed here meanwhile."""
        if not (isinstance(piece, StampEvent) and piece.breaks):
            return piece
        if self.freshness.live and piece.seconds < 0:
            self.freshness.stepped(piece.seconds)
        elif self.freshness.live:
            piece = replace(piece, kind=StampKind.STEP if self.freshness.is_step(piece.seconds) else StampKind.GAP)
        if piece.kind is StampKind.STEP:
            self.conditioner.forgive(piece)
        return piece

    @property
    def n_missing(self) -> int:
        """Samples that were lost so far."""
        return self.admission.n_missing + self.conditioner.order.n_lost

    def _recover(self, chunk: Chunk) -> None:
        """Data flow again: a new instance of the stream starts over, the same one goes on."""
        info, conditioner = self.source.info, self.conditioner
        self._silence = None
        self._hold()
        if info.uid != self._uid:
            self._uid = info.uid
            self.admission.n_missing += self._arrivals.lost_before(chunk, conditioner.newest_t, info.sfreq)
            conditioner.restart_stream()
            self.contacts.restart()
            self.windows.restart()
            self.freshness.start_over()
            self.admission.start_over(State.RECOVERED)

    def _hold(self) -> None:
        """Command nothing for a while, in the stream's time and in the wall's."""
        self._arrivals.reset()
        self.admission.recovered(self.conditioner.n_in, self.source.info.sfreq)
        self.freshness.hold()

    def _decide(self, due: list[DueWindow], latency: dict[str, float], age_ms: float, zero: float) -> list[Decision]:
        skip = self.skipper.choose(due)
        rows = []
        for window in due:
            taken = dict(latency)
            if window.ready:
                began = self._perf()
                window = self._followed(window)
                taken["window"] = (self._perf() - began) * 1e3
                self.skipper.note(skipped=window.index in skip)
            if window.index in skip:
                self._hops += 1
            else:
                rows.append(self._decode(window, taken, age_ms, zero))
        return rows

    def _pass_over(self, due: list[DueWindow], *, whole: bool) -> set[int]:
        """Return the `index` of each decision that gets no row: what is old in a backlog, or all of a piece that is.

        The alignment learns from these windows too. Nothing is commanded for a while after them.
        """
        ready = [window for window in due if window.ready]
        late = ready[: self.freshness.n_backlog(ready, self._hops, whole=whole)]
        for window in late:
            self._followed(window)
        self._hops += len(late)
        if late:
            self._hold()
        return {window.index for window in late}

    def _followed(self, window: DueWindow) -> DueWindow:
        """Let the alignment learn from a whole window; it is not decoded before there is a settled reference."""
        clean = window.state is State.OK
        if self.windows.follow(window.end) if clean else self.windows.settled:
            return window
        return replace(window, state=State.WARMUP if clean else window.state, ready=False)

    def _decode(self, window: DueWindow, latency: dict[str, float], age_ms: float, zero: float) -> Decision:
        state, logits = window.state, None
        latency["infer"] = 0.0
        if window.ready and self.freshness.is_old(window.t):
            state = State.OVERLOAD if self.skipper.overloaded else State.STALE
            state = State.WARMUP if self.freshness.starting else state
            self._too_late(window.t)
        elif window.ready:
            began = self._perf()
            seen = self.windows.window(window.end)
            cut = self._perf()
            logits = self.engine.infer(seen.signal, seen.tangent)
            ended = self._perf()
            latency["window"] += (cut - began) * 1e3
            latency["infer"] = (ended - cut) * 1e3
            self.skipper.took(ended - began)
            if not np.isfinite(logits).all():
                state, logits = State.BAD_SIGNAL, None
            else:
                state = self._state_now(window)
                logits = None if state is State.WARMUP else logits
        return self._publish(window.t, window.index, state, logits, latency, age_ms, zero)

    def _state_now(self, window: DueWindow) -> State:
        """State of a decoded window, now that it is decoded: time has passed, and this process may have slept."""
        if self.freshness.is_old(window.t):
            self._too_late(window.t)
            return State.OVERLOAD
        if self.freshness.starting and self.freshness.holding:
            return State.WARMUP  # what queued up while the session began
        if window.state is not State.OK:
            return window.state
        if self.skipper.overloaded:
            return State.OVERLOAD
        if self._arrivals.wrong:
            return State.CLOCK
        if self.freshness.holding:
            return State.RECOVERED
        self.freshness.begun = True
        return State.PAUSED if self.paused else State.OK

    def _too_late(self, t: float) -> None:
        self.freshness.old(t)
        self._hold()

    def _publish(
        self,
        t: float,
        index: int,
        state: State,
        logits: NDArray[np.float32] | None,
        latency: dict[str, float],
        age_ms: float,
        zero: float,
    ) -> Decision:
        decided = self._perf()
        result = self.policy.update(logits, state, hops=self._hops, wall_s=self.freshness.passed_s())
        self._hops = 1
        row = Decision(
            t=t,
            window_index=index,
            state=state,
            proba=self._by_class(result.proba),
            evidence=self._by_class(result.evidence),
            decision=None if result.decision is None else self.policy.classes[result.decision],
            confidence=result.confidence,
            committed=result.committed,
            rec_t=t - self._rec_zero if self._clock is None else None,
            sample_age_ms=age_ms,
            latency_ms=latency,
        )
        began = self._perf()
        latency["decide"] = (began - decided) * 1e3
        latency["publish"], latency["total"] = 0.0, (began - zero) * 1e3
        for sink in self.sinks:
            sink.publish(row)
            now = self._perf()
            latency["publish"], latency["total"] = (now - began) * 1e3, (now - zero) * 1e3
        return row

    def _by_class(self, values: NDArray[np.float64] | None) -> dict[str, float] | None:
        return None if values is None else dict(zip(self.policy.classes, values.tolist(), strict=True))

    def _silent(self, chunk: Chunk, zero: float) -> list[Decision]:
        """Say at the pace of the hop that nothing arrives."""
        state = _SILENT.get(chunk.status)
        if state is None and self.freshness.is_old(self.conditioner.newest_t):
            state = State.STALE
        if state is None:
            return []
        at = self._silence
        if at is not None and at[0] is state and not chunk.pulled_at - at[1] >= self.policy.hop_s:
            return []
        self._silence = (state, chunk.pulled_at)
        latency = {"pull": 0.0, "filter": 0.0, "window": 0.0, "infer": 0.0}
        t = self.conditioner.newest_t
        return [self._publish(t, self.admission.index, state, None, latency, self._age_ms(chunk), zero)]
