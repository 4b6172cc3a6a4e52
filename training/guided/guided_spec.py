"""What a guided session is asked for: one checked object that is kept in the session's folder."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from neuript import specs
from neuript.errors import NeuriptError
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.units import to_volts
from neuript.realtime.lsl.stream_choice import stream_predicate
from neuript.realtime.paradigm.graz_timing import GrazTiming
from neuript.realtime.paradigm.task_cues import OwnCue, cues_of
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.windows.dataset_spec import MIN_TRIALS_PER_CLASS

MOST_TRIALS = 500
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, kw_only=True)
class GuidedSpec:
    """Who is asked to do what, how often, with what on the head.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    subject: str
    """Alias of the person: letters, digits, `_` and `-`, at most 32. Names a folder; never the person's name."""
    classes: tuple[str, ...] = ("left_hand", "right_hand")
    """Classes, in the order of the model's."""
    own: tuple[OwnCue, ...] = ()
    """Texts and pictures of classes that are not built in."""
    montage: str | None = None
    """What is on the head: the name of a montage, or a YAML file; None where the stream says it."""
    unit: str | None = None
    """Unit of the samples, where the stream is silent or wrong."""
    stream: str | None = None
    """Name (or source id, or type) of the EEG stream, or an LSL predicate."""
    source_id: str | None = None
    """Source id of the EEG stream."""
    trials_per_class: int = 20
    """Trials of each class in the whole session."""
    trials_per_block: int = 5
    """Trials of each class in a block, between two breaks."""
    practice_per_class: int = 1
    """Trials of each class that are shown first and never learnt from."""
    timing: GrazTiming = field(default_factory=GrazTiming)
    """How long what is shown."""
    seed: int = 0
    """Of the order of the cues and of their pauses."""
    feedback: bool = False
    """True shows the person a bar, from the first decoder on (with a population: from the first trial)."""
    out: str | None = None
    """File of the model, beside the one in the session's folder."""
    earlier: tuple[str, ...] = ()
    """Recordings of earlier days that are learnt from as well, in order of time."""
    calibration: CalibrationSpec
    """How a decoder is fitted to what was recorded."""

    def __post_init__(self) -> None:
        """Check everything that needs no amplifier."""
        specs.check_types(self)
        check_alias(self.subject)
        cues_of(self.classes, self.own)
        self.cap  # noqa: B018  # raises where there is none of that name
        if self.unit is not None:
            to_volts(self.unit)
        if self.stream is not None:
            stream_predicate(self.stream)
        least = 1 if self.calibration.population is not None or self.earlier else MIN_TRIALS_PER_CLASS
        if not least <= self.trials_per_class <= MOST_TRIALS:
            raise NeuriptError(
                f"--trials {self.trials_per_class} of each class: {least} to {MOST_TRIALS} are possible, and 20 are a "
                "good beginning"
            )
        specs.require(1 <= self.trials_per_block <= 50, self, "trials_per_block", "1 to 50")
        specs.require(0 <= self.practice_per_class <= 20, self, "practice_per_class", "0 to 20")
        specs.require(self.seed >= 0, self, "seed", "0 or more")

    @property
    def cap(self) -> Montage | None:
        """Montage of what is on the head; None where the stream says it."""
        return load_montage(self.montage) if self.montage else None

    @property
    def n_blocks(self) -> int:
        """Number of blocks; the last one may be shorter."""
        return math.ceil(self.trials_per_class / self.trials_per_block)

    @property
    def n_trials(self) -> int:
        """Number of trials of all classes."""
        return self.trials_per_class * len(self.classes)

    @property
    def minutes(self) -> float:
        """About how long the trials take, in minutes, without the breaks."""
        return self.n_trials * self.timing.trial_s / 60


def check_alias(subject: str) -> None:
    """Refuse an alias that cannot name a folder, or could name one elsewhere.

    Raises
    ------
    NeuriptError
        If it has other letters than allowed.
    """
    if not _ALIAS.fullmatch(subject):
        raise NeuriptError(
            f"--subject {specs.short(subject)} must be an alias of letters, digits, _ and -, at most 32, such as S01; "
            "it names the person's folder"
        )
