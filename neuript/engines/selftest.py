"""A first run of other people's engines in a process of its own: a crash or a hang there costs nothing but time.

Run as a module it is that process: `python -P -m neuript.engines.selftest NAME THREADS PRECISION FOLDER`. It does not
load PyTorch for the engines of the ONNX graph, so that it has answered before a model is open.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.engines.onnx_engines import OnnxRuntimeEngine, OpenVinoEngine
from neuript.errors import EngineRefusedError

if TYPE_CHECKING:
    from neuript.engines.contract import EnginePrecision

ONNX_ENGINES = {engine.name: engine for engine in (OpenVinoEngine, OnnxRuntimeEngine)}
"""Engines that take the ONNX graph, the faster one first."""
TIME_LIMIT_S = 60.0
MEASURED_CALLS = 9
"""A window is computed so often; the fastest counts, since what else the computer does only adds."""
_DATA, _WINDOWS, _ANSWERS, _TAKEN = "engine", "windows.npy", "answers.npy", "taken.npy"


@dataclass(frozen=True)
class EngineAnswers:
    """What an engine did in the other process."""

    answers: NDArray[np.float32] = field(repr=False)
    """Its answers to the windows, (batch, ...)."""
    milliseconds: float
    """What one window took at best."""


class EngineTrial:
    """An engine that is being tried in another process, from now on.

    Parameters
    ----------
    name : str
        One of `ONNX_ENGINES`, or `tensorrt`.
    data : bytes
        The graph, or the engine.
    windows : ndarray of float32, shape (batch, n_chans, n_times)
        Windows in volts.
    threads : int
        Threads to use.
    precision : {'float32', 'float16', 'bfloat16'}
        What an engine was built with.
    """

    def __init__(
        self,
        name: str,
        data: bytes,
        windows: NDArray[np.float32],
        *,
        threads: int = 1,
        precision: EnginePrecision = "float32",
    ) -> None:
        self.name, self.precision = name, precision
        self._began = time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="neuript-")  # the owner's only
        folder = Path(self._folder.name)
        (folder / _DATA).write_bytes(data)
        np.save(folder / _WINDOWS, windows)
        command = [sys.executable, "-P", "-m", "neuript.engines.selftest", name, str(threads), precision, str(folder)]
        self._errors = (folder / "errors").open("w+b")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors
        )

    def result(self, time_limit_s: float = TIME_LIMIT_S) -> EngineAnswers:
        """Wait for the process, end it if it is late, and return what it says.

        Parameters
        ----------
        time_limit_s : float
            Seconds after which the process is ended, from now on.

        Raises
        ------
        EngineRefusedError
            If it crashes, raises or does not end in time.
        """
        try:
            code = self._process.wait(time_limit_s)
            self._errors.seek(0)
            words = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            if code != 0:
                last = words[-1] if words else "no message"
                raise EngineRefusedError(f"{self.name} ended with exit code {code}: {last[:200]}")
            folder = Path(self._folder.name)
            answers, taken = (np.load(folder / name, allow_pickle=False) for name in (_ANSWERS, _TAKEN))
            return EngineAnswers(answers, 1e3 * float(taken))
        except subprocess.TimeoutExpired as error:
            waited_s = time.monotonic() - self._began
            raise EngineRefusedError(f"{self.name} gave no answer within {waited_s:.2g} s") from error
        finally:
            self.end()

    def end(self) -> None:
        """End the process, if it runs, and remove its folder; harmless when called twice."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._errors.close()
        with suppress(OSError):
            self._folder.cleanup()


def self_test(
    name: str, data: bytes, windows: NDArray[np.float32], *, threads: int = 1, time_limit_s: float = TIME_LIMIT_S
) -> NDArray[np.float32]:
    """Return what an engine answers, (batch, ...), in another process; see `EngineTrial`."""
    return EngineTrial(name, data, windows, threads=threads).result(time_limit_s).answers


def main(name: str, threads: str, precision: str, folder: str) -> None:
    """Run an engine on the windows of a folder, and leave its answers and what one window took there."""
    data = Path(folder, _DATA).read_bytes()
    windows = np.load(Path(folder, _WINDOWS), allow_pickle=False)
    engine = _engine(name, data, int(threads), precision)
    answers = engine(windows)
    taken = []
    for _ in range(MEASURED_CALLS):
        start = time.perf_counter()
        engine(windows[:1])
        taken.append(time.perf_counter() - start)
    np.save(Path(folder, _ANSWERS), answers)
    np.save(Path(folder, _TAKEN), min(taken))


def _engine(name: str, data: bytes, threads: int, precision: str) -> Any:
    if name in ONNX_ENGINES:
        return ONNX_ENGINES[name](data, threads=threads)
    from neuript.engines.rtx_runner import RtxEngine

    return RtxEngine(data, precision)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
