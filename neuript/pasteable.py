"""Commands that are printed for a person to paste: file names with blanks are quoted."""

from __future__ import annotations

import shlex
from pathlib import Path


def pasteable(*words: str | Path) -> str:
    """Return a command line of a program and its arguments, as a shell takes it.

    Examples
    --------
    >>> pasteable("neuript", "inspect", "my run.xdf")
    "neuript inspect 'my run.xdf'"
    """
    return shlex.join(map(str, words))
