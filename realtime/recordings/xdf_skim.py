"""How much of what an XDF file holds, found chunk by chunk without reading it whole: for files of any size.

`xdf_walk` checks every byte of a file in memory; here only lengths, headers and counts are read, up to the first chunk
that is not whole.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.recordings.header import MAX_XML_BYTES, signal_info
from neuript.realtime.recordings.xdf_bytes import MAGIC
from neuript.realtime.recordings.xdf_stand_ins import FILE_HEADER, SAMPLES, STREAM_FOOTER, STREAM_HEADER
from neuript.realtime.recordings.xdf_walk import DTYPES

_HEAD = 2 + 4 + 9 + 9
"""Bytes of a chunk's content that say its tag, its stream, how many samples it holds and the first stamp."""
Span = tuple[float, float]
"""From one stamp to another, both included, in seconds."""


@dataclass
class SkimmedStream:
    """One stream of the file."""

    header_xml: str
    n_chans: int
    channel_format: str
    n_samples: int = 0
    first: float = np.nan
    """Stamp of its first sample, in seconds."""
    last: float = np.nan
    """Stamp of its last sample, in seconds."""
    n_within: int = 0
    """Samples in the span that was asked for."""
    last_chunk: tuple[int, int, int] = (0, 0, 0)
    """Where the samples of its last Samples chunk begin, their bytes and their number."""


@dataclass
class XdfSkim:
    """What is whole in the file."""

    n_whole: int = len(MAGIC)
    """Bytes up to the end of the last whole chunk."""
    n_bytes: int = 0
    """Size of the file."""
    streams: dict[int, SkimmedStream] = field(default_factory=dict)
    ended: bool = False
    """Whether its streams have their ends (footers)."""


def skim(path: Path, within: Mapping[int, Span] | None = None) -> XdfSkim:
    """Go over the chunks of an XDF file that this program has written.

    Parameters
    ----------
    path : Path
        The file.
    within : mapping of int to (float, float), optional
        For streams, by their ids, spans in which samples are counted; None counts none.

    Raises
    ------
    NeuriptError
        If it is no XDF file, or not one of this program.
    OSError
        If it cannot be read.
    """
    found = XdfSkim(n_bytes=path.stat().st_size)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise NeuriptError(f"{path} is not an XDF file: it does not begin with 'XDF:'")
        while (content := _length(file)) is not None:
            begin = file.tell()
            if content < 2 or begin + content > found.n_bytes:
                break
            head = file.read(min(content, _HEAD))
            tag = int.from_bytes(head[:2], "little")
            if not FILE_HEADER <= tag <= STREAM_FOOTER or not _take(file, begin, content, tag, head, found, within):
                break
            found.ended = tag == STREAM_FOOTER
            found.n_whole = begin + content
            file.seek(found.n_whole)
        for stream in found.streams.values():
            begin, n_bytes, n = stream.last_chunk
            file.seek(begin)
            stream.last = float(_stamps(file.read(n_bytes), n, stream)[-1]) if n else np.nan
    return found


def _length(file: BinaryIO) -> int | None:
    """Return the length that a chunk begins with; None where there is none."""
    size = file.read(1)
    if size not in (b"\x01", b"\x04", b"\x08"):
        return None
    text = file.read(size[0])
    return int.from_bytes(text, "little") if len(text) == size[0] else None


def _take(
    file: BinaryIO, begin: int, content: int, tag: int, head: bytes, found: XdfSkim, within: Mapping[int, Span] | None
) -> bool:
    """Note what one chunk says; False where it cannot be."""
    if tag not in (STREAM_HEADER, SAMPLES):
        return True
    if len(head) < 6:
        return False
    stream_id = int.from_bytes(head[2:6], "little")
    if tag == STREAM_HEADER:
        if content > MAX_XML_BYTES:
            return False
        file.seek(begin + 6)
        return _begin(stream_id, file.read(content - 6), found)
    stream, n_size = found.streams.get(stream_id), head[6] if len(head) > 6 else 0
    if stream is None or n_size not in (1, 4, 8) or len(head) < 7 + n_size:
        return False
    n = int.from_bytes(head[7 : 7 + n_size], "little")
    samples = 7 + n_size
    if n and not stream.n_samples and len(head) >= samples + 9:
        stream.first = struct.unpack_from("<d", head, samples + 1)[0]
    stream.n_samples += n
    stream.last_chunk = (begin + samples, content - samples, n)
    if within is not None and stream_id in within:
        file.seek(begin + samples)
        stamps = _stamps(file.read(content - samples), n, stream)
        low, high = within[stream_id]
        stream.n_within += int(np.count_nonzero((stamps >= low) & (stamps <= high)))
    return True


def _begin(stream_id: int, xml: bytes, found: XdfSkim) -> bool:
    try:
        info = signal_info(xml)
    except NeuriptError:
        return False
    found.streams[stream_id] = SkimmedStream(xml.decode("utf-8", "replace"), len(info.ch_names), info.channel_format)
    return True


def _stamps(content: bytes, n: int, stream: SkimmedStream) -> NDArray[np.float64]:
    """Return the stamps of a Samples chunk of which every sample has one, shape (n,); none for another chunk."""
    if stream.channel_format == "string":
        return _stamps_of_texts(content, n, stream.n_chans)
    row = np.dtype([("n", "u1"), ("t", "<f8"), ("x", DTYPES[stream.channel_format], (stream.n_chans,))])
    if len(content) != n * row.itemsize:
        raise NeuriptError("the file has samples without a stamp; this program writes none")
    return np.frombuffer(content, row)["t"].astype(np.float64)


def _stamps_of_texts(content: bytes, n: int, n_chans: int) -> NDArray[np.float64]:
    out, position = [], 0
    for _ in range(n):
        out.append(struct.unpack_from("<d", content, position + 1)[0])
        position += 9
        for _ in range(n_chans):
            size = content[position]
            position += 1 + size + int.from_bytes(content[position + 1 : position + 1 + size], "little")
    return np.array(out)
