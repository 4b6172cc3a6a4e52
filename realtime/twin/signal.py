"""The twin's signal: a person, a cap, a day and a protocol become microvolts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN
from neuript.realtime.twin.artifacts import Electrodes, Eyes, Mains, Muscles, ear_positions
from neuript.realtime.twin.background import VISUAL_S, Background, OccipitalAlpha
from neuript.realtime.twin.cues import CueProtocol, Intent, TrialSchedule, TwinEvent, events_between
from neuript.realtime.twin.headmodel import Cap
from neuript.realtime.twin.motor import MEMORY_S, RISE_S, Motor
from neuript.realtime.twin.subject import SessionConditions, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neuript.montages import Montage

BLOCK_S = 0.5
"""The signal is computed in blocks of about so many seconds, whatever is read."""
_WARM_UP_BLOCKS = 12


class TwinSignal:
    """Simulated EEG, sample after sample; the same arguments give the same bits however it is read.

    Parameters
    ----------
    montage : Montage, Cap or str
        Electrodes (of a bipolar montage, the electrodes it is derived from).
    sfreq : float
        Sampling rate in Hz, 100 to 20000.
    subject : Subject, optional
        The person; None means one of the default skill.
    conditions : SessionConditions, optional
        How the day went; None means a plain day.
    protocol : CueProtocol, optional
        Cues and their times; None means two classes.
    seed : int
        Seed of everything random that is not anatomy: noise, artifacts, order of trials, luck.
    start_s : float
        Time of the first sample in seconds of the session (an amplifier that comes back in the middle of it).

    Raises
    ------
    NeuriptError
        If `sfreq` or `seed` is out of its range.
    """

    def __init__(
        self,
        montage: Montage | Cap | str,
        sfreq: float,
        subject: Subject | None = None,
        conditions: SessionConditions | None = None,
        protocol: CueProtocol | None = None,
        seed: int = 0,
        start_s: float = 0.0,
    ) -> None:
        if not SFREQ_MIN <= sfreq <= SFREQ_MAX:
            raise NeuriptError(f"sfreq is {sfreq:g} Hz; the twin runs at {SFREQ_MIN:g} to {SFREQ_MAX:g} Hz")
        if seed < 0:
            raise NeuriptError(f"seed is {seed}; use a whole number from 0 up")
        self.cap = Cap.of(montage)
        self.sfreq = float(sfreq)
        self.subject = subject or Subject()
        self.conditions = conditions or SessionConditions()
        self.schedule = TrialSchedule(protocol or CueProtocol(), self.subject, seed)
        self.seed = seed
        self.start_s = start_s
        self.n_read = 0
        self._block_n = max(1, round(BLOCK_S * self.sfreq))
        self._n_made = -_WARM_UP_BLOCKS * self._block_n
        self._ready = np.empty((0, self.n_chans), dtype=np.float32)
        self._build(np.random.default_rng([seed, 1]))
        self._warm = False

    def _build(self, rng: np.random.Generator) -> None:
        c, n = self.conditions, self.n_chans
        jitter = rng.normal(0.0, c.electrode_jitter_mm / 1000.0 / 2**0.5, size=(n, 3))
        worn = self.cap.moved(c.cap_shift_mm, jitter)
        sites = np.concatenate([worn.pos_m, ear_positions()])
        self._gain = 1.0 + c.gain_spread * rng.standard_normal((n, 1))
        again = [round(1000.0 * self.start_s)] if self.start_s else []
        streams = [np.random.default_rng([self.seed, 2, k, *again]) for k in range(6)]
        self._background = Background(self.subject, sites, self.sfreq, streams[0])
        self._alpha = OccipitalAlpha(self.subject, c.alpha_gain, sites, self.sfreq, streams[1])
        self._motor = Motor(self.subject, c, sites, self.sfreq, streams[2])
        self._eyes = Eyes(self.subject, sites, streams[3])
        self._muscles = Muscles(self.subject, sites, self.sfreq, streams[4])
        self._mains = Mains(c, n, self.sfreq, streams[5])
        self._electrodes = Electrodes(c, n, self.sfreq, streams[5])

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Labels of the electrodes."""
        return self.cap.ch_names

    @property
    def n_chans(self) -> int:
        """Number of electrodes."""
        return len(self.cap.ch_names)

    def read(self, n: int) -> NDArray[np.float32]:
        """Return the next `n` samples, float32 microvolts, shape (n, n_chans).

        Raises
        ------
        ValueError
            If `n` is negative.
        """
        if n < 0:
            raise ValueError(f"n={n} is negative")
        parts = [self._ready]
        have = len(self._ready)
        while have < n:
            parts.append(self._next_block())
            have += len(parts[-1])
        data = np.concatenate(parts) if len(parts) > 1 else self._ready
        self._ready = data[n:]
        self.n_read += n
        return data[:n].copy()

    def prepare(self, n: int) -> None:
        """Compute ahead so that the next `n` samples can be read at once; changes nothing else."""
        while len(self._ready) < n:
            self._ready = np.concatenate([self._ready, self._next_block()])

    def events(self, start_s: float, stop_s: float) -> list[TwinEvent]:
        """Markers with start_s <= time < stop_s, seconds since the first sample."""
        self.schedule.extend(stop_s)
        return events_between(self.schedule.events, start_s, stop_s)

    def intent_events(self, start_s: float, stop_s: float) -> list[TwinEvent]:
        """What the person truly did, as markers in the same way."""
        self.schedule.extend(stop_s)
        return events_between(self.schedule.intent_events, start_s, stop_s)

    def obey(self, label: str, cue_s: float) -> None:
        """Do what a cue says that was shown at `cue_s`, in seconds of the session; what is computed already stays."""
        made_s = self.start_s + max(0, self._n_made) / self.sfreq
        self.schedule.obey(label, cue_s, not_before_s=made_s + RISE_S / 2)

    def _next_block(self) -> NDArray[np.float32]:
        if not self._warm:
            self._warm = True
            while self._n_made < 0:
                self._make_block()
        return self._make_block()

    def _make_block(self) -> NDArray[np.float32]:
        n = self._block_n
        t = self.start_s + (self._n_made + np.arange(n)) / self.sfreq
        self._n_made += n
        end = self.start_s + self._n_made / self.sfreq
        self.schedule.extend(end)
        intents = self.schedule.intents_between(float(t[0]) - MEMORY_S, end)
        cues = self.schedule.cues_between(float(t[0]) - VISUAL_S, end)
        brain = self._background.block(n)
        brain += self._alpha.block(t, cues)
        brain += self._motor.block(t, intents)
        brain += self._eyes.block(t, end)
        brain += self._muscles.block(t, end)
        out = brain[:-2] - self._reference(brain)
        out += self._mains.block(t)
        out *= self._gain
        out += self._electrodes.block(t, end)
        return np.ascontiguousarray(out.T, dtype=np.float32)

    def _reference(self, brain: NDArray[np.float64]) -> NDArray[np.float64] | float:
        if self.conditions.reference == "ears":
            return np.asarray(brain[-2:].mean(axis=0))
        if self.conditions.reference == "average":
            return np.asarray(brain[:-2].mean(axis=0))
        return 0.0


