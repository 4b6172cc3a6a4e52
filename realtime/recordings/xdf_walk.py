"""A bounded walk over the chunks of an XDF file, done before anything else parses it.

pyxdf trusts every length in the file: a lying one asks for gigabytes, a cut file ends in an exception or
in one garbled sample. This walk checks each chunk against the size of the file and of its stream, keeps the
chunks that are whole, and says how much was left behind; only those chunks reach pyxdf.

pyxdf also reads number by number. The walk knows where every sample lies, so numeric chunks are decoded
here at once (`decode_numbers`), and pyxdf gets a `thin_file` with one stand-in sample for each of them.

Format: https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.recordings.header import MAX_XML_BYTES, parse_xml, signal_info, text_of

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY_TAG, STREAM_FOOTER = range(1, 7)
MAX_UNPACKED_BYTES = 8 * 2**30
MAX_STREAMS = 1024
DTYPES = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
_ITEM_BYTES = {name: np.dtype(code).itemsize for name, code in DTYPES.items()}


@dataclass
class ScannedStream:
    """One stream of an XDF file as the walk found it."""

    stream_id: int
    header: Element
    header_xml: str
    n_chans: int
    channel_format: str
    sfreq: float = 0.0
    footer: Element | None = None
    n_samples: int = 0
    n_offsets: int = 0
    chunks: list[tuple[int, NDArray[np.int64]]] = field(default_factory=list)
    """Where each Samples chunk begins, and the offsets from there at which its samples begin."""

    @property
    def is_text(self) -> bool:
        """True for a stream of strings."""
        return self.channel_format == "string"

    @property
    def n_item(self) -> int:
        """Bytes of the numbers of one sample."""
        return self.n_chans * _ITEM_BYTES[self.channel_format]


@dataclass
class XdfScan:
    """What the walk found.

    Attributes
    ----------
    streams : dict
        Streams by id, in order of appearance.
    keep : list of (start, stop)
        Byte ranges of the chunks that are whole (without the magic).
    thin : list of (start, stop) or bytes
        The same for `thin_file`, chunk by chunk.
    n_bytes : int
        Size of the (unpacked) file.
    problems : list of str
        One sentence for each thing that was wrong.
    """

    streams: dict[int, ScannedStream] = field(default_factory=dict)
    keep: list[tuple[int, int]] = field(default_factory=list)
    thin: list[tuple[int, int] | bytes] = field(default_factory=list)
    n_bytes: int = 0
    n_chunks: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def n_kept(self) -> int:
        """Bytes in whole chunks, with the magic."""
        return len(MAGIC) + sum(stop - start for start, stop in self.keep)

    @property
    def intact(self) -> bool:
        """True if every byte of the file belongs to a whole chunk."""
        return self.n_kept == self.n_bytes


class _DamagedError(Exception):
    """A chunk that cannot be used; the message says why."""


def load_bytes(path: Path) -> bytes:
    """Return the content of an `.xdf`, `.xdfz` or `.xdf.gz` file, unpacked, with a limit.

    Raises
    ------
    NeuriptError
        If there is no such file, or it is empty, without the XDF magic, or larger than 8 GiB.
    """
    if not path.is_file():
        raise NeuriptError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise NeuriptError(f"{path} is empty (0 bytes): the recorder wrote nothing into it")
    packed = path.suffix.lower() in (".xdfz", ".gz")
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            blob = _read_limited(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise NeuriptError(f"{path} cannot be read ({error})") from error
    if not blob.startswith(MAGIC):
        raise NeuriptError(f"{path} is not an XDF file: it does not begin with 'XDF:'")
    return blob


def _read_limited(file: io.BufferedIOBase | IO[bytes], path: Path) -> bytes:
    pieces, total = [], 0
    while piece := file.read(2**24):
        total += len(piece)
        if total > MAX_UNPACKED_BYTES:
            raise NeuriptError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES // 2**30} GiB")
        pieces.append(piece)
    return b"".join(pieces)


def scan(blob: bytes) -> XdfScan:
    """Walk over all chunks of an XDF file in memory.

    Raises
    ------
    NeuriptError
        If the XML has a DOCTYPE or is larger than 16 MiB, or there are more than 1024 streams: no recorder
        writes such a file, so it is refused rather than repaired.
    """
    found = XdfScan(n_bytes=len(blob))
    position = len(MAGIC)
    while position < len(blob):
        try:
            start, stop, tag, content = _chunk_at(blob, position)
        except _DamagedError as damage:
            position = _skip_damage(blob, position, str(damage), found)
            continue
        try:
            stand_in = _take(blob, tag, content, stop, found)
        except _DamagedError as damage:
            found.problems.append(f"chunk at byte {start} left out: {damage}")
        else:
            if found.keep and found.keep[-1][1] == start:
                found.keep[-1] = (found.keep[-1][0], stop)
            else:
                found.keep.append((start, stop))
            found.thin.append(stand_in or (start, stop))
            found.n_chunks += 1
        position = stop
    return found


def clean_bytes(blob: bytes, found: XdfScan) -> bytes:
    """Return an XDF file of the whole chunks."""
    return MAGIC + b"".join(blob[start:stop] for start, stop in found.keep)


def thin_file(blob: bytes, found: XdfScan) -> io.BytesIO:
    """Return an XDF file of the whole chunks with one zero sample in place of each numeric Samples chunk."""
    pieces = (p if isinstance(p, bytes) else blob[p[0] : p[1]] for p in found.thin)
    return io.BytesIO(MAGIC + b"".join(pieces))


def decode_numbers(blob: bytes, stream: ScannedStream) -> list[tuple[NDArray[Any], NDArray[np.float64]]]:
    """Decode the Samples chunks of a numeric stream.

    Returns
    -------
    list of (values, stamps)
        Values of each chunk, shape (n_times, n_chans), in the recorded number format, and its stamps, shape (n_times,),
        in seconds.
        Samples without a stamp follow the one before them by a nominal period, as the format says.
    """
    dtype = np.dtype(DTYPES[stream.channel_format])
    period = 1.0 / stream.sfreq if stream.sfreq > 0 else 0.0
    out, last = [], 0.0
    for begin, offsets in stream.chunks:
        raw = np.frombuffer(blob, np.uint8, int(offsets[-1]), begin)
        stamped = raw[offsets[:-1]] != 0
        first = offsets[:-1] + 1 + 8 * stamped
        values = _gather(raw, first, stream.n_item).view(dtype).astype(dtype.newbyteorder("="))
        stamps = np.full(len(first), period)
        stamps[stamped] = _gather(raw, offsets[:-1][stamped] + 1, 8).view("<f8")[:, 0]
        _count_up(stamps, stamped, last)
        last = float(stamps[-1]) if len(stamps) else last
        out.append((values, stamps))
    return out


def _gather(raw: NDArray[np.uint8], first: NDArray[np.int64], n_bytes: int) -> NDArray[np.uint8]:
    """Return `n_bytes` bytes from each of the places `first`, shape (len(first), n_bytes)."""
    steps = np.diff(first)
    if len(first) > 1 and (steps == steps[0]).all():  # equal rows: one strided copy
        rows = np.lib.stride_tricks.as_strided(
            raw[first[0] :], (len(first), n_bytes), (int(steps[0]), 1), writeable=False
        )
        return np.ascontiguousarray(rows)
    picked: NDArray[np.uint8] = raw[first[:, None] + np.arange(n_bytes)]
    return picked


def _count_up(stamps: NDArray[np.float64], stamped: NDArray[np.bool_], last: float) -> None:
    """Turn the periods of unstamped samples into stamps, in place, adding one after the other."""
    if stamped.all():
        return
    edges = np.append(np.flatnonzero(stamped), len(stamps))
    if edges[0] > 0:
        stamps[: edges[0]] = np.add.accumulate(np.append(last, stamps[: edges[0]]))[1:]
    for start, stop in itertools.pairwise(edges.tolist()):
        stamps[start:stop] = np.add.accumulate(stamps[start:stop])


def _varlen(blob: bytes, position: int) -> tuple[int, int]:
    """Return (value, position after it) of a variable-length integer."""
    n = blob[position] if position < len(blob) else 0
    if n not in (1, 4, 8):
        raise _DamagedError("an impossible length")
    if position + 1 + n > len(blob):
        raise _DamagedError("the file ends inside a length")
    return int.from_bytes(blob[position + 1 : position + 1 + n], "little"), position + 1 + n


def _chunk_at(blob: bytes, position: int) -> tuple[int, int, int, int]:
    """Return (start, stop, tag, start of the content) of the chunk that begins at `position`."""
    length, after = _varlen(blob, position)
    if length < 2:
        raise _DamagedError(f"a chunk of {length} bytes")
    if after + length > len(blob):
        missing = after + length - len(blob)
        raise _DamagedError(f"the last chunk wants {missing} bytes more than the file has")
    tag = int.from_bytes(blob[after : after + 2], "little")
    if not FILE_HEADER <= tag <= STREAM_FOOTER:
        raise _DamagedError(f"unknown chunk tag {tag}")
    return position, after + length, tag, after + 2


def _skip_damage(blob: bytes, position: int, why: str, found: XdfScan) -> int:
    """Go to just after the next boundary mark, or to the end; note how much is lost."""
    mark = blob.find(BOUNDARY, position)
    stop = len(blob) if mark < 0 else mark + len(BOUNDARY)
    where = "the rest of the file is lost" if mark < 0 else "reading goes on at the next boundary"
    found.problems.append(f"at byte {position} of {len(blob)}: {why}; {where} ({stop - position} bytes)")
    return stop


def _take(blob: bytes, tag: int, content: int, stop: int, found: XdfScan) -> bytes | None:
    """Check one chunk and note what it says; return its stand-in for pyxdf, if it needs one."""
    if tag == FILE_HEADER:
        _xml(blob[content:stop])
        return None
    if tag == BOUNDARY_TAG:
        return None
    if stop - content < 4:
        raise _DamagedError("no room for a stream id")
    stream_id = int.from_bytes(blob[content : content + 4], "little")
    content += 4
    if tag == STREAM_HEADER:
        _take_header(blob[content:stop], stream_id, found)
        return None
    stream = found.streams.get(stream_id)
    if stream is None:
        raise _DamagedError(f"stream {stream_id} has no header")
    if tag == STREAM_FOOTER:
        stream.footer = _xml(blob[content:stop])
    elif tag == CLOCK_OFFSET:
        if stop - content != 16:
            raise _DamagedError(f"a clock offset of {stop - content} bytes instead of 16")
        if not np.isfinite(struct.unpack("<dd", blob[content:stop])).all():
            raise _DamagedError("a clock offset that is not a number")
        stream.n_offsets += 1
    else:
        stream.n_samples += _check_samples(blob, content, stop, stream)
        return None if stream.is_text else _stand_in(stream)
    return None


def _stand_in(stream: ScannedStream) -> bytes:
    body = struct.pack("<HI", SAMPLES, stream.stream_id) + b"\x01\x01\x08" + bytes(8 + stream.n_item)
    return b"\x04" + struct.pack("<I", len(body)) + body


def _take_header(xml: bytes, stream_id: int, found: XdfScan) -> None:
    root = _xml(xml)
    if stream_id in found.streams:
        raise _DamagedError(f"a second header for stream {stream_id}")
    if len(found.streams) >= MAX_STREAMS:
        raise NeuriptError(f"the XDF file has more than {MAX_STREAMS} streams")
    if not text_of(root, "name"):
        raise _DamagedError(f"the header of stream {stream_id} has no name")
    try:
        info = signal_info(root)
    except NeuriptError as error:
        raise _DamagedError(str(error)) from error
    found.streams[stream_id] = ScannedStream(
        stream_id=stream_id,
        header=root,
        header_xml=xml.decode("utf-8", "replace"),
        n_chans=len(info.ch_names),
        channel_format=info.channel_format,
        sfreq=info.sfreq,
    )


def _xml(content: bytes) -> Element:
    if len(content) > MAX_XML_BYTES or b"<!doctype" in content.lower():
        parse_xml(content)  # raises NeuriptError: refused, not repaired
    try:
        return parse_xml(content)
    except NeuriptError as error:
        raise _DamagedError(str(error)) from error


def _check_samples(blob: bytes, content: int, stop: int, stream: ScannedStream) -> int:
    """Return the number of samples of a Samples chunk whose every byte is accounted for."""
    n, position = _varlen(blob, content)
    if n > stop - position:
        raise _DamagedError(f"{n} samples announced in {stop - position} bytes")
    if stream.is_text:
        end = _walk_text(blob, position, stop, n, stream.n_chans)
    else:
        offsets = _walk_numbers(blob, position, stop, n, stream.n_item)
        end = position + int(offsets[-1])
    if end != stop:
        raise _DamagedError(f"its samples fill {end - content} of {stop - content} bytes")
    if not stream.is_text:
        stream.chunks.append((position, offsets))
    return n


def _walk_numbers(blob: bytes, begin: int, stop: int, n: int, n_item: int) -> NDArray[np.int64]:
    """Return where samples begin, and where the last one ends, counted from `begin`, shape (n + 1,)."""
    for n_stamp in (8, 0):  # often all samples have a stamp, or none
        n_row = 1 + n_stamp + n_item
        if n and stop - begin == n * n_row:
            flags = np.frombuffer(blob, np.uint8, n * n_row, begin)[::n_row]
            if (flags == n_stamp).all():
                return np.arange(n + 1) * n_row
    places, position = [0], begin
    for _ in range(n):
        if position >= stop:
            raise _DamagedError("its samples end too early")
        if blob[position] not in (0, 8):
            raise _DamagedError(f"a time stamp of {blob[position]} bytes")
        position += 1 + blob[position] + n_item
        places.append(position - begin)
    return np.array(places)


def _walk_text(blob: bytes, position: int, stop: int, n: int, n_chans: int) -> int:
    for _ in range(n):
        if position >= stop or blob[position] not in (0, 8):
            raise _DamagedError("its samples are garbled")
        position += 1 + blob[position]
        for _ in range(n_chans):
            length, position = _varlen(blob, position)
            position += length
            if position > stop:
                raise _DamagedError("a text longer than its chunk")
    return position
