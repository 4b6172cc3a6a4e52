"""What the decoder of the moment says, for the bar that the person sees: `neuript-live` in a process of its own."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from neuript.training.guided.guided_spec import GuidedSpec

logger = logging.getLogger(__name__)

_END_S = 5.0


class LiveFeedback:
    """Runs one decoder at a time on the session's stream; the newest replaces the one before.

    Parameters
    ----------
    spec : GuidedSpec
        The session's settings.
    source_id : str
        Source id of the EEG stream; empty where it has none.
    """

    def __init__(self, spec: GuidedSpec, source_id: str) -> None:
        self._spec, self._source_id = spec, source_id
        self._process: subprocess.Popen[bytes] | None = None
        self._newest: dict[str, Any] | None = None

    def use_population(self) -> None:
        """Decode by what earlier people say, until there is a decoder of this person."""
        self._start("--population", str(self._spec.calibration.population))

    def use_model(self, model: Path) -> None:
        """Decode by a model; its file may be replaced as soon as a row has come."""
        self._start("--model", str(model))

    def newest(self) -> dict[str, Any] | None:
        """Return the newest row, as `neuript-live --json` gives it, once; None if none came since."""
        row, self._newest = self._newest, None
        return row

    def close(self) -> None:
        """End the decoder; harmless when called twice."""
        process, self._process = self._process, None
        self._newest = None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self, *which: str) -> None:
        self.close()
        spec = self._spec
        command = [sys.executable, "-P", "-m", "neuript", "live", "--headless", "--json", *which]
        command += ["--montage", spec.montage] if spec.montage else []
        command += ["--unit", spec.unit] if spec.unit else []
        command += ["--channels", ",".join(spec.calibration.channels)] if spec.calibration.channels else []
        command += ["--source-id", self._source_id] if self._source_id else []
        command += ["--stream", spec.stream] if spec.stream and not self._source_id else []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",  # Ctrl-C is for us
        )
        threading.Thread(target=self._read, args=(self._process,), name="feedback", daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as rows:
            for line in rows:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if process is self._process and isinstance(row, dict) and "proba" in row:
                    self._newest = row
