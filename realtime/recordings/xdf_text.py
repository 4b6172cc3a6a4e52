"""The text samples of an XDF file, from the chunks that the walk found whole."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.text_encoding import read_text
from neuript.realtime.recordings.xdf_walk import ScannedStream, varlen


def decode_texts(blob: bytes, stream: ScannedStream) -> tuple[list[list[str]], NDArray[np.float64]]:
    """Decode the Samples chunks of a text stream.

    Returns
    -------
    values, stamps
        A list of texts for each sample, and the stamps, shape (n_times,), in seconds.
        Samples without a stamp follow the one before them by a nominal period, as the format says.
    """
    period = 1.0 / stream.sfreq if stream.sfreq > 0 else 0.0
    known: dict[bytes, str] = {}
    values: list[list[str]] = []
    stamps = np.empty(stream.n_samples)
    last = 0.0
    for position, offsets in stream.chunks:
        for _ in range(len(offsets) - 1):
            if blob[position]:
                last = struct.unpack_from("<d", blob, position + 1)[0]
                position += 8
            else:
                last += period
            stamps[len(values)] = last
            position += 1
            row = []
            for _ in range(stream.n_chans):
                length, position = varlen(blob, position)
                raw = blob[position : position + length]
                position += length
                row.append(known[raw] if raw in known else known.setdefault(raw, read_text(raw)))
            values.append(row)
    return values, stamps
