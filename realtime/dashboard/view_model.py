"""What the dashboard shows, without Qt and without LSL: the views only draw it.

`ViewModel` takes what the streams deliver (headers, samples, rows, markers) and answers with a
`Snapshot`: everything a view needs, ready to print. No clock of its own: the caller passes `now`
on the LSL clock. Not locked: the client that feeds it holds the lock (see `client`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.dashboard.stream_info import DecoderInfo, EegInfo
from neuript.realtime.dashboard.traces import DisplayFilter, EnvelopeRing, GapFinder
from neuript.realtime.dashboard.words import StateWords, Tone, describe, state_name

HISTORY_S = 120.0
LATENCY_S = 30.0
_SCALES_UV = tuple(m * 10.0**e for e in range(-3, 10) for m in (1.0, 2.0, 5.0))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A committed decision or a change of state."""

    stamp: float
    """Newest EEG sample of the window, seconds on the LSL clock."""
    kind: str
    """`decision` or `state`."""
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a view shows at one moment; None where nothing is known."""

    now: float
    connected: bool
    state: str
    words: StateWords
    since_s: float
    """Seconds since this state began."""
    decoder: DecoderInfo | None
    eeg: EegInfo | None
    proba: tuple[float, ...] | None
    """One probability per class for the newest window; None where there is no valid one."""
    evidence: tuple[float, ...] | None
    """The same smoothed over time as the decoder does it: what is compared with the threshold."""
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

    @property
    def title(self) -> str:
        """Task and stream in a few words."""
        if self.decoder is None:
            return "neuript"
        return f"neuript · {self.decoder.task or self.decoder.name}"

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
        return words + (" · trained on simulated data" if self.decoder.model_simulated else "")

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
        return _ms(self.decoder.delay_10hz_ms, self.decoder.delay_20hz_ms)

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


class ViewModel:
    """Collects what the streams deliver and answers with snapshots.

    Parameters
    ----------
    column_s : float
        Wished length of one drawn column in seconds.
    n_columns : int
        How many columns are kept for drawing.
    """

    def __init__(self, *, column_s: float = 0.01, n_columns: int = 4096) -> None:
        self._column_s, self._n_columns = column_s, n_columns
        self.decoder: DecoderInfo | None = None
        self.eeg: EegInfo | None = None
        self.ring: EnvelopeRing | None = None
        self.ring_generation = 0
        """Counts the rings: a view that sees a new number starts its picture anew."""
        self.wide_filter = False
        self._filter: DisplayFilter | None = None
        self._gaps: GapFinder | None = None
        self._scale: NDArray[np.float32] | None = None
        self._rows: deque[tuple[float, float, float, float]] = deque(maxlen=4096)
        self._proba: deque[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = deque(maxlen=4096)
        self._evidence = Evidence(2, 0.0)
        self._log: deque[LogEntry] = deque(maxlen=200)
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=512)
        self._n_samples = 0
        self._n_decisions = 0
        self._connected = False
        self._last_row_at: float | None = None
        self._last_eeg_at: float | None = None
        self._state = "SEARCHING"
        self._state_since: float | None = None
        self._decision = -1
        self._confidence: float | None = None

    # --- streams come and go -------------------------------------------------------------------

    def connect_decoder(self, info: DecoderInfo, now: float) -> None:
        """Take the header of the decoder's stream; another set of classes clears the history."""
        if self.decoder is not None and self.decoder.classes != info.classes:
            self._proba.clear()
            self._log.clear()
        self.decoder = info
        self._connected = True
        self._last_row_at = now
        self._decision = -1
        hop_s, smoothing_s = info.hop_s or 0.125, info.smoothing_s or 0.0
        keep = math.exp(-hop_s / smoothing_s) if smoothing_s > 0 else 0.0
        self._evidence = Evidence(len(info.classes), keep)
        self._set_state("SEARCHING" if self._state in {"SEARCHING", "GONE"} else self._state, now)

    def disconnect_decoder(self, now: float) -> None:
        """Note that the decoder's stream is gone; the last picture stays, marked as old."""
        self._connected = False
        self._confidence = None
        self._set_state("GONE" if self.decoder is not None else "SEARCHING", now)

    def connect_eeg(self, info: EegInfo) -> None:
        """Take the header of the EEG stream and start its traces anew."""
        self.eeg = info
        sfreq = info.sfreq or 250.0
        n_chans = len(info.ch_names)
        self.ring = EnvelopeRing(n_chans, sfreq, column_s=self._column_s, n_columns=self._n_columns)
        self.ring_generation += 1
        self._gaps = GapFinder(sfreq)
        self._arrivals.clear()
        self._n_samples = 0
        self._new_filter()

    def disconnect_eeg(self) -> None:
        """Note that the EEG stream is gone; its traces stay on screen."""
        self._arrivals.clear()

    def toggle_filter(self) -> None:
        """Switch the display filter between band-pass and high-pass alone."""
        self.wide_filter = not self.wide_filter
        self._new_filter()

    def _new_filter(self) -> None:
        if self.eeg is None:
            return
        high = None if self.wide_filter else 45.0
        self._filter = DisplayFilter(len(self.eeg.ch_names), self.eeg.sfreq or 250.0, high_hz=high)

    # --- data ----------------------------------------------------------------------------------

    @property
    def scale_uv(self) -> NDArray[np.float32] | None:
        """Microvolts per stream unit, one per channel; None where nobody knows."""
        if self.eeg is None:
            return None
        if self.decoder is not None and self.decoder.eeg_scale_uv is not None:
            return np.full(len(self.eeg.ch_names), self.decoder.eeg_scale_uv, np.float32)
        if self.eeg.scale_uv is None:
            return None
        return np.asarray(self.eeg.scale_uv, np.float32)

    @property
    def unit(self) -> str:
        """The unit that drawn numbers are in."""
        return "µV" if self.scale_uv is not None else "stream units"

    def add_eeg(self, x: NDArray[np.float32], stamps: NDArray[np.float64], now: float) -> None:
        """Add EEG samples as sent.

        Parameters
        ----------
        x : ndarray, shape (n_times, n_chans)
            In the stream's unit.
        stamps : ndarray, shape (n_times,)
            Seconds on this computer's LSL clock.
        now : float
            The LSL clock at arrival.
        """
        if self.ring is None or self._filter is None or self._gaps is None or len(x) == 0:
            return
        self._last_eeg_at = now
        self._n_samples += len(x)
        self._arrivals.append((now, self._n_samples))
        scale = self.scale_uv
        if scale is not None:
            x = x * scale
        gap = self._gaps.find(stamps)
        if gap is None:
            self.ring.append(self._filter.process(x), stamps)
            return
        at, missing_s = gap
        self.ring.append(self._filter.process(x[:at]), stamps[:at])
        self.ring.append_gap(missing_s, float(stamps[at]))
        self._filter.reset()
        self.ring.append(self._filter.process(x[at:]), stamps[at:])

    def add_rows(self, rows: NDArray[np.float32], stamps: NDArray[np.float64], now: float) -> None:
        """Add rows (n, n_channels) of the decoder's stream with their stamps (n,)."""
        info = self.decoder
        if info is None:
            return
        for row, stamp in zip(rows, stamps, strict=True):
            self._add_row(info, row, float(stamp), now)

    def _add_row(self, info: DecoderInfo, row: NDArray[np.float32], stamp: float, now: float) -> None:
        self._last_row_at = now
        values = {key: float(row[column]) for key, column in info.columns.items()}
        self._set_state(state_name(values["state"]), now, stamp)
        proba = row[: len(info.classes)].astype(np.float64)
        self._proba.append((stamp, proba, self._evidence.update(proba)))
        self._rows.append((now, stamp, values["latency_ms"], values["sample_age_ms"]))
        confidence = values["confidence"]
        self._confidence = confidence if math.isfinite(confidence) else None
        decision = int(values["decision"]) if math.isfinite(values["decision"]) else -1
        if decision != self._decision and 0 <= decision < len(info.classes):
            self._note(LogEntry(stamp, "decision", info.classes[decision]))
        self._decision = decision if decision < len(info.classes) else -1

    def add_events(self, markers: list[str], stamps: NDArray[np.float64]) -> None:
        """Add markers of the decoder's events stream; what the rows told already is not doubled."""
        for marker, stamp in zip(markers, stamps, strict=True):
            parts = marker.split("/", 2)
            if len(parts) == 3 and parts[0] == "neuript" and parts[1] in {"decision", "state"}:
                self._note(LogEntry(float(stamp), parts[1], parts[2]))

    def _note(self, entry: LogEntry) -> None:
        hop_s = (self.decoder.hop_s if self.decoder else None) or 0.125
        near_s = 0.9 * hop_s if entry.kind == "decision" else max(0.5, hop_s)
        for known in self._log:
            same = known.kind == entry.kind and known.label == entry.label
            if same and abs(known.stamp - entry.stamp) < near_s:
                return
        late = bool(self._log) and self._log[-1].stamp > entry.stamp
        self._log.append(entry)
        if late:  # an event that came after a newer row
            self._log = deque(sorted(self._log, key=lambda e: e.stamp), maxlen=self._log.maxlen)
        if entry.kind == "decision":
            self._n_decisions += 1

    def _set_state(self, state: str, now: float, stamp: float | None = None) -> None:
        if state == self._state and self._state_since is not None:
            return
        self._state, self._state_since = state, now
        if state != "SEARCHING":
            self._note(LogEntry(now if stamp is None else stamp, "state", state))

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
        return Snapshot(
            now=now,
            connected=self._connected,
            state=state,
            words=describe(state, window_s),
            since_s=max(0.0, now - since),
            decoder=info,
            eeg=self.eeg,
            proba=_finite(proba),
            evidence=_finite(evidence),
            confidence=self._confidence if live else None,
            held=info.classes[self._decision] if info and live and self._decision >= 0 else None,
            last_decision=decisions[-1] if decisions else None,
            log=tuple(reversed(self._log)),
            n_decisions=self._n_decisions,
            latency_p50_ms=_percentile(latency, 50),
            latency_p99_ms=_percentile(latency, 99),
            sample_age_ms=float(age[-1]) if len(age) else None,
            sample_age_p99_ms=_percentile(age, 99),
            rows_per_s=self._rows_per_s() if live else None,
            sfreq_measured=self._measured_rate(now),
            eeg_silence_s=None if self._last_eeg_at is None else max(0.0, now - self._last_eeg_at),
            simulated=bool((info and info.simulated) or (self.eeg and self.eeg.simulated)),
            display_filter=self._filter.words if self._filter else "",
        )

    def _shown_state(self, now: float) -> tuple[str, float]:
        """The decoder's own state, unless it has fallen silent."""
        if self._state_since is None:
            self._state_since = now
        since = self._state_since
        if not self._connected or self._last_row_at is None or self._state in {"STALE", "LOST"}:
            return self._state, since
        hop_s = (self.decoder.hop_s if self.decoder else None) or 0.125
        if self._state != "SEARCHING" and now - self._last_row_at > max(2.0, 8 * hop_s):
            return "SILENT", self._last_row_at
        return self._state, since

    def evidence_history(self, since: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return stamps (n,) and evidence (n, n_classes) after `since` (LSL clock)."""
        kept = [(stamp, row) for stamp, _, row in self._proba if stamp >= since]
        n_classes = len(self.decoder.classes) if self.decoder else 0
        if not kept:
            return np.empty(0), np.empty((0, n_classes))
        return np.array([stamp for stamp, _ in kept]), np.array([row for _, row in kept])

    def decisions_since(self, since: float) -> list[LogEntry]:
        """Return committed decisions stamped after `since`, oldest first."""
        return [e for e in self._log if e.kind == "decision" and e.stamp >= since]

    def _rows_per_s(self) -> float | None:
        if len(self._rows) < 3:
            return None
        span = self._rows[-1][0] - self._rows[0][0]
        return (len(self._rows) - 1) / span if span > 0 else None

    def _measured_rate(self, now: float) -> float | None:
        """Samples per second over the last ten seconds of arrivals, once five are there."""
        while self._arrivals and now - self._arrivals[0][0] > 10.0:
            self._arrivals.popleft()
        if len(self._arrivals) < 2:
            return None
        (t0, n0), (t1, n1) = self._arrivals[0], self._arrivals[-1]
        return (n1 - n0) / (t1 - t0) if t1 - t0 > 5.0 else None


class Evidence:
    """Smooth probabilities over time as `neuript.realtime.decoding.policy` does before its threshold.

    The decoder publishes only the leader's evidence (`confidence`); with the smoothing that its
    header states, the rows give it for every class.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    keep : float
        What is kept of the old evidence per row, 0..1.
    """

    def __init__(self, n_classes: int, keep: float) -> None:
        self._keep = keep
        self._log = self._nothing = np.full(n_classes, -math.log(n_classes))

    def update(self, proba: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take a row's probabilities (n_classes,); NaN forgets everything and gives NaN."""
        if not np.isfinite(proba).all():
            self._log = self._nothing
            return np.full(len(proba), np.nan)
        new = np.log(np.maximum(proba, 1e-4))
        self._log = self._keep * self._log + (1.0 - self._keep) * new
        grown: NDArray[np.float64] = np.exp(self._log - self._log.max())
        return grown / float(grown.sum())


def _finite(values: NDArray[np.float64] | None) -> tuple[float, ...] | None:
    if values is None or not np.isfinite(values).all():
        return None
    return tuple(map(float, values))


def _percentile(values: NDArray[np.float64], q: float) -> float | None:
    return float(np.percentile(values, q)) if len(values) else None


def fitting_scale(extremes: NDArray[np.float32], fill: float = 1.25) -> float:
    """Choose how many microvolts one row of traces spans.

    Parameters
    ----------
    extremes : ndarray, shape (n_columns, 2, n_chans)
        What is on screen.
    fill : float
        How many rows the typical channel's central 98 % may fill at most (2 = rows overlap).

    Returns
    -------
    float
        A number from the series 1, 2, 5 in the unit of the traces. 100 where there is nothing to
        measure.
    """
    flat = extremes.reshape(-1, extremes.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=1)]
    if len(flat) < 20:
        return 100.0
    low, high = np.percentile(flat, [1, 99], axis=0)
    span = float(np.median(high - low))
    if not span > 0:
        return 100.0
    return next((scale for scale in _SCALES_UV if scale >= span / fill), _SCALES_UV[-1])


