"""Listen to the first seconds of a source: their unit, which channels live, whether there is mains.

What is heard is decided on a fixed number of samples and handed on to the decoder, so that a recording
replayed over LSL and the same recording read directly are treated alike.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.montages import ChannelPlan, Montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo, Source, SourceStatus
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.chain.sample_rate import RateMeter, RateVerdict, wrong_rate
from neuript.realtime.decoding.freshness import FOREIGN_S
from neuript.realtime.live.first_signal import hear_from_signal
from neuript.realtime.recordings.channel_plan import assumed_cap, plan_signal
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.look import Look, called_bad

logger = logging.getLogger(__name__)

LISTEN_S = 2.0
"""Seconds of signal that are heard before decoding begins."""
SILENT_S = 10.0
"""Seconds after which a stream that sends nothing is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What the first seconds told."""

    source: Source
    """The source with the samples heard so far put back in front, from where a signal begins."""
    first_t: float
    """Stamp of the very first sample, in seconds."""
    plan: ChannelPlan
    scale: NDArray[np.float64]
    """Volts per number of each stream channel, shape (n_stream_chans,)."""
    mains_hz: float | None
    bads: tuple[str, ...]
    """Channels that are dead from the start or called bad, and interpolated."""
    notes: tuple[str, ...]
    """Sentences for the user."""
    dead: tuple[str, ...] = ()
    """Those of `bads` that are dead."""
    header: SignalInfo
    """What the stream should have said of itself: the names, places and unit that are taken."""


class Rewound:
    """A source that first gives again what was already pulled from it."""

    def __init__(self, chunks: Sequence[Chunk], source: Source) -> None:
        self._chunks = deque(chunks)
        self._source = source

    @property
    def info(self) -> SignalInfo:
        """What the stream says about itself."""
        return self._source.info

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return the next chunk."""
        return self._chunks.popleft() if self._chunks else self._source.pull(timeout_s, n_min)

    def close(self) -> None:
        """Let go of the stream."""
        self._source.close()


