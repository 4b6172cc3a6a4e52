"""What is on the head: the electrodes of a stream, of a montage or of both, with their places seen from above."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import Montage, fit_montage, load_montage, montage_of
from neuript.montages.loader import TEMPLATE, template_positions
from neuript.montages.names import split_pair
from neuript.montages.stream_labels import StreamChannel, read_labels
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.dashboard.head_points import HeadPoint, Level, top_view
from neuript.realtime.recordings.channel_plan import draft_signal_plan
from neuript.realtime.recordings.look import eeg_channels


@dataclass(frozen=True, slots=True, kw_only=True)
class WornElectrode(HeadPoint):
    """An electrode, or a pair, with the channel that carries it."""

    channel: int | None
    """Index of the stream's channel; None if no channel carries this electrode."""
    label: str
    """The channel's label as sent."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WornCap:
    """The electrodes that are judged, and what a decoder asks of them.

    Attributes
    ----------
    info : SignalInfo
        What the stream says about itself.
    cap : Montage or None
        Montage that the user names; None where the labels say what is on the head.
    electrodes : tuple of WornElectrode
        Those with a channel in the stream's order, then those of the cap that have none.
    problem : str
        Why names or montage cannot be right, with what to do; empty where they can.
    wanted : Montage or None
        What a decoder needs: as asked for, else what the stream measures; None where nobody can say.
    """

    info: SignalInfo
    cap: Montage | None
    electrodes: tuple[WornElectrode, ...]
    problem: str
    wanted: Montage | None
    _told: dict[frozenset[str], str] = field(default_factory=dict, repr=False)
    """The answer to the last question, which is asked twice a second."""

    @property
    def channels(self) -> tuple[int, ...]:
        """The stream's channels that are judged."""
        return tuple(e.channel for e in self.electrodes if e.channel is not None)

    @property
    def trace_names(self) -> tuple[str, ...]:
        """A name for each of the stream's channels: its electrode, its label, or nothing."""
        names = list(self.info.ch_names)
        for e in self.electrodes:
            if e.channel is not None:
                names[e.channel] = e.name
        return tuple(names)

    def missing_for_decoding(self, bads: Collection[str]) -> str:
        """Say why a decoder would refuse this stream without the electrodes `bads`; empty if it would not."""
        asked = frozenset(bads)
        if asked not in self._told:
            self._told.clear()
            self._told[asked] = self._missing(asked)
        return self._told[asked]

    def _missing(self, bads: frozenset[str]) -> str:
        if self.problem or self.wanted is None:
            return self.problem
        labels = [e.label or e.name for e in self.electrodes if e.name in bads and e.channel is not None]
        plan = draft_signal_plan(self.info, self.wanted, self.cap, bads=labels)
        return plan.problems[0] if plan.problems else ""

    def empty_lobes(self, bads: Collection[str]) -> tuple[str, ...]:
        """Return the lobes of the cap in which no electrode is good."""
        montage = self.cap or self.wanted
        if montage is None:
            return ()
        lost = {e.name for e in self.electrodes if e.channel is None} | set(bads)
        alive = [not set(split_pair(name) or (name,)) & lost and name not in lost for name in montage.ch_names]
        return tuple(lobe for lobe, at in montage.lobes.items() if not any(alive[i] for i in at))


def worn_cap(info: SignalInfo, cap: Montage | None = None, wanted: Montage | None = None) -> WornCap:
    """Read the labels of a stream.

    Parameters
    ----------
    info : SignalInfo
        What the stream says about itself.
    cap : Montage, optional
        What is on the head; None where the labels say it.
    wanted : Montage, optional
        What a decoder needs; None takes all that the stream measures.
    """
    reading = read_labels(
        info.ch_names, wanted or cap or load_montage(TEMPLATE), cap, (), info.ch_types, info.reference
    )
    eeg = set(eeg_channels(info))
    heard = [c for c in reading.channels if c.index in eeg and "not EEG" not in c.reason]
    heard = [c for c in heard if c.name] or heard  # beside electrodes, what names none is no electrode: a counter, say
    names = [_own_name(c) for c in heard]
    absent = [] if cap is None or reading.problem else [e for e in cap.electrodes if not _carried(e, names)]
    xy = top_view([_place(name, info, cap) for name in (*names, *absent)])
    electrodes = [
        WornElectrode(
            name=name,
            x=float(x),
            y=float(y),
            level=Level.ABSENT if channel is None else Level.GOOD,
            why="no channel of the stream carries it" if channel is None else "",
            channel=None if channel is None else channel.index,
            label="" if channel is None else channel.label,
        )
        for name, channel, (x, y) in zip((*names, *absent), (*heard, *[None] * len(absent)), xy, strict=True)
    ]
    problem = reading.problem or _unnamed(heard)
    return WornCap(
        info=info,
        cap=cap,
        electrodes=tuple(electrodes),
        problem=problem,
        wanted=None if problem else wanted or _measured(info, cap, heard),
    )


def _own_name(channel: StreamChannel) -> str:
    """Return the electrode, else the label, else the number; an electrode that comes twice is told apart."""
    if channel.name and channel.reason.startswith(f"{channel.name} again"):
        return f"{channel.name} (channel {channel.index + 1})"
    return channel.name or channel.label or str(channel.index + 1)


def _carried(electrode: str, names: Collection[str]) -> bool:
    return any(electrode == name or electrode in (split_pair(name) or ()) for name in names)


def _unnamed(heard: list[StreamChannel]) -> str:
    """Say that no channel names an electrode, where the montages' own check lets it pass."""
    if any(channel.name for channel in heard):
        return ""
    labels = ", ".join(c.label or "(none)" for c in heard[:5])
    return f"no channel of the stream ({labels}) names an electrode; say what is on the head with --montage"


def _measured(info: SignalInfo, cap: Montage | None, heard: list[StreamChannel]) -> Montage | None:
    """Return what the stream measures of the cap, or of the 10-5 system."""
    try:
        if cap is not None:
            fitted = fit_montage(info.ch_names, cap, ch_types=info.ch_types, reference=info.reference)
            return fitted if fitted.reference == "bipolar" else fitted.with_reference("as recorded")
        return montage_of([c.name for c in heard if c.name and not c.reason])
    except NeuriptError:  # places that only this cap knows, or pairs among electrodes: nothing to hold it against
        return None


def _place(name: str, info: SignalInfo, cap: Montage | None) -> NDArray[np.float64]:
    """Return where an electrode, or the middle of a pair, is in metres; NaN where nobody knows."""
    known: dict[str, tuple[float, ...]] = {**info.positions_m, **template_positions()}
    if cap is not None:
        known.update(zip(cap.electrodes, map(tuple, cap.electrode_pos_m.tolist()), strict=True))
    nowhere = (np.nan, np.nan, np.nan)
    places = [known.get(electrode, nowhere) for electrode in split_pair(name) or (name,)]
    return np.asarray(np.mean(places, axis=0), dtype=np.float64)


def judged(electrode: WornElectrode, level: Level, why: str) -> WornElectrode:
    """Return the electrode with a verdict."""
    return replace(electrode, level=level, why=why)
