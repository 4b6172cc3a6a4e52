"""All that only a GPU can show, in one go: parity, CUDA graphs, latency, memory, and the way down.

Each engine is tested by `checked_engine`, which takes engines of the CPU just as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine, NetworkEngine
from neuript.engines.ladder import LadderEngine, in_words
from neuript.engines.rungs import GPU_ENGINES, EngineParts, Rung, rung_of
from neuript.engines.torch_engines import CudaEngine
from neuript.errors import NeuriptError
from neuript.modelfile.deployable import load_model
from neuript.modelfile.engines import engine_parts, golden_inputs

N_PARITY, N_TIMED = 200, 300
MEMORY_SLACK_MB = 16.0
"""Memory of the GPU that may be taken over the calls of one engine, once it has run."""


def gpu_checks(model: str, *, check: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Test every engine of a model's network on the GPU.

    Parameters
    ----------
    model : str
        Model file.
    check : callable
        Called between two engines; may raise to end it.

    Returns
    -------
    dict
        `device`, `engines` (what `checked_engine` returns, by name), `reasons` (sentences for what is not as it must
        be) and `lines` in words. An engine whose package is not installed is no reason.

    Raises
    ------
    NeuriptError
        If the model decodes without a network.
    """
    deployable = load_model(model)
    parts = engine_parts(deployable)
    windows = np.concatenate([parts.windows, golden_inputs(deployable.manifest, N_PARITY)])
    found: dict[str, Any] = {}
    for name in GPU_ENGINES:
        check()
        found[name] = checked_engine(rung_of(name, parts), parts, windows)
    reasons = [f"{name} on the GPU: {row['error']}" for name, row in found.items() if row["failed"]]
    if all("error" in row for row in found.values()):
        reasons.append("no engine runs on the GPU")
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "cuda": str(torch.version.cuda),
        "engines": found,
        "reasons": reasons,
        "lines": [f"{name}: {_words(row)}" for name, row in found.items()],
    }


def checked_engine(rung: Rung, parts: EngineParts, windows: NDArray[np.float32]) -> dict[str, Any]:
    """Build an engine and return what it does.

    Parameters
    ----------
    rung : Rung
        The engine.
    parts : EngineParts
        The network.
    windows : ndarray of float32, shape (n, n_chans, n_times)
        Windows in volts.

    Returns
    -------
    dict
        With `failed` and, where it was built, the agreement with float32, whether the same window gives the same bits,
        milliseconds of a window, memory, and `wrong`; else `error`.
    """
    try:
        if rung.trial is not None:
            rung.trial().result()
        engine = rung.build()
    except Exception as error:  # noqa: BLE001  an engine raises whatever it meets
        missing = isinstance(error, NeuriptError) and "pip install" in str(error)
        return {"failed": not missing, "error": in_words(error)}
    try:
        row = _tested(engine, parts, windows)
    except Exception as error:  # noqa: BLE001
        return {"failed": True, "error": in_words(error)}
    if row["failed"]:
        row["error"] = "; ".join(row["wrong"])
    return row


def _tested(engine: NetworkEngine, parts: EngineParts, windows: NDArray[np.float32]) -> dict[str, Any]:
    agreement = compare_engines(EagerEngine(parts.network), engine, windows)
    first, again = engine(windows[:8]), engine(windows[:8][::-1])[::-1]
    before, taken = _memory_mb(), []
    for k in range(N_TIMED):
        began = time.perf_counter()
        engine(windows[k % len(windows)][None])
        taken.append(1e3 * (time.perf_counter() - began))
    grown = _memory_mb() - before
    p50, p95, p99 = np.percentile(taken, (50, 95, 99))
    down = _answered_by_the_next(engine, parts, windows)
    inner = getattr(engine, "engine", engine)
    graph = inner.graph is not None if isinstance(inner, CudaEngine) else None
    wrong = [
        *([] if agreement.ok else [str(agreement)]),
        *([] if np.array_equal(first, again) else ["the same window does not give the same bits"]),
        *([] if grown <= MEMORY_SLACK_MB else [f"{grown:.0f} MB more memory after {N_TIMED} windows"]),
        *([] if down else ["a window whose engine fails is not answered by the next one"]),
    ]
    return {
        "failed": bool(wrong),
        "wrong": wrong,
        "precision": engine.precision,
        "max_probability_difference": agreement.max_probability_difference,
        "decision_flips": agreement.decision_flips,
        "n_windows": agreement.n_windows,
        "cuda_graph": graph,
        "ms": {"p50": round(p50, 4), "p95": round(p95, 4), "p99": round(p99, 4)},
        "memory_mb": round(before, 2),
        "memory_grown_mb": round(grown, 2),
    }


class _FailsLater:
    """An engine that raises from its second call on, as a GPU that is lost does."""

    def __init__(self, engine: NetworkEngine) -> None:
        self._engine, self._n = engine, 0
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self._n += 1
        if self._n > 1:
            raise RuntimeError("made to fail, to see what happens")
        return self._engine(windows)

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        return self._engine.router_logits(windows)

    def close(self) -> None:
        """The engine itself is still needed."""


def _answered_by_the_next(engine: NetworkEngine, parts: EngineParts, windows: NDArray[np.float32]) -> bool:
    ladder = LadderEngine([Rung(engine.name, 1, partial(_FailsLater, engine)), rung_of("cpu", parts)], parts)
    logits = ladder(windows[:1])
    return ladder.name == "cpu" and bool(np.allclose(logits, EagerEngine(parts.network)(windows[:1]), atol=1e-3))


def _memory_mb() -> float:
    return torch.cuda.memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0


def _words(row: dict[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    graph = {True: ", one CUDA graph", False: ", without a CUDA graph", None: ""}[row["cuda_graph"]]
    ms = row["ms"]
    return (
        f"{row['precision']}{graph}: p50 {ms['p50']:.2f}, p99 {ms['p99']:.2f} ms a window; probabilities differ by "
        f"{row['max_probability_difference']:.2g}, {row['decision_flips']:.1%} of {row['n_windows']} decisions differ; "
        f"{row['memory_mb']:.0f} MB"
    )