class Paced:
    """A recording at the pace of its stamps, times `speed`."""

    def __init__(
        self,
        source: Source,
        speed: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source, self._speed = source, speed
        self._clock, self._sleep = clock, sleep
        self._begin = math.nan
        self._n_samples = 0

    @property
    def info(self) -> SignalInfo:
        """What the recording says about its EEG."""
        return self._source.info

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return the next chunk when its last sample is due."""
        chunk = self._source.pull(timeout_s, n_min)
        if math.isnan(self._begin):
            self._begin = self._clock()
        self._n_samples += len(chunk)
        due = self._begin + self._n_samples / self.info.sfreq / self._speed
        while (left := due - self._clock()) > 0 and len(chunk):
            self._sleep(min(left, 0.1))
        return chunk

    def close(self) -> None:
        """Let go of the recording."""
        self._source.close()


def take_in(
    source: Source,
    model: Montage,
    cap: Montage | None = None,
    *,
    unit: str | None = None,
    mains: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    check: Callable[[], None] = lambda: None,
) -> Intake:
    """Match the channels, then listen: unit, dead channels, mains.

    Parameters
    ----------
    source : Source
        The stream to listen to, started.
    model, cap : Montage
        What the model needs, and what is on the head; None where the labels say it, or where there are none and their
        number is that of the model's channels, whose order is then assumed.
    unit : str, optional
        Unit of the samples that the user gives; None takes what the stream says.
    mains : float, optional
        Mains frequency in Hz: 50 or 60 if it is known, 0 for no notch, None to measure it.
    clock : callable
        Stopwatch for a stream that stays silent.
    check : callable
        Called between pulls; may raise to end the listening.

    Raises
    ------
    NeuriptError
        If channels, unit or signal do not fit; the sentence says what to do.
    StreamNotFoundError
        If the stream sends nothing.
    """
    info = source.info
    cap = cap or assumed_cap(info, model)
    plan = plan_signal(info, model, cap)
    chunks = listen(source, math.ceil(LISTEN_S * info.sfreq), clock, check)
    check_rate(info, chunks)
    heard, since = hear_from_signal(source, chunks, plan.used, math.ceil(LISTEN_S * info.sfreq), check)
    if len(heard) < 0.5 * info.sfreq:
        raise NeuriptError(f"'{info.name}' ends after {len(heard) / info.sfreq:.2f} s; there is nothing to decode")
    look = Look(info=info, x=heard, channels=tuple(plan.used))
    found = look.scale(unit)
    scale = found.scale
    notes = [n for n in (_silence_note(chunks, since), found.note, _clock_note(since[-1])) if n]
    verdicts = look.verdicts(scale)
    called = called_bad(info)
    bad = [i for i in plan.used if called[i] or verdicts[i] in (Verdict.MISSING, Verdict.FLAT)]
    if len(bad) == len(plan.used):
        raise NeuriptError(
            f"every channel of '{info.name}' that the model needs is flat, not a number or called bad; "
            "is the cap connected and the amplifier measuring?"
        )
    names = tuple(plan.ch_names[i] for i in bad)
    if bad:
        plan = plan_signal(info, model, cap, bads=names)
        if dead := [f"{plan.ch_names[i]} ({_WORDS[int(verdicts[i])]})" for i in bad if not called[i]]:
            notes.append(f"dead from the start, so interpolated: {', '.join(dead)}")
        if told := [plan.ch_names[i] for i in bad if called[i]]:
            notes.append(f"called bad by the recording, so interpolated: {', '.join(told)}")
    if mains is None:
        mains = look.mains_hz(scale, tuple(plan.used))
        notes.append(f"mains: {mains:g} Hz measured" if mains else "mains: none measured")
    return Intake(
        source=Rewound(since, source),
        first_t=float(chunks[0].timestamps[0]),
        plan=plan,
        scale=scale,
        mains_hz=mains or None,
        bads=names,
        dead=tuple(plan.ch_names[i] for i in bad if not called[i]),
        notes=tuple(notes),
        header=explained(info, cap, unit),
    )


def listen(source: Source, n_samples: int, clock: Callable[[], float], check: Callable[[], None]) -> list[Chunk]:
    """Return the first chunks of a source, so many samples or a few more; fewer where it ends before.

    Parameters
    ----------
    source : Source
        The stream to listen to, started.
    n_samples : int
        Number of samples that are wanted.
    clock : callable
        Stopwatch for a stream that stays silent.
    check : callable
        Called between pulls; may raise to end the listening.

    Raises
    ------
    NeuriptError
        If the source ends without a sample, or sends much less or more than it declares.
    StreamNotFoundError
        If it sends nothing for 10 s.
    """
    chunks: list[Chunk] = []
    n, last = 0, clock()
    meter = RateMeter(source.info.sfreq * source.info.speed, 2 * LISTEN_S)
    while n < n_samples and meter.verdict is not RateVerdict.WRONG:
        check()
        chunk = source.pull(0.1)
        if len(chunk):
            chunks.append(chunk)
            n, last = n + len(chunk), clock()
            meter.arrived(len(chunk), chunk.pulled_at)
        elif chunk.status is SourceStatus.ENDED:
            break
        elif clock() - last > SILENT_S:
            raise StreamNotFoundError(
                f"the stream '{source.info.name}' is there but sends no samples (waited "
                f"{SILENT_S:g} s); start the acquisition on the amplifier"
            )
    if meter.verdict is RateVerdict.WRONG:
        raise NeuriptError(wrong_rate(source.info.name, meter))
    if not chunks:
        raise NeuriptError(f"'{source.info.name}' holds no samples")
    return chunks


def check_rate(info: SignalInfo, chunks: Sequence[Chunk]) -> None:
    """Compare the declared rate with what the stamps say; nothing that a few seconds can tell is let pass.

    Raises
    ------
    NeuriptError
        If the stream sends at another rate than it declares, or no stamps.
    """
    stamps = np.concatenate([chunk.timestamps for chunk in chunks])
    if not np.isfinite(stamps).any():
        raise NeuriptError(f"the samples of '{info.name}' have no time stamps; without them nothing can be decoded")
    meter = RateMeter(info.sfreq)
    meter.stamped(stamps)
    if meter.verdict is RateVerdict.WRONG:
        raise NeuriptError(wrong_rate(info.name, meter))


def _silence_note(chunks: Sequence[Chunk], since: Sequence[Chunk]) -> str:
    silent_s = float(since[0].timestamps[0] - chunks[0].timestamps[0])
    return f"the first {silent_s:.1f} s hold no signal: decoding begins where one begins" if silent_s > 0 else ""


def _clock_note(chunk: Chunk) -> str:
    """Notice stamps that are not on the LSL clock (device time, Unix time)."""
    away_s = float(chunk.pulled_at - chunk.timestamps[-1])
    if not abs(away_s) > FOREIGN_S:  # also NaN: a recording
        return ""
    return (
        f"the stamps are {away_s:+.1f} s away from this computer's LSL clock: the sender uses another "
        "clock; ages are counted from its first samples, and decisions carry that clock's times"
    )


_WORDS = {int(Verdict.MISSING): "not a number", int(Verdict.FLAT): "flat"}
