"""The choice among engines: measured when a model is first opened here, remembered, and left when an engine fails.

Rungs are tried from the fastest down. Whatever goes wrong on one (it cannot be built, its answers are not the
network's, it raises, it returns no number) leads to the next with a sentence in the log. The last is the network as
PyTorch runs it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neuript.engines import remembered
from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine, EnginePrecision, NetworkEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.onnx_export import export_onnx
from neuript.engines.selftest import ONNX_ENGINES, self_test
from neuript.errors import NeuriptError
from neuript.network.network import NeurIPTNetwork

log = logging.getLogger(__name__)

AUTO = "auto"
ENGINE_NAMES = (AUTO, CpuEngine.name, *ONNX_ENGINES, EagerEngine.name)
"""What a person may ask for."""
MEASURE_S = 2.0
"""About how long one engine is measured at most, in turns with the others."""
MAX_TURNS = 15


@dataclass(frozen=True)
class Rung:
    """One engine of the ladder, not yet built."""

    name: str
    threads: int
    build: Callable[[], NetworkEngine]
    trial: Callable[[], object] | None = None
    """Runs it once in another process and raises if that fails; None where it is ours, or was tried."""

    @property
    def label(self) -> str:
        """Name that it is remembered by."""
        return f"{self.name}/{self.threads}"


class LadderEngine:
    """The first engine of a list that works; when it stops working, the next.

    Parameters
    ----------
    rungs : sequence of Rung
        Engines in the order in which they are tried; `network` itself comes after them.
    network : NeurIPTNetwork
        The network.
    windows : ndarray of float32, shape (n, n_chans, n_times)
        Windows over which an engine has to agree with the network before it is used.
    """

    def __init__(self, rungs: Sequence[Rung], network: NeurIPTNetwork, windows: NDArray[np.float32]) -> None:
        self._reference = EagerEngine(network)
        self._windows = windows
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

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to logits (batch, n_outputs)."""
        while self._engine is not self._reference:
            try:
                logits = self._engine(windows)
                if np.isfinite(logits).all() or not np.isfinite(self._reference(windows)).all():
                    return logits
                self._leave("it returns what is no number")
            except Exception as error:  # noqa: BLE001  engines raise many kinds, and none may end a session
                self._leave(_words(error))
        return self._reference(windows)

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, if the engine in use tells."""
        return self._engine.router_logits(windows)

    def close(self) -> None:
        """Close the engine in use."""
        self._engine.close()

    def _leave(self, reason: str) -> None:
        left, self._engine = self._engine, self._next()
        log.warning("the engine %s is left (%s); %s goes on", left.name, reason, self._engine.name)
        with suppress(Exception):  # it has failed already
            left.close()

    def _next(self) -> NetworkEngine:
        while self._rest:
            rung = self._rest.pop(0)
            try:
                engine = _checked(rung, self._reference, self._windows)
            except Exception as error:  # noqa: BLE001  whatever is wrong with an engine, another can do its work
                log.warning("the engine %s is not used: %s", rung.name, _words(error))
                continue
            return engine
        return self._reference


def open_engine(
    network: NeurIPTNetwork,
    windows: NDArray[np.float32],
    *,
    engine: str = AUTO,
    model_key: str = "",
    onnx: bytes | None = None,
    threads: int | None = None,
) -> LadderEngine:
    """Return an engine for a network: the fastest here, or the one that is asked for; another where it fails.

    Parameters
    ----------
    network : NeurIPTNetwork
        The network; it must not change any more.
    windows : ndarray of float32, shape (n, n_chans, n_times)
        Golden windows in volts, over which engines are compared and measured.
    engine : str
        One of `ENGINE_NAMES`; "auto" measures those that are there, once for each model and computer.
    model_key : str
        What identifies the model, such as the hash of its weights; empty remembers nothing.
    onnx : bytes, optional
        The network's ONNX graph if there is one (`export_onnx`). Without it "auto" leaves out the engines that need
        it, since it takes long to make; one that is asked for makes it.
    threads : int, optional
        PyTorch threads of our own engine; None considers one and two. Sums over more threads can round differently.

    Raises
    ------
    NeuriptError
        If there is no such engine.
    """
    if engine not in ENGINE_NAMES:
        raise NeuriptError(f"engine={engine}: there is no such engine; choose {', '.join(ENGINE_NAMES)}")
    if engine in ONNX_ENGINES and onnx is None:
        onnx = _exported(network)
    rungs = cpu_rungs(network, windows, onnx, threads)
    if engine == AUTO:
        return LadderEngine(_fastest(rungs, network, windows, model_key), network, windows)
    if engine == EagerEngine.name:
        return LadderEngine([], network, windows)
    asked = [rung for rung in rungs if rung.name == engine]
    if not asked:
        log.warning("the engine %s is not used: it is not installed, or there is no ONNX graph for it", engine)
    others = [rung for rung in rungs if rung.name == CpuEngine.name and engine != CpuEngine.name]
    return LadderEngine([*asked, *others], network, windows)


def _exported(network: NeurIPTNetwork) -> bytes | None:
    try:
        return export_onnx(network)
    except Exception as error:  # noqa: BLE001  the exporter raises many kinds; there are engines without it
        log.warning("there is no ONNX graph: %s", _words(error))
        return None


def cpu_rungs(
    network: NeurIPTNetwork, windows: NDArray[np.float32], onnx: bytes | None = None, threads: int | None = None
) -> list[Rung]:
    """Return what may run on this computer's CPU: our engine on one core and on two, and those of the graph."""
    counts = range(1, 1 + min(2, remembered.usable_cores())) if threads is None else [threads]
    rungs = [Rung(CpuEngine.name, n, partial(CpuEngine, network, threads=n)) for n in counts]
    if onnx is not None:
        installed = [name for name in ONNX_ENGINES if remembered.computer()[name] != "none"]
        rungs += [_of_graph(name, onnx, windows) for name in installed]
    return rungs


