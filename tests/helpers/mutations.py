"""What is wrong with files of strangers, made of right ones: bytes that change, texts and numbers nobody expects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

NUMBERS = (
    *(
        "0",
        "-1",
        "1",
        "2",
        "1e308",
        "-1e308",
        "1e999",
        ".inf",
        "NaN",
        "Infinity",
        "1e-320",
        "0.5",
        "10.0",
        "1e3",
        "1e17",
    ),
    *(
        "4096",
        "65536",
        "2147483648",
        "18446744073709551616",
        "9" * 400,
        "-" + "9" * 5000,
        "null",
        "true",
        '"1"',
        "[]",
        "{}",
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "\n",
        "\x00",
        "\x1b]0;x\x07",
        "\u202e",
        "\ud800",
        "\ufeff",
        "A" * 5000,
        "é",
        "µV",
        "<!DOCTYPE x>",
        "&amp;",
    ),
    *("&#0;", "]]>", "</info>", "<desc>", "<channel/>", "EEG", "NaN", "neuript", "hybrid", "../../etc", "%s%n", "{0}"),
    *(
        "&a [",
        "*a",
        "<<:",
        "- ",
        ": ",
        "!!binary",
        "!!timestamp 9",
        "? ",
        "[" * 40,
        "{" * 40,
        "}",
        "]",
        '"',
        "\\u0000",
        ",",
    ),
)
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][\w-]*")

Mutation = tuple[str, float, float, int]


def mutations(most: int = 4) -> st.SearchStrategy[list[Mutation]]:
    """What `mutated` does to some bytes: kind, place, length or second place (as shares of all), and a choice."""
    share = st.floats(0, 1, exclude_max=True)
    one = st.tuples(st.sampled_from(sorted(KINDS)), share, share, st.integers(0, 255))
    return st.lists(one, min_size=1, max_size=most)


def mutated(data: bytes, steps: Sequence[Mutation], kinds: Sequence[str] | None = None) -> bytes:
    """Some bytes after a few mutations, those of other kinds left out."""
    for kind, where, how, choice in steps:
        if kinds is None or kind in kinds:
            data = KINDS[kind](data, where, how, choice)
    return data


def _byte(data: bytes, where: float, _how: float, choice: int) -> bytes:
    at = int(where * len(data))
    return data[:at] + bytes([choice]) + data[at + 1 :]


def _cut(data: bytes, where: float, how: float, _choice: int) -> bytes:
    return data[: int(where * len(data))] if how < 0.5 else data[int(where * len(data)) :]


def _leave_out(data: bytes, where: float, how: float, _choice: int) -> bytes:
    at = int(where * len(data))
    return data[:at] + data[at + 1 + int(how * 200) :]


def _repeat(data: bytes, where: float, how: float, choice: int) -> bytes:
    at, n = int(where * len(data)), 1 + int(how * 200)
    return data[:at] + data[at : at + n] * (2 + choice % 3) + data[at + n :]


def _length(data: bytes, where: float, how: float, choice: int) -> bytes:
    """Four or eight bytes that may be a length."""
    value = (0, 1, 2**16, 2**24, 2**31 - 1, 2**32 - 1, 2**40, 2**63)[choice % 8]
    at, n = int(where * len(data)), 4 if how < 0.5 else 8
    return data[:at] + (value % 2 ** (8 * n)).to_bytes(n, "little") + data[at + n :]


def _number(data: bytes, where: float, how: float, _choice: int) -> bytes:
    return _swap(data, _NUMBER, where, NUMBERS[int(how * len(NUMBERS))])


def _word(data: bytes, where: float, how: float, _choice: int) -> bytes:
    return _swap(data, _WORD, where, TEXTS[int(how * len(TEXTS))])


def _insert(data: bytes, where: float, how: float, _choice: int) -> bytes:
    at = int(where * len(data))
    return data[:at] + TEXTS[int(how * len(TEXTS))].encode("utf-8", "surrogatepass") + data[at:]


def _swap_lines(data: bytes, where: float, how: float, _choice: int) -> bytes:
    lines = data.split(b"\n")
    a, b = int(where * len(lines)), int(how * len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _swap(data: bytes, pattern: re.Pattern[bytes], where: float, new: str) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = found[int(where * len(found))]
    return data[: match.start()] + new.encode("utf-8", "surrogatepass") + data[match.end() :]


KINDS: dict[str, Callable[[bytes, float, float, int], bytes]] = {
    "byte": _byte,
    "cut": _cut,
    "insert": _insert,
    "leave out": _leave_out,
    "length": _length,
    "number": _number,
    "repeat": _repeat,
    "swap lines": _swap_lines,
    "word": _word,
}
"""Kinds of mutations by name."""
IN_TEXT = ("insert", "leave out", "number", "repeat", "swap lines", "word")
"""Those that keep a text a text, more or less."""
