"""An XDF file that grows: every chunk is written whole or taken back, so the file is whole after each of them.

Format: https://github.com/sccn/xdf/wiki/Specifications. Every sample has its stamp, as it was received. What a power
cut leaves of a last chunk is cut off where the file is gone on with (`XdfFile.go_on`).
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.xdf_bytes import MAGIC
from neuript.realtime.recordings.xdf_skim import skim
from neuript.realtime.recordings.xdf_stand_ins import (
    BOUNDARY_TAG,
    CLOCK_OFFSET,
    FILE_HEADER,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    chunk,
)
from neuript.realtime.recordings.xdf_walk import BOUNDARY, DTYPES

_VERSION = "1.0"


class XdfFile:
    """An XDF file that is written to.

    Attributes
    ----------
    n_bytes : int
        Size of what is whole.

    Parameters
    ----------
    path : Path
        The file.
    descriptor : int
        Of the open file, which this object closes.
    n_bytes : int
        Size of what is whole in it.
    """

    def __init__(self, path: Path, descriptor: int, n_bytes: int) -> None:
        self.path, self.n_bytes = path, n_bytes
        self._descriptor = descriptor
        self._synced = 0

    @classmethod
    def new(cls, path: Path) -> XdfFile:
        """Create the file with its header; one that is there already is never overwritten.

        Raises
        ------
        OSError
            If that cannot be: FileExistsError, or no room.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        out = cls(path, descriptor, 0)
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        xml = f'<?xml version="1.0"?>\n<info><version>{_VERSION}</version><datetime>{when}</datetime></info>'
        try:
            out._append(MAGIC + chunk(FILE_HEADER, xml.encode()))
        except OSError:
            out.close()
            path.unlink(missing_ok=True)
            raise
        return out

    @classmethod
    def go_on(cls, path: Path) -> XdfFile:
        """Open a file to add to it; what follows its last whole chunk is cut off.

        Raises
        ------
        OSError, NeuriptError
            If it cannot be opened, or is no XDF file.
        """
        whole = skim(path).n_whole
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        os.ftruncate(descriptor, whole)
        out = cls(path, descriptor, whole)
        out.write(boundary_chunk())
        return out

    def write(self, whole_chunks: bytes) -> None:
        """Add chunks; afterwards they are in the file, all of them, or none.

        Raises
        ------
        OSError
            If there is no room, or the disk fails; the file is as it was before.
        """
        self._append(whole_chunks)

    def keep(self) -> None:
        """Put on the disk what was written, so that a power cut takes only what comes later.

        Raises
        ------
        OSError
            If the disk fails.
        """
        if self._synced != self.n_bytes:
            os.fsync(self._descriptor)
            self._synced = self.n_bytes

    @property
    def is_in_place(self) -> bool:
        """False where somebody has moved or removed the file; what is written goes where it is now, or nowhere."""
        if self._descriptor < 0:
            return self.path.is_file()
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the file; harmless when called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            os.lseek(self._descriptor, self.n_bytes, os.SEEK_SET)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # a disk that is gone; a reader leaves out what is torn
                os.ftruncate(self._descriptor, self.n_bytes)
            raise
        self.n_bytes += len(data)


def header_chunk(stream_id: int, xml: str) -> bytes:
    """Return the chunk that begins a stream: what its sender says of it."""
    return chunk(STREAM_HEADER, struct.pack("<I", stream_id) + xml.encode())


def offset_chunk(stream_id: int, measured_at: float, offset_s: float) -> bytes:
    """Return a measured difference of two clocks.

    Parameters
    ----------
    stream_id : int
        The stream.
    measured_at : float
        When, on the clock of the stream's sender, in seconds.
    offset_s : float
        Seconds to add to the sender's clock for that of the recorder.
    """
    return chunk(CLOCK_OFFSET, struct.pack("<Idd", stream_id, measured_at, offset_s))


def boundary_chunk() -> bytes:
    """Return a mark from which a reader can go on behind damage."""
    return chunk(BOUNDARY_TAG, BOUNDARY)


def footer_chunk(stream_id: int, n_samples: int, first: float, last: float) -> bytes:
    """Return the chunk that ends a stream.

    Parameters
    ----------
    stream_id : int
        The stream.
    n_samples : int
        How many of its samples are in the file.
    first, last : float
        Stamps of the first and the last of them, in seconds.
    """
    xml = (
        f'<?xml version="1.0"?>\n<info><first_timestamp>{first!r}</first_timestamp><last_timestamp>{last!r}'
        f"</last_timestamp><sample_count>{n_samples}</sample_count></info>"
    )
    return chunk(STREAM_FOOTER, struct.pack("<I", stream_id) + xml.encode())


def numbers_chunk(stream_id: int, values: NDArray[Any], stamps: NDArray[np.float64], channel_format: str) -> bytes:
    """Return samples of a numeric stream.

    Parameters
    ----------
    stream_id : int
        The stream.
    values : ndarray, shape (n_times, n_chans)
        The samples.
    stamps : ndarray, shape (n_times,)
        Their stamps, in seconds.
    channel_format : str
        Their number format, as LSL names it.
    """
    row = np.dtype([("n", "u1"), ("t", "<f8"), ("x", DTYPES[channel_format], (values.shape[1],))])
    rows = np.empty(len(stamps), row)
    rows["n"], rows["t"], rows["x"] = 8, stamps, values
    return chunk(SAMPLES, _samples_head(stream_id, len(stamps)) + rows.tobytes())


def texts_chunk(stream_id: int, values: Iterable[Sequence[bytes]], stamps: Sequence[float]) -> bytes:
    """Return samples of a stream of texts.

    Parameters
    ----------
    stream_id : int
        The stream.
    values : iterable of sequence of bytes, shape (n_times, n_chans)
        The samples, as they were sent.
    stamps : sequence of float, shape (n_times,)
        Their stamps, in seconds.
    """
    out = [_samples_head(stream_id, len(stamps))]
    for stamp, row in zip(stamps, values, strict=True):
        out.append(b"\x08" + struct.pack("<d", stamp))
        out.extend(b"\x04" + struct.pack("<I", len(text)) + text for text in row)
    return chunk(SAMPLES, b"".join(out))


def _samples_head(stream_id: int, n: int) -> bytes:
    return struct.pack("<IBI", stream_id, 4, n)
