"""What the signal view shows, without Qt and without LSL: traces, the check, the spectrum, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from neuript.pasteable import pasteable
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import unit_name
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.dashboard.trace_model import TraceModel
from neuript.realtime.dashboard.words import duration
from neuript.realtime.live.signal_check import SignalCheck, without_samples
from neuript.realtime.live.suggestions import montages_with
from neuript.realtime.live.worn_cap import WornCap, WornElectrode

QUIET_S = 1.5
"""Seconds without samples after which the last check says nothing any more."""
NOTICE_S = 20.0
"""Seconds for which something that passes is said."""
SEGMENT_S = 2.0
"""Seconds of a segment of the spectrum: half a hertz of resolution."""
HIGHEST_HZ = 70.0
"""Upper end of the spectrum."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Power of the last seconds."""

    freq: NDArray[np.float64]
    """Frequencies in Hz, shape (n_freqs,)."""
    power: NDArray[np.float64]
    """Power density, shape (n_freqs, n_chans), of the judged channels."""
    channels: tuple[int, ...]
    """The stream's channel of each column."""
    unit: str
    """Unit of `power`: `µV²/Hz` where the unit of the samples is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSnapshot:
    """Everything a view shows at one moment; None where nothing is known."""

    eeg: SignalInfo | None
    connected: bool
    check: SignalCheck | None
    spectrum: Spectrum | None
    notices: tuple[str, ...]
    """What happened to the stream, newest first."""
    silence_s: float | None
    sfreq_measured: float | None
    display_filter: str
    cap: str
    """Name of the montage that the user gave, or empty."""

    @property
    def stream_words(self) -> str:
        """Name, channels, rate and montage in a few words."""
        if self.eeg is None:
            return "waiting for the stream"
        measured = "" if self.sfreq_measured is None else f" (measured {self.sfreq_measured:.1f})"
        cap = f" · montage {self.cap}" if self.cap else ""
        return f"{self.eeg.name} · {len(self.eeg.ch_names)} channels · {self.eeg.sfreq:g} Hz{measured}{cap}"

    @property
    def verdict(self) -> str:
        """The one sentence: go, or what to do first."""
        if self.eeg is not None and not self.connected:
            return "NOT YET: the stream is gone; this view goes on when it is back"
        return "listening to the first seconds" if self.check is None else self.check.verdict

    @property
    def level(self) -> Level:
        """How the verdict is coloured."""
        if self.check is None or (self.connected and not self.check.go) or not self.connected:
            return Level.ABSENT if self.check is None and self.connected else Level.BAD
        return Level.DOUBTFUL if self.check.fix else Level.GOOD

    @property
    def more_sentences(self) -> tuple[str, ...]:
        """What is true of the whole, but for what the verdict says already."""
        return () if self.check is None else tuple(s for s in self.check.sentences if s != self.check.fix)

    @property
    def counts(self) -> str:
        """How many electrodes have which level."""
        if self.check is None:
            return ""
        counts = {level: len(self.check.with_level(level)) for level in Level}
        return " · ".join(f"{n} {level.value}" for level, n in counts.items() if n)


class SignalModel(TraceModel):
    """Collects what a stream delivers, and answers with snapshots.

    Parameters
    ----------
    cap : str
        Name of the montage that the user gave, or empty.
    """

    def __init__(self, cap: str = "") -> None:
        super().__init__()
        self._cap = cap
        self._check: SignalCheck | None = None
        self._spectrum: Spectrum | None = None
        self._scale_uv: NDArray[np.float32] | None = None
        self._connected = False
        self._passing: list[tuple[float, str]] = []
        self._lasting: dict[str, str] = {}

    def connect_eeg(self, info: SignalInfo) -> None:
        """Take the header of the stream and start anew; what its numbers mean is to be found out again."""
        super().connect_eeg(info)
        self._check, self._spectrum, self._scale_uv = None, None, None
        self._connected = True

    def disconnect_eeg(self) -> None:
        """Note that the stream is gone; its picture stays."""
        super().disconnect_eeg()
        self._connected = False

    def note(self, text: str, now: float) -> None:
        """Say something that has happened, for a while."""
        self._passing.append((now, text))

    def keep_saying(self, about: str, text: str) -> None:
        """Say something until it is taken back with an empty text."""
        self._lasting[about] = text

    def take_check(self, check: SignalCheck, spectrum: Spectrum | None) -> None:
        """Take what was found about the last seconds; the first known unit is the one that is drawn in."""
        self._check = check
        self._spectrum = spectrum or self._spectrum
        if self._scale_uv is None and check.scale is not None and self.eeg is not None:
            self._scale_uv = drawn_uv(check)
            info, seen = self.eeg, (self._check, self._spectrum)
            if self._declared_uv is None or not np.array_equal(self._declared_uv, self._scale_uv):
                scale = self._scale_uv
                super().connect_eeg(info)  # the traces so far are in other numbers
                self._scale_uv = scale
            self._check, self._spectrum = seen

    @property
    def scale_uv(self) -> NDArray[np.float32] | None:
        """Microvolts per stream unit, one per channel, as the check takes them."""
        return self._scale_uv if self._scale_uv is not None else super().scale_uv

    def verdicts(self) -> list[str]:
        """Say in a word how good each channel is, as the check has it."""
        out = super().verdicts()
        for electrode in self._check.electrodes if self._check else ():
            if electrode.channel is not None and electrode.level is not Level.GOOD:
                out[electrode.channel] = electrode.level.value
        return out

    def snapshot(self, now: float) -> SignalSnapshot:
        """Say everything that a view shows at `now` (LSL clock)."""
        self._passing = [(at, text) for at, text in self._passing if now - at < NOTICE_S]
        silence = self.silence_s(now)
        check = self._check
        if check is not None and silence is not None and silence > QUIET_S:
            check = without_samples(check, silence)
        passing = [f"{text} ({duration(now - at)} ago)" for at, text in reversed(self._passing)]
        return SignalSnapshot(
            eeg=self.eeg,
            connected=self._connected,
            check=check,
            spectrum=self._spectrum,
            notices=(*filter(None, self._lasting.values()), *passing),
            silence_s=silence,
            sfreq_measured=self.measured_rate(now),
            display_filter=self.display_filter,
            cap=self._cap,
        )


def what_to_type(worn: WornCap, unit: str | None) -> str:
    """Return the command that would name the channels of a stream without labels; empty where none is known."""
    if worn.cap is not None or not worn.problem:
        return ""
    about = f"{worn.info.name} {worn.info.manufacturer}".casefold()
    fitting = sorted(montages_with(len(worn.channels)), key=lambda name: name.split("-")[0] not in about)
    if not fitting:
        return ""
    known = unit is not None or any(map(unit_name, worn.info.units))
    typed = pasteable("neuript", "view", "--montage", fitting[0], *(() if known else ("--unit", "microvolts")))
    return f"for names type: {typed}" + (f" (or {', '.join(fitting[1:])})" if fitting[1:] else "")


def worst_first(electrodes: Sequence[WornElectrode]) -> list[WornElectrode]:
    """Return the bad ones, the doubtful ones, the absent ones and the rest, each in their order."""
    order = (Level.BAD, Level.DOUBTFUL, Level.ABSENT, Level.GOOD)
    return sorted(electrodes, key=lambda electrode: order.index(electrode.level))


def drawn_uv(check: SignalCheck) -> NDArray[np.float32]:
    """Return microvolts per number of each channel; one that is no EEG is drawn like the first that is."""
    if check.scale is None:
        raise ValueError("nobody knows the unit of this check")
    judged = [e.channel for e in check.electrodes if e.channel is not None]
    common = check.scale[judged[0]] if judged else 1e-6
    out = np.full(len(check.scale), common)
    out[judged] = check.scale[judged]
    return np.asarray(1e6 * out, dtype=np.float32)


def spectrum_of(x: NDArray[np.float32], sfreq: float, check: SignalCheck) -> Spectrum:
    """Return Welch's estimate over the last seconds.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_chans)
        Samples as sent.
    sfreq : float
        Sampling rate in Hz.
    check : SignalCheck
        What they are worth: its scale and its electrodes count.
    """
    channels = tuple(e.channel for e in check.electrodes if e.channel is not None)
    scale = 1e6 * check.scale[list(channels)] if check.scale is not None else np.ones(len(channels))
    values = np.nan_to_num(x[:, list(channels)]) * scale.astype(np.float32)
    n_segment = min(len(values), round(SEGMENT_S * sfreq))
    freq, power = signal.welch(values, fs=sfreq, nperseg=n_segment, axis=0)
    shown = (freq > 0) & (freq <= HIGHEST_HZ)
    unit = "µV²/Hz" if check.scale is not None else "(stream unit)²/Hz"
    return Spectrum(freq[shown], np.asarray(power[shown], dtype=np.float64), channels, unit)
