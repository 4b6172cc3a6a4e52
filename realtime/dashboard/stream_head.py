"""What the dashboard's head map shows of a stream: the decoder's verdicts, or the power of a rhythm. No Qt, no LSL."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuript.montages import canonical_name
from neuript.montages.loader import template_positions
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.dashboard.band_power import BANDS, Band, BandPower
from neuript.realtime.dashboard.head_points import HeadPoint, Level, top_view
from neuript.realtime.decoding.bad_channels import read_bad
from neuript.realtime.decoding.decoder_header import DecoderHeader

QUALITY = "quality"
SHOWS = (QUALITY, *(band.name for band in BANDS))
"""What the map can show."""
MEASURE_EVERY_S = 0.5
LEAST_RATIO = 4.0
"""The strongest colour stands for at least so many times the power of the weakest: equal electrodes look equal."""
_FOLLOW = 0.3
"""By how much of the way the ends of the scale move at each measurement."""
_WORDS = {
    Verdict.OK: "",
    Verdict.MISSING: "sends no numbers",
    Verdict.FLAT: "is flat",
    Verdict.RAIL: "is stuck at the amplifier's limit",
    Verdict.HUGE: "is far too large",
    Verdict.SAME: "is the same as all others",
    Verdict.TONE: "carries one frequency alone",
    Verdict.NOISE: "carries noise of its own",
    Verdict.SMALL: "is too small for EEG",
    Verdict.LARGE: "is too large for EEG",
    Verdict.POPS: "jumps, its contact is loose",
}
_SHORT = {
    Verdict.OK: "",
    Verdict.MISSING: "no data",
    Verdict.FLAT: "flat",
    Verdict.RAIL: "stuck",
    Verdict.HUGE: "huge",
    Verdict.SAME: "same",
    Verdict.TONE: "tone",
    Verdict.NOISE: "noise",
    Verdict.SMALL: "small",
    Verdict.LARGE: "large",
    Verdict.POPS: "pops",
}
_MADE = "made of other channels, as the channel table says"
_NOWHERE = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class PowerScale:
    """What the colours of the map stand for."""

    band: Band
    low: float
    """Power of the weakest colour."""
    high: float
    """Power of the strongest colour."""
    unit: str


class StreamHead:
    """Keeps what is known of each electrode of a stream."""

    def __init__(self) -> None:
        self._bad: dict[str, Verdict] = {}
        self._eeg: SignalInfo | None = None
        self._decoder: DecoderHeader | None = None
        self._points: tuple[HeadPoint, ...] | None = None
        self._power: BandPower | None = None
        self._shows = QUALITY
        self._unit = "µV²"
        self._measured: NDArray[np.float64] | None = None
        self._ends: tuple[float, float] | None = None
        self._due = 0

    # --- what arrives --------------------------------------------------------------------------

    def take_decoder(self, info: DecoderHeader) -> None:
        """Take the header of a decoder; what the one before found bad is forgotten."""
        self._decoder, self._points, self._bad = info, None, {}

    def take_eeg(self, info: SignalInfo) -> None:
        """Take the header of the stream, its channels called as they are to be shown."""
        fresh = self._eeg is None or len(info.ch_names) != len(self._eeg.ch_names) or info.sfreq != self._eeg.sfreq
        self._eeg, self._points = info, None
        if fresh:
            self._power = BandPower(len(info.ch_names), info.sfreq or 250.0)
            self._measured, self._ends, self._due = None, None, 0

    def take_bad(self, text: str) -> None:
        """Take what the decoder says of its channels."""
        self._bad = read_bad(text)

    def choose(self, shows: str) -> None:
        """Show something else from now on: one of `SHOWS`."""
        self._shows, self._measured, self._ends = shows, None, None
        self._due = 0

    @property
    def shows(self) -> str:
        """What is shown."""
        return self._shows

    def add(self, x: NDArray[np.float32], *, in_uv: bool) -> None:
        """Take the next samples, shape (n_times, n_chans), in microvolts or in the stream's own unit."""
        if self._power is None or self._eeg is None:
            return
        self._unit = "µV²" if in_uv else "(stream unit)²"
        self._power.add(x)
        self._due -= len(x)
        band = next((band for band in BANDS if band.name == self._shows), None)
        if band is None or self._due > 0:
            return
        self._due = round(MEASURE_EVERY_S * (self._eeg.sfreq or 250.0))
        self._measured = self._power.of(band)
        self._move_ends()

    def broke(self) -> None:
        """Note that the next samples do not join on to those so far."""
        if self._power is not None:
            self._power.reset()
            self._measured = None

    # --- what is shown -------------------------------------------------------------------------

    @property
    def wrong(self) -> list[str]:
        """What is wrong with each bad channel, in words."""
        return [f"{name} {_WORDS[verdict]}" for name, verdict in self._bad.items()]

    def verdicts(self) -> list[str]:
        """Return a word on each channel of the stream; empty where the decoder has nothing against it."""
        names = self._eeg.ch_names if self._eeg is not None else ()
        return [_SHORT[self._bad.get(name, Verdict.OK)] for name in names]

    @property
    def scale(self) -> PowerScale | None:
        """What the colours stand for; None where they stand for quality, or nothing is measured yet."""
        band = next((band for band in BANDS if band.name == self._shows), None)
        if band is None or self._measured is None or self._ends is None:
            return None
        return PowerScale(band, 10 ** self._ends[0], 10 ** self._ends[1], self._unit)

    def points(self, *, silent: bool) -> tuple[HeadPoint, ...]:
        """Return every electrode of the decoder, and of the stream's other channels those whose place is known.

        Parameters
        ----------
        silent : bool
            True while no samples come: then nothing is said of any of them.
        """
        if self._points is None:
            self._points = _electrodes(self._decoder, self._eeg)
        return self._points if silent else tuple(self._now(point) for point in self._points)

    def _now(self, point: HeadPoint) -> HeadPoint:
        verdict = self._bad.get(point.name, Verdict.OK)
        if verdict is not Verdict.OK:
            return replace(point, level=Level.BAD, why=_WORDS[verdict])
        power = math.nan if self._measured is None or point.channel is None else float(self._measured[point.channel])
        if self._ends is None or not power > 0:
            return point
        low, high = self._ends
        share = min(1.0, max(0.0, (math.log10(power) - low) / (high - low)))
        return replace(point, share=share, why=f"{self._shows} {power:.3g} {self._unit}")

    def _move_ends(self) -> None:
        """Let the ends of the scale follow the weakest and the strongest electrode on the map."""
        points = self.points(silent=True)
        at = [p.channel for p in points if p.placed and p.channel is not None and p.name not in self._bad]
        power = self._measured[at] if self._measured is not None else np.empty(0)
        power = power[np.isfinite(power) & (power > 0)]
        if not len(power):
            return
        low, high = float(np.log10(power.min())), float(np.log10(power.max()))
        more = max(0.0, math.log10(LEAST_RATIO) - (high - low)) / 2
        low, high = low - more, high + more
        before = self._ends or (low, high)
        self._ends = before[0] + _FOLLOW * (low - before[0]), before[1] + _FOLLOW * (high - before[1])


