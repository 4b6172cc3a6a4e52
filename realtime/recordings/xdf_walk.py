"""A bounded walk over the chunks of an XDF file, done before anything else parses it.

pyxdf trusts every length in the file: a lying one asks for gigabytes, a cut file ends in an exception or
in one garbled sample. This walk checks each chunk against the size of the file and of its stream, keeps the
chunks that are whole, and says how much was left behind; only those chunks reach pyxdf.

pyxdf also reads number by number, and text as UTF-8 alone. The walk knows where every sample lies, so streams are
decoded at once by `xdf_numbers` and `xdf_text`, and pyxdf gets a `thin_file` with one stand-in sample for each of them.

Format: https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.recordings import xdf_stand_ins as stand_ins
from neuript.realtime.recordings.header import MAX_XML_BYTES, parse_xml, signal_info, text_of
from neuript.realtime.recordings.text_encoding import read_text
from neuript.realtime.recordings.xdf_bytes import MAGIC

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
MAX_STREAMS = 1024
MAX_EMPTY_CHUNKS = 10_000
"""Samples chunks without samples; no recorder writes more."""
MOST_PROBLEMS = 20
"""So many things that are wrong are told one by one."""
_MAX_COUNT = 2**53
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
    """Where the samples of each Samples chunk begin, and the offsets from there at which each of them begins."""

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
    keep : list of (start, stop) or bytes
        Byte ranges of the chunks that are whole (without the magic), and chunks that stand for mended ones.
    thin : list of (start, stop) or bytes
        What of them `thin_file` holds.
    n_whole : int
        Bytes in whole chunks that needed no mending.
    n_bytes : int
        Size of the (unpacked) file.
    problems : list of str
        One sentence for each thing that was wrong; of many, the first 20.
    n_problems : int
        How many there are.
    """

    streams: dict[int, ScannedStream] = field(default_factory=dict)
    keep: list[tuple[int, int] | bytes] = field(default_factory=list)
    thin: list[tuple[int, int] | bytes] = field(default_factory=list)
    n_bytes: int = 0
    n_whole: int = 0
    n_chunks: int = 0
    n_empty: int = 0
    has_header: bool = False
    problems: list[str] = field(default_factory=list)
    n_problems: int = 0

    def add(self, problem: str) -> None:
        """Note one thing that was wrong."""
        self.n_problems += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def told(self) -> list[str]:
        """Return the sentences, and one for those that are not written out."""
        more = self.n_problems - len(self.problems)
        return [*self.problems, f"and {more} more of the kind"] if more else list(self.problems)

    @property
    def n_kept(self) -> int:
        """Bytes in whole chunks, with the magic."""
        return len(MAGIC) + self.n_whole

    @property
    def intact(self) -> bool:
        """True if every byte of the file belongs to a whole chunk."""
        return self.n_kept == self.n_bytes


class _DamagedError(Exception):
    """A chunk that cannot be used; the message says why."""


