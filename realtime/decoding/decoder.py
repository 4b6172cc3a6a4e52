"""One `step()`: pull, prepare, infer, publish. No thread, no wall clock of its own, the same live and in replay."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import Chunk, Source, SourceStatus
from neuript.realtime.chain.filters import as_rate
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.chain.quality import BAND_LIMITS, QualityMonitor, Verdict, share_lost
from neuript.realtime.chain.ring import RingBuffer
from neuript.realtime.chain.timestamps import STEP_S, StampEvent, StampFit, StampKind
from neuript.realtime.chain.windowing import Windower
from neuript.realtime.decoding.decision import Decision, Sink
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.states import State

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest

logger = logging.getLogger(__name__)

CATCH_UP_S = 0.5
"""Live, at most so much time is spent on decisions that have queued up; older ones are skipped."""
BATCH_S = 0.02
"""Between decisions samples are filtered in batches of this length, so little is left when one is due."""
SLICE_S = 4.0
"""A longer chunk is taken in slices, so that the ring can be small."""
SOFT_RECOVERY_S = 0.5
"""After late data went on without a hole, nothing is committed for so long."""
_OVERLOAD_HOPS, _OVERLOAD_ENTER = 16, 4
_DEAD = {
    Verdict.MISSING: "no numbers (NaN)",
    Verdict.FLAT: "flat",
    Verdict.RAIL: "stuck, mostly at the amplifier's limit",
    Verdict.HUGE: "too large to be cleaned",
}
_NAMED = 6
"""At most so many channels are named in one sentence."""


class Infers(Protocol):
    """What the decoder needs of an engine."""

    def infer(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Return logits, shape (n_outputs,), for a window in volts, shape (n_times, n_chans)."""
        ...


@dataclass(frozen=True, slots=True)
class _Due:
    """A decision that has fallen due."""

    end: int
    t: float
    index: int
    state: State
    ready: bool


