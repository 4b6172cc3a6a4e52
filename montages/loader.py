"""Montage files: YAML with one mistake per sentence when something in them is wrong.

A file needs ``electrodes``; everything else has a default::

    name: my-cap
    description: two pairs over the motor cortex
    electrodes: [FC3, FC4, CP3, CP4]            # or  C3: [-65.4, -11.6, 64.4]  in mm
    channels: [FC3-CP3, FC4-CP4]                # single electrodes or pairs, of all electrodes
    lobes: {left: [FC3-CP3], right: [FC4-CP4]}  # by the names where it is absent
    aliases: {Ch 1: FC3}                        # labels that the amplifier sends

``reference`` (as recorded, average) is for montages of single electrodes; pairs are bipolar.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.foreign import one_line, plain
from neuript.montages.lobes import lobes_by_rule
from neuript.montages.montage import Montage, derive_pairs
from neuript.montages.names import canonical_name, split_pair
from neuript.specs import short
from neuript.strict_yaml import MAX_YAML_BYTES, parse_yaml

FOLDER = Path(__file__).resolve().parent
TEMPLATE = "10-05"
"""The montage that knows the position of every electrode of the 10-5 system."""

_FIELDS = (*("name", "description", "source", "reference"), *("electrodes", "channels", "lobes", "aliases"))
_MAX_DISTANCE_MM = 300.0
MAX_ELECTRODES = 1024
"""Electrodes, and channels, of a montage: what grows with their square stays small."""
MAX_NAME = 80
"""Characters of the name of an electrode or a channel."""


def available_montages() -> list[str]:
    """Return the names of the montages that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_montage(name_or_path: str | Path) -> Montage:
    """Return a montage by its name, or from a YAML file.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `available_montages` (case and blanks do not matter), or a file ending in
        ``.yaml`` or ``.yml``.

    Raises
    ------
    NeuriptError
        If there is no such montage or file, or something in the file is wrong.
    """
    text = str(name_or_path).strip()
    if text.casefold().endswith((".yaml", ".yml")):
        path = Path(text).expanduser()
        if not path.is_file():
            known = path.stem in available_montages()
            hint = f"the montage of that name is called {path.stem}" if known else "check the path"
            raise NeuriptError(f"there is no montage file {text}; {hint}")
        return parse_montage(_read(path), file=text, name=path.stem)
    name = "-".join(text.casefold().replace("_", " ").split())
    if not (FOLDER / f"{name}.yaml").is_file() or "/" in name or "\\" in name:
        raise NeuriptError(_unknown(text, name))
    return _load_packaged(name)


def _unknown(text: str, name: str) -> str:
    known = available_montages()
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    close += [k for k in known if name and k not in close and (name in k or k in name)][:3]
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    return f"unknown montage {text!r}: {hint} (`neuript montages` lists them; a file of your own must end in .yaml)"


@lru_cache(maxsize=64)
def _load_packaged(name: str) -> Montage:
    path = FOLDER / f"{name}.yaml"
    return parse_montage(_read(path), file=path.name, name=name)


def template_positions() -> dict[str, tuple[float, float, float]]:
    """Return electrode -> position in metres for the whole 10-5 system."""
    return dict(_template_positions())


