"""What the dashboard shows, without Qt and without LSL: the views only draw it.

`ViewModel` takes what the streams deliver (headers, samples, rows, markers) and answers with a
`Snapshot`: everything a view needs, ready to print. No clock of its own: the caller passes `now`
on the LSL clock. Not locked: the client that feeds it holds the lock (see `client`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.timestamps import STEP_S
from neuript.realtime.dashboard.cue_lane import CueLane, CueScore, LaneMark
from neuript.realtime.dashboard.head_points import HeadPoint
from neuript.realtime.dashboard.stage_times import StageTimes
from neuript.realtime.dashboard.stream_head import QUALITY, PowerScale, StreamHead
from neuript.realtime.dashboard.trace_model import TraceModel
from neuript.realtime.dashboard.traces import DisplayFilter, EnvelopeRing
from neuript.realtime.dashboard.words import StateWords, describe, naming
from neuript.realtime.decoding.bad_channels import BAD
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.latency import ENGINE, LATENCY
from neuript.realtime.decoding.proba_row import unpack_row
from neuript.realtime.decoding.states import State, state_name

LATENCY_S = 30.0
LATEST_EVENT_S = 5.0
"""Seconds by which an event may come after rows that are newer."""
QUIET_S = 2.0
"""Seconds without samples after which nothing is said of an electrode."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A committed decision or a change of state."""

    stamp: float
    """Time of the newest EEG sample of the window: where it lies on the traces, on whatever clock their stamps are."""
    kind: str
    """`decision` or `state`."""
    label: str
    heard: float
    """When it was heard of here, in seconds on this computer's LSL clock: ages count from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a view shows at one moment; None where nothing is known."""

    now: float
    connected: bool
    state: str
    words: StateWords
    since_s: float
    """Seconds since this state began."""
    decoder: DecoderHeader | None
    eeg: SignalInfo | None
    proba: tuple[float, ...] | None
    """One probability per class for the newest window; None where there is no valid one."""
    evidence: tuple[float, ...] | None
    """The decoder's evidence per class: what is compared with the threshold."""
    confidence: float | None
    held: str | None
    """The command that is being given right now."""
    last_decision: LogEntry | None
    log: tuple[LogEntry, ...]
    """Newest first."""
    n_decisions: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    sample_age_ms: float | None
    sample_age_p99_ms: float | None
    rows_per_s: float | None
    sfreq_measured: float | None
    eeg_silence_s: float | None
    """Seconds since EEG samples arrived here; None before the first."""
    simulated: bool
    display_filter: str
    electrodes: tuple[HeadPoint, ...] = ()
    """What the model sees, and the stream's other electrodes; empty where the decoder's header does not say."""
    power: PowerScale | None = None
    """What the colours of the electrodes stand for; None where they stand for their quality."""
    head_shows: str = QUALITY
    """What the head map shows."""
    used: frozenset[int] = frozenset()
    """Channels of the stream that reach the model; empty where the header does not say."""
    cue: LaneMark | None = None
    """The cue that came last."""
    score: CueScore = field(default_factory=CueScore)
    newest_stamp: float | None = None
    """Stamp of the newest row."""
    recording: str = ""
    """Name of the file that is being recorded to; empty where none is."""
    stages: StageTimes = field(default_factory=StageTimes)

    @property
    def title(self) -> str:
        """Task and stream in a few words."""
        if self.decoder is None:
            return "neuript"
        return f"neuript · {self.decoder.task}"

    @property
    def stream_words(self) -> str:
        """Name, channels and rate of the EEG stream."""
        if self.eeg is None:
            wanted = self.decoder.eeg_name if self.decoder else ""
            return f"waiting for EEG stream {wanted}".rstrip()
        rate = f"{self.eeg.sfreq:g} Hz" if self.eeg.sfreq else "irregular rate"
        measured = "" if self.sfreq_measured is None else f" (measured {self.sfreq_measured:.1f})"
        return f"{self.eeg.name} · {len(self.eeg.ch_names)} channels · {rate}{measured}"

    @property
    def model_words(self) -> str:
        """The model's name and the first digits of its hash."""
        if self.decoder is None:
            return ""
        words = f"model {self.decoder.model_name} {self.decoder.model_sha256[:8]}".strip()
        words += " · trained on simulated data" if self.decoder.model_simulated else ""
        return words + (" · not calibrated on this person" if self.decoder.uncalibrated else "")

    @property
    def latency_words(self) -> str:
        """Decision latency in numbers."""
        return _ms(self.latency_p50_ms, self.latency_p99_ms)

    @property
    def age_words(self) -> str:
        """Age of the newest sample when it was pulled: last and p99."""
        return _ms(self.sample_age_ms, self.sample_age_p99_ms)

    @property
    def delay_words(self) -> str:
        """Delay of the decoder's filters at 10 and 20 Hz."""
        if self.decoder is None:
            return "–"
        return _ms(self.decoder.group_delay_10hz_ms, self.decoder.group_delay_20hz_ms)

    @property
    def rhythm_words(self) -> str:
        """Window and hop."""
        if self.decoder is None or self.decoder.window_s is None or self.decoder.hop_s is None:
            return "–"
        return f"{self.decoder.window_s:g} s every {1000 * self.decoder.hop_s:g} ms"


