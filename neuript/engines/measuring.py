"""What a window takes on each engine here; other people's engines are measured in processes of their own."""

from __future__ import annotations

import logging
import time

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.engines.agreement import agreement_of
from neuript.engines.contract import EagerEngine
from neuript.engines.rungs import EngineParts, Rung
from neuript.engines.selftest import MEASURED_CALLS, TIME_LIMIT_S, EngineTrial
from neuript.errors import NeuriptError

log = logging.getLogger(__name__)

OWN_BUDGET_S = 0.5
"""Engines of this process are called as often as fits into so many seconds, and at least once."""


def measure(rungs: list[Rung], parts: EngineParts, *, wait_s: float | None = None) -> dict[str, float | None]:
    """Return what a window takes at best on each rung, in milliseconds by label; None where it is not to be used.

    Parameters
    ----------
    rungs : list of Rung
        What to measure.
    parts : EngineParts
        The network, and the windows over which the answers must be its own.
    wait_s : float, optional
        Seconds to wait for other processes once what runs in this one is measured; None waits for a minute.
    """
    trials: dict[str, EngineTrial] = {}
    taken: dict[str, float | None] = {rung.label: None for rung in rungs}
    torch.set_num_threads(parts.threads)
    try:
        for rung in rungs:
            _started(rung, trials)
        expected = EagerEngine(parts.network)(parts.windows)
        for rung in rungs:
            if rung.trial is None:
                taken[rung.label] = _measured_here(rung, parts, expected)
        end = None if wait_s is None else time.monotonic() + wait_s
        for rung in rungs:
            if rung.label in trials:
                left = TIME_LIMIT_S if end is None else max(0.0, end - time.monotonic())
                taken[rung.label] = _measured_there(rung, trials[rung.label], expected, left)
    finally:
        for trial in trials.values():
            trial.end()
    return taken


def _started(rung: Rung, trials: dict[str, EngineTrial]) -> None:
    if rung.trial is not None:
        try:
            trials[rung.label] = rung.trial()
        except Exception as error:  # noqa: BLE001  it is not measured, and another is used
            _say_not_used(rung, error)


def _measured_here(rung: Rung, parts: EngineParts, expected: NDArray[np.float32]) -> float | None:
    try:
        engine = rung.build()
        agreement_of(engine, expected, engine(parts.windows)).check()
        best, end = float("inf"), time.perf_counter() + OWN_BUDGET_S
        for _ in range(MEASURED_CALLS):
            start = time.perf_counter()
            engine(parts.windows[:1])
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() > end:
                break
    except Exception as error:  # noqa: BLE001  it is not measured, and another is used
        _say_not_used(rung, error)
        return None
    return 1e3 * best


def _measured_there(rung: Rung, trial: EngineTrial, expected: NDArray[np.float32], left_s: float) -> float | None:
    try:
        result = trial.result(left_s)
        logits = result.answers if rung.tail is None else rung.tail(result.answers)
        agreement_of(trial, expected, logits).check()
    except Exception as error:  # noqa: BLE001  it is not measured, and another is used
        late = left_s < TIME_LIMIT_S and "gave no answer" in str(error)
        _say_not_used(rung, error, "; `neuript certify` takes the time to measure it" if late else "")
        return None
    return result.milliseconds


def _say_not_used(rung: Rung, error: Exception, more: str = "") -> None:
    words = str(error) if isinstance(error, NeuriptError) else f"{type(error).__name__}: {error}"
    log.warning("the engine %s is not used: %s%s", rung.name, words[:300], more)
