"""Spans of time as people read them."""

from __future__ import annotations


def clock(seconds: float, *, n_decimals: int = 0) -> str:
    """Return a span as a clock shows it: the seconds that are over (`3:05`, `1:02:03`), or rounded ones (`3:05.2`)."""
    parts = round(seconds * 10**n_decimals) if n_decimals else int(seconds)
    minutes, rest = divmod(parts, 60 * 10**n_decimals)
    hours, minutes = divmod(minutes, 60)
    width = 2 + (n_decimals and 1 + n_decimals)
    last = f"{rest / 10**n_decimals:0{width}.{n_decimals}f}"
    return f"{hours}:{minutes:02}:{last}" if hours else f"{minutes}:{last}"


def in_words(seconds: float) -> str:
    """Return a span such as "3 h 20 min", "1 min 5 s" or "5 s"; "unknown" for one that cannot be."""
    if not 0 <= seconds < 1e8:
        return "unknown"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {s} s" if minutes else f"{s} s"
