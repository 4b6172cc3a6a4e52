"""The text samples of an XDF file, from the chunks that the walk found whole."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.text_encoding import read_text
from neuript.realtime.recordings.xdf_walk import ScannedStream, varlen


def decode_texts(blob: bytes, stream: ScannedStream) -> list[tuple[list[list[str]], NDArray[np.float64]]]:
    """Decode the Samples chunks of a text stream.

    Returns
    -------
    list of (values, stamps)
        Values of each chunk, a list of texts for each sample, and its stamps, shape (n_times,), in seconds.
        Samples without a stamp follow the one before them by a nominal period, as the format says.
    """
    period = 1.0 / stream.sfreq if stream.sfreq > 0 else 0.0
    known: dict[bytes, str] = {}
    out, last = [], 0.0
    for position, offsets in stream.chunks:
        n, values = len(offsets) - 1, []
        stamps = np.empty(n)
        for k in range(n):
            if blob[position]:
                last = struct.unpack_from("<d", blob, position + 1)[0]
                position += 8
            else:
                last += period
            stamps[k] = last
            position += 1
            row = []
            for _ in range(stream.n_chans):
                length, position = varlen(blob, position)
                raw = blob[position : position + length]
                position += length
                row.append(known[raw] if raw in known else known.setdefault(raw, read_text(raw)))
            values.append(row)
        out.append((values, stamps))
    return out
