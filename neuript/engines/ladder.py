"""The ladder: engines are tried in order, and whatever fails leads to the next with a sentence.

What can go wrong on a rung: the engine cannot be built, its answers are not the network's, it raises, it returns no
number. The last rung is the network as PyTorch runs it on the CPU.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.engines import remembered
from neuript.engines.agreement import agreement_of
from neuript.engines.contract import EagerEngine, EnginePrecision, NetworkEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.measuring import measure
from neuript.engines.rungs import CPU_ENGINES, GPU_ENGINES, EngineParts, Rung, automatic_rungs, rung_of
from neuript.engines.torch_engines import CudaEngine
from neuript.errors import NeuriptError

log = logging.getLogger(__name__)

AUTO = "auto"
ENGINE_NAMES = (AUTO, *CPU_ENGINES, *GPU_ENGINES)
"""What a person may ask for."""
WAIT_S = 1.0
"""So long the opening of a model waits for engines that are tried for the first time."""


class LadderEngine:
    """The first engine of a list that works; when it stops working, the next.

    Parameters
    ----------
    rungs : sequence of Rung
        Engines in the order in which they are tried; the network itself comes after them.
    parts : EngineParts
        The network, and windows over which an engine has to agree with it before it is used.

    Attributes
    ----------
    steps_down : list of str
        A sentence for each engine that was not used or left.
    """

    def __init__(self, rungs: Sequence[Rung], parts: EngineParts) -> None:
        self.steps_down: list[str] = []
        self._reference = EagerEngine(parts.network)
        self._windows, self._threads = parts.windows, parts.threads
        self._expected: NDArray[np.float32] | None = None
        self._rest = list(rungs)
        self._engine: NetworkEngine = self._next()

    @property
    def name(self) -> str:
        """Name of the engine in use."""
        return self._engine.name

    @property
    def precision(self) -> EnginePrecision:
        """Kind of the numbers that it computes with."""
        return self._engine.precision

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._engine.device

    @property
    def in_use(self) -> NetworkEngine:
        """The engine in use itself."""
        return self._engine

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to logits (batch, n_outputs)."""
        while self._engine is not self._reference:
            try:
                logits = self._engine(windows)
                if np.isfinite(logits).all() or not np.isfinite(self._reference(windows)).all():
                    return logits
                self._leave("it returns what is no number")
            except Exception as error:  # noqa: BLE001  engines raise many kinds, and none may end a session
                self._leave(in_words(error))
        return self._reference(windows)

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, if the engine in use tells."""
        return self._engine.router_logits(windows)

    def close(self) -> None:
        """Close the engine in use."""
        self._engine.close()

    def _leave(self, reason: str) -> None:
        left, self._engine = self._engine, self._next()
        self._say(f"the engine {left.name} is left ({reason}); {self._engine.name} goes on")
        with suppress(Exception):  # it has failed already
            left.close()

    def _next(self) -> NetworkEngine:
        while self._rest:
            rung = self._rest.pop(0)
            try:
                engine = self._checked(rung)
            except Exception as error:  # noqa: BLE001  whatever is wrong with an engine, another can do its work
                self._say(f"the engine {rung.name} is not used: {in_words(error)}")
                continue
            return engine
        return self._reference

    def _checked(self, rung: Rung) -> NetworkEngine:
        """Build an engine whose answers are the network's; in another process first, where it asks for that."""
        if self._expected is None:
            if torch.get_num_threads() != self._threads:
                torch.set_num_threads(self._threads)
            self._expected = self._reference(self._windows)
        if rung.trial is not None:
            rung.trial().result()
        engine = rung.build()
        try:
            agreement_of(engine, self._expected, engine(self._windows)).check()
        except BaseException:
            engine.close()
            raise
        return engine

    def _say(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self.steps_down.append(sentence)


def open_engine(parts: EngineParts, *, engine: str = AUTO, device: str = "cpu", patient: bool = False) -> LadderEngine:
    """Return an engine for a network: the fastest here, or the one that is asked for; another where it fails.

    Parameters
    ----------
    parts : EngineParts
        The network, which must not change any more, and what else engines are made of.
    engine : str
        One of `ENGINE_NAMES`; "auto" takes the fastest of those that are installed, measured once for each model and
        computer.
    device : {'cpu', 'cuda'}
        Where "auto" may compute.
    patient : bool
        True measures again, however long that takes; False waits a second at most for what is tried for the first
        time, and not at all for what is known.

    Raises
    ------
    NeuriptError
        If there is no such engine, or it does not compute where it is asked to.
    """
    if engine not in ENGINE_NAMES:
        raise NeuriptError(f"there is no engine {engine!r}; choose {', '.join(ENGINE_NAMES)}")
    if device != "cpu" and engine in CPU_ENGINES:
        raise NeuriptError(f"the engine {engine} computes on the CPU, and device={device} was asked for; leave one out")
    key = _remembered_as(parts, device)
    if engine == AUTO:
        return LadderEngine(_fastest(automatic_rungs(parts, device), parts, key, patient=patient), parts)
    if engine == EagerEngine.name:
        return LadderEngine([], parts)
    asked, label = rung_of(engine, parts), rung_of(engine, parts).label
    if remembered.recall(key).get(label) is not None:
        asked = replace(asked, trial=None)
    after = [CudaEngine.name] if device != "cpu" else []
    names = [name for name in (*after, CpuEngine.name) if name != engine]
    return LadderEngine([asked, *(rung_of(name, parts) for name in names)], parts)


def _remembered_as(parts: EngineParts, device: str) -> str:
    """Return what this network is remembered as on this computer; empty where it has no name."""
    if not parts.weights_sha256:
        return ""
    where = torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else "cpu"
    return f"{parts.weights_sha256} {parts.precision} {parts.threads} on {where}"


def _fastest(rungs: list[Rung], parts: EngineParts, key: str, *, patient: bool) -> list[Rung]:
    """Return the rungs that work, fastest first; what one costs is measured where it is not known."""
    known = {rung.label: rung for rung in rungs}
    if len(known) == 1:
        return rungs
    taken = remembered.recall(key)
    if patient or not set(known) <= set(taken):
        taken = measure(rungs, parts, wait_s=None if patient else WAIT_S)
        remembered.remember(key, taken)
        taken = dict(sorted(taken.items(), key=lambda pair: float("inf") if pair[1] is None else pair[1]))
    works = {label: ms for label, ms in taken.items() if label in known and ms is not None}
    log.info("engines, fastest first: %s", ", ".join(f"{label} {ms:.1f} ms" for label, ms in works.items()) or "none")
    return [replace(known[label], trial=None) for label in works]


def in_words(error: BaseException) -> str:
    """Return an error in one line: a sentence of ours as it is, others with their kind."""
    first = str(error).strip().splitlines()
    return first[0][:300] if first and isinstance(error, NeuriptError) else f"{type(error).__name__}: {error}"[:200]