def _of_graph(name: str, onnx: bytes, windows: NDArray[np.float32]) -> Rung:
    return Rung(name, 1, partial(ONNX_ENGINES[name], onnx), partial(self_test, name, onnx, windows[:1]))


def _fastest(rungs: list[Rung], network: NeurIPTNetwork, windows: NDArray[np.float32], model_key: str) -> list[Rung]:
    known = {rung.label: rung for rung in rungs}
    order = [label for label in remembered.recall(model_key) if label in known] if model_key else []
    if not order:
        milliseconds = measure(rungs, network, windows)
        order = sorted(milliseconds, key=lambda label: milliseconds[label])
        if model_key and order:
            remembered.remember(model_key, milliseconds)
    log.info("engines, fastest first: %s", ", ".join(order))
    return [replace(known[label], trial=None) for label in order]


def measure(rungs: list[Rung], network: NeurIPTNetwork, windows: NDArray[np.float32]) -> dict[str, float]:
    """Return how many milliseconds a window takes on each rung whose answers are the network's, by label.

    Engines take turns, so that what else the computer does is the same for all; the median counts.
    """
    reference = EagerEngine(network)
    engines: dict[str, NetworkEngine] = {}
    for rung in rungs:
        try:
            engines[rung.label] = _checked(rung, reference, windows)
        except Exception as error:  # noqa: BLE001  it is not measured, and another is used
            log.warning("the engine %s is not used: %s", rung.name, _words(error))
    taken: dict[str, list[float]] = {label: [] for label in engines}
    end = time.perf_counter() + MEASURE_S * len(engines)
    for _ in range(MAX_TURNS):
        for label, engine in engines.items():
            start = time.perf_counter()
            engine(windows[:1])
            taken[label].append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    for engine in engines.values():
        engine.close()
    return {label: 1e3 * float(np.median(times)) for label, times in taken.items()}


def _checked(rung: Rung, reference: NetworkEngine, windows: NDArray[np.float32]) -> NetworkEngine:
    """Build an engine whose answers are those of the reference; in another process first, where it asks for that."""
    if rung.trial is not None:
        rung.trial()
    engine = rung.build()
    try:
        compare_engines(reference, engine, windows).check()
    except BaseException:
        engine.close()
        raise
    return engine


def _words(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return first[0][:200] if first and isinstance(error, NeuriptError) else f"{type(error).__name__}: {error}"[:200]
