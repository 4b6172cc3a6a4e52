"""Scripted faults: what goes wrong with the stream, and when.

A script is a list such as ``gap@10:0.5,flat:C3@20:5`` or a YAML file with the same entries as text, or as mappings
with the keys ``fault``, ``at``, ``for``, ``value``, ``channel``.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN
from neuript.strict_yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class FaultKind:
    """What a fault does, and what its numbers mean."""

    name: str
    does: str
    duration_s: float | None
    """Default duration; None for a change that stays."""
    value: float | None = None
    """Default value; None where the fault has none, NaN where it must be given."""
    unit: str = ""
    per_channel: bool = False

    @property
    def form(self) -> str:
        """How it is written."""
        parts = [f"{self.name}{':CH' if self.per_channel else ''}@AT"]
        if self.duration_s is not None:
            parts.append("FOR")
        if self.value is not None:
            parts.append(self.unit.upper())
        return ":".join(parts)


KINDS = {
    kind.name: kind
    for kind in (
        FaultKind("gap", "samples are lost", 0.5),
        FaultKind("jitter", "stamps of the chunks scatter", 5.0, 8.0, "ms"),
        FaultKind("burst", "samples arrive in lumps with equal stamps", 5.0, 0.25, "s"),
        FaultKind("stall", "nothing arrives, then everything at once with right stamps", 1.0),
        FaultKind("clock", "the stamps step and stay so", None, math.nan, "s"),
        FaultKind("flat", "a channel (or all) stops moving", 5.0, per_channel=True),
        FaultKind("nan", "a channel (or all) is NaN", 1.0, per_channel=True),
        FaultKind("rail", "a channel (or all) sits at the rail", 5.0, 187_500.0, "uv", True),
        FaultKind("mains", "the hum grows", 10.0, 100.0, "uv", True),
        FaultKind("unplug", "the stream vanishes and returns", 3.0),
        FaultKind("rate", "the stream vanishes and returns at another rate", 3.0, math.nan, "hz"),
    )
}
"""All faults by name."""

_ENTRY = re.compile(r"(?P<kind>[a-z]+)(:(?P<channel>[^@:]+))?@(?P<numbers>[^@]+)")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. `value` is in the unit of its kind."""

    kind: str
    at_s: float
    duration_s: float = 0.0
    value: float = math.nan
    channel: str | None = None

    @property
    def end_s(self) -> float:
        """When it is over (infinite for a change that stays)."""
        return math.inf if KINDS[self.kind].duration_s is None else self.at_s + self.duration_s

    def text(self) -> str:
        """One line for people."""
        kind = KINDS[self.kind]
        where = f" {self.channel}" if self.channel else ""
        how_long = f" for {self.duration_s:g} s" if kind.duration_s is not None else ""
        how_much = f" ({self.value:g} {kind.unit})" if kind.value is not None else ""
        return f"{self.at_s:g} s: {self.kind}{where}{how_long}{how_much}: {kind.does}"


def parse_faults(script: str | Path) -> tuple[Fault, ...]:
    """Read a script: text, or the path of a YAML file.

    Returns
    -------
    tuple of Fault
        The faults in order of time.

    Raises
    ------
    NeuriptError
        If something is not understood; the message gives the forms that are.
    """
    text = str(script)
    if text.endswith((".yaml", ".yml")):
        faults = [_from_entry(entry) for entry in _yaml_entries(Path(text))]
    else:
        faults = [_from_text(entry) for entry in text.split(",") if entry.strip()]
    faults.sort(key=lambda fault: fault.at_s)
    away = [f for f in faults if f.kind in ("unplug", "rate")]
    for first, second in itertools.pairwise(away):
        if second.at_s <= first.end_s:
            raise NeuriptError(
                f"'{second.kind}' at {second.at_s:g} s begins before the amplifier is back "
                f"({first.end_s:g} s); let it return first"
            )
    return tuple(faults)


def _yaml_entries(path: Path) -> list[Any]:
    entries = read_yaml(path, f"the fault script {path}")
    if isinstance(entries, dict) and set(entries) == {"faults"}:
        entries = entries["faults"]
    if not isinstance(entries, list):
        raise NeuriptError(f"{path} must hold a list of faults, such as '- gap@10:0.5'")
    return entries


def _from_entry(entry: Any) -> Fault:
    if isinstance(entry, str):
        return _from_text(entry)
    if not isinstance(entry, dict) or not set(entry) <= {"fault", "at", "for", "value", "channel"}:
        raise NeuriptError(
            f"{entry!r} is not a fault; write 'gap@10:0.5' or a mapping with fault, at, for, value, channel"
        )
    name = str(entry.get("fault"))
    channel = entry.get("channel")
    numbers = {key: entry.get(key) for key in ("at", "for", "value")}
    for key, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            raise NeuriptError(f"{entry!r}: {key} is {number!r}; use a number")
    return _checked(
        str(entry), name, None if channel is None else str(channel), numbers["at"], numbers["for"], numbers["value"]
    )


