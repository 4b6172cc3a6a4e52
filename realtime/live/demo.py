"""`neuript live --demo`: the digital twin as amplifier, in a process of its own, and the score against its cues."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import uuid
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import neuript
from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.scoring import PublishedRow, Trial, score_trials
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.marker_inlet import LslMarkers
from neuript.realtime.lsl.stream_choice import predicate_for

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest

logger = logging.getLogger(__name__)

DEMO_MODEL = Path(neuript.__file__).parent / "weights" / "demo.ts"
"""The model shipped with the package; trained on simulated people only."""

SCORED_S = (2.5, 4.5)
"""First and last second after a cue at which a window must end to count for its trial (the twin imagines for 4 s)."""
_SFREQ = 250.0
_KEPT_ROWS = 200_000
_FEW_TRIALS = 20


class Demo:
    """The twin's process, its cues, and what was decoded: a sink of the decoder.

    Parameters
    ----------
    seed : int
        Seed of the simulated person and day.
    network : bool
        True lets other computers see the amplifier.
    """

    def __init__(self, seed: int = 1, *, network: bool = False) -> None:
        self.seed, self._network = seed, network
        self.source_id = f"neuript-demo-{uuid.uuid4().hex[:12]}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._markers = LslMarkers(predicate_for(source_id=f"{self.source_id}-markers"))
        self._cues: list[tuple[float, str]] = []
        self._rows: deque[PublishedRow] = deque(maxlen=_KEPT_ROWS)

    def start(self, manifest: Manifest) -> None:
        """Start the amplifier with the electrodes and tasks that the model knows."""
        logger.info("demo: everything you see is SIMULATED (digital twin, seed %d)", self.seed)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        command = [
            sys.executable, "-P", "-m", "neuript", "simulate", *self._arguments(manifest),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=sys.platform != "win32",  # Ctrl-C is for us; we end it
        )
        self._markers.start()

    def _arguments(self, manifest: Manifest) -> list[str]:
        person = manifest.provenance.get("demo_person", {})
        arguments = [
            f"--montage={manifest.montage['name']}",
            f"--sfreq={_SFREQ:g}",
            f"--classes={','.join(manifest.classes)}",
            f"--seed={self.seed}",
            f"--source-id={self.source_id}",
            "--end-with-parent",
        ]
        if self._network:
            arguments.append("--network")
        if "seed" in person:  # the person that the model was calibrated on, on another day
            arguments.append(f"--person-seed={int(person['seed'])}")
        if "skill" in person:
            arguments.append(f"--skill={float(person['skill'])}")
        return arguments

    def check(self) -> None:
        """Notice that the twin has ended.

        Raises
        ------
        NeuriptError
            If the twin has ended; the message is the last line that it wrote.
        """
        if self._process is not None and self._process.poll() is not None:
            raise NeuriptError(f"the simulated amplifier ended: {self._last_words()}")

    def step(self) -> None:
        """Read the cues that have arrived; never waits."""
        self._cues += self._markers.pull()

    def publish(self, decision: Decision) -> None:
        """Keep a row for the score."""
        self._rows.append(PublishedRow(decision.t, decision.proba, decision.decision, str(decision.state)))

    def score(self, manifest: Manifest) -> dict[str, Any]:
        """Return the accuracy against the twin's cues, with the bound of guessing."""
        self.step()
        trials = scored_trials(self._cues, list(self._rows), manifest.classes)
        if not trials:
            return {"simulated": True, "trials": 0, "text": "demo (SIMULATED): no trial was over"}
        card = score_trials(list(self._rows), trials, manifest.classes, window_end_s=SCORED_S)
        low, high = card.interval
        verdict = f"guessing stays below {min(card.bound, 1.0):.0%}: "
        if card.accuracy >= card.bound:
            verdict += "above chance"
        elif card.n_trials < _FEW_TRIALS:
            verdict = "too few trials to tell it from guessing, let it run for some minutes"
        else:
            verdict += "not above chance"
        return {
            "simulated": True,
            "trials": card.n_trials,
            "hits": card.n_hits,
            "accuracy": round(card.accuracy, 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "chance_bound": round(card.bound, 4),
            "window_end_s": list(SCORED_S),
            "text": (
                f"demo (SIMULATED): {card.n_hits} of {card.n_trials} cued trials decoded right, "
                f"{card.accuracy:.0%} (95 % interval {low:.0%} to {high:.0%}); {verdict}"
            ),
        }

    def close(self) -> None:
        """End the twin; harmless when called twice."""
        self._markers.close()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(3.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def _last_words(self) -> str:
        if self._log is None:
            return "no reason given"
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "no reason given"


def scored_trials(cues: list[tuple[float, str]], rows: list[PublishedRow], classes: tuple[str, ...]) -> list[Trial]:
    """Return the trials that lie wholly within what was decoded.

    Parameters
    ----------
    cues : list of (time, text)
        Markers; those that name a class, or are JSON with `cls`, are cues.
    rows : list of PublishedRow
        Published rows in order of time.
    classes : tuple of str
        Class names of the model.
    """
    decoded = [r.t for r in rows if r.state == State.OK]
    if not decoded:
        return []
    trials = []
    for t, text in cues:
        label = _cued_class(text)
        if label in classes and decoded[0] <= t + SCORED_S[0] and t + SCORED_S[1] <= rows[-1].t:
            trials.append(Trial(label, t))
    return trials


def _cued_class(text: str) -> str:
    if not text.startswith("{"):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(value.get("cls", "")) if isinstance(value, dict) else ""
