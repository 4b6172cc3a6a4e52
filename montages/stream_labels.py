"""What each channel of a stream is: an electrode, a pair, or something to leave alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from neuript.errors import NeuriptError
from neuript.montages.loader import available_montages, load_montage
from neuript.montages.montage import Montage
from neuript.montages.names import (
    canonical_name,
    electrode_name,
    guessed_reference,
    is_auxiliary,
    is_count,
    is_exg_input,
    is_generic,
    names_electrode,
    split_pair,
)
from neuript.montages.plan import BY_ORDER, NAMES_NONE

REFERENCE = "(reference)"
"""The node against which a referential channel is measured."""

EARS = frozenset({"A1", "A2", "M1", "M2"})
EEG_TYPES = frozenset({"EEG", "EXG"})
"""What senders write as the type of EEG: many call their amplifier's inputs ExG, whatever is connected."""
LEFT_OUT = "MISC"
"""Type of a channel that the person at the keyboard leaves out."""
_UNNAMED = (NAMES_NONE, "has no label")


def is_eeg_stream(stype: str) -> bool:
    """Tell whether the type of a whole stream says that it is EEG."""
    return stype.strip().upper() in EEG_TYPES


def is_eeg_channel(ch_type: str, label: str = "") -> bool:
    """Tell whether a channel counts as EEG: its type says so, or says nothing, and its label names nothing else.

    Parameters
    ----------
    ch_type : str
        Type of the channel as sent; empty where the stream has none.
    label : str
        Label of the channel as sent. `EMG1`, `AUX 3` or `Trigger` are no EEG, also where a sender types all its
        channels alike.
    """
    return (not ch_type.strip() or is_eeg_stream(ch_type)) and not is_auxiliary(label)


def exg_inputs(labels: Sequence[str], ch_types: Sequence[str] = ()) -> tuple[int, ...]:
    """Return the numbered ExG inputs of a stream that has no other EEG (`EXG Channel 0`, ...), which are its EEG.

    Beside channels that name an electrode, or are mere numbers, such inputs are something else; then there are none.
    """
    types = ch_types or [""] * len(labels)
    eeg = [i for i, kind in enumerate(types) if not kind.strip() or is_eeg_stream(kind)]
    if any(names_electrode(labels[i]) or is_generic(labels[i]) for i in eeg):
        return ()
    return tuple(i for i in eeg if is_exg_input(labels[i]))


@dataclass(slots=True)
class StreamChannel:
    """What one channel of the stream turned out to be."""

    index: int
    label: str
    name: str = ""  # electrode or pair in its one spelling
    reason: str = ""  # why it is ignored; empty when it is used


@dataclass(slots=True)
class Reading:
    """The labels of a stream, read."""

    channels: list[StreamChannel]
    notes: list[str]
    problem: str = ""
    reference: str = ""  # the electrode that the stream says it is referenced to

    def good(self) -> list[StreamChannel]:
        """Return the channels that are used."""
        return [channel for channel in self.channels if not channel.reason]

    def carries_pairs(self) -> bool:
        """Tell whether the stream has bipolar channels rather than one common reference."""
        if self.references():
            return False
        pairs = [split_pair(channel.name) is not None for channel in self.good()]
        return sum(pairs) * 2 > len(pairs)

    def edges(self) -> list[tuple[str, str, int]]:
        """Return (first, second, stream index) per channel: it measures first minus second."""
        edges = []
        for channel in self.good():
            first, second = split_pair(channel.name) or (channel.name, REFERENCE)
            edges.append((first, second, channel.index))
        return edges

    def references(self) -> set[str]:
        """Return the electrodes that are the stream's reference, where that is known."""
        if self.reference and all(channel.name != self.reference for channel in self.good()):
            return {self.reference}
        pairs = [split_pair(channel.name) for channel in self.good()]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs) or len({first for first, _ in known}) < 3:
            return set()
        seconds = {second for _, second in known}
        return seconds if len(seconds) == 1 or seconds <= EARS else set()


def read_labels(
    ch_names: Sequence[str],
    model: Montage,
    cap: Montage | None,
    bads: Collection[str],
    ch_types: Sequence[str],
    reference: str,
) -> Reading:
    """Return what each label of a stream means; `plan_channels` explains the arguments."""
    labels = [str(label).strip() for label in ch_names]
    types = [str(kind).strip().upper() for kind in ch_types] or [""] * len(labels)
    interpreter = _interpreter(labels, model, cap)
    reading = Reading([], [], reference=electrode_name(canonical_name(reference)) or "")
    inputs = exg_inputs(labels, types)
    for index, (label, kind) in enumerate(zip(labels, types, strict=True)):
        channel = StreamChannel(index, label, interpreter.name(label))
        if not is_eeg_channel(kind):
            channel.reason = "left out" if kind == LEFT_OUT else f"type {kind}, not EEG"
        elif not channel.name and is_auxiliary(label) and index not in inputs:
            channel.reason = "not EEG"
        elif not channel.name:
            channel.reason = _UNNAMED[0] if label else _UNNAMED[1]
        reading.channels.append(channel)
    if types and not any(map(is_eeg_channel, types)):
        reading.problem = (
            f"none of the stream's channels is EEG by its type ({', '.join(sorted(set(types)))}); types that count are "
            f"{', '.join(sorted(EEG_TYPES))} and none at all: correct them in the sender or the file's channel table"
        )
    _doubt_references(reading)
    _name_by_order(reading, cap)
    _mark_bads(reading, bads)
    _mark_duplicates(reading)
    return reading


