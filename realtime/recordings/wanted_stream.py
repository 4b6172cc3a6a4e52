"""Which stream a person means by what is written after `--stream` or `--eeg`: on the network and in files alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from neuript.realtime.chain.chunk import SignalInfo

ANY_OF = ("name", "source_id", "type")
"""What a plain word may be of a stream."""
OPERATORS = re.compile(r"[=<>]|\b(?:not|contains|starts-with|boolean|string-length)\s*\(")
"""What a plain word does not hold, but a predicate of LSL."""
_EQUATION = re.compile(r"""\s*(name|type|source_id|hostname|uid)\s*=\s*([^'"=<>()]*[^'"=<>()\s])\s*""")


@dataclass(frozen=True, slots=True)
class WantedStream:
    """A text that a stream has as one of some fields of its header (`name`, `type`, `source_id`, `hostname`, `uid`)."""

    fields: tuple[str, ...]
    text: str

    def is_this(self, info: SignalInfo) -> bool:
        """Tell whether a stream has the text in one of the fields."""
        return self.text in self._said(info)

    def is_nearly(self, info: SignalInfo) -> bool:
        """Tell the same in any case, blanks around it apart."""
        return self.text.strip().casefold() in {said.strip().casefold() for said in self._said(info)}

    def _said(self, info: SignalInfo) -> list[str]:
        return [info.stype if name == "type" else str(getattr(info, name)) for name in self.fields]


def wanted_stream(text: str) -> WantedStream | None:
    """Read a plain word, which may be the name, the source id or the type of a stream, or `name=X`; else None."""
    if equation := _EQUATION.fullmatch(text):
        return WantedStream((equation[1],), equation[2])
    return None if OPERATORS.search(text) else WantedStream(ANY_OF, text.strip())
