"""The bad channels of a decoder as its events stream names them: `neuript/bad/C3=flat,Pz=huge`, or `neuript/bad/none`.

The decoder's verdict is published because nobody else can know it: a reader has other filters, or none.
"""

from __future__ import annotations

from collections.abc import Mapping

from neuript.realtime.chain.quality import Verdict

BAD = "bad"
"""What such an event is about: the second part of `neuript/bad/...`."""
_NONE = "none"


def bad_text(bad: Mapping[str, Verdict]) -> str:
    """Return the last part of the event.

    Parameters
    ----------
    bad : mapping of str to Verdict
        Name of each bad channel, and what is wrong with it.
    """
    parts = (f"{name.replace(',', ' ')}={verdict.name.lower()}" for name, verdict in bad.items())
    return ",".join(parts) or _NONE


def read_bad(text: str) -> dict[str, Verdict]:
    """Read what `bad_text` wrote; a verdict that only a later version knows counts as `HUGE`."""
    known = {verdict.name.lower(): verdict for verdict in Verdict}
    parts = (part.rpartition("=") for part in text.split(",") if "=" in part)
    return {name: known.get(word, Verdict.HUGE) for name, _, word in parts}
