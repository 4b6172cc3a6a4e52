"""A montage from channel names alone, for windows that come without a montage file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from neuript.errors import NeuriptError
from neuript.montages.loader import parse_montage, template_positions
from neuript.montages.montage import Montage
from neuript.montages.names import canonical_name, split_pair


def montage_of(channels: Sequence[str | Mapping[str, Any]], *, name: str = "windows") -> Montage:
    """Return the montage of channels that are known by their names.

    Positions are the template's, not those of `chs_info["loc"]`: a digitised head has its own frame,
    and the encoder was pretrained in the template's. For electrodes with other names write a montage
    file, where each can have a position.

    Parameters
    ----------
    channels : sequence of str, or of mappings with "ch_name"
        Electrodes (`"C3"`, `"EEG Fp1-REF"`) or bipolar pairs (`"Fp1-F7"`), not both; MNE's
        `info["chs"]` and braindecode's `chs_info` are such mappings.
    name : str
        Name of the montage that is returned.

    Raises
    ------
    NeuriptError
        If a name is no place of the 10-5 system, comes twice, or the kinds are mixed.
    """
    labels = [str(ch["ch_name"]) if isinstance(ch, Mapping) else str(ch) for ch in channels]
    names = [canonical_name(label) for label in labels]
    needed = [electrode for n in names for electrode in split_pair(n) or (n,)]
    known = template_positions()
    unknown = [
        label
        for label, n in zip(labels, names, strict=True)
        if any(electrode not in known for electrode in split_pair(n) or (n,))
    ]
    if unknown:
        raise NeuriptError(
            f"{', '.join(map(repr, unknown[:5]))} {'are' if len(unknown) > 1 else 'is'} no place of "
            "the 10-5 system, so there is no position; rename or drop such channels, or give a "
            "montage (a name of `neuript montages`, or a YAML file with positions)"
        )
    text = yaml.safe_dump({"electrodes": list(dict.fromkeys(needed)), "channels": names})
    return parse_montage(text, file="channel names", name=name)
