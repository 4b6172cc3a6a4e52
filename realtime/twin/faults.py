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
from typing import Any

from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX, SFREQ_MIN
from neuript.strict_yaml import read_yaml


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
        parts = [f"{self.name}{'[:CH]' if self.per_channel else ''}@AT"]
        if self.duration_s is not None:
            parts.append("FOR")
        if self.value is not None:
            parts.append(self.unit.upper())
        return ":".join(parts)


KINDS = {
    kind.name: kind
    for kind in (
        # what arrives, and when
        FaultKind("gap", "samples are lost", 0.5),
        FaultKind("lose", "every N-th sample is lost; the others have right stamps", 5.0, 100.0, "n"),
        FaultKind("thin", "every N-th sample alone arrives, with its right stamp", 5.0, 125.0, "n"),
        FaultKind("lag", "every N-th sample is lost, the sender stamps by counting and falls behind", 5.0, 5.0, "n"),
        FaultKind("stall", "nothing arrives, then everything at once with right stamps", 1.0),
        FaultKind("lumps", "samples leave in long chunks with right stamps", 10.0, 2.0, "s"),
        FaultKind("burst", "samples arrive in lumps with equal stamps", 5.0, 0.25, "s"),
        FaultKind("single", "every sample is a chunk of its own", 5.0),
        FaultKind("pace", "samples come faster than the declared rate by so many percent", 10.0, math.nan, "percent"),
        # order and stamps
        FaultKind("twice", "the samples come a second time, afterwards", 0.04),
        FaultKind("swap", "two chunks at a time come in the wrong order", 5.0),
        FaultKind("reverse", "the samples of each chunk come backwards", 5.0),
        FaultKind("shuffle", "samples come in any order within so many milliseconds", 5.0, 100.0, "ms"),
        FaultKind("jitter", "stamps of the chunks scatter", 5.0, 8.0, "ms"),
        FaultKind("nostamp", "the stamps are no numbers", 1.0),
        FaultKind("clock", "the stamps step and stay so", None, math.nan, "s"),
        # numbers
        FaultKind("flat", "a channel (or all) stops moving", 5.0, per_channel=True),
        FaultKind("nan", "a channel (or all) is NaN", 1.0, per_channel=True),
        FaultKind("holes", "every N-th sample is NaN", 5.0, 25.0, "n", True),
        FaultKind("held", "every N-th sample repeats the one before", 5.0, 25.0, "n"),
        FaultKind("rail", "a channel (or all) sits at the rail, with 1 uV of noise", 5.0, 187_500.0, "uv", True),
        FaultKind("mains", "the hum grows", 10.0, 100.0, "uv", True),
        FaultKind("sine", "a test signal of 10 Hz in place of the EEG", 10.0, 100.0, "uv", True),
        FaultKind("white", "noise in place of the EEG, as with the cap off", 10.0, 1.0, "uv", True),
        FaultKind("same", "all channels carry the first one, as with the reference lost", 10.0),
        FaultKind("gain", "all numbers are so many times too large", 10.0, math.nan, "x"),
        FaultKind("pop", "an electrode (or all) jumps every second", 10.0, 500.0, "uv", True),
        # the stream and its neighbours
        FaultKind("unplug", "the stream vanishes and returns", 3.0),
        FaultKind("rate", "the stream vanishes and returns at another rate", 3.0, math.nan, "hz"),
        FaultKind("relabel", "the stream vanishes and returns with other labels", 3.0),
        FaultKind("reorder", "the stream vanishes and returns with its labels in another order", 3.0),
        FaultKind("reformat", "the stream vanishes and returns with numbers of another format", 3.0),
        FaultKind("rival", "another stream claims the same name and source id", 10.0),
        FaultKind("flood", "so many further markers a second", 5.0, 1000.0, "per_s"),
        FaultKind("bloat", "the stream's description is so much longer, from the start", None, math.nan, "mb"),
        FaultKind("more", "so many further inputs of type AUX, from the start", None, math.nan, "channels"),
    )
}
"""All faults by name."""

AWAY = ("unplug", "rate", "relabel", "reorder", "reformat")
"""Those with which the stream vanishes and returns."""
_FROM_START = ("bloat", "more")
_EVERY_NTH = ("lose", "thin", "lag", "holes", "held")
_ABOVE_ZERO = ("burst", "jitter", "lumps", "shuffle", "flood", *_FROM_START)
_MOST = {"bloat": 20.0, "more": 2000.0, "flood": 20_000.0}

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
    away = [f for f in faults if f.kind in AWAY]
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
    if name in AWAY and duration == math.inf:
        raise NeuriptError(f"fault '{said}' has no end; to stop the amplifier, use --duration")
    if name in _FROM_START and at_s != 0:
        raise NeuriptError(f"fault '{said}': '{name}' holds from the start; write {name}@0:{kind.unit.upper()}")
    if value is not None:
        _check_value(said, kind, value)
    return Fault(
        kind=name, at_s=at_s, duration_s=duration or 0.0, value=math.nan if value is None else value, channel=channel
    )


def _check_value(said: str, kind: FaultKind, value: float) -> None:
    name = kind.name
    if math.isnan(value):
        raise NeuriptError(f"fault '{said}': '{name}' needs a value; write {kind.form}")
    if name == "rate" and not SFREQ_MIN <= value <= SFREQ_MAX:
        raise NeuriptError(f"fault '{said}': a rate of {value:g} Hz; use {SFREQ_MIN:g} to {SFREQ_MAX:g}")
    if name in _ABOVE_ZERO and not 0 < value < math.inf:
        raise NeuriptError(f"fault '{said}': the value is {value:g}; use a number above zero")
    if name in _EVERY_NTH and not (value >= 2 and float(value).is_integer()):
        raise NeuriptError(f"fault '{said}': every {value:g}-th sample; use a whole number from 2 on")
    if name == "pace" and not -100 < value < math.inf:
        raise NeuriptError(f"fault '{said}': {value:g} percent; use more than -100, such as -20 or 0.1")
    if value > _MOST.get(name, math.inf):
        raise NeuriptError(f"fault '{said}': the value is {value:g}; use at most {_MOST[name]:g}")


def _forms() -> str:
    return "known are " + ", ".join(kind.form for kind in KINDS.values())
