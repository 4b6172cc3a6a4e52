"""Tables of a BIDS data set, by the names of their columns."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.text_encoding import read_text


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, cells that a row lacks as empty ones; the text of each cell follows `read_text`.

    Raises
    ------
    NeuriptError
        If it cannot be read.
    """
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        if b"\x00" in raw:
            raise NeuriptError(f"{path} is no text in UTF-8; save it again as such")
        rows = list(csv.reader(io.StringIO(read_text(raw), newline=""), delimiter="\t"))
    except (OSError, csv.Error) as error:
        raise NeuriptError(f"{path} cannot be read ({error}); mend it first") from error
    names, *body = [[read_text(cell) for cell in row] for row in rows if row] or [[]]
    return [dict(itertools.zip_longest(names, row[: len(names)], fillvalue="")) for row in body]
