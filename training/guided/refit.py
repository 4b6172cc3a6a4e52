"""The decoder of what is recorded so far, fitted meanwhile in a process of its own that gives way to all others."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript import specs
from neuript.training.calibration.calibration_spec import CalibrationSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSoFar:
    """What a fit in the background brought."""

    shown: frozenset[int]
    """Trials that were shown when it began."""
    kept: frozenset[int] | None
    """Those that are in the recordings; None where these could not be read."""
    model: Path | None
    """The decoder; None where none could be fitted."""
    figures: dict[str, Any]
    """Figures as in the model file; none without a model."""
    forecast: str
    """What more trials would bring, in a sentence; empty where nobody can say."""
    problem: str
    """Why there is no decoder, in a sentence; empty if there is one."""


class Refit:
    """Fits decoders one after the other; a fit that is due while one runs waits for it.

    Parameters
    ----------
    folder : Path
        Where the decoder of the moment is kept; the session's folder.
    spec : CalibrationSpec
        How decoders are fitted.
    earlier : sequence of str
        Recordings of earlier days, which are learnt from as well.
    """

    def __init__(self, folder: Path, spec: CalibrationSpec, earlier: Sequence[str] = ()) -> None:
        self._earlier = list(earlier)
        self._model, self._answer = folder / "so-far.ts", folder / "so-far.json"
        self._settings = specs.to_dict(spec)
        self._process: subprocess.Popen[bytes] | None = None
        self._shown: frozenset[int] = frozenset()
        self._waiting: tuple[list[str], frozenset[int]] | None = None

    @property
    def running(self) -> bool:
        """True while a fit runs or waits."""
        return self._process is not None or self._waiting is not None

    def ask(self, recordings: Sequence[Path], shown: Collection[int]) -> None:
        """Fit what these recordings hold by now, as soon as nothing else is being fitted."""
        self._waiting = [str(path) for path in recordings], frozenset(shown)
        self._begin()

    def poll(self) -> FittedSoFar | None:
        """Return what a fit brought that has just ended, and begin the next."""
        if self._process is None or self._process.poll() is None:
            return None
        self._process = None
        result = self._result()
        self._begin()
        return result

    def close(self) -> None:
        """End what runs and remove what it left; harmless when called twice."""
        process, self._process, self._waiting = self._process, None, None
        if process is not None:
            process.kill()
            process.wait()
        for path in (self._model, self._answer):
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        if self._process is not None or self._waiting is None:
            return
        (recordings, self._shown), self._waiting = self._waiting, None
        self._answer.unlink(missing_ok=True)
        task = {"recordings": recordings, "earlier": self._earlier, "spec": self._settings, "model": str(self._model)}
        command = [sys.executable, "-P", "-m", "neuript.training.guided.fit_in_background", str(self._answer)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=sys.platform != "win32"
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(json.dumps(task).encode())

    def _result(self) -> FittedSoFar:
        try:
            answer = json.loads(self._answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            answer = {"problem": "the fit in the background ended on its own"}
        problem = str(answer.get("problem", ""))
        kept = answer.get("kept")
        return FittedSoFar(
            shown=self._shown,
            kept=None if kept is None else frozenset(kept),
            model=None if problem else self._model,
            figures=dict(answer.get("figures", {})),
            forecast=str(answer.get("forecast", "")),
            problem=problem,
        )
