"""How long a BrainVision recorder paused: its `New Segment` markers carry the time of day at which each began."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from pathlib import Path

_MARKER_FILE = re.compile(r"^MarkerFile=(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_SEGMENT = re.compile(r"^Mk\d+=New Segment,[^,\n]*,(\d+),-?\d*,-?\d*,(\d{20})\s*$", re.MULTILINE)


def new_segments(header: Path, sfreq: float) -> dict[float, float]:
    """Return how long the recorder paused before each of its segments but the first, where its markers say so.

    Parameters
    ----------
    header : Path
        The `.vhdr` file.
    sfreq : float
        Rate in Hz.

    Returns
    -------
    dict of float to float
        Seconds of the pause, by the seconds of recorded signal before it.
    """
    found = _MARKER_FILE.search(_text(header))
    path = None if found is None else header.with_name(found[1].replace("$b", header.stem))
    if path is None or not path.is_file():
        return {}
    began = [(int(at) - 1, when) for at, text in _SEGMENT.findall(_text(path)) if (when := _moment(text))]
    pauses = {}
    for (first, before), (second, after) in itertools.pairwise(began):
        pause_s = (after - before).total_seconds() - (second - first) / sfreq
        if pause_s >= 0:
            pauses[second / sfreq] = pause_s
    return pauses


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f")
    except ValueError:
        return None
