"""A stream as a graph: electrodes and the reference, joined by the channels between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from neuript.montages.stream_labels import REFERENCE


class StreamGraph:
    """Electrodes and the reference, joined by the channels of the stream."""

    def __init__(self, edges: Iterable[tuple[str, str, int]], references: Collection[str], n_stream: int) -> None:
        self.n_stream = n_stream
        self.references = references
        self.neighbours: dict[str, list[tuple[str, int, float]]] = {}
        for first, second, index in edges:
            self._join(first, second, index)
        for electrode in sorted(references):  # the reference itself: no channel, no difference
            self._join(electrode, REFERENCE, -1)

    def _join(self, first: str, second: str, index: int) -> None:
        self.neighbours.setdefault(first, []).append((second, index, 1.0))
        self.neighbours.setdefault(second, []).append((first, index, -1.0))

    def potentials(self, root: str) -> dict[str, NDArray[np.float64]]:
        """Return electrode -> stream weights of its potential against `root`, by shortest path."""
        rows = {root: np.zeros(self.n_stream)}
        queue = deque([root])
        while queue:
            node = queue.popleft()
            for other, index, sign in self.neighbours.get(node, ()):
                if other not in rows:
                    row = rows[node].copy()
                    if index >= 0:
                        row[index] -= sign
                    rows[other] = row
                    queue.append(other)
        return rows

    def main_root(self) -> str:
        """Return the reference if the stream has one, else an electrode of its largest part."""
        if REFERENCE in self.neighbours:
            return REFERENCE
        parts = {node: len(self.potentials(node)) for node in self.neighbours}
        return max(parts, key=lambda node: parts[node], default=REFERENCE)