def _electrodes(decoder: DecoderHeader | None, eeg: SignalInfo | None) -> tuple[HeadPoint, ...]:
    """The decoder's electrodes in its order, then the stream's other channels."""
    if decoder is None or not decoder.electrodes:
        return ()
    xy = top_view([e.pos_m or _NOWHERE for e in decoder.electrodes]).tolist()
    points = [
        HeadPoint(name=e.name, x=x, y=y, channel=e.channel)
        if e.channel is not None
        else HeadPoint(name=e.name, x=x, y=y, level=Level.ABSENT, why=_MADE)
        for e, (x, y) in zip(decoder.electrodes, xy, strict=True)
    ]
    return (*points, *_others(decoder, eeg))


def _others(decoder: DecoderHeader, eeg: SignalInfo | None) -> list[HeadPoint]:
    """Channels that carry no electrode of the decoder, where their place is known."""
    names = eeg.ch_names if eeg is not None else ()
    carried = {e.channel for e in decoder.electrodes}
    left = [k for k in range(len(names)) if k not in carried]
    if eeg is None or not left:
        return []
    known = template_positions()
    places = [known.get(canonical_name(names[k])) or eeg.positions_m.get(names[k], _NOWHERE) for k in left]
    xy = top_view(places).tolist()
    why = "not used by the decoder"
    points = [
        HeadPoint(name=names[k], x=x, y=y, channel=k, used=k in decoder.used, why="" if k in decoder.used else why)
        for k, (x, y) in zip(left, xy, strict=True)
    ]
    return [point for point in points if point.placed]
