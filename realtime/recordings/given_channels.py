"""Channels as a person names them, `--channels Fz,C3,-,...`: the same for a stream and for a recording.

Names replace what the header says, in the order of its channels; `-` leaves a channel out. Everything behind this
point (plan, unit, quality) reads the header alone, so live and training cannot treat such a signal differently.
"""

from __future__ import annotations

import copy
import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from neuript.errors import NeuriptError
from neuript.montages import Montage, montage_of
from neuript.montages.loader import template_positions
from neuript.montages.names import canonical_name, is_auxiliary, names_electrode
from neuript.montages.stream_labels import LEFT_OUT
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.recording import Recording

SKIP = "-"
"""What stands for a channel that is left out."""


def parse_channels(text: str | Sequence[str]) -> tuple[str, ...]:
    """Read `Fz,C3,-`, one name per channel in the order of the stream; a list is taken as well.

    Raises
    ------
    NeuriptError
        If there is nothing to read, or a name is empty, which would move all the others.
    """
    names = tuple(name.strip() for name in (text.split(",") if isinstance(text, str) else text))
    if not any(names):
        raise NeuriptError("--channels is empty; name every channel, for example --channels Fz,C3,Cz,C4,-")
    if not all(names):
        raise NeuriptError(
            f"--channels {','.join(names)}: name {names.index('') + 1} is empty; write - for a channel to leave out"
        )
    return names


def check_channels(names: Sequence[str], cap: Montage | None = None) -> None:
    """Refuse names that are no place on a head, and names that come twice.

    Parameters
    ----------
    names : sequence of str
        Electrodes, pairs (`Fp1-F7`), other things by their usual names (`EOG`), or `-`.
    cap : Montage, optional
        Montage of what is on the head, which may have names of its own.

    Raises
    ------
    NeuriptError
        With the name, and what may have been meant.
    """
    own = set() if cap is None else {name.casefold() for name in (*cap.ch_names, *cap.electrodes, *cap.aliases)}
    for name in names:
        if name != SKIP and not is_auxiliary(name) and not names_electrode(name) and name.casefold() not in own:
            close = difflib.get_close_matches(name, [*template_positions(), *own], n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise NeuriptError(
                f"--channels: {name!r} is no electrode; {hint}Write names of the 10-5 system such as C3, or - for a "
                "channel to leave out"
            )
    counts = Counter(canonical_name(name) for name in names if name != SKIP and not is_auxiliary(name))
    if twice := [name for name, n in counts.items() if n > 1]:
        raise NeuriptError(f"--channels names {twice[0]} twice; each electrode is on the head once")
    if not any(map(names_electrode, names)) and not own:
        raise NeuriptError(f"--channels {','.join(names)} leaves nothing to decode; name at least two electrodes")


def with_channels(info: SignalInfo, names: Sequence[str] | None) -> SignalInfo:
    """Return a header with the names that a person gives its channels; as it is without names.

    Raises
    ------
    NeuriptError
        If there is not one name for every channel.
    """
    if not names:
        return info
    n_chans = len(info.ch_names)
    if len(names) != n_chans:
        raise NeuriptError(
            f"--channels names {len(names)} channels, but '{info.name}' has {n_chans}; give one name for each, in the "
            "order of the stream, and - for one to leave out"
        )
    types = info.ch_types or ("",) * n_chans
    kept = {label: place for label, place in info.positions_m.items() if label in names}
    return replace(
        info,
        ch_names=tuple(sent if name == SKIP else name for name, sent in zip(names, info.ch_names, strict=True)),
        ch_types=tuple(_type_of(name, sent) for name, sent in zip(names, types, strict=True)),
        positions_m=kept,
        bads=tuple(name for name, sent in zip(names, info.ch_names, strict=True) if sent in info.bads and name != SKIP),
    )


def renamed(recording: Recording, names: Sequence[str] | None) -> Recording:
    """Return a recording whose EEG has the names that a person gives; itself without names or without EEG."""
    if not names or recording.eeg_index is None:
        return recording
    out = copy.copy(recording)
    out.streams = [*recording.streams]
    out.streams[recording.eeg_index] = eeg = copy.copy(recording.eeg)
    eeg.info = with_channels(eeg.info, names)
    return out


def montage_of_names(names: Sequence[str]) -> Montage:
    """Return the electrodes (or pairs) among the names of channels, as a montage in this order.

    Raises
    ------
    NeuriptError
        If a name has no place of the 10-5 system, or electrodes and pairs are mixed.
    """
    return montage_of([name for name in names if names_electrode(name)], name="channels")


def _type_of(name: str, sent: str) -> str:
    """A named channel is what its name says, whatever type was sent with it."""
    if name == SKIP:
        return LEFT_OUT
    return "EEG" if names_electrode(name) else sent
