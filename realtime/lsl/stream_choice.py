"""Which stream is meant: from what a person writes to the predicate that liblsl takes, and back to words. No pylsl."""

from __future__ import annotations

import re

from neuript.errors import NeuriptError
from neuript.montages.stream_labels import EEG_TYPES
from neuript.realtime.recordings.wanted_stream import wanted_stream

ANY_EEG = " or ".join(f"translate(normalize-space(type),'egx','EGX')='{stype}'" for stype in sorted(EEG_TYPES))
"""Predicate for streams whose type says that they are EEG, in any spelling."""


_QUOTED = r"('[^']*'|\"[^\"]*\"|concat\([^)]*\))"
_ANY_OF = re.compile(rf"\(name={_QUOTED} or source_id=\1 or type=\1\)")
_ONE_OF = re.compile(rf"\(?(name|source_id|type)={_QUOTED}\)?")


def stream_predicate(text: str) -> str:
    """Return the XPath predicate for what was written after `--stream`.

    Parameters
    ----------
    text : str
        A plain word, which may be the name, the source id or the type of a stream; `name=X`, also where the shell took
        the quotes; or a predicate, which is handed on.

    Raises
    ------
    NeuriptError
        If nothing can match, or a predicate lacks a quote or a bracket.
    """
    if not text.strip():
        raise NeuriptError("--stream is empty; give the name of a stream (neuript streams lists them)")
    if wanted := wanted_stream(text):
        return " or ".join(f"{name}={quoted(wanted.text)}" for name in wanted.fields)
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "0", text)  # without its quoted parts
    compared = re.findall(r"(\w*)\s*=\s*([A-Za-z_][\w.-]*)\s*(\(?)", bare)
    unquoted = any(left != "0" and not call for left, _, call in compared)
    if unquoted or re.search("['\"]", bare) or bare.count("(") != bare.count(")") or re.search(r"=\s*$", bare):
        raise NeuriptError(
            f"--stream {text} is not complete: a quote, a bracket or a name is missing; write the plain name of the "
            "stream (neuript streams lists them), or use --source-id"
        )
    return text


def predicate_for(predicate: str | None = None, name: str | None = None, source_id: str | None = None) -> str:
    """Return the XPath predicate for what the user asked (`stream_predicate`); any EEG stream when nothing is given."""
    parts = [f"({stream_predicate(predicate)})"] if predicate is not None else []
    if name is not None:
        parts.append(f"name={quoted(name)}")
    if source_id is not None:
        parts.append(f"source_id={quoted(source_id)}")
    return " and ".join(parts) or ANY_EEG


def in_words(predicate: str) -> str:
    """Return what a predicate asks for, as it follows "stream" in a sentence."""
    if predicate == ANY_EEG:
        return f"of type {' or '.join(sorted(EEG_TYPES))}"
    if found := _ANY_OF.fullmatch(predicate):
        return f"with the name, source id or type {found[1]}"
    if found := _ONE_OF.fullmatch(predicate):
        return f"with the {found[1].replace('_', ' ')} {found[2]}"
    return f"that matches {predicate}"


def quoted(text: str) -> str:
    """Return `text` as an XPath string literal; XPath 1.0 has no escapes, so one with both quotes is put together."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    pieces = ', "\'", '.join(f"'{piece}'" for piece in text.split("'"))
    return f"concat({pieces})"
