"""The folder of a sweep: one folder for each job, readable by people and by other programs.

OUT/<id>/config.json     the complete configuration, and its label
OUT/<id>/results.jsonl   one JSON object a line, in the order in which they were found
OUT/<id>/done.json       it is finished: when, how long it took
OUT/<id>/failed.json     it was refused or broke: the reason
OUT/<id>/.lock         locked by the worker that is at it
OUT/<id>/pretrain/       checkpoints of a pretraining, from which it goes on
OUT/sweep.log            what happened, one line each
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from neuript.errors import NeuriptError
from neuript.files import append_json, write_json
from neuript.locks import is_locked
from neuript.training.sweep.canonical import config_id
from neuript.training.sweep.jobs import SweepJob

LOCK = ".lock"
State = Literal["done", "failed", "running", "started", "waiting"]


@dataclass(frozen=True)
class ResultsFolder:
    """Results of jobs below one folder."""

    out: Path

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job."""
        return self.out / job_id

    def lock(self, job_id: str) -> Path:
        """Return the file whose lock the worker at a job holds."""
        return self.folder(job_id) / LOCK

    def state(self, job_id: str) -> State:
        """Return how far a job is; "started" is one that was stopped in the middle."""
        folder = self.folder(job_id)
        if (folder / "done.json").exists():
            return "done"
        if (folder / "failed.json").exists():
            return "failed"
        if is_locked(self.lock(job_id)):
            return "running"
        return "started" if (folder / "config.json").exists() else "waiting"

    def is_over(self, job_id: str) -> bool:
        """Say whether a job is done or failed; unlike `state`, it does not ask for the lock."""
        folder = self.folder(job_id)
        return (folder / "done.json").exists() or (folder / "failed.json").exists()

    def is_done(self, job_id: str) -> bool:
        """Say whether a job is finished."""
        return (self.folder(job_id) / "done.json").exists()

    def begin(self, job: SweepJob) -> Path:
        """Write the configuration of a job, or check that it is the one that is there.

        Raises
        ------
        NeuriptError
            If the folder belongs to another configuration (it was edited, or two ids collide).
        """
        folder = self.folder(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.json"
        if path.exists():
            there = _read(path).get("config")
            if not isinstance(there, dict) or config_id(there) != job.id:
                raise NeuriptError(
                    f"{path} is not the configuration of this job; it was changed by hand: remove the folder {folder}"
                )
        else:
            write_json(path, {"label": job.label, "needs": list(job.needs), "config": job.config}, sort_keys=True)
        (folder / "failed.json").unlink(missing_ok=True)
        return folder

    def append(self, job_id: str, result: Mapping[str, Any]) -> None:
        """Add one result; it is on the disk when this returns."""
        append_json(self.folder(job_id) / "results.jsonl", result)

    def results(self, job_id: str) -> list[dict[str, Any]]:
        """Return the results of a finished job; none of one that is not finished."""
        if not self.is_done(job_id):
            return []
        path = self.folder(job_id) / "results.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def finish(self, job_id: str, seconds: float) -> None:
        """Mark a job as done."""
        write_json(self.folder(job_id) / "done.json", {"at": _now(), "seconds": round(seconds, 1)})

    def fail(self, job_id: str, reason: str, details: str = "") -> None:
        """Mark a job as failed; the next call of the sweep tries it again."""
        content = {"at": _now(), "reason": reason, "details": details}
        write_json(self.folder(job_id) / "failed.json", content)

    def forget_failure(self, job_id: str) -> None:
        """Let a failed job be tried again."""
        (self.folder(job_id) / "failed.json").unlink(missing_ok=True)

    def seconds(self, job_id: str) -> float | None:
        """Return how long a finished job took."""
        path = self.folder(job_id) / "done.json"
        return float(_read(path)["seconds"]) if path.exists() else None

    def failure(self, job_id: str) -> str:
        """Return the reason of a failed job."""
        path = self.folder(job_id) / "failed.json"
        return str(_read(path).get("reason", "")) if path.exists() else ""

    def log(self, text: str) -> None:
        """Add a line to the sweep's log (short lines of several workers do not mix)."""
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "sweep.log").open("a", encoding="utf-8") as file:
            file.write(f"{_now()} {os.getpid()} {text}\n")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NeuriptError(f"{path} cannot be read ({error}); remove its folder") from error
    return content if isinstance(content, dict) else {}
