"""A whole sweep: its plan from what was asked, the workers on this computer, the table at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.training.sweep.cost import StepCosts, clock
from neuript.training.sweep.jobs import PRETRAIN, SweepPlan, make_plan
from neuript.training.sweep.markdown import tabulate
from neuript.training.sweep.request import left_behind, read_plan, write_request
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.runner import RealRunner, corpus_fingerprint, preflight
from neuript.training.sweep.sweep_tables import load_sweep, refuse_unused, restrict
from neuript.training.sweep.worker import work

CHILD = "NEURIPT_SWEEP_CHILD"
"""Environment variable of the workers that another worker has started."""


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """What is asked of a sweep.

    Raises
    ------
    NeuriptError
        For less than one worker.
    """

    table: str
    """Name of a table that comes with neuript, or `FILE.yaml#NAME`."""
    out: Path
    """Folder of the results; it may hold several sweeps."""
    data: Mapping[str, Path] = field(default_factory=dict)
    """Folder of the recordings of each protocol, keyed by its name."""
    corpora: tuple[Path, ...] = ()
    """Folders of the pretraining corpora."""
    seeds: tuple[int, ...] = (0, 1, 2)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Entries that replace those of the table, in the form of a setting."""
    only: tuple[str, ...] = ()
    """Labels of the settings to run; empty for all."""
    workers: int = 1
    """Number of processes on this computer, at least 1."""

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.workers < 1:
            raise NeuriptError(f"--workers {self.workers} must be 1 or more")

    @property
    def store(self) -> ResultsFolder:
        """Folder of the results."""
        return ResultsFolder(self.out)


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """How a sweep ended.

    Attributes
    ----------
    results : str
        The table as Markdown; empty for a worker that another one started, which prints it.
    n_failed : int
        Number of jobs that failed.
    n_stopped : int
        Number of workers that ended before their work was done.
    """

    results: str
    n_failed: int = 0
    n_stopped: int = 0


def known_results(table: str, out: Path) -> str:
    """Tabulate as Markdown what is known so far of the sweep that was last asked for under a name.

    Raises
    ------
    NeuriptError
        If this sweep was never started in `out`.
    """
    return tabulate(read_plan(out, table), ResultsFolder(out))


def pretraining_folders(table: str, out: Path) -> dict[str, tuple[Path, ...]]:
    """Return the folders of the pretrainings of a sweep that have begun, by the setting, in the order of its seeds.

    Raises
    ------
    NeuriptError
        If this sweep was never started in `out`, or none of its pretrainings has begun.
    """
    plan, store = read_plan(out, table), ResultsFolder(out)
    needs = {job.id: job.needs for job in plan.jobs}
    found: dict[str, dict[str, Path]] = {}
    for cell in plan.cells:
        for need in needs[cell.job_id]:
            if (folder := store.folder(need) / PRETRAIN).is_dir():
                found.setdefault(cell.setting, {})[need] = folder
    if not found:
        raise NeuriptError(f"no pretraining of the sweep {table!r} has begun in {out}")
    return {setting: tuple(folders.values()) for setting, folders in found.items()}


def list_jobs(request: SweepRequest, say: Callable[[str], None]) -> Iterator[str]:
    """Give a line per job, with its state and how long it will take, and one for all of them; nothing is run.

    Raises
    ------
    NeuriptError
        For an unknown table or protocol, an entry that is not understood, or a corpus or data set that is missing.
    """
    (plan, _), store = _plan(request, say), request.store
    costs = StepCosts(store, request.data, list(request.corpora))
    total = 0.0
    for job in plan.jobs:
        state, seconds = store.state(job.id), costs.seconds(job)
        total += 0.0 if state == "done" else seconds
        yield f"{job.id}  {state:<8} {clock(seconds):>9}  {job.label}"
    yield f"{len(plan.jobs)} jobs; about {clock(total)} to go with one worker"


def run_sweep(request: SweepRequest, command: Sequence[str], say: Callable[[str], None]) -> SweepOutcome:
    """Do every job that is not done yet, with as many workers as asked for.

    Parameters
    ----------
    request : SweepRequest
        Table, data sets, corpora and number of workers.
    command : sequence of str
        Arguments of `neuript` that run this very sweep: the other workers are started with them, and find the rest of
        the work by themselves.
    say : callable
        Takes each line of the log.

    Raises
    ------
    NeuriptError
        Before anything runs, where it cannot end well; or if the disk is full.
    """
    (plan, corpus), store = _plan(request, say), request.store
    write_request(store.out, request.table, plan, data=list(request.data), seeds=list(request.seeds), corpus=corpus)
    child = os.environ.get(CHILD) == "1"
    if not child:
        _prepare(request, plan, store)
    others = [] if child else _start_others(request.workers - 1, command)
    try:
        runner = RealRunner(request.data, list(request.corpora))
        states = work(plan, store, runner, say=None if child else say)
        codes = [process.wait() for process in others]
    finally:
        for process in others:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if child:
        return SweepOutcome("")
    return SweepOutcome(tabulate(plan, store), states["failed"], sum(code != 0 for code in codes))


def _plan(request: SweepRequest, say: Callable[[str], None]) -> tuple[SweepPlan, str | None]:
    """The plan, and the fingerprint of the corpora that it pretrains on."""
    sweep = restrict(load_sweep(request.table, request.overrides), request.only)
    refuse_unused(sweep, request.overrides)
    corpus = corpus_fingerprint(list(request.corpora)) if request.corpora else None
    plan = make_plan(sweep, data=list(request.data), seeds=list(request.seeds), corpus=corpus)
    if note := left_behind(request.out, request.table, plan, request.store):
        say(f"note: {note}")
    return plan, corpus


def _prepare(request: SweepRequest, plan: SweepPlan, store: ResultsFolder) -> None:
    """Refuse what cannot end well, and give what failed another try."""
    pretrains = any(job.kind == PRETRAIN for job in plan.jobs)
    preflight(request.data, list(request.corpora) if pretrains else [])
    for job in plan.jobs:
        store.forget_failure(job.id)


def _start_others(n: int, command: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    whole = [sys.executable, "-P", "-m", "neuript", *command]
    return [subprocess.Popen(whole, env={**os.environ, CHILD: "1"}) for _ in range(n)]
