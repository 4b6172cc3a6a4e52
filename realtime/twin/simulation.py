"""From settings to a simulated person with a simulated amplifier (`neuript simulate`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.lsl.stream_choice import quoted
from neuript.realtime.twin.amplifier import TwinAmplifier
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.device import CHUNK_S
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.realtime.twin.twin_source import NAME


@dataclass(frozen=True, kw_only=True)
class SimulationSpec:
    """Who is simulated, what he is asked to do, and with which amplifier; the defaults are those of the command.

    Raises
    ------
    NeuriptError
        If a number cannot be; the rest is checked by the parts that `build_amplifier` makes.
    """

    skill: float | None = None
    """Skill from 0 (imagining changes nothing) to 1 (expert); None: 0.8, or that of the random person."""
    seed: int = 0
    """Seed of the session: the same seed gives the same signal."""
    person_seed: int | None = None
    """Seed of the person; None means `seed`."""
    random_person: bool = False
    """True draws the person from the population, too."""
    classes: tuple[str, ...] = ("left_hand", "right_hand")
    trials_per_class: int | None = None
    """Number of trials of each class; None goes on for ever."""
    imagery_s: float = 4.0
    self_paced: bool = False
    """True sends no cues: the person acts when he likes."""
    obey: str = ""
    """Name of a stream of cues (JSON markers of a cue program, or names of classes) that the person follows."""
    cap_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Millimetres by which the cap sits too far right, too far front, and turned, along the scalp."""
    mains_hz: float = 50.0
    montage: str = "openbci-16"
    """Montage of the cap: a name of `neuript montages`, or a file."""
    sfreq: float = 250.0
    chunk_s: float = CHUNK_S
    clock_ppm: float = 0.0
    """How much too fast the amplifier's clock runs, in parts per million."""
    faults: str = ""
    """Script of faults, or a YAML file of it."""
    name: str = NAME
    """Name of the EEG stream."""
    source_id: str | None = None
    unit: str = "microvolts"
    """Unit that the stream declares, true or not."""
    labels: bool = True
    """Whether the stream names its channels."""
    duration_s: float | None = None
    """Seconds until the end; None means to the end of the trials."""

    def __post_init__(self) -> None:
        """Check what no part checks."""
        if self.duration_s is not None and not self.duration_s > 0:
            raise NeuriptError(f"--duration {self.duration_s:g} must be above zero")
        if self.obey and (self.self_paced or self.trials_per_class is not None):
            raise NeuriptError("--obey follows somebody else's cues; leave out --trials and --self-paced")
        if self.seed < 0:
            raise NeuriptError(f"--seed {self.seed} must be 0 or more")


def build_amplifier(spec: SimulationSpec) -> TwinAmplifier:
    """Assemble the amplifier; nothing is published before it is opened.

    Raises
    ------
    NeuriptError
        If a montage, class or fault is unknown, or a number is out of its range.
    """
    conditions = SessionConditions(cap_shift_mm=spec.cap_shift_mm, mains_hz=spec.mains_hz)
    protocol = CueProtocol(
        classes=spec.classes,
        trials_per_class=spec.trials_per_class,
        imagery_s=spec.imagery_s,
        cued=not spec.self_paced,
        obeys=bool(spec.obey),
        pause_s=(3.0, 9.0) if spec.self_paced else (1.5, 2.5),
    )
    cap = load_montage(spec.montage)
    signal = TwinSignal(cap, spec.sfreq, _subject(spec), conditions, protocol, spec.seed)
    return TwinAmplifier(
        signal,
        name=spec.name or NAME,
        source_id=spec.source_id,
        chunk_s=spec.chunk_s,
        faults=parse_faults(spec.faults),
        clock_ppm=spec.clock_ppm,
        unit=spec.unit,
        labels=spec.labels,
        cue_predicate=f"name={quoted(spec.obey)}" if spec.obey else "",
    )


def session_end_s(spec: SimulationSpec, amplifier: TwinAmplifier) -> float | None:
    """Seconds of session time until the amplifier is to stop: its duration or its last trial; None for never."""
    ends = [s for s in (spec.duration_s, amplifier.signal.schedule.end_s) if s is not None]
    return min(ends) if ends else None


def describe(amplifier: TwinAmplifier) -> list[str]:
    """Sentences that say which streams there are, who is simulated, and what will break."""
    signal = amplifier.signal
    person, protocol = signal.subject, signal.schedule.protocol
    return [
        f"simulated EEG on LSL: '{amplifier.name}', {signal.n_chans} channels of {signal.cap.name} at "
        f"{signal.sfreq:g} Hz, source_id {amplifier.source_id}",
        f"cues: '{amplifier.markers_name}'; the truth: '{amplifier.intents_name}'",
        f"person: skill {person.skill:g}, mu {person.mu_hz:.1f} Hz, seed {signal.seed}; {', '.join(protocol.classes)}, "
        + _when(protocol),
        *(f"will break at {fault.text()}" for fault in amplifier.faults),
    ]


def _when(protocol: CueProtocol) -> str:
    if protocol.obeys:
        return f"as the cues of another program say, {protocol.imagery_s:g} s each"
    return f"{protocol.imagery_s:g} s after each cue" if protocol.cued else "self-paced"


def status(amplifier: TwinAmplifier) -> dict[str, Any]:
    """What a program that started the simulation needs to find its streams, and how far it is, as JSON values."""
    return {
        "simulated": True,
        "name": amplifier.name,
        "source_id": amplifier.source_id,
        "uid": amplifier.uid,
        "markers": amplifier.markers_name,
        "intents": amplifier.intents_name,
        "lsl_start": amplifier.started_at,
        "n_samples": amplifier.n_samples,
    }


def _subject(spec: SimulationSpec) -> Subject:
    who = spec.seed if spec.person_seed is None else spec.person_seed
    if spec.random_person:
        return Subject.sample(np.random.default_rng([who, 41]), skill=spec.skill)
    return Subject(seed=who) if spec.skill is None else Subject(seed=who, skill=spec.skill)
