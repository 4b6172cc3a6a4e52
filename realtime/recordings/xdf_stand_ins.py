"""Chunks that stand in an XDF file for others: what pyxdf needs to see of a stream, and no word that a stranger wrote.

pyxdf allocates what a chunk announces and converts what headers and footers say. So it gets headers with the fields
that were checked, one sample for all of a stream, and a footer whose count is a whole number.
"""

from __future__ import annotations

import struct
from xml.etree.ElementTree import Element, SubElement, tostring

FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY_TAG, STREAM_FOOTER = range(1, 7)
_LENGTH = struct.Struct("<I")


def chunk(tag: int, content: bytes) -> bytes:
    """Return a chunk of an XDF file."""
    length = len(content) + 2
    size = b"\x04" + _LENGTH.pack(length) if length < 2**32 else b"\x08" + struct.pack("<Q", length)
    return size + struct.pack("<H", tag) + content


def file_header(xml: bytes = b"<info><version>1.0</version></info>") -> bytes:
    """Return the chunk that an XDF file begins with."""
    return chunk(FILE_HEADER, b'<?xml version="1.0"?>' + xml)


def mended_header(xml: str) -> bytes:
    """Return a file header of text in which some bytes were no UTF-8."""
    begin = xml.find("?>") + 2 if xml.lstrip().startswith("<?xml") else 0  # it may name another encoding
    return file_header(xml[begin:].strip().encode())


def stream_header(stream_id: int, n_chans: int, sfreq: float, channel_format: str) -> bytes:
    """Return the header chunk of a stream with what pyxdf computes with."""
    said = {
        "name": "stream",
        "type": "",
        "channel_count": str(n_chans),
        "nominal_srate": repr(sfreq),
        "channel_format": channel_format,
    }
    return chunk(STREAM_HEADER, _LENGTH.pack(stream_id) + _info(said))


def one_sample(stream_id: int, values: bytes) -> bytes:
    """Return a chunk of one sample with the stamp zero."""
    return chunk(SAMPLES, _LENGTH.pack(stream_id) + b"\x01\x01\x08" + bytes(8) + values)


def empty_texts(n_chans: int) -> bytes:
    """Return the values of a sample of empty texts."""
    return b"\x01\x00" * n_chans


def footer(stream_id: int, n_samples: int) -> bytes:
    """Return the footer chunk of a stream with the count that its recorder wrote."""
    return chunk(STREAM_FOOTER, _LENGTH.pack(stream_id) + _info({"sample_count": str(n_samples)}))


def _info(texts: dict[str, str]) -> bytes:
    root = Element("info")
    for name, text in texts.items():
        SubElement(root, name).text = text
    return b'<?xml version="1.0"?>' + tostring(root)
