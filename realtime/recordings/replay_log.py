"""When a replay over LSL began, as `neuript-replay --json` writes it: from the recording's clock to the LSL clock."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from neuript.errors import NeuriptError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayNote:
    """One line of the log of a replay, written when it has started and when it has ended.

    Attributes
    ----------
    event : str
        What happened: "started" or "ended".
    lsl_start, recorded_start : float
        The LSL time and the recorded time of the same moment, the beginning of the replay.
    recorded_first_eeg : float
        Recorded stamp of the first EEG sample.
    speed : float
        Recorded seconds per second.
    recorded_stamps : bool
        Whether the stamps keep their recorded spacing also at other speeds than 1.
    duration_s : float
        Length of one pass in recorded seconds.
    n_samples : int
        Samples of all streams published so far.
    """

    event: str
    lsl_start: float
    recorded_start: float
    recorded_first_eeg: float
    speed: float
    recorded_stamps: bool
    duration_s: float
    n_samples: int

    def to_json_line(self) -> str:
        """Return the note as one line of JSON."""
        return json.dumps(asdict(self))


def read_clock_offset(path: str | Path) -> float:
    """Return what to add to a recording's times to get those of its replay on the LSL clock, in seconds.

    Raises
    ------
    NeuriptError
        If the file is no log of a replay, or its replay moved the stamps closer together.
    """
    try:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            if "lsl_start" in note:
                if note.get("speed", 1) != 1 and not note.get("recorded_stamps", False):
                    raise NeuriptError(
                        f"{path} is of a replay at speed {note['speed']}, whose stamps are closer together than "
                        "the markers of the recording; score a replay at speed 1 or with --recorded-stamps"
                    )
                offset = float(note["lsl_start"]) - float(note["recorded_start"])
                if not math.isfinite(offset):
                    raise ValueError("a time that is no number")
                return offset
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise NeuriptError(f"cannot use {path} as a log of neuript-replay --json: {error}") from error
    raise NeuriptError(f"{path} does not say when the replay began; it is no output of neuript-replay --json")
