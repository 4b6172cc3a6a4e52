"""What the twin says about its streams, as the script of faults changes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.gdf import TRIAL_CODES, gdf_codes
from neuript.realtime.lsl.stream_info import described, element
from neuript.realtime.twin.cues import CLASSES
from neuript.realtime.twin.faults import Fault
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import MANUFACTURER, twin_info

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MORE_UV = 10.0
_LINE = "nothing that anybody needs to know about this amplifier; " * 18


@dataclass(frozen=True)
class Announced:
    """What stays the same of an EEG stream whatever its signal is."""

    name: str
    source_id: str
    unit: str
    labels: bool
    faults: tuple[Fault, ...]


def eeg_announcement(signal: TwinSignal, as_: Announced, change: str = "") -> tuple[SignalInfo, Element]:
    """Return the header of the EEG stream and its `desc`; `change` is the fault after which it comes back."""
    info = replace(twin_info(signal, as_.name, as_.source_id), reference="")
    nothing = ("",) * signal.n_chans
    if as_.labels:
        info = replace(info, units=(as_.unit,) * signal.n_chans)
    else:
        info = replace(info, ch_names=nothing, units=nothing, ch_types=nothing, positions_m={})
    if change == "relabel":
        info = replace(info, ch_names=tuple(f"E{i}" for i in range(1, signal.n_chans + 1)), positions_m={})
    elif change == "reorder":
        info = replace(info, ch_names=info.ch_names[::-1])
    elif change == "reformat":
        info = replace(info, channel_format="double64")
    n_more = _amount(as_.faults, "more")
    info = replace(
        info,
        ch_names=info.ch_names + tuple(f"N{i}" for i in range(1, n_more + 1)),
        units=info.units + info.units[:1] * n_more,
        ch_types=info.ch_types + ("AUX",) * n_more,
    )
    timing = element("synchronization", offset_mean="0", can_drop_samples="false")
    cap = element("cap", name=signal.cap.name, labelscheme="10-20")
    more = [_acquisition(), _reference(signal.conditions.reference), cap, timing, _simulation(signal)]
    more += [element("bloat", line=_LINE) for _ in range(round(1e6 * _amount(as_.faults, "bloat")) // len(_LINE))]
    return info, described(info, *more)


def text_announcement(key: str, name: str, stype: str, source_id: str) -> tuple[SignalInfo, Element]:
    """Return the header of a stream of texts that belongs to an EEG stream, and its `desc`."""
    info = SignalInfo(
        name=name,
        stype=stype,
        sfreq=0.0,
        ch_names=(key,),
        ch_types=(stype,),
        units=("",),
        source_id=f"{source_id}-{key}",
        channel_format="string",
        manufacturer=MANUFACTURER,
    )
    belongs = Element("eeg_source_id")
    belongs.text = source_id
    return info, described(info, _acquisition(), belongs, _codes())


def with_more(data: NDArray[np.float32], faults: Sequence[Fault], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the samples with noise in the further channels that the script asks for, shape (n_times, n_chans + N)."""
    n_more = _amount(faults, "more")
    if not n_more:
        return data
    return np.hstack([data, _MORE_UV * rng.standard_normal((len(data), n_more), dtype=np.float32)])


def _amount(faults: Sequence[Fault], kind: str) -> int:
    return round(sum(fault.value for fault in faults if fault.kind == kind))


def _acquisition() -> Element:
    return element("acquisition", manufacturer=MANUFACTURER, model="digital twin")


def _reference(kind: str) -> Element:
    root = Element("reference")
    for label in ("A1", "A2") if kind == "ears" else ():
        SubElement(root, "label").text = label
    SubElement(root, "subtracted").text = "No" if kind == "infinity" else "Yes"
    SubElement(root, "common_average").text = "Yes" if kind == "average" else "No"
    return root


def _simulation(signal: TwinSignal) -> Element:
    return element(
        "simulation",
        simulated="true",
        seed=str(signal.seed),
        subject=json.dumps(asdict(signal.subject)),
        conditions=json.dumps(asdict(signal.conditions)),
        classes=",".join(signal.schedule.protocol.classes),
    )


def _codes() -> Element:
    """What number each marker has in GDF."""
    root = Element("codes")
    for label, code in {**TRIAL_CODES, **gdf_codes(CLASSES)}.items():
        root.append(element("code", label=label, gdf=str(code)))
    return root