@dataclass(frozen=True, kw_only=True)
class TwinRecording:
    """A finished simulated session, for training and tests.

    Attributes
    ----------
    data : ndarray, shape (n_times, n_chans)
        Samples in microvolts, float32.
    events, intent_events : list of Event
        Markers and the truth, seconds since the first sample.
    """

    cap: Cap
    sfreq: float
    data: NDArray[np.float32]
    events: list[TwinEvent]
    intents: list[Intent]
    intent_events: list[TwinEvent]
    subject: Subject
    conditions: SessionConditions
    protocol: CueProtocol
    seed: int

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Labels of the electrodes."""
        return self.cap.ch_names


def record_session(
    montage: Montage | Cap | str,
    sfreq: float = 250.0,
    subject: Subject | None = None,
    conditions: SessionConditions | None = None,
    protocol: CueProtocol | None = None,
    seed: int = 0,
    duration_s: float | None = None,
) -> TwinRecording:
    """Simulate a whole session at once.

    Parameters
    ----------
    montage : Montage, Cap or str
        Electrodes (of a bipolar montage, the electrodes it is derived from).
    sfreq : float
        Sampling rate in Hz, 100 to 20000.
    subject : Subject, optional
        The person; see `TwinSignal`.
    conditions : SessionConditions, optional
        How the day went; see `TwinSignal`.
    protocol : CueProtocol, optional
        Cues and their times; None means 20 trials of each of two classes.
    seed : int
        Seed of everything random that is not anatomy.
    duration_s : float, optional
        Length in seconds; None means to the end of the protocol.

    Raises
    ------
    NeuriptError
        If `duration_s` is None and the protocol has no end, or an argument is out of its range.
    """
    protocol = protocol or CueProtocol(trials_per_class=20)
    twin = TwinSignal(montage, sfreq, subject, conditions, protocol, seed)
    if duration_s is None:
        duration_s = twin.schedule.end_s
        if duration_s is None:
            raise NeuriptError("the protocol has no end; give trials_per_class or duration_s")
    data = twin.read(round(duration_s * sfreq))
    return TwinRecording(
        cap=twin.cap,
        sfreq=twin.sfreq,
        data=data,
        events=twin.events(0.0, duration_s),
        intents=[i for i in twin.schedule.intents if i.onset_s < duration_s],
        intent_events=twin.intent_events(0.0, duration_s),
        subject=twin.subject,
        conditions=twin.conditions,
        protocol=protocol,
        seed=seed,
    )
