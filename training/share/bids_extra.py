"""The packages of the extra `bids`, imported where they are used."""

from __future__ import annotations

from types import ModuleType

from neuript.extras import of_extra


def of_bids(module: str) -> ModuleType:
    """Import a module of the extra; a missing one is refused as `of_extra` does."""
    return of_extra("bids", module, "a BIDS data set")
