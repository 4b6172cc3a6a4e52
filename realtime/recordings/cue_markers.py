"""The markers of a session with cues: one JSON object each, and a header that says what they mean.

Whoever shows the cues writes them (`neuript.realtime.lsl.cue_outlet`); whoever reads a recording gets trials from them
without being told which marker starts which class. A trial counts once it is whole: its cue was shown, its end came,
and nobody rejected it. Of a trial that was repeated the last whole one counts; practice never does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from neuript.realtime.recordings.header import text_of

_TAG = "cues"
_FORMAT = "neuript-cues-1"
MARKERS, CODES = "markers", "codes"
"""Roles of the two streams: JSON texts, and the same as GDF codes for other programs."""
PRACTICE = "practice_"
"""What the class of a practice trial begins with."""
_COUNTS, _PRACTISED, _REJECTED = "cue/", "practice/", "rejected/"


@dataclass(frozen=True, kw_only=True)
class CueHeader:
    """What the streams of a session with cues say about it."""

    subject: str = ""
    """Alias of the person."""
    seed: int = 0
    """Of the order of the cues."""
    classes: Mapping[str, int]
    """Class to its GDF code, in the order of the model's classes."""
    events: Mapping[str, int]
    """Every other marker (`trial_start`, `cross`, ...) to its GDF code."""
    timing: Mapping[str, str]
    """Times of a trial, as text; for people."""


def cue_header_xml(header: CueHeader, role: str) -> Element:
    """Return the element of the `desc` that carries a header; `role` is `MARKERS` or `CODES`."""
    root = Element(_TAG)
    fields = {"format": _FORMAT, "role": role, "subject": header.subject, "seed": str(header.seed)}
    for tag, text in fields.items():
        SubElement(root, tag).text = text
    timing = SubElement(root, "timing")
    for tag, text in header.timing.items():
        SubElement(timing, tag).text = text
    for tag, codes in (("class", header.classes), ("event", header.events)):
        for name, code in codes.items():
            one = SubElement(root, tag)
            SubElement(one, "name").text = name
            SubElement(one, "gdf").text = str(code)
    return root


def cue_classes_in(header: Element, role: str = MARKERS) -> tuple[str, ...]:
    """Return the classes that a stream of cues names in its header, in their order; none for any other stream."""
    root = header.find(f"desc/{_TAG}")
    if root is None or text_of(root, "format") != _FORMAT or text_of(root, "role") != role:
        return ()
    return tuple(filter(None, (text_of(one, "name") for one in root.findall("class"))))


def cue_marker(ev: str, *, cls: str, trial: int, block: int, gdf: int, practice: bool, late: bool) -> str:
    """Return the text of a marker.

    Parameters
    ----------
    ev : str
        What happened: `trial_start`, `cross`, `beep`, `cue`, `feedback`, `trial_end`, `rejected`.
    cls : str
        The trial's class.
    trial, block : int
        Numbers of the trial in the session and of its block.
    gdf : int
        The code that the other stream carries.
    practice : bool
        True for a trial that is not to be learnt from.
    late : bool
        True if the window missed a frame, or was moved or covered, so far in this trial.
    """
    shown = f"{PRACTICE}{cls}" if practice else cls
    said = {"ev": ev, "cls": shown, "trial": trial, "block": block, "gdf": gdf, "practice": practice, "late": late}
    return json.dumps(said, separators=(",", ":"))


def cue_label(cls: str) -> str:
    """Return the label, of those of `plain_labels`, of the cues of a class whose trials count."""
    return f"{_COUNTS}{cls}"


def cue_class_of(label: str) -> str:
    """Return the class whose cue a label of `plain_labels` is, if its trial counts; empty for all others."""
    return label.removeprefix(_COUNTS) if label.startswith(_COUNTS) else ""


def plain_labels(texts: Sequence[str]) -> list[str]:
    """Return a short label for each marker: the class of a cue, and what happened for all others.

    Parameters
    ----------
    texts : sequence of str
        All markers of a stream of cues, in order of time.

    Returns
    -------
    list of str
        `cue/left_hand` for a cue whose trial counts, `practice/left_hand` and `rejected/left_hand` for others,
        `trial_start` and so on; a text that is no such marker stays as it is.
    """
    said = [read_cue_marker(text) for text in texts]
    counting = {cue for cue, _ in _counting(said)}
    labels = [text if one is None else str(one["ev"]) for text, one in zip(texts, said, strict=True)]
    for i, one in enumerate(said):
        if one is not None and one["ev"] == "cue":
            cls = str(one["cls"]).removeprefix(PRACTICE)
            kind = _PRACTISED if one["practice"] else _COUNTS if i in counting else _REJECTED
            labels[i] = f"{kind}{cls}"
    return labels


def whole_trials(texts: Sequence[str]) -> dict[int, tuple[int, int]]:
    """Return the trials that count, of all markers of a stream of cues, in order of time.

    Returns
    -------
    dict of int to (int, int)
        Number of the trial to the indices of its cue and of its end.
    """
    said = [read_cue_marker(text) for text in texts]
    return {int(said[cue]["trial"]): (cue, end) for cue, end in _counting(said)}  # type: ignore[index]


def _counting(said: Sequence[dict[str, Any] | None]) -> Iterator[tuple[int, int]]:
    """Indices of the cues whose trial counts, and of its end."""
    running: dict[tuple[int, int], int] = {}
    whole: dict[tuple[int, int], tuple[int, int]] = {}
    for i, one in enumerate(said):
        if one is None or one["practice"]:
            continue
        key = (one["block"], one["trial"])
        if one["ev"] == "cue":
            running[key] = i
        elif one["ev"] == "trial_end" and key in running:
            whole[key] = running.pop(key), i
        elif one["ev"] == "rejected":
            running.pop(key, None)
            whole.pop(key, None)
    yield from whole.values()


def read_cue_marker(text: str) -> dict[str, Any] | None:
    """Return what a marker says; None for a text that is none of these markers."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("ev"), str) or not isinstance(said.get("cls"), str):
        return None
    numbers = [said.get(name) for name in ("trial", "block")]
    return {**said, "practice": bool(said.get("practice"))} if all(type(n) is int for n in numbers) else None