def _from_text(entry: str) -> Fault:
    match = _ENTRY.fullmatch(entry.strip())
    if match is None:
        raise NeuriptError(f"fault '{entry.strip()}' is not understood; {_forms()}")
    numbers: list[float | None] = []
    for part in match["numbers"].split(":"):
        try:
            numbers.append(float(part) if part.strip() else None)
        except ValueError:
            raise NeuriptError(f"fault '{entry.strip()}': '{part}' is not a number; {_forms()}") from None
    kind = KINDS.get(match["kind"])
    if kind is not None and kind.duration_s is None:
        numbers.insert(1, None)
    if len(numbers) > 3:
        raise NeuriptError(f"fault '{entry.strip()}' has too many numbers; {_forms()}")
    numbers += [None] * (3 - len(numbers))
    return _checked(entry.strip(), match["kind"], match["channel"], *numbers)


def _checked(
    said: str, name: str, channel: str | None, at_s: float | None, duration_s: float | None, value: float | None
) -> Fault:
    """Fill in defaults and refuse what makes no sense."""
    kind = KINDS.get(name)
    if kind is None:
        raise NeuriptError(f"fault '{said}': unknown fault '{name}'; {_forms()}")
    if channel is not None and not kind.per_channel:
        raise NeuriptError(f"fault '{said}': '{name}' concerns all channels; leave out '{channel}'")
    if value is not None and kind.value is None:
        raise NeuriptError(f"fault '{said}': '{name}' takes no value; write {kind.form}")
    duration = kind.duration_s if duration_s is None else duration_s
    value = kind.value if value is None else value
    if at_s is None or not 0 <= at_s < math.inf:
        raise NeuriptError(f"fault '{said}': say when, in seconds from the start; {kind.form}")
    if duration is not None and not duration > 0:
        raise NeuriptError(f"fault '{said}' lasts {duration:g} s; use a time above zero")
    if name in ("unplug", "rate") and duration == math.inf:
        raise NeuriptError(f"fault '{said}' has no end; to stop the amplifier, use --duration")
    if value is not None and math.isnan(value):
        raise NeuriptError(f"fault '{said}': '{name}' needs a value; write {kind.form}")
    if name == "rate" and value is not None and not SFREQ_MIN <= value <= SFREQ_MAX:
        raise NeuriptError(f"fault '{said}': a rate of {value:g} Hz; use {SFREQ_MIN:g} to {SFREQ_MAX:g}")
    if name in ("burst", "jitter") and value is not None and not 0 < value < math.inf:
        raise NeuriptError(f"fault '{said}': the value is {value:g}; use a number above zero")
    return Fault(
        kind=name, at_s=at_s, duration_s=duration or 0.0, value=math.nan if value is None else value, channel=channel
    )


def _forms() -> str:
    return "known are " + ", ".join(kind.form for kind in KINDS.values())


class SignalFaults:
    """Applies the faults that change the numbers: flat, nan, rail, mains. Pure but for held values.

    Parameters
    ----------
    faults : sequence of Fault
        All faults; the others are left to the amplifier.
    ch_names : sequence of str
        Channels of the stream.
    mains_hz : float
        Frequency of the hum in Hz.

    Raises
    ------
    NeuriptError
        If a fault names a channel that the stream does not have.
    """

    def __init__(self, faults: Sequence[Fault], ch_names: Sequence[str], mains_hz: float = 50.0) -> None:
        self._faults = [f for f in faults if f.kind in ("flat", "nan", "rail", "mains")]
        self._mains_hz = mains_hz
        self._columns: list[NDArray[np.int64]] = []
        self._held: dict[int, NDArray[np.float32]] = {}
        for fault in self._faults:
            if fault.channel is not None and fault.channel not in ch_names:
                raise NeuriptError(
                    f"fault '{fault.kind}' names channel '{fault.channel}'; the stream has {', '.join(ch_names)}"
                )
            names = ch_names if fault.channel is None else [fault.channel]
            self._columns.append(np.array([list(ch_names).index(name) for name in names]))

    def apply(self, data: NDArray[np.float32], t: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the data with the faults in it.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_chans)
            Samples in microvolts.
        t : ndarray, shape (n_times,)
            Seconds of session time of each sample.
        """
        out = data
        for i, (fault, columns) in enumerate(zip(self._faults, self._columns, strict=True)):
            when = (t >= fault.at_s) & (t < fault.end_s)
            if not when.any():
                continue
            out = out.copy() if out is data else out
            cells = np.ix_(np.flatnonzero(when), columns)
            if fault.kind == "flat":
                if i not in self._held:
                    self._held[i] = data[int(np.argmax(when)), columns].copy()
                out[cells] = self._held[i]
            elif fault.kind == "mains":
                hum = np.sin(2 * np.pi * np.mod(self._mains_hz * t[when], 1.0))
                weight = 2**0.5 * fault.value * (1.0 + 0.3 * np.cos(np.arange(len(columns))))
                out[cells] += (hum[:, None] * weight[None, :]).astype(np.float32)
            else:
                out[cells] = np.nan if fault.kind == "nan" else fault.value
        return out
