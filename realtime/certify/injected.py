"""A delay in one stage of a decoder, to see that it is measured where it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

STAGES_TO_DELAY = ("pull", "filter", "window", "infer", "decide", "publish")


def inject(stage: str, milliseconds: float) -> None:
    """Delay a stage of every decoder of this process from now on.

    Parameters
    ----------
    stage : str
        One of `STAGES_TO_DELAY`.
    milliseconds : float
        For how long the processor is kept busy each time.
    """
    for owner, name in _parts()[stage]:
        setattr(owner, name, _delayed(getattr(owner, name), milliseconds / 1e3))


def _parts() -> dict[str, list[tuple[type, str]]]:
    """Stage to the methods that it consists of."""
    from neuript.modelfile.engines import Engine
    from neuript.realtime.chain.alignment import AlignedWindows, PlainWindows
    from neuript.realtime.chain.conditioner import Conditioner
    from neuript.realtime.decoding.policy import DecisionPolicy
    from neuript.realtime.lsl.inlet import LslSource
    from neuript.realtime.lsl.outlet import DecisionOutlets

    return {
        "pull": [(LslSource, "pull")],
        "filter": [(Conditioner, "push")],
        "window": [(AlignedWindows, "window"), (PlainWindows, "window")],
        "infer": [(Engine, "infer")],
        "decide": [(DecisionPolicy, "update")],
        "publish": [(DecisionOutlets, "publish")],
    }


def _delayed(method: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:  # sleeping is late by a different time each time
            pass
        return result

    return late