def _ms(*values: float | None) -> str:
    """Say milliseconds as `12.6 / 140 ms`; a dash where nothing is known."""
    known = [v is not None for v in values]
    numbers = ["–" if v is None else f"{v:.0f}" if v >= 100 else f"{v:.1f}" for v in values]
    return " / ".join(numbers) + (" ms" if any(known) else "")


class ViewModel(TraceModel):
    """Collects what a decoder's streams and its EEG deliver, and answers with snapshots; `TraceModel` is the EEG half.

    Parameters
    ----------
    column_s : float
        Wished length of one drawn column in seconds.
    n_columns : int
        How many columns are kept for drawing.
    """

    def __init__(self, *, column_s: float = 0.01, n_columns: int = 4096) -> None:
        super().__init__(column_s=column_s, n_columns=n_columns)
        self.decoder: DecoderHeader | None = None
        self._rows: deque[tuple[float, float, float, float]] = deque(maxlen=4096)
        self._stages = StageTimes()
        self._proba: deque[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = deque(maxlen=4096)
        self._log: deque[LogEntry] = deque(maxlen=200)
        self._n_decisions = 0
        self._connected = False
        self._last_row_at: float | None = None
        self._state = "SEARCHING"
        self._state_since: float | None = None
        self._decision: int | None = None
        self._confidence: float | None = None
        self.cues = CueLane()
        self.head = StreamHead()
        self._sent_names: tuple[str, ...] = ()
        self._own_release: float | None = None

    # --- streams come and go -------------------------------------------------------------------

    def connect_decoder(self, info: DecoderHeader, now: float) -> None:
        """Take the header of the decoder's stream; another set of classes clears the history."""
        if self.decoder is not None and self.decoder.classes != info.classes:
            self._proba.clear()
            self._log.clear()
        self.decoder, self._own_release = info, info.release
        self._stages = StageTimes()
        self.head.take_decoder(info)
        self._name_channels()
        self._connected = True
        self._last_row_at = now
        self._decision = None
        self._set_state("SEARCHING" if self._state in {"SEARCHING", "GONE"} else self._state, now)

    def disconnect_decoder(self, now: float) -> None:
        """Note that the decoder's stream is gone; the last picture stays, marked as old."""
        self._connected = False
        self._confidence = None
        self._set_state("GONE" if self.decoder is not None else "SEARCHING", now)

    def connect_eeg(self, info: SignalInfo) -> None:
        """Take the header of the EEG stream and start its traces anew."""
        super().connect_eeg(info)
        self._sent_names = self.eeg.ch_names if self.eeg else ()
        self.head.broke()
        self._name_channels()

    def _name_channels(self) -> None:
        """Call the channels by the electrodes that the decoder takes them for."""
        if self.eeg is None:
            return
        names = list(self._sent_names)
        for electrode in self.decoder.electrodes if self.decoder is not None else ():
            if electrode.channel is not None and electrode.channel < len(names):
                names[electrode.channel] = electrode.name
        self.eeg = replace(self.eeg, ch_names=tuple(names))
        self.head.take_eeg(self.eeg)

    # --- data ----------------------------------------------------------------------------------

    @property
    def scale_uv(self) -> NDArray[np.float32] | None:
        """Microvolts per stream unit, one per channel: as the decoder takes them, else as the stream says."""
        if self.eeg is not None and self.decoder is not None and self.decoder.eeg_scale_volts is not None:
            return np.full(len(self.eeg.ch_names), 1e6 * self.decoder.eeg_scale_volts, np.float32)
        return super().scale_uv

    def _extend(
        self, ring: EnvelopeRing, chain: DisplayFilter, x: NDArray[np.float32], stamps: NDArray[np.float64]
    ) -> None:
        super()._extend(ring, chain, x, stamps)
        self.head.add(x, in_uv=self.unit == "µV")

    def _break_off(self, chain: DisplayFilter) -> None:
        super()._break_off(chain)
        self.head.broke()

    def verdicts(self) -> list[str]:
        """Say in a word what the decoder has against each channel."""
        return self.head.verdicts()

    def add_rows(self, rows: NDArray[np.float32], stamps: NDArray[np.float64], now: float) -> None:
        """Add rows (n, n_channels) of the decoder's stream with their stamps (n,)."""
        info = self.decoder
        if info is None:
            return
        for row, stamp in zip(rows, stamps, strict=True):
            self._add_row(info, row, float(stamp), now)

    def _add_row(self, info: DecoderHeader, row: NDArray[np.float32], stamp: float, now: float) -> None:
        self._last_row_at = now
        read = unpack_row(row, len(info.classes))
        self._set_state(state_name(read.state_code), now, stamp)
        self._proba.append((stamp, read.proba, read.evidence))
        self._rows.append((now, stamp, read.latency_ms, read.sample_age_ms))
        self._confidence = read.confidence if math.isfinite(read.confidence) else None
        held = None if read.decision is None else info.classes[read.decision]
        if held is not None and read.decision != self._decision:
            self._note(LogEntry(stamp, "decision", held, now))
        paused = read.state_code == State.PAUSED.code
        self.cues.add_row(stamp, held, paused=paused)
        self._decision = read.decision

    def add_cues(self, markers: list[str], stamps: NDArray[np.float64]) -> None:
        """Add markers of whoever shows cues."""
        classes = self.decoder.classes if self.decoder else ()
        for marker, stamp in zip(markers, stamps, strict=True):
            self.cues.add_marker(marker, float(stamp), classes)

    def add_events(self, markers: list[str], stamps: NDArray[np.float64], now: float) -> None:
        """Add markers of the decoder's events stream; what the rows told already is not doubled."""
        for marker, stamp in zip(markers, stamps, strict=True):
            parts = marker.split("/", 2)
            if len(parts) == 3 and parts[0] == "neuript" and parts[1] in {"decision", "state"}:
                self._note(LogEntry(float(stamp), parts[1], parts[2], self._heard(float(stamp), now)))
            elif len(parts) == 3 and parts[:2] == ["neuript", BAD]:
                self.head.take_bad(parts[2])
            elif len(parts) == 3 and parts[:2] == ["neuript", LATENCY]:
                self._stages = StageTimes.read(parts[2])
            elif len(parts) == 3 and parts[:2] == ["neuript", ENGINE] and self.decoder is not None:
                self.decoder = replace(self.decoder, engine=parts[2])
            elif len(parts) == 3 and parts[:2] == ["neuript", "threshold"]:
                self.take_threshold(_number(parts[2]))
            elif len(parts) == 3 and parts[:2] == ["neuript", "mark"]:
                self.cues.add_mark(parts[2], float(stamp))

    def take_threshold(self, value: float) -> None:
        """Take the threshold that somebody has set meanwhile."""
        if self.decoder is not None and 0 < value <= 1:
            release = None if self._own_release is None else min(self._own_release, value)
            self.decoder = replace(self.decoder, threshold=value, release=release)

    def _heard(self, stamp: float, now: float) -> float:
        """When a row with this stamp was, or would have been, heard: an event may come after newer rows."""
        if not self._rows:
            return now
        arrival, newest = self._rows[-1][:2]
        return arrival - (newest - stamp) if 0 <= newest - stamp < LATEST_EVENT_S else now

    def _note(self, entry: LogEntry) -> None:
        hop_s = self._hop_s
        near_s = 0.9 * hop_s if entry.kind == "decision" else max(0.5, hop_s)
        for known in self._log:
            same = known.kind == entry.kind and known.label == entry.label
            if same and abs(known.stamp - entry.stamp) < near_s:
                return
        late = bool(self._log) and self._log[-1].heard > entry.heard
        self._log.append(entry)
        if late:  # an event that came after a newer row
            self._log = deque(sorted(self._log, key=lambda e: e.heard), maxlen=self._log.maxlen)
        if entry.kind == "decision":
            self._n_decisions += 1

    def _set_state(self, state: str, now: float, stamp: float | None = None) -> None:
        if state == self._state and self._state_since is not None:
            return
        self._state, self._state_since = state, now
        if state != "SEARCHING":
            self._note(LogEntry(now if stamp is None else stamp, "state", state, now))

    # --- what is shown -------------------------------------------------------------------------

    def snapshot(self, now: float) -> Snapshot:
        """Say everything that a view shows at `now` (LSL clock)."""
        state, since = self._shown_state(now)
        info = self.decoder
        window_s = info.window_s if info is not None else None
        while self._rows and now - self._rows[0][0] > LATENCY_S:
            self._rows.popleft()
        stats = np.array([row[2:] for row in self._rows]).reshape(-1, 2)
        latency, age = (column[np.isfinite(column)] for column in stats.T)
        live = self._connected and state != "SILENT"
        proba, evidence = self._proba[-1][1:] if self._proba and live else (None, None)
        decisions = [entry for entry in self._log if entry.kind == "decision"]
        silence_s = self.silence_s(now)
        silent = silence_s is None or silence_s > QUIET_S
        words = describe(state, window_s)
        return Snapshot(
            now=now,
            connected=self._connected,
            state=state,
            words=naming(words, self.head.wrong) if state == State.BAD_SIGNAL else words,
            since_s=max(0.0, now - since),
            decoder=info,
            eeg=self.eeg,
            proba=_finite(proba),
            evidence=_finite(evidence),
            confidence=self._confidence if live else None,
            held=info.classes[self._decision] if info and live and self._decision is not None else None,
            last_decision=decisions[-1] if decisions else None,
            log=tuple(reversed(self._log)),
            n_decisions=self._n_decisions,
            latency_p50_ms=_percentile(latency, 50),
            latency_p99_ms=_percentile(latency, 99),
            sample_age_ms=float(age[-1]) if len(age) else None,
            sample_age_p99_ms=_percentile(age, 99),
            rows_per_s=self._rows_per_s() if live else None,
            sfreq_measured=self.measured_rate(now),
            eeg_silence_s=silence_s,
            simulated=bool((info and info.simulated) or (self.eeg and self.eeg.simulated)),
            display_filter=self.display_filter,
            electrodes=self.head.points(silent=silent),
            power=None if silent else self.head.scale,
            head_shows=self.head.shows,
            used=frozenset(info.used if info else ()),
            cue=self.cues.newest_cue,
            score=self.cues.score,
            newest_stamp=self._rows[-1][1] if self._rows else None,
            recording=info.recording if info and self._connected else "",
            stages=self._stages if self._connected else StageTimes(),
        )

    def _shown_state(self, now: float) -> tuple[str, float]:
        """The decoder's own state, unless it has fallen silent."""
        if self._state_since is None:
            self._state_since = now
        since = self._state_since
        if not self._connected or self._last_row_at is None or self._state in {"STALE", "LOST"}:
            return self._state, since
        hop_s = self._hop_s
        if self._state != "SEARCHING" and now - self._last_row_at > max(2.0, 8 * hop_s):
            return "SILENT", self._last_row_at
        return self._state, since

    def evidence_history(self, since: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return stamps (n,) and evidence (n, n_classes) after `since` and the last jump of the stream's clock."""
        kept: list[tuple[float, NDArray[np.float64]]] = []
        for stamp, _, row in reversed(self._proba):
            if stamp < since or (kept and not 0 <= kept[-1][0] - stamp <= STEP_S):
                break
            kept.append((stamp, row))
        kept.reverse()
        n_classes = len(self.decoder.classes) if self.decoder else 0
        if not kept:
            return np.empty(0), np.empty((0, n_classes))
        return np.array([stamp for stamp, _ in kept]), np.array([row for _, row in kept])

    def decisions_since(self, since: float) -> list[LogEntry]:
        """Return committed decisions stamped after `since`, oldest first."""
        return [e for e in self._log if e.kind == "decision" and e.stamp >= since]

    @property
    def _hop_s(self) -> float:
        """Seconds from row to row, as the decoder says or as usual."""
        return (self.decoder.hop_s if self.decoder else None) or 0.125

    def _rows_per_s(self) -> float | None:
        if len(self._rows) < 3:
            return None
        span = self._rows[-1][0] - self._rows[0][0]
        return (len(self._rows) - 1) / span if span > 0 else None


def _finite(values: NDArray[np.float64] | None) -> tuple[float, ...] | None:
    if values is None or not np.isfinite(values).all():
        return None
    return tuple(map(float, values))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _percentile(values: NDArray[np.float64], q: float) -> float | None:
    return float(np.percentile(values, q)) if len(values) else None