def scan(blob: bytes) -> XdfScan:
    """Walk over all chunks of an XDF file in memory.

    Raises
    ------
    NeuriptError
        If the XML has a DOCTYPE or is larger than 16 MiB, or there are more than 1024 streams or 10,000 chunks of no
        samples: no recorder writes such a file, so it is refused rather than repaired.
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
            stand_in, mended = _take(blob, tag, content, stop, found)
        except _DamagedError as damage:
            found.add(f"chunk at byte {start} left out: {damage}")
        else:
            last = found.keep[-1] if found.keep else b""
            if mended:
                found.keep.append(mended)
            elif isinstance(last, tuple) and last[1] == start:
                found.keep[-1] = (last[0], stop)
            else:
                found.keep.append((start, stop))
            found.n_whole += 0 if mended else stop - start
            if stand_in is None:
                found.thin.append((start, stop))
            elif stand_in:
                found.thin.append(stand_in)
            found.n_chunks += 1
        position = stop
    return found


def clean_bytes(blob: bytes, found: XdfScan) -> bytes:
    """Return an XDF file of the whole and the mended chunks."""
    first = [] if found.has_header else [stand_ins.file_header()]
    return MAGIC + b"".join(first) + b"".join(_pieces(blob, found.keep))


def thin_file(blob: bytes, found: XdfScan) -> io.BytesIO:
    """Return an XDF file of stand-ins and clock offsets, with one empty sample for each stream."""
    return io.BytesIO(MAGIC + stand_ins.file_header() + b"".join(_pieces(blob, found.thin)))


def _pieces(blob: bytes, parts: Iterable[tuple[int, int] | bytes]) -> Iterator[bytes]:
    return (part if isinstance(part, bytes) else blob[part[0] : part[1]] for part in parts)


def varlen(blob: bytes, position: int) -> tuple[int, int]:
    """Return (value, position after it) of a variable-length integer at a place of an XDF file."""
    n = blob[position] if position < len(blob) else 0
    if n not in (1, 4, 8):
        raise _DamagedError("an impossible length")
    if position + 1 + n > len(blob):
        raise _DamagedError("the file ends inside a length")
    return int.from_bytes(blob[position + 1 : position + 1 + n], "little"), position + 1 + n


def _chunk_at(blob: bytes, position: int) -> tuple[int, int, int, int]:
    """Return (start, stop, tag, start of the content) of the chunk that begins at `position`."""
    length, after = varlen(blob, position)
    if length < 2:
        raise _DamagedError(f"a chunk of {length} bytes")
    if after + length > len(blob):
        missing = after + length - len(blob)
        raise _DamagedError(f"the last chunk wants {missing} bytes more than the file has")
    tag = int.from_bytes(blob[after : after + 2], "little")
    if not stand_ins.FILE_HEADER <= tag <= stand_ins.STREAM_FOOTER:
        raise _DamagedError(f"unknown chunk tag {tag}")
    return position, after + length, tag, after + 2


def _skip_damage(blob: bytes, position: int, why: str, found: XdfScan) -> int:
    """Go to just after the next boundary mark, or to the end; note how much is lost."""
    mark = blob.find(BOUNDARY, position)
    stop = len(blob) if mark < 0 else mark + len(BOUNDARY)
    where = "the rest of the file is lost" if mark < 0 else "reading goes on at the next boundary"
    found.add(f"at byte {position} of {len(blob)}: {why}; {where} ({stop - position} bytes)")
    return stop


def _take(blob: bytes, tag: int, content: int, stop: int, found: XdfScan) -> tuple[bytes | None, bytes]:
    """Check one chunk and note what it says.

    Returns
    -------
    stand_in : bytes or None
        What pyxdf gets instead, perhaps nothing; None means the chunk itself.
    mended : bytes
        What a repaired file gets instead; nothing means the chunk itself.
    """
    if tag == stand_ins.FILE_HEADER:
        return b"", _take_file_header(blob[content:stop], found)
    if tag == stand_ins.BOUNDARY_TAG:
        return b"", b""
    if stop - content < 4:
        raise _DamagedError("no room for a stream id")
    stream_id = int.from_bytes(blob[content : content + 4], "little")
    content += 4
    if tag == stand_ins.STREAM_HEADER:
        stream = _take_header(blob[content:stop], stream_id, found)
        return stand_ins.stream_header(stream_id, stream.n_chans, stream.sfreq, stream.channel_format), b""
    return _take_content(blob, tag, content, stop, stream_id, found)


def _take_content(
    blob: bytes, tag: int, content: int, stop: int, stream_id: int, found: XdfScan
) -> tuple[bytes | None, bytes]:
    stream = found.streams.get(stream_id)
    if stream is None:
        raise _DamagedError(f"stream {stream_id} has no header")
    if tag == stand_ins.STREAM_FOOTER:
        stream.footer = _xml(blob[content:stop])
        count = _whole_count(stream.footer)
        return b"" if count is None else stand_ins.footer(stream_id, count), b""
    if tag == stand_ins.CLOCK_OFFSET:
        if stop - content != 16:
            raise _DamagedError(f"a clock offset of {stop - content} bytes instead of 16")
        if not np.isfinite(struct.unpack("<dd", blob[content:stop])).all():
            raise _DamagedError("a clock offset that is not a number")
        stream.n_offsets += 1
        return None, b""
    n, seen = _check_samples(blob, content, stop, stream), stream.n_samples
    stream.n_samples += n
    if not n:
        found.n_empty += 1
        if found.n_empty > MAX_EMPTY_CHUNKS:
            raise NeuriptError(f"the XDF file has more than {MAX_EMPTY_CHUNKS} chunks without samples")
        return b"", b""
    empty = stand_ins.empty_texts(stream.n_chans) if stream.is_text else bytes(stream.n_item)
    return b"" if seen else stand_ins.one_sample(stream_id, empty), b""


def _whole_count(footer: Element) -> int | None:
    """Return the number of samples that a footer states; None where it states none that could be right."""
    try:
        count = float(text_of(footer, "sample_count"))
    except ValueError:
        return None
    return int(count) if count.is_integer() and 0 <= count < _MAX_COUNT else None


def _take_file_header(xml: bytes, found: XdfScan) -> bytes:
    """Check a file header; return what a repaired file gets in its place, or nothing where it is whole."""
    _xml(xml)
    found.has_header = True
    try:
        xml.decode("utf-8")
    except UnicodeDecodeError as error:
        found.add(f"the header of the file has bytes that are no UTF-8 ({error.reason}): replaced")
        return stand_ins.mended_header(xml.decode("utf-8", "replace"))
    return b""


def _take_header(xml: bytes, stream_id: int, found: XdfScan) -> ScannedStream:
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
    stream = ScannedStream(
        stream_id=stream_id,
        header=root,
        header_xml=read_text(xml),
        n_chans=len(info.ch_names),
        channel_format=info.channel_format,
        sfreq=info.sfreq,
    )
    found.streams[stream_id] = stream
    return stream


def _xml(content: bytes) -> Element:
    if len(content) > MAX_XML_BYTES or b"<!doctype" in content.lower():
        parse_xml(content)  # raises NeuriptError: refused, not repaired
    try:
        return parse_xml(content)
    except NeuriptError as error:
        raise _DamagedError(str(error)) from error


def _check_samples(blob: bytes, content: int, stop: int, stream: ScannedStream) -> int:
    """Return the number of samples of a Samples chunk whose every byte is accounted for."""
    n, position = varlen(blob, content)
    if n > stop - position:
        raise _DamagedError(f"{n} samples announced in {stop - position} bytes")
    if stream.is_text:
        offsets = _walk_text(blob, position, stop, n, stream.n_chans)
    else:
        offsets = _walk_numbers(blob, position, stop, n, stream.n_item)
    end = position + int(offsets[-1])
    if end != stop:
        raise _DamagedError(f"its samples fill {end - content} of {stop - content} bytes")
    if n:
        stream.chunks.append((position, offsets))
    return n


def _walk_numbers(blob: bytes, begin: int, stop: int, n: int, n_item: int) -> NDArray[np.int64]:
    """Return where samples begin, and where the last one ends, counted from `begin`, shape (n + 1,)."""
    if n == 1 and begin < stop and blob[begin] in (0, 8):
        return np.array((0, 1 + blob[begin] + n_item))
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


def _walk_text(blob: bytes, begin: int, stop: int, n: int, n_chans: int) -> NDArray[np.int64]:
    """Return where samples begin, and where the last one ends, counted from `begin`, shape (n + 1,)."""
    places, position = [0], begin
    for _ in range(n):
        if position >= stop or blob[position] not in (0, 8):
            raise _DamagedError("its samples are garbled")
        position += 1 + blob[position]
        for _ in range(n_chans):
            length, position = varlen(blob, position)
            position += length
            if position > stop:
                raise _DamagedError("a text longer than its chunk")
        places.append(position - begin)
    return np.array(places)
