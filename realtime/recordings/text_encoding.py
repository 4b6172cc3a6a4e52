"""Text of senders and files that may not be UTF-8: one reading, live and of recordings.

Senders on Windows write their own code page, others encode their UTF-8 once more. pylsl takes a header that is not
UTF-8 for Latin-1, all of it; here each byte that is not part of a UTF-8 character is.
"""

from __future__ import annotations

import codecs
import re


def read_text(raw: bytes | str) -> str:
    r"""Return a text: UTF-8, Latin-1 where it is not, and what was encoded several times, once.

    Parameters
    ----------
    raw : bytes or str
        What a sender wrote; or what a library has made of it, in which UTF-8 may have been taken for Latin-1.

    Examples
    --------
    >>> read_text(b"\xb5V"), read_text("µV".encode()), read_text("Âµ" + "V")
    ('µV', 'µV', 'µV')
    """
    text = raw.decode("utf-8", _FALLBACK) if isinstance(raw, bytes) else raw
    while (again := _MISREAD.sub(_once_less, text)) != text:  # each time it becomes shorter
        text = again
    return text


def _once_less(misread: re.Match[str]) -> str:
    return misread[0].encode("latin-1").decode("utf-8", _FALLBACK)


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


_FALLBACK = "neuript-latin-1"
_MISREAD = re.compile("[\x80-\xff]+")
"""What UTF-8 that was taken for Latin-1 consists of."""
codecs.register_error(_FALLBACK, _as_latin_1)
