"""Tables of verbs, for `neuript` and for `neuript train`: how they are listed, and which one was meant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from neuript.foreign import one_line


def table_of(verbs: Mapping[str, str]) -> str:
    """Return one line a verb: its name and its line of help."""
    width = max(map(len, verbs))
    return "\n".join(f"  {verb:<{width}}  {text}" for verb, text in verbs.items())


def unknown_verb(given: str, verbs: Mapping[str, str], kind: str = "verb") -> str:
    """Say that there is no such verb, which one may have been meant, and which there are."""
    from difflib import get_close_matches

    close = get_close_matches(given, verbs, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"there is no {kind} '{one_line(given, 60)}'{hint} (verbs: {', '.join(verbs)})"


def split_verbose(argv: Sequence[str]) -> tuple[list[str], bool]:
    """Return a command line without `--verbose`, and whether it, or the environment, asks for that."""
    flags = ("-v", "--verbose")
    verbose = any(a in flags for a in argv) or bool(os.environ.get("NEURIPT_VERBOSE"))
    return [a for a in argv if a not in flags], verbose
