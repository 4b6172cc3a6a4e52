"""What travels between the parts of the stream: a chunk of samples, and what is known of its stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuript.foreign import one_line

MAX_TEXT = 1000
"""Characters that are kept of a name, a label or another word of a stream."""
_TEXTS = ("name", "ch_names", "units", "ch_types", "stype", "source_id", "uid", "hostname", "manufacturer", "reference")


class SourceStatus(StrEnum):
    """What a source knows about its stream at the moment of a pull."""

    OK = "OK"
    STALE = "STALE"  # nothing for several chunk periods
    LOST = "LOST"  # the stream is gone
    RECOVERED = "RECOVERED"  # first chunk after STALE or LOST, metadata validated again
    ENDED = "ENDED"  # a recording came to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInfo:
    """What a stream or a recording says about its EEG signal."""

    name: str
    sfreq: float
    """Nominal sampling rate in Hz."""
    ch_names: tuple[str, ...]
    """Labels as sent (may be empty strings where the stream has none)."""
    units: tuple[str, ...] = ()
    """Units as sent, one per channel; an empty string where the stream says nothing."""
    ch_types: tuple[str, ...] = ()
    """`EEG`, `EOG`, `TRG`, ... as sent, upper case; empty string where unknown."""
    stype: str = "EEG"
    source_id: str = ""
    uid: str = ""
    hostname: str = ""
    channel_format: str = "float32"
    positions_m: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Electrode positions by label in metres, head frame, where the source gives them."""
    manufacturer: str = ""
    reference: str = ""
    bads: tuple[str, ...] = ()
    """Labels of channels that a recording itself calls bad."""
    explained: bool = False
    """True where a recorder named channels that the stream itself does not name."""
    speed: float = 1.0
    """Seconds of signal in a second: another number than 1 only where a recording is played faster or slower."""
    simulated: bool = False
    """True for the digital twin; everything that shows this stream says so."""
    identity: tuple[str, str] | None = field(default=None, compare=False, repr=False)
    """Name and source id letter by letter, to find the stream again; set from these where None."""

    def __post_init__(self) -> None:
        """Spell out orders to a terminal in what a stranger wrote: from here on all of it is shown, sent and stored."""
        if self.identity is None:
            object.__setattr__(self, "identity", (self.name, self.source_id))
        for name in _TEXTS:
            value = getattr(self, name)
            clean = _shown(value) if isinstance(value, str) else tuple(map(_shown, value))
            object.__setattr__(self, name, clean)
        if self.positions_m:
            object.__setattr__(self, "positions_m", {_shown(label): at for label, at in self.positions_m.items()})


def _shown(text: str) -> str:
    return one_line(text, MAX_TEXT)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples as they came: raw numbers in the stream's own unit, oldest first.

    Attributes
    ----------
    data : ndarray, shape (n_times, n_chans)
        float32, in the unit of the stream (the decoder converts to volts).
    timestamps : ndarray, shape (n_times,)
        float64, seconds on the LSL clock of this computer.
    status : SourceStatus
        State of the source when this chunk was pulled.
    pulled_at : float
        The LSL clock when the chunk was pulled; NaN in a replay without LSL.
    marked_bad : bool
        Whether the recording that the samples come from calls all of them bad.
    """

    data: NDArray[np.float32]
    timestamps: NDArray[np.float64]
    status: SourceStatus = SourceStatus.OK
    pulled_at: float = float("nan")
    marked_bad: bool = False

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.timestamps)


class Source(Protocol):
    """Anything that yields chunks: an LSL inlet, a recording, the twin."""

    @property
    def info(self) -> SignalInfo:
        """What the stream says about itself."""
        ...

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return all samples that wait, once `n_min` are there or `timeout_s` is over.

        A source that waits for nothing, such as a recording, returns its next chunk whatever `n_min` says.
        """
        ...

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        ...