def next_scale(scale: float, steps: int) -> float:
    """Move along the series 1, 2, 5 by `steps` (negative: finer)."""
    at = int(np.argmin(np.abs(np.log(np.array(_SCALES_UV) / scale))))
    return _SCALES_UV[min(len(_SCALES_UV) - 1, max(0, at + steps))]


def channel_verdicts(extremes: NDArray[np.float32], *, in_uv: bool) -> list[str]:
    """Name channels that look wrong on screen: "flat", "no data", "huge"; empty where fine.

    Parameters
    ----------
    extremes : ndarray, shape (n_columns, 2, n_chans)
        About the last two seconds of drawn columns.
    in_uv : bool
        True where the numbers are microvolts; otherwise only "no data" and exactly flat are told.
    """
    if len(extremes) == 0:
        return [""] * extremes.shape[-1]
    flat = extremes.reshape(-1, extremes.shape[-1])
    dead = np.isnan(flat).mean(axis=0) > 0.5
    filled = np.where(np.isnan(flat), 0.0, flat)
    span = filled.max(axis=0) - filled.min(axis=0)
    floor, ceiling = (0.5, 1000.0) if in_uv else (0.0, math.inf)
    return [
        "no data" if d else "flat" if s <= floor else "huge" if s > ceiling else ""
        for d, s in zip(dead, span, strict=True)
    ]


def is_alarm(tone: Tone) -> bool:
    """Say whether a state of this tone keeps commands from being given for a bad reason."""
    return tone in {Tone.WARN, Tone.BAD}
