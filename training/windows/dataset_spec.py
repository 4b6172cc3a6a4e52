"""What is asked for when recordings become windows: one checked, JSON-safe object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Self

from neuript import specs
from neuript.errors import NeuriptError
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.chain.units import to_volts
from neuript.realtime.recordings.given_channels import check_channels, montage_of_names, parse_channels
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.training.windows.events import Markers, checked_event_map, own_event_map, unnamed_classes

MIN_TRIALS_PER_CLASS = 5
DEFAULT_MONTAGE = "10-20"
MAINS = (50.0, 60.0, None, "auto")
"""What `mains_hz` may be."""
REFERENCES = ("as recorded", "average")
"""What `reference` may be."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """How recordings become windows; fixed before any data are seen.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    event_map: Mapping[str, Markers] = field(default_factory=dict)
    """Class to its marker or markers, texts or whole numbers; the order is that of the model's classes. May be empty
    where the recordings say it themselves: sessions with cues (`completed`)."""
    montage: str | None = None
    """What was on the head: the name of a montage, or a YAML file. None: what `channels` names, else what the recorder
    noted (`neuript record --montage`), else 10-20."""
    channels: tuple[str, ...] | None = None
    """Names of the EEG stream's channels in order, "-" for one to leave out; None takes what the recordings say."""
    trial_start: str | None = None
    """Marker that starts a trial of several events; None: each mapped marker is a trial."""
    window_s: float = 4.0
    """Length of the EEG behind a decision, in seconds."""
    hop_s: float = 0.125
    """Time between two decisions, in seconds."""
    epoch_s: tuple[float, float] = (0.5, 4.5)
    """Seconds after an event between which the person does the task; windows lie inside. What the cue itself evokes
    is over after half a second."""
    step_s: float = 0.25
    """Least distance of two training windows of one event, in seconds."""
    sfreq: float = 64.0
    """Sampling rate of the model in Hz."""
    alignment: AlignmentSpec | None = field(default_factory=AlignmentSpec)
    """How windows are recentred; None leaves them as the chain gives them, and the Riemannian branch without input."""
    reference: str = "as recorded"
    """"as recorded", or "average" to subtract the mean of the electrodes."""
    eeg: str | None = None
    """Name, source id or type of the stream to take as EEG, where the types do not say so or there are several."""
    stream_sfreq: float | None = None
    """Rate of the EEG in Hz, where the files declare a wrong one; None takes what they say."""
    unit: str | None = None
    """Unit of the recordings' numbers, where the files say nothing or the wrong thing."""
    mains_hz: float | str | None = "auto"
    """Mains frequency in Hz (50 or 60), None for no notch, or "auto" to measure."""
    min_trials_per_class: int = MIN_TRIALS_PER_CLASS
    """Least number of trials of each class; fewer are refused. 0 takes what there is."""
    task: str = "motor-imagery"
    """Short name, part of the published streams' names."""
    idle_class: str | None = None
    """Class that means "no command"; None: `rest`, if there is one."""
    config_file_sha256: str = ""
    """SHA-256 of the file that the options came from (`--config`), noted in the model file; empty: none."""

    def __post_init__(self) -> None:
        """Check what can be checked without the recordings, and bring the event map into one form."""
        object.__setattr__(self, "event_map", self._checked_event_map())
        if isinstance(self.montage, Path):
            object.__setattr__(self, "montage", str(self.montage))
        self._check_times()
        if self.mains_hz not in MAINS:
            raise NeuriptError(
                f"--mains {self.mains_hz} is not 50, 60, none or auto (in Python: mains_hz is 50, 60, None or 'auto')"
            )
        specs.check_types(self)
        self._check_names()
        self._check_rate()

    def _checked_event_map(self) -> dict[str, tuple[str, ...]]:
        """Markers of each class as texts; none at all is allowed, for others may say them."""
        return checked_event_map(self.event_map) if self.event_map or not isinstance(self.event_map, Mapping) else {}

    def _check_times(self) -> None:
        """Refuse spans of time that cannot be, with the option's name; `check_types` refuses what is no number."""
        epoch = self.epoch_s if isinstance(self.epoch_s, tuple | list) else ()
        if len(epoch) == 2 and all(isinstance(s, Real) for s in epoch) and not -3600 < epoch[0] < epoch[1] < 3600:
            low, high = epoch
            raise NeuriptError(
                f"--epoch {low:g} {high:g}: give two numbers of seconds, the end larger than the begin, for example "
                "0 4.5 (in Python: epoch_s)"
            )
        for name, value in (("window", self.window_s), ("hop", self.hop_s)):
            if isinstance(value, Real) and not 0 < value < 3600:
                raise NeuriptError(f"--{name} {value:g} s is not larger than 0 and below an hour (in Python: {name}_s)")

    def _check_names(self) -> None:
        """Refuse a montage, a reference, a unit or an idle class that does not exist."""
        if self.channels is not None:
            object.__setattr__(self, "channels", parse_channels(self.channels))
            check_channels(self.channels, None if self.montage is None else load_montage(self.montage))
        cap = self.cap
        if self.reference not in REFERENCES:
            raise NeuriptError(
                f"--reference {self.reference} is not known; use one of {', '.join(REFERENCES)} (in Python: reference)"
            )
        if self.reference == "average":
            cap.with_reference(self.reference)
        if self.unit is not None:
            to_volts(self.unit)
        if self.event_map and self.idle_class is not None and self.idle_class not in self.event_map:
            raise NeuriptError(
                f"--idle {self.idle_class} is not one of the classes {', '.join(self.event_map)} "
                "(in Python: idle_class)"
            )

    def _check_rate(self) -> None:
        """Refuse a rate that the chain cannot have, a step that does not go on, and a least number that is none."""
        try:
            PreprocessSpec(sfreq=self.sfreq, alignment=self.alignment)
        except ValueError as error:
            raise NeuriptError(str(error)) from error
        specs.require(self.step_s > 0, self, "step_s", "larger than 0 s")
        specs.require(self.min_trials_per_class >= 0, self, "min_trials_per_class", "0 or more")

    def completed(self, recordings: Sequence[Recording]) -> Self:
        """Return these settings with the classes that the recordings say themselves, where no marker was given.

        Raises
        ------
        NeuriptError
            If neither these settings nor the recordings say what the classes are; if the class of no command is none of
            them.
        """
        if self.event_map:
            return self
        found = own_event_map(recordings)
        if not found:
            raise unnamed_classes([event for recording in recordings for event in events_of(recording)])
        return replace(self, event_map=found)

    @cached_property
    def cap(self) -> Montage:
        """Montage of what was on the head: by name or file, else the electrodes that are named, else 10-20."""
        if self.montage is None and self.channels is not None:
            return montage_of_names(self.channels)
        return load_montage(self.montage or DEFAULT_MONTAGE)

    @property
    def markers(self) -> dict[str, tuple[str, ...]]:
        """Markers of each class as texts, keyed by its name; there must be some."""
        return checked_event_map(self.event_map)

    @property
    def idle(self) -> str | None:
        """Name of the class that means "no command"; None if there is none."""
        return self.idle_class or ("rest" if "rest" in self.event_map else None)
