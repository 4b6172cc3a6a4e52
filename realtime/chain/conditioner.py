"""From raw samples to what the model sees, with every break and every bad second named.

The live decoder and everything that prepares recordings (corpus, evaluation, calibration) run their samples through
this one class, so a model is trained and tested on what it will be shown. It never looks back: a break or a bad channel
is reported when it is noticed. Who has the whole recording may mark backwards from these reports (`training.windows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.chain.filters import as_rate
from neuript.realtime.chain.holes import Hole, HoleBridge
from neuript.realtime.chain.plausibility import PlausibilityMonitor
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.chain.quality import BAND_LIMITS, QualityChange, QualityMonitor, Verdict, share_lost
from neuript.realtime.chain.repeats import RepeatFinder
from neuript.realtime.chain.sample_order import TOUCHES_S, SampleOrder
from neuript.realtime.chain.sample_rate import RateMeter, RateVerdict
from neuript.realtime.chain.standstill import StandstillFinder
from neuript.realtime.chain.timestamps import StampEvent, StampFit


class Stamps(Protocol):
    """What gives each sample its time and says where the stream broke: `StampFit`, or one that knows."""

    @property
    def rate_hz(self) -> float:
        """Measured rate in Hz."""
        ...

    @property
    def jitter_s(self) -> float:
        """Mean distance of the stamps from a smooth line, seconds."""
        ...

    def update(self, stamps: ArrayLike) -> tuple[NDArray[np.float64], list[StampEvent]]:
        """Return the time of each sample, shape (n_times,), and what happened, by absolute index."""
        ...

    def reset(self) -> None:
        """Forget all stamps; the next sample has index 0."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples at the model's rate, without a break inside.

    Attributes
    ----------
    y : ndarray, shape (n_times, n_model_chans)
        Samples in volts, float32.
    newest : ndarray of int64, shape (n_times,)
        Absolute index of the newest input sample in each row.
    t : ndarray, shape (n_times,)
        Time of that input sample in seconds.
    first : int
        Absolute index of the first row among all output samples.
    band : tuple of QualityChange
        Verdicts of the model's channels within the EEG band; `index` counts output samples.
    """

    y: NDArray[np.float32]
    newest: NDArray[np.int64]
    t: NDArray[np.float64]
    first: int
    band: tuple[QualityChange, ...] = ()


@dataclass(frozen=True, slots=True)
class InputChange:
    """From input sample `index` on the raw verdicts are these; `lost`: a channel that the model needs is bad."""

    index: int
    verdicts: NDArray[np.int8]
    lost: bool


@dataclass(frozen=True, slots=True)
class Touched:
    """Input samples up to `last` that no window may hold, as was noticed at sample `index`.

    `dead` says that it is for a channel that stands still, and not for their order.
    """

    index: int
    last: int
    dead: bool = False


@dataclass(frozen=True, slots=True)
class RateChange:
    """From input sample `index` on this is thought of the declared rate; both rates in Hz."""

    index: int
    verdict: RateVerdict
    declared: float
    measured: float


Cut = StampEvent | InputChange | Touched | RateChange | Hole
Piece = Stretch | StampEvent | InputChange | Touched | RateChange | Hole


class Conditioner:
    """Stamps, quality, channel matrix and causal chain, cut wherever something changes.

    The pieces, and every bit in them, depend on the samples alone, not on how they were cut into chunks. After a gap
    or a step of the clock the filters start anew with the next sample.

    Parameters
    ----------
    spec : PreprocessSpec
        Settings of the causal chain.
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        Weights of the stream's channels (columns) in each channel of the model (rows).
    scale : array_like, shape (n_stream_chans,) or scalar
        Volts per number of the stream.
    sfreq : float
        Nominal rate of the stream in Hz.
    stamps : Stamps, optional
        What fits a line through the stamps; None means a `StampFit`, which finds breaks causally.

    Raises
    ------
    NeuriptError
        If the chain cannot work at this rate.
    """

    def __init__(
        self, spec: PreprocessSpec, matrix: ArrayLike, scale: ArrayLike, sfreq: float, *, stamps: Stamps | None = None
    ) -> None:
        self.spec, self.sfreq = spec, float(sfreq)
        self.matrix = np.array(matrix, dtype=np.float64)
        self.chain = CausalChain(spec, self.matrix, sfreq)
        self.stamps: Stamps = stamps or StampFit(sfreq)
        self.order, self.rate = SampleOrder(sfreq), RateMeter(sfreq)
        self._rate_verdict = RateVerdict.FINE
        self.input_quality = QualityMonitor(self.matrix.shape[1], sfreq)
        self.band_quality = QualityMonitor(len(self.matrix), spec.sfreq, BAND_LIMITS)
        self.plausibility = PlausibilityMonitor(self.matrix, spec.sfreq)
        self.n_in = 0
        """Input samples so far."""
        self.n_out = 0
        """Output samples so far."""
        self.n_unstamped = 0
        """Samples that came before the first one with a stamp, and are left out: nobody knows when they were."""
        self._stamped = False
        self.newest_t = math.nan
        """Time of the newest input sample."""
        used = np.flatnonzero(self.matrix.any(axis=0))
        self._bridge, self.repeats = HoleBridge(used, sfreq), RepeatFinder(used, sfreq)
        self._still = StandstillFinder(used, sfreq)
        self._repeats_told_until = self._still_told_until = 0
        self._times: NDArray[np.float64] = np.empty(0)  # of the samples that wait in a hole
        self._cuts: list[Cut] = []  # what happened among them
        self._scale = np.asarray(scale, dtype=np.float32)
        self._inputs, self._outputs = (as_rate(sfreq) / as_rate(spec.sfreq)).as_integer_ratio()  # of the same time
        self._stamps_from = 0  # absolute input index of the stamps' sample 0
        self._chain_from = 0  # absolute input index of the chain's sample 0
        self._output_from = 0  # absolute output index of the chain's output 0

    @property
    def n_chans(self) -> int:
        """Number of the model's channels."""
        return len(self.matrix)

    @property
    def n_taken(self) -> int:
        """Input samples so far, with those that wait in a hole."""
        return self.n_in + self._bridge.n_waiting

    @property
    def settle_samples(self) -> int:
        """Output samples after a start during which the filters still ring."""
        return self.chain.settle_samples

    def push(self, data: NDArray[np.floating[Any]], stamps: ArrayLike) -> Iterator[Piece]:
        """Take the next samples and yield what they give, in order of time.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_stream_chans)
            Samples in the stream's own unit, oldest first.
        stamps : array_like, shape (n_times,)
            Time stamps of the samples in seconds.

        Yields
        ------
        Stretch, StampEvent, InputChange, Touched, RateChange or Hole
            An event's `index` counts input samples since the beginning. When a `GAP` or `STEP` is yielded, the filters
            have started anew.
        """
        raw = np.asarray(stamps, dtype=np.float64)
        if not self._stamped:
            data, raw = self._since_first_stamp(data, raw)
        volts = data * self._scale
        t, events = self.stamps.update(raw)
        cuts: list[Cut] = [*self._cuts]
        cuts += [e.shifted(self._stamps_from) for e in events]
        cuts += self._rate_changes(raw, {cut.index for cut in cuts if isinstance(cut, StampEvent) and cut.breaks})
        cuts += [*self._touched(raw), *self._repeated(volts), *self._stood_still(volts)]
        cuts += [self._input_change(change) for change in self.input_quality.update(volts)]
        volts, holes = self._bridge.take(volts)
        if len(t):
            self.newest_t = float(t[-1])
        t = np.concatenate([self._times, t]) if len(self._times) else t
        first, stop = self.n_in, self.n_in + len(volts)
        t, self._times = t[: len(volts)], t[len(volts) :]
        cuts = sorted([*cuts, *holes], key=lambda cut: cut.index)
        self._cuts = [cut for cut in cuts if cut.index > stop]
        for cut in cuts[: len(cuts) - len(self._cuts)]:
            yield from self._filter(volts, t, first, cut.index)
            if isinstance(cut, StampEvent) and cut.breaks:
                self.restart()
            yield cut
        yield from self._filter(volts, t, first, stop)

    def forgive(self, step: StampEvent) -> None:
        """Count nothing as lost where the sender's clock has stepped."""
        self.order.forgive(step.first - self._stamps_from - 1, step.index - self._stamps_from)

    def restart(self) -> None:
        """Start the filters anew with the next sample."""
        self.chain.reset()
        self.band_quality.reset()
        self.plausibility.reset()
        self._chain_from, self._output_from = self.n_in, self.n_out

    def restart_stream(self) -> None:
        """Start anew with another instance of the stream: its stamps have nothing to do with those so far."""
        self._stamped = False
        self.n_in += self._bridge.n_waiting  # they belong to what is gone
        self._times = self._times[:0]
        self._cuts = [replace(cut, index=self.n_in) for cut in self._cuts if isinstance(cut, InputChange | RateChange)]
        self._bridge.reset()
        self.repeats.reset()
        self._still.reset()
        self.stamps.reset()
        self.order.reset()
        self.rate.reset()
        self._stamps_from = self.n_in
        self.restart()

    def inputs_until(self, output: int) -> int:
        """Return how many more input samples complete the output with this absolute index, 0 or less if it is there."""
        needed = (output - self._output_from) * self._inputs // self._outputs + 1
        return needed - self.chain.n_in - self._bridge.n_waiting

    def _since_first_stamp(
        self, data: NDArray[np.floating[Any]], stamps: NDArray[np.float64]
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64]]:
        known = np.flatnonzero(np.isfinite(stamps))
        first = int(known[0]) if len(known) else len(stamps)
        self.n_unstamped += first
        self._stamped = bool(len(known))
        return data[first:], stamps[first:]

    def _touched(self, stamps: NDArray[np.float64]) -> list[Touched]:
        """Return where samples are out of order."""
        span = max(1, round(TOUCHES_S * self.sfreq))
        at = [self._stamps_from + index for index in self.order.update(stamps)]
        return [Touched(index, index + span - 1) for index in at]

    def _repeated(self, volts: NDArray[np.floating[Any]]) -> list[Touched]:
        """Return where samples come a second time; each report stands for those within `TOUCHES_S` after it."""
        span, touched = max(1, round(TOUCHES_S * self.sfreq)), []
        for index in self.repeats.update(volts):
            if index >= self._repeats_told_until:
                self._repeats_told_until = index + span
                touched.append(Touched(index, index + span - 1))
        return touched

    def _stood_still(self, volts: NDArray[np.floating[Any]]) -> list[Touched]:
        """Return where a channel stands still; each report stands for those within `TOUCHES_S` after it."""
        span, touched = max(1, round(TOUCHES_S * self.sfreq)), []
        for index in self._still.update(volts).tolist():
            if index >= self._still_told_until:
                self._still_told_until = index + span
                touched.append(Touched(index, index + span - 1, dead=True))
        return touched

    def _rate_changes(self, stamps: NDArray[np.float64], breaks: set[int]) -> list[RateChange]:
        """Measure the rate, anew after a break, and judge it once a second of samples."""
        first = self.n_in + self._bridge.n_waiting
        stop, block = first + len(stamps), max(1, round(self.sfreq))
        if not breaks and first // block == stop // block:
            self.rate.stamped(stamps)
            return []
        ends = set(range((first // block + 1) * block, stop + 1, block))
        changes, begin = [], first
        for end in sorted(ends | {index for index in breaks if first <= index < stop} | {stop}):
            self.rate.stamped(stamps[begin - first : end - first])
            begin = end
            if end in breaks:
                self.rate.reset()
            elif end in ends:
                self.rate.forget_old()
                changes += self._rate_change(end)
        return changes

    def _rate_change(self, index: int) -> list[RateChange]:
        verdict = self.rate.verdict
        if verdict is self._rate_verdict or not math.isfinite(self.rate.hz):
            return []
        self._rate_verdict = verdict
        return [RateChange(index, verdict, self.sfreq, self.rate.hz)]

    def _input_change(self, change: QualityChange) -> InputChange:
        lost = share_lost(self.matrix, change.verdicts != 0) > 0
        return InputChange(change.index, change.verdicts, lost)

    def _filter(self, volts: NDArray[np.float32], t: NDArray[np.float64], first: int, stop: int) -> Iterator[Stretch]:
        """Run input samples `n_in ... stop - 1` through the chain; row 0 of `volts` is number `first`."""
        part = volts[self.n_in - first : stop - first]
        self.n_in = max(self.n_in, stop)
        if not len(part):
            return
        y, newest = self.chain.process(part)
        newest = newest + self._chain_from
        begin, self.n_out = self.n_out, self.n_out + len(y)
        yield Stretch(y, newest, t[newest - first], begin, self._band_changes(y, begin))

    def _band_changes(self, y: NDArray[np.float32], begin: int) -> tuple[QualityChange, ...]:
        """Judge new outputs, the first of which is number `begin`, once the filters have settled."""
        settled = self._output_from + self.settle_samples
        if begin + len(y) <= settled:
            return ()
        part = y[max(0, settled - begin) :]
        quality, plausible = self.band_quality.verdicts, self.plausibility.verdicts
        merged: dict[int, NDArray[np.int8]] = {}
        changes = [(change, True) for change in self.band_quality.update(part)]
        changes += [(change, False) for change in self.plausibility.update(part)]
        for change, of_quality in sorted(changes, key=lambda pair: pair[0].index):
            quality, plausible = (change.verdicts, plausible) if of_quality else (quality, change.verdicts)
            merged[change.index] = np.where(quality != Verdict.OK, quality, plausible)
        return tuple(QualityChange(settled + index, verdicts) for index, verdicts in merged.items())
