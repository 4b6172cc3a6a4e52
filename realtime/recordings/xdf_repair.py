"""What can be saved of a damaged XDF file: its whole chunks, in a new file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.xdf_walk import XdfScan, clean_bytes


def save_whole_chunks(blob: bytes, found: XdfScan, out: Path) -> None:
    """Write the whole chunks of an XDF file to a file that is not there yet.

    Parameters
    ----------
    blob : bytes
        The damaged file.
    found : XdfScan
        What `scan` found in it.
    out : Path
        The new file. It is created exclusively, because between a look and the writing somebody else could make it,
        and it is removed again when it could not be written whole.

    Raises
    ------
    NeuriptError
        `out` exists, or cannot be written.
    """
    whole = clean_bytes(blob, found)
    try:
        with ExitStack() as undo:
            with out.open("xb") as file:
                undo.callback(out.unlink, missing_ok=True)
                file.write(whole)
                file.flush()
                os.fsync(file.fileno())
            undo.pop_all()
    except FileExistsError as error:
        raise NeuriptError(f"{out} exists already; give another name") from error
    except OSError as error:
        raise NeuriptError(f"{out} cannot be written: {error.strerror or error}; choose another place") from error
