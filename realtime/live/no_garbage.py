"""A loop that long collections of garbage do not interrupt."""

from __future__ import annotations

import gc


class no_garbage:  # noqa: N801
    """Spare the loop long collections: what exists now is never looked at again."""

    def __enter__(self) -> None:
        gc.collect()
        gc.freeze()

    def __exit__(self, *error: object) -> None:
        gc.unfreeze()
