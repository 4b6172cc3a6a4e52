"""A first run of other people's engines in a process of its own: a crash or a hang there costs nothing but time.

Run as a module it is that process: `python -P -m neuript.engines.selftest NAME THREADS FOLDER`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.engines.agreement import EngineRefusedError
from neuript.engines.onnx_engines import OnnxRuntimeEngine, OpenVinoEngine

ONNX_ENGINES = {engine.name: engine for engine in (OpenVinoEngine, OnnxRuntimeEngine)}
"""Engines that take the ONNX graph, the faster one first."""
TIME_LIMIT_S = 60.0
_GRAPH, _WINDOWS, _LOGITS = "network.onnx", "windows.npy", "logits.npy"


def self_test(
    name: str, onnx: bytes, windows: NDArray[np.float32], *, threads: int = 1, time_limit_s: float = TIME_LIMIT_S
) -> NDArray[np.float32]:
    """Return the logits (batch, n_outputs) that an engine gives in another process.

    Parameters
    ----------
    name : str
        One of `ONNX_ENGINES`.
    onnx : bytes
        The graph.
    windows : ndarray of float32, shape (batch, n_chans, n_times)
        Windows in volts.
    threads : int
        Threads to use.
    time_limit_s : float
        Seconds after which the process is ended.

    Raises
    ------
    EngineRefusedError
        If it crashes, raises or does not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="neuript-") as folder:  # the owner's only
        Path(folder, _GRAPH).write_bytes(onnx)
        np.save(Path(folder, _WINDOWS), windows)
        command = [sys.executable, "-P", "-m", "neuript.engines.selftest", name, str(threads), folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=time_limit_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise EngineRefusedError(f"{name} gave no answer within {time_limit_s:g} s") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise EngineRefusedError(f"{name} ended with exit code {done.returncode}: {last[:200]}")
        logits: NDArray[np.float32] = np.load(Path(folder, _LOGITS), allow_pickle=False)
        return logits


def main(name: str, threads: str, folder: str) -> None:
    """Run an engine on the graph and windows of a folder, and leave its logits there."""
    engine = ONNX_ENGINES[name](Path(folder, _GRAPH).read_bytes(), threads=int(threads))
    np.save(Path(folder, _LOGITS), engine(np.load(Path(folder, _WINDOWS), allow_pickle=False)))


if __name__ == "__main__":
    main(*sys.argv[1:])
