"""How much room a disk must keep, and whether a recording will fit."""

from __future__ import annotations

import shutil
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo

LEAST_FREE_BYTES = 50e6
"""Space on a disk below which nothing more is recorded, so that what is there can be ended in good order."""
LEAST_FREE_SHARE = 0.05
"""The same as a share of a small disk."""
_ITEM_BYTES = {"int8": 1, "int16": 2, "float32": 4, "int32": 4}


def room_bytes(folder: Path) -> float:
    """Return how many bytes may still be recorded to a folder; negative where its disk is too full.

    Raises
    ------
    OSError
        If the disk cannot be asked.
    """
    disk = shutil.disk_usage(folder)
    return disk.free - min(LEAST_FREE_BYTES, LEAST_FREE_SHARE * disk.total)


def bytes_per_s(info: SignalInfo) -> float:
    """Return about how many bytes a second a stream adds to a recording."""
    return info.sfreq * (_ITEM_BYTES.get(info.channel_format, 8) * len(info.ch_names) + 9)


def check_room(folder: Path, seconds: float, info: SignalInfo) -> None:
    """Refuse a disk on which a recording of so many seconds of a stream would not come to its end.

    Raises
    ------
    NeuriptError
        If there is too little space.
    """
    room, needed = room_bytes(folder), seconds * bytes_per_s(info)
    if room < needed:
        kept = shutil.disk_usage(folder).free - room
        raise NeuriptError(
            f"the disk of {folder} has {(room + kept) / 1e6:.0f} MB left, and {(needed + kept) / 1e6:.0f} MB are "
            "needed; make space, or record to another disk"
        )


def room_in_words(folder: Path, info: SignalInfo, seconds: float | None) -> str:
    """Say for how long a disk will do, where that is less than is planned (an hour where nothing is); else nothing."""
    room, wanted_s = room_bytes(folder), seconds or 3600.0
    fits_s = max(room, 0.0) / bytes_per_s(info)
    if fits_s >= wanted_s:
        return ""
    planned = "" if seconds is None else f" of the {seconds:g} s asked for"
    return (
        f"the disk of {folder} is nearly full: about {fits_s:.0f} s{planned} of this EEG fit on it, and what comes "
        "after them will be missing from the recording; make space now"
    )