@dataclass(slots=True)
class _Interpreter:
    """Reads a label with the aliases of the cap first, then by the 10-5 system."""

    aliases: Mapping[str, str]
    own: Mapping[str, str]

    def name(self, label: str) -> str:
        key = label.casefold()
        if key in self.aliases:
            return self.aliases[key]
        canonical = canonical_name(label)
        if canonical.casefold() in self.own:
            return self.own[canonical.casefold()]
        known = electrode_name(canonical) is not None or split_pair(canonical) is not None
        return canonical if known else ""


def _interpreter(labels: Sequence[str], model: Montage, cap: Montage | None) -> _Interpreter:
    """Use the cap's aliases, or the model's when the stream sends every one of them."""
    aliases = {} if cap is None else {k.casefold(): v for k, v in cap.aliases.items()}
    if cap is None and model.aliases:
        theirs = {k.casefold(): v for k, v in model.aliases.items()}
        if set(theirs) <= {label.casefold() for label in labels}:
            aliases = theirs
    own = [*model.ch_names, *model.electrodes]
    if cap is not None:
        own += [*cap.ch_names, *cap.electrodes]
    return _Interpreter(aliases, {name.casefold(): name for name in own})


def _doubt_references(reading: Reading) -> None:
    """Do not read `C3-SQI` as C3 beside `C3` or `C4-AA`: an unknown word is a reference where all have the same."""
    named = [channel for channel in reading.good() if split_pair(channel.name) is None]
    words = {guessed_reference(channel.label) for channel in named}
    if len(words) > 1:
        for channel in named:
            if guessed_reference(channel.label):
                channel.name, channel.reason = "", "may be no EEG: what stands behind the name is no reference of all"


def _name_by_order(reading: Reading, cap: Montage | None) -> None:
    """Name the channels of a stream without labels from the cap, if their number agrees."""
    candidates = [c for c in reading.channels if not c.reason or c.reason in _UNNAMED]
    if cap is not None and len(candidates) != cap.n_chans:  # leave out what is no mere number
        candidates = [c for c in candidates if c.name or is_generic(c.label) or is_exg_input(c.label)] or candidates
    unnamed = [c.label for c in candidates if not c.name]
    if not unnamed or len(unnamed) * 2 < len(candidates):
        return
    labelled = [label for label in unnamed if label]
    kind = f"labels that name no electrode ({labelled[0]}, ...)" if labelled else "no labels"
    head = f"the stream's {len(candidates)} EEG channels have {kind}"
    caps = _caps_with(len(candidates))
    advice = (
        f"say what is on the head with --montage ({caps}), or name each channel: --channels Fz,C3,-,... (- leaves one "
        "out)"
    )
    if cap is None:
        reading.problem = f"{head}; {advice}"
        return
    if cap.n_chans != len(candidates):
        reading.problem = f"{head}, but montage {cap.name} has {cap.n_chans}; {advice}"
        return
    if not is_count(unnamed):
        strange = next((label for label in labelled if not is_generic(label)), labelled[0])
        reading.problem = (
            f"the stream's {len(candidates)} EEG channels have labels that neuript cannot read ({strange}, ...) and "
            f"that do not just count up, so the order of montage {cap.name} says nothing about them; name each: "
            "--channels Fz,C3,-,... (- leaves one out), or give the labels as aliases in a montage of this cap"
        )
        return
    clash = [(c, name) for c, name in zip(candidates, cap.ch_names, strict=True) if c.name and c.name != name]
    if clash:
        channel, name = clash[0]
        reading.problem = (
            f"the stream's channel {channel.index + 1} is called {channel.label}, but in montage "
            f"{cap.name} it would be {name}; choose the montage of this cap"
        )
        return
    for channel, name in zip(candidates, cap.ch_names, strict=True):
        channel.name, channel.reason = name, ""
    listed = ", ".join(f"{c.index + 1} {c.name}" for c in candidates)
    reading.notes.append(f"note: {head}; {BY_ORDER} {cap.name}: {listed}")


def _caps_with(n_chans: int) -> str:
    fitting = [name for name in available_montages() if load_montage(name).n_chans == n_chans]
    if not fitting:
        return f"none that comes with neuript has {n_chans} channels"
    return f"with {n_chans} channels there are {', '.join(fitting)}"


def _mark_bads(reading: Reading, bads: Iterable[str]) -> None:
    for bad in bads:
        wanted = {bad.strip().casefold(), canonical_name(bad).casefold()} - {""}
        hit = False
        for channel in reading.channels:
            if {channel.label.casefold(), channel.name.casefold()} & wanted:
                hit = True
                channel.reason = channel.reason or "bad channel"
        if not hit:
            labels = ", ".join(c.label or c.name or "(none)" for c in reading.channels)
            raise NeuriptError(f"bad channel {bad!r} is not in the stream, which has {labels}")


def _mark_duplicates(reading: Reading) -> None:
    first: dict[str, StreamChannel] = {}
    for channel in reading.good():
        earlier = first.setdefault(channel.name, channel)
        if earlier is not channel:
            channel.reason = f"{channel.name} again; channel {earlier.index + 1} is used"
