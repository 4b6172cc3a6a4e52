"""What a recorder knew of the EEG and the EEG's own header does not say: electrodes, unit, positions.

Many amplifiers send bare numbers. Whoever records knows the cap, so `neuript record` publishes a stream without samples
beside the EEG whose `desc` holds the header that the EEG should have had, by the LSL convention. It lies in the
recording with all other streams; reading the recording puts both together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from neuript.errors import NeuriptError
from neuript.montages import Montage
from neuript.montages.stream_labels import read_labels
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.header import DESCRIPTION_TYPE, header_xml, signal_info, text_of
from neuript.realtime.recordings.look import eeg_channels

_TAG = "explains"


def explained(info: SignalInfo, cap: Montage | None, unit: str | None) -> SignalInfo:
    """Return the header that a stream should have had.

    Parameters
    ----------
    info : SignalInfo
        What the stream says.
    cap : Montage or None
        What is on the head: names the channels of a stream without labels, and places the electrodes.
    unit : str or None
        Unit of the samples, if the person who records gives it; None keeps what the stream says.

    Raises
    ------
    NeuriptError
        If the cap does not fit the stream.
    """
    n = len(info.ch_names)
    out = replace(info, units=info.units or ("",) * n, ch_types=info.ch_types or ("",) * n)
    if unit is not None:
        eeg = eeg_channels(info)
        out = replace(out, units=tuple(unit if i in eeg else sent for i, sent in enumerate(out.units)))
    if cap is None:
        return out
    reading = read_labels(info.ch_names, cap, cap, (), info.ch_types, info.reference)
    if reading.problem:
        raise NeuriptError(reading.problem)
    names = tuple(c.name or c.label if not c.reason else c.label for c in reading.channels)
    where = dict(zip(cap.electrodes, map(tuple, cap.electrode_pos_m.tolist()), strict=True))
    positions = {name: where[name] for name in names if name in where}
    return replace(out, ch_names=names, positions_m=positions or info.positions_m)


def explanation_xml(info: SignalInfo) -> Element:
    """Return the element of the `desc` that carries a stream's explained header."""
    root = Element(_TAG)
    root.append(header_xml(info))
    return root


def explanation_in(header: Element) -> SignalInfo | None:
    """Return the explained header that a stream carries, or None.

    Raises
    ------
    NeuriptError
        If it carries one that cannot be read.
    """
    if text_of(header, "type") != DESCRIPTION_TYPE:
        return None
    found = header.find(f"desc/{_TAG}/info")
    return None if found is None else signal_info(found)


def with_explanation(info: SignalInfo, explanations: Sequence[SignalInfo]) -> SignalInfo:
    """Return what a stream says with what the explanation of just this stream adds; as it is without one."""
    for other in explanations:  # of several recorders one may know more than another
        same = other.uid == info.uid if info.uid and other.uid else other.source_id == info.source_id
        if same and other.name == info.name and len(other.ch_names) == len(info.ch_names):
            blank = ("",) * len(info.ch_names)
            names = _first_known(other.ch_names, info.ch_names)
            info = replace(
                info,
                ch_names=names,
                units=_first_known(other.units, info.units or blank),
                ch_types=_first_known(other.ch_types, info.ch_types or blank),
                positions_m=other.positions_m or info.positions_m,
                explained=info.explained or names != info.ch_names,
            )
    return info


def _first_known(told: Sequence[str], sent: Sequence[str]) -> tuple[str, ...]:
    return tuple(one or other for one, other in zip(told, sent, strict=True))
