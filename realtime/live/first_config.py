"""The first `config.yaml` of a person (`neuript init`): what the network shows, and what is left to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from neuript.montages.names import is_auxiliary, names_electrode
from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.live.suggestions import montages_with
from neuript.realtime.lsl.discovery import StreamSummary, find_stream, visible_streams
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.stream_choice import predicate_for


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a person says; None leaves it open, or to what the network shows."""

    stream: str | None = None
    montage: str | None = None
    channels: tuple[str, ...] | None = None
    unit: str | None = None


def seen_on_network(wait_s: float) -> tuple[SignalInfo | None, list[StreamSummary]]:
    """Return the header of the one EEG stream, or None, and all the EEG streams that are visible."""
    eeg = [stream for stream in visible_streams(wait_s) if is_eeg_stream(stream.stype)]
    if len(eeg) != 1:
        return None, eeg
    source = LslSource(find_stream(predicate_for(f"uid='{eeg[0].uid}'"), wait_s=wait_s))
    try:
        return source.info, eeg
    finally:
        source.close()


def config_text(known: Known, info: SignalInfo | None, eeg: Sequence[StreamSummary] = ()) -> str:
    """Return the commented file.

    Parameters
    ----------
    known : Known
        What the person says.
    info : SignalInfo or None
        Header of the one EEG stream that is there.
    eeg : sequence of StreamSummary
        All EEG streams that are there, for the comment.
    """
    seen = "; ".join(stream.describe() for stream in eeg) or "no EEG stream"
    return "\n".join(
        [
            "# Options of neuript-live, neuript record, neuript-calibrate, neuript-train population, by their names:",
            "#   neuript record run1.xdf --config config.yaml",
            "# The command line wins over this file. Paths are seen from the folder where the command runs.",
            f"# Seen on the network when this was written: {seen}",
            "",
            "# which stream: its name, source id or type; without this line the only EEG stream is taken",
            _line("stream", known.stream or (info.name if info is not None else None), "OpenBCI"),
            "",
            *_head(known, info),
            "",
            *_unit(known, info),
            "",
            "# which marker starts which class: for calibrate and population (neuript inspect FILE lists the markers)",
            "# event: {left_hand: 769, right_hand: 770, rest: 779}",
            "",
            "# for one command alone",
            "live:",
            "  # model: mi.ts",
            "  # threshold: 0.8",
            "record:",
            "  # duration: 300",
            "calibrate:",
            "  # max-false-per-minute: 1",
            "",
        ]
    )


def _head(known: Known, info: SignalInfo | None) -> list[str]:
    """Electrodes: as given, as the stream says, or the caps that would fit."""
    if known.channels is not None or known.montage is not None:
        lines = ["# what is on the head"]
        lines += [_line("montage", known.montage)] if known.montage is not None else []
        return lines + ([_line("channels", list(known.channels))] if known.channels is not None else [])
    if info is None:
        return ["# what is on the head: a name of `neuript montages`, or a name for each channel", "# montage: 10-20"]
    names = [name for name in info.ch_names if not is_auxiliary(name)]
    if any(map(names_electrode, names)):
        return ["# what is on the head: the stream names its electrodes; nothing needs to be said", "# montage: 10-20"]
    fitting = montages_with(len(names))
    return [
        f"# what is on the head: the {len(names)} channels have no names, so say it: a montage with as many "
        f"({', '.join(fitting) or 'none comes with neuript'}),",
        "# or each channel in its order (- leaves one out)",
        _line("montage", None, fitting[0] if fitting else "my-cap.yaml"),
        _line("channels", None, [*("Fz", "C3", "Cz", "C4", "Pz", "PO7", "PO8", "Oz")][: len(names)]),
    ]


def _unit(known: Known, info: SignalInfo | None) -> list[str]:
    sent = "" if info is None else ", ".join(sorted(set(filter(None, info.units))))
    said = f"the stream says {sent}" if sent else "needed where the stream does not say it"
    return [f"# unit of the numbers: {said}", _line("unit", known.unit, "microvolts")]


def _line(key: str, value: object, example: object = None) -> str:
    """One option, commented out where there is only an example."""
    written = yaml.safe_dump(example if value is None else value, default_flow_style=True, width=1000).strip()
    return f"{'# ' * (value is None)}{key}: {written.removesuffix('...').strip()}"