class Decoder:
    """Turns chunks of a source into decision rows.

    Parameters
    ----------
    source : Source
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        From `montages.plan_channels`.
    scale : array_like, shape (n_stream_chans,) or scalar
        Volts per unit of the stream.
    manifest : Manifest
        Of the model: classes, window, hop, preprocessing, policy.
    engine : Infers
    sinks : sequence of Sink
        Take each row in turn; the time the earlier ones took is the `publish` time of the later ones.
    clock : callable or None
        The LSL clock, for live use: sample age is measured and hops that queued up are skipped.
        None decodes everything, as a replay must.
    perf : callable
        Stopwatch for the stages.
    spec, policy, hop_s
        Override what the manifest says.
    """

    def __init__(
        self,
        source: Source,
        matrix: ArrayLike,
        scale: ArrayLike,
        manifest: Manifest,
        engine: Infers,
        sinks: Sequence[Sink] = (),
        *,
        clock: Callable[[], float] | None = None,
        perf: Callable[[], float] = time.perf_counter,
        spec: PreprocessSpec | None = None,
        policy: PolicySpec | None = None,
        hop_s: float | None = None,
    ) -> None:
        self.source, self.engine, self.sinks = source, engine, list(sinks)
        self.classes = manifest.classes
        self.spec = spec or PreprocessSpec.from_dict(manifest.preprocess)
        self.policy_spec = policy or PolicySpec.from_dict(manifest.policy)
        self._clock, self._perf = clock, perf
        sfreq, n_chans = source.info.sfreq, len(source.info.ch_names)
        self._matrix = np.array(matrix, dtype=np.float64)
        self._scale = np.asarray(scale, dtype=np.float32)
        self.chain = CausalChain(self.spec, self._matrix, sfreq)
        hop = hop_samples(hop_s or manifest.hop_s, self.spec.sfreq)
        self.hop_s = hop / self.spec.sfreq
        self.policy = DecisionPolicy(self.policy_spec, self.classes, self.hop_s)
        self.windower = Windower(manifest.n_times, hop)
        self.ring = RingBuffer(manifest.n_times + math.ceil((SLICE_S + 1) * self.spec.sfreq), len(self._matrix))
        self.stamps = StampFit(sfreq)
        self.quality = QualityMonitor(n_chans, sfreq)
        self.band_quality: QualityMonitor | None = None
        if self.spec.alignment is None:  # aligned channels are not in volts
            self.band_quality = QualityMonitor(len(self._matrix), self.spec.sfreq, BAND_LIMITS)
        self._ratio = as_rate(sfreq) / as_rate(self.spec.sfreq)  # input samples per output
        self._batch = max(1, round(BATCH_S * sfreq))
        self._slice = max(1, round(SLICE_S * sfreq))
        self._uid = source.info.uid
        self._fit_base = 0  # absolute index of the stamp fit's sample 0
        self._chain_base = 0  # absolute index of the chain's sample 0
        self._out_base = 0  # absolute index of the chain's output 0
        self._state_until_full = State.WARMUP
        self._suspect: State | None = None
        self._bad = False
        self._bad_in_band = False
        self._named: set[int] = set()
        self._soft_until = 0
        self._silence: tuple[State, float] | None = None
        self._overload = Overload()
        self._infer_s = 0.0
        self._skipped_since = 0
        self._index = -1
        self._rec_zero = math.nan
        self._last_t = math.nan
        self.n_samples = 0
        self.n_skipped = 0
        self.n_gaps = 0
        self.n_missing = 0
        self.n_clock_steps = 0
        self.ended = False
        self.windower.restart(self.chain.settle_samples)

    # -- one step --------------------------------------------------------------------------------

    def step(self, timeout_s: float = 0.1) -> list[Decision]:
        """Pull once, publish every decision that fell due, and return them.

        Raises
        ------
        StreamLostError
            From the source, when the stream is gone for good or came back as something else.
        """
        before = self._perf()
        chunk = self._pull(timeout_s)
        now = self._perf()
        self.ended = chunk.status is SourceStatus.ENDED
        if len(chunk) == 0:
            return self._silent(chunk, now)
        pulled = self._pull_s(chunk, now - before)
        self._silence = None
        if chunk.status is SourceStatus.RECOVERED:
            self._recover()
        rows: list[Decision] = []
        for start in range(0, len(chunk), self._slice):
            part = slice(start, start + self._slice)
            began = self._perf() if start else now
            due = self._prepare(chunk.data[part], chunk.timestamps[part], chunk.status)
            filtered = self._perf() - began
            latency = {"pull": pulled * 1e3, "filter": filtered * 1e3}
            age_ms = (chunk.pulled_at - self._last_t) * 1e3
            rows += self._decide(due, latency, age_ms, began - pulled)
        return rows

    def _pull(self, timeout_s: float) -> Chunk:
        """Wait for a batch of samples, or for exactly those that complete the next window."""
        patient = getattr(self.source, "pull_at_least", None)
        if patient is None:
            return self.source.pull(timeout_s)
        chunk: Chunk = patient(self._n_wanted(), timeout_s)
        return chunk

    def _n_wanted(self) -> int:
        hop = self.windower.hop
        last_output = (self.windower.total // hop + 1) * hop - 1 - self._out_base
        needed = math.floor(last_output * self._ratio) + 1 - self.chain.n_in
        return max(1, needed) if needed <= 1.5 * self._batch else self._batch

    def _pull_s(self, chunk: Chunk, waited_s: float) -> float:
        """Time since the first sample of this pull was in hand; all of the pull where nobody waits."""
        if self._clock is None or math.isnan(chunk.pulled_at):
            return waited_s
        return min(max(self._clock() - chunk.pulled_at, 0.0), waited_s)

    # -- prepare ---------------------------------------------------------------------------------

    def _prepare(self, data: NDArray[np.float32], stamps: NDArray[np.float64], status: SourceStatus) -> list[_Due]:
        """Filter a slice and return what fell due; cut where stamps or signal quality change."""
        volts = data * self._scale
        if math.isnan(self._rec_zero):
            self._rec_zero = float(stamps[0])
        fitted, events = self.stamps.update(stamps)
        changes = self.quality.update(volts)
        first, stop = self.n_samples, self.n_samples + len(volts)
        cuts: list[tuple[int, StampEvent | bool]] = [(self._fit_base + event.index, event) for event in events]
        cuts += [(change.index, share_lost(self._matrix, change.verdicts != 0) > 0) for change in changes]
        cuts.sort(key=lambda cut: cut[0])
        due: list[_Due] = []
        for index, what in cuts:
            due += self._filter(volts, fitted, first, min(index, stop))
            if isinstance(what, StampEvent):
                self._note_stamps(what, index)
            else:
                self._bad = what
        if self._clock is not None:  # somebody can do something about it
            for change in changes:
                self._name_dead(change.verdicts)
        due += self._filter(volts, fitted, first, stop)
        self._last_t = float(fitted[-1])
        return due

    def _filter(self, volts: NDArray[np.float32], fitted: NDArray[np.float64], first: int, stop: int) -> list[_Due]:
        """Run samples `n_samples ... stop - 1` through the chain into the ring."""
        part = volts[self.n_samples - first : stop - first]
        self.n_samples = max(self.n_samples, stop)
        if not len(part):
            return []
        y, newest = self.chain.process(part)
        before = self.ring.total
        self.ring.append(y)
        ends = self.windower.advance(len(y))
        at = self._chain_base - first  # chain index -> index into `fitted`
        changes = self._judge(y, before)
        due: list[_Due] = []
        for end in ends:
            while changes and changes[0][0] <= end:
                self._bad_in_band = changes.pop(0)[1]
            latest = int(newest[end - 1 - before]) + at
            due.append(self._due(end, first + latest, float(fitted[latest])))
        if changes:
            self._bad_in_band = changes[-1][1]
        return due

    def _judge(self, y: NDArray[np.float32], before: int) -> list[tuple[int, bool]]:
        """Look at new outputs, the first of which is number `before`; return (index, any bad)."""
        settled = self._out_base + self.chain.settle_samples
        if self.band_quality is None or before + len(y) <= settled:
            return []
        changes = self.band_quality.update(y[max(0, settled - before) :])
        for change in changes:
            self._name(change.verdicts)
        return [(settled + change.index, bool(change.verdicts.any())) for change in changes]

    def _name(self, verdicts: NDArray[np.int8]) -> None:
        """Log, once for each channel, that its contact seems lost."""
        strongest = np.abs(self._matrix).argmax(axis=1)
        text = self._unnamed(int(i) for i in strongest[verdicts != Verdict.OK])
        if not text:
            return
        huge = f"more than {BAND_LIMITS.huge_pp_v * 1e3:g} mV"
        what = huge if (verdicts == Verdict.HUGE).any() else "nothing"
        logger.warning(
            "%s: %s within the EEG band, so a contact is lost or the head is moving; check the electrodes", text, what
        )

    def _name_dead(self, verdicts: NDArray[np.int8]) -> None:
        """Log, once for each channel that the model uses, that the amplifier sends no signal of it."""
        used = np.abs(self._matrix).sum(axis=0) > 0
        for verdict in np.unique(verdicts[used & (verdicts != Verdict.OK)]):
            if text := self._unnamed(np.flatnonzero(used & (verdicts == verdict)).tolist()):
                what = _DEAD[Verdict(int(verdict))]
                logger.warning("%s: %s; check the electrodes and the cable", text, what)

    def _unnamed(self, channels: Iterable[int]) -> str:
        """Return the labels of those channels that no sentence has named yet."""
        labels = self.source.info.ch_names
        new = [i for i in dict.fromkeys(channels) if i not in self._named]
        self._named.update(new)
        text = ", ".join(labels[i] or f"channel {i + 1}" for i in new[:_NAMED])
        return text + (f" and {len(new) - _NAMED} more" if len(new) > _NAMED else "")

    def _due(self, end: int, newest: int, t: float) -> _Due:
        self._index += 1
        if self._bad or self._bad_in_band:  # no window may touch the bad stretch
            self._state_until_full = State.BAD_SIGNAL
            self.windower.restart(end)
        full = self.windower.is_full(end)
        soft = newest < self._soft_until
        state = self._suspect or (State.OK if full else self._state_until_full)
        if soft and state in (State.OK, State.GAP):
            state = State.RECOVERED
        return _Due(end, t, self._index, state, full and self._suspect is None)

    def _note_stamps(self, event: StampEvent, index: int) -> None:
        seconds = event.detail["seconds"]
        if event.kind is StampKind.SUSPECT:
            self._suspect = State.GAP if 0 < seconds <= STEP_S else State.CLOCK
            return
        self._suspect = None
        if event.kind is StampKind.BURST:
            return
        if event.kind is StampKind.GAP:
            self.n_gaps += 1
            self.n_missing += round(event.detail["missing"])
            state = State.RECOVERED if index <= self._soft_until else State.GAP
            logger.warning("%.0f samples are missing", event.detail["missing"])
        else:
            self.n_clock_steps += 1
            state = State.CLOCK
            logger.warning("the clock of the stream jumped by %.3f s", seconds)
        self._start_over(state)

    def _start_over(self, state: State) -> None:
        """Begin anew with the next sample; `state` until a window without the break is full."""
        self.chain.reset()
        if self.band_quality is not None:
            self.band_quality.reset()
        self._bad_in_band = False
        self._chain_base = self.n_samples
        self._out_base = self.ring.total
        self.windower.restart(self.ring.total + self.chain.settle_samples)
        self._state_until_full = state

    def _recover(self) -> None:
        """Data flow again: a new instance of the stream starts over, the same one goes on."""
        self._soft_until = self.n_samples + round(SOFT_RECOVERY_S * self.source.info.sfreq)
        if self.source.info.uid != self._uid:
            self._uid = self.source.info.uid
            self.stamps.reset()
            self._fit_base = self.n_samples
            self._suspect = None
            self._start_over(State.RECOVERED)

    # -- decide ----------------------------------------------------------------------------------

    def _decide(self, due: list[_Due], latency: dict[str, float], age_ms: float, zero: float) -> list[Decision]:
        ready = [item for item in due if item.ready]
        skip = {item.index for item in ready[: self._n_to_skip(len(ready))]}
        rows = []
        for item in due:
            if item.ready:
                self._overload.note(skipped=item.index in skip)
            if item.index in skip:
                self.n_skipped += 1
                self._skipped_since += 1
                continue
            rows.append(self._decode(item, dict(latency), age_ms, zero))
        return rows

    def _n_to_skip(self, n_ready: int) -> int:
        """How many of the oldest decisions to leave out so that the newest is not late."""
        if self._clock is None or n_ready < 2:
            return 0
        budget_s = min(n_ready * self.hop_s, CATCH_UP_S)
        return max(0, n_ready - max(1, int(budget_s / max(self._infer_s, 1e-6))))

    def _decode(self, item: _Due, latency: dict[str, float], age_ms: float, zero: float) -> Decision:
        state, logits = item.state, None
        latency["infer"] = 0.0
        if item.ready:
            began = self._perf()
            logits = self.engine.infer(self.ring.window(item.end, self.windower.n_times))
            took = self._perf() - began
            latency["infer"] = took * 1e3
            self._infer_s = took if self._infer_s == 0 else 0.8 * self._infer_s + 0.2 * took
            if not np.isfinite(logits).all():
                state, logits = State.BAD_SIGNAL, None
            elif state is State.OK and self._overload.active:
                state = State.OVERLOAD
        return self._publish(item.t, item.index, state, logits, latency, age_ms, zero)

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
        result = self.policy.update(logits, state, hops=1 + self._skipped_since)
        self._skipped_since = 0
        proba = None
        if result.proba is not None:
            proba = dict(zip(self.classes, result.proba.tolist(), strict=True))
        row = Decision(
            t=t,
            window_index=index,
            state=state,
            proba=proba,
            decision=None if result.decision is None else self.classes[result.decision],
            confidence=result.confidence,
            committed=result.committed,
            rec_t=t - self._rec_zero if self._clock is None else None,
            sample_age_ms=age_ms,
            latency_ms=latency,
        )
        began = self._perf()
        latency["publish"], latency["total"] = 0.0, (began - zero) * 1e3
        for sink in self.sinks:
            sink.publish(row)
            now = self._perf()
            latency["publish"], latency["total"] = (now - began) * 1e3, (now - zero) * 1e3
        return row

    # -- silence ---------------------------------------------------------------------------------

    def _silent(self, chunk: Chunk, zero: float) -> list[Decision]:
        """Say at the pace of the hop that nothing arrives."""
        state = _SILENT.get(chunk.status)
        if state is None:
            return []
        at = self._silence
        if at is not None and at[0] is state and not chunk.pulled_at - at[1] >= self.hop_s:
            return []
        self._silence = (state, chunk.pulled_at)
        age_ms = (chunk.pulled_at - self._last_t) * 1e3
        latency = {"pull": 0.0, "filter": 0.0, "infer": 0.0}
        return [self._publish(self._last_t, self._index, state, None, latency, age_ms, zero)]


class Overload:
    """Whether skipped hops are an accident or a habit: a quarter of the last 16, until none of them."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_OVERLOAD_HOPS)
        self.active = False

    def note(self, *, skipped: bool) -> None:
        """Take one hop."""
        self._recent.append(skipped)
        n = sum(self._recent)
        was = self.active
        self.active = n >= _OVERLOAD_ENTER or (self.active and n > 0)
        if self.active and not was:
            logger.warning("inference is slower than the hop; hops are skipped")


def hop_samples(hop_s: float, sfreq: float) -> int:
    """Return the hop in samples of the model's rate.

    Raises
    ------
    NeuriptError
        If it is not a whole number of samples.
    """
    exact = hop_s * sfreq
    hop = round(exact)
    if hop < 1 or abs(exact - hop) > 1e-6:
        raise NeuriptError(
            f"a hop of {hop_s:g} s is {exact:g} samples at {sfreq:g} Hz; use a multiple of "
            f"{1 / sfreq:g} s, such as {max(1, hop) / sfreq:g}"
        )
    return hop


_SILENT = {SourceStatus.STALE: State.STALE, SourceStatus.LOST: State.LOST}
