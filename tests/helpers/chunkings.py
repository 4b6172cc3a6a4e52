"""A signal in pieces of many sizes."""

from __future__ import annotations

CHUNKS = (1, 7, 64, 1001, 5000)


def cut(n, sizes):
    """Yield (start, stop) in chunks of these sizes, an empty one in between."""
    start = 0
    while start < n:
        for size in sizes:
            yield start, start
            yield start, min(n, start + size)
            start = min(n, start + size)