@lru_cache(maxsize=1)
def _template_positions() -> dict[str, tuple[float, float, float]]:
    template = _load_packaged(TEMPLATE)
    return {
        name: (float(x), float(y), float(z))
        for name, (x, y, z) in zip(template.electrodes, template.electrode_pos_m, strict=True)
    }


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_YAML_BYTES:
        raise NeuriptError(f"{path}: a montage file must be smaller than {MAX_YAML_BYTES} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NeuriptError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def parse_montage(text: str, *, file: str = "montage", name: str = "montage") -> Montage:
    """Return the montage that a YAML text describes.

    Parameters
    ----------
    text : str
        The content of a montage file.
    file : str
        What to call the file in messages.
    name : str
        The montage's name where the text gives none.

    Raises
    ------
    NeuriptError
        If the text has a mistake; the message names the file, the field, what it says and what is allowed.
    """
    fields = _Fields(file, _parse_yaml(text, file))
    fields.check_known()
    electrodes = fields.electrodes()
    channels = fields.channels(electrodes)
    pairs = [split_pair(channel) for channel in channels]
    bipolar = [pair for pair in pairs if pair is not None]
    if bipolar and len(bipolar) != len(pairs):
        raise fields.wrong("channels", "mixes pairs and single electrodes; use only one kind")
    if bipolar:
        needed = tuple(electrodes)
        derivation = derive_pairs(bipolar, needed)
        unused = [e for e, used in zip(needed, np.any(derivation, axis=0), strict=True) if not used]
        if unused:
            raise fields.wrong("electrodes", f"lists {', '.join(unused)}, which no pair uses")
    else:
        needed = tuple(channels)
        derivation = np.eye(len(needed))
    electrode_pos_m = np.array([electrodes[e] for e in needed]).reshape(-1, 3) / 1000.0
    reference = fields.reference(bipolar=bool(bipolar))
    montage = Montage(
        name=fields.text("name", name),
        ch_names=tuple(channels),
        pos_m=np.abs(derivation) / np.abs(derivation).sum(axis=1, keepdims=True) @ electrode_pos_m,
        lobes=fields.lobes(channels),
        electrodes=needed,
        electrode_pos_m=electrode_pos_m,
        derivation=derivation,
        reference="bipolar" if bipolar else "as recorded",
        source=fields.text("source", ""),
        description=fields.text("description", ""),
        aliases=fields.aliases(tuple(electrodes) + tuple(channels)),
    )
    return montage if bipolar else montage.with_reference(reference)


def _parse_yaml(text: str, file: str) -> Mapping[str, Any]:
    content = parse_yaml(text, file)
    if not isinstance(content, Mapping):
        raise NeuriptError(
            f"{file}: a montage file must hold fields such as 'electrodes: [C3, Cz, C4]', not {_kind(content)}"
        )
    return content


class _Fields:
    """The fields of one file, each read with its own check."""

    def __init__(self, file: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.values = values

    def wrong(self, key: str, what: str) -> NeuriptError:
        return NeuriptError(f"{self.file}: field '{key}' {what}")

    def check_known(self) -> None:
        for key in self.values:
            if key not in _FIELDS:
                close = difflib.get_close_matches(str(key), _FIELDS, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                raise NeuriptError(
                    f"{self.file}: field '{one_line(key, 80)}' is not known, allowed are {', '.join(_FIELDS)}{hint}"
                )

    def text(self, key: str, default: str) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or (key == "name" and not value.strip()):
            raise self.wrong(key, f"must be a text, not {_kind(value)} (put it in quotes)")
        return one_line(" ".join(value.split()), 1000)

    def electrodes(self) -> dict[str, tuple[float, float, float]]:
        """Return electrode -> position in mm."""
        listed = self.values.get("electrodes")
        if listed is None:
            raise self.wrong("electrodes", "is missing; list the electrodes of the cap, e.g. [C3, Cz, C4]")
        if isinstance(listed, Mapping):
            pairs = list(listed.items())
        elif isinstance(listed, list):
            pairs = [(name, None) for name in listed]
        else:
            raise self.wrong("electrodes", f"must be a list of names or name: [x, y, z], not {_kind(listed)}")
        if not pairs:
            raise self.wrong("electrodes", "is empty; a montage needs at least one electrode")
        if len(pairs) > MAX_ELECTRODES:
            raise self.wrong("electrodes", f"lists {len(pairs)}; at most {MAX_ELECTRODES} are read")
        positions: dict[str, tuple[float, float, float]] = {}
        for label, xyz in pairs:
            name = self._name("electrodes", label)
            if name in positions:
                raise self.wrong("electrodes", f"names {name} twice")
            positions[name] = self._position(name, xyz)
        self._check_distinct(positions)
        return positions

    def _name(self, key: str, label: object) -> str:
        if not isinstance(label, str) or not label.strip():
            raise self.wrong(key, f"holds {short(label)}, which is {_kind(label)}; names are texts (put it in quotes)")
        if len(label) > MAX_NAME or plain(label) != label:
            raise self.wrong(key, f"holds {short(label)}; a name is one line of at most {MAX_NAME} characters")
        return canonical_name(label)

    def _position(self, name: str, xyz: object) -> tuple[float, float, float]:
        if xyz is None:
            known = template_positions().get(name) if self.file != f"{TEMPLATE}.yaml" else None
            if known is None:
                raise self.wrong(
                    "electrodes",
                    f"names {name}, which is not in the 10-5 system; give its position in mm: '{name}: [x, y, z]'",
                )
            return (known[0] * 1000.0, known[1] * 1000.0, known[2] * 1000.0)
        if not isinstance(xyz, list) or len(xyz) != 3 or not all(map(_is_number, xyz)):
            raise self.wrong("electrodes", f"gives {name} the position {short(xyz)}; it must be [x, y, z] in mm")
        x, y, z = (float(value) for value in xyz)
        distance = math.hypot(x, y, z)
        if not 10.0 <= distance <= _MAX_DISTANCE_MM:
            raise self.wrong(
                "electrodes",
                f"puts {name} {distance:g} mm from the centre of the head; "
                "positions are in millimetres, about 60 to 130 mm from it",
            )
        return x, y, z

    def _check_distinct(self, positions: Mapping[str, tuple[float, float, float]]) -> None:
        seen: dict[tuple[float, float, float], str] = {}
        for name, xyz in positions.items():
            if xyz in seen:
                raise self.wrong("electrodes", f"puts {seen[xyz]} and {name} in the same place {list(xyz)}")
            seen[xyz] = name

    def channels(self, electrodes: Mapping[str, object]) -> list[str]:
        listed = self.values.get("channels")
        if listed is None:
            return list(electrodes)
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ELECTRODES:
            raise self.wrong("channels", f"must be a list such as [C3, C4] or [C3-Cz], not {_kind(listed)}")
        channels: list[str] = []
        for label in listed:
            name = self._name("channels", label)
            for electrode in split_pair(name) or (name,):
                if electrode not in electrodes:
                    raise self.wrong("channels", f"uses {electrode} in {label!r}, which 'electrodes' does not list")
            if name in channels:
                raise self.wrong("channels", f"names {name} twice")
            channels.append(name)
        return channels

    def reference(self, *, bipolar: bool) -> str:
        allowed = ("bipolar",) if bipolar else ("as recorded", "average")
        given = self.text("reference", allowed[0])
        if given not in allowed:
            kind = "pairs" if bipolar else "single electrodes"
            raise self.wrong("reference", f"is {short(given)}; for {kind} it must be {' or '.join(allowed)}")
        return given

    def lobes(self, channels: list[str]) -> dict[str, tuple[int, ...]]:
        listed = self.values.get("lobes")
        if listed is None:
            lobes = lobes_by_rule(channels)
            if not lobes:
                raise self.wrong(
                    "lobes",
                    "is missing, and no lobe follows from these channel names; "
                    "give e.g. 'lobes: {left: [E1, E2], right: [E3]}'",
                )
            return lobes
        if not isinstance(listed, Mapping) or not listed:
            raise self.wrong("lobes", f"must map names to lists of channels, not {_kind(listed)}")
        where = {name.casefold(): index for index, name in enumerate(channels)}
        lobes = {}
        for lobe, members in listed.items():
            if not isinstance(lobe, str):
                raise self.wrong("lobes", f"holds the name {short(lobe)}; names are texts")
            if not isinstance(members, list) or not members:
                raise self.wrong("lobes", f"gives {short(lobe)} no list of channels; leave it out instead")
            indices = []
            for member in members:
                index = where.get(self._name("lobes", member).casefold())
                if index is None:
                    raise self.wrong(
                        "lobes", f"puts {short(member)} into {short(lobe)}, which is not one of the channels"
                    )
                if index in indices:
                    raise self.wrong("lobes", f"puts {short(member)} into {short(lobe)} twice")
                indices.append(index)
            lobes[lobe] = tuple(indices)
        return lobes

    def aliases(self, names: tuple[str, ...]) -> dict[str, str]:
        listed = self.values.get("aliases", {})
        if not isinstance(listed, Mapping):
            raise self.wrong("aliases", f"must map labels to electrodes, not {_kind(listed)}")
        aliases: dict[str, str] = {}
        for label, target in listed.items():
            name = self._name("aliases", target)
            if name not in names:
                raise self.wrong(
                    "aliases", f"says that {short(label)} means {short(target)}, which is not in this montage"
                )
            aliases[str(label).strip()] = name
        return aliases


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _kind(value: object) -> str:
    names = {
        type(None): "nothing",
        bool: "yes or no",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), type(value).__name__)
