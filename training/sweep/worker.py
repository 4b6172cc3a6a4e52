"""A worker: takes the next job that can be done, does it, and goes on until nothing is left."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from neuript.errors import NeuriptError
from neuript.files import is_disk_fault
from neuript.locks import locked
from neuript.training.sweep.jobs import SweepJob, SweepPlan
from neuript.training.sweep.results_folder import ResultsFolder

_LOG = logging.getLogger(__name__)
POLL_S = 5.0


class Runner(Protocol):
    """What computes a job."""

    def __call__(
        self, job: SweepJob, folder: Path, needs: Mapping[str, Path], say: Callable[[str], None]
    ) -> Iterable[Mapping[str, Any]]:
        """Compute a job.

        Parameters
        ----------
        job : SweepJob
            The job to compute.
        folder : Path
            Folder of the job; what lies there from an earlier try may be used to go on.
        needs : mapping of str to Path
            Folders of the jobs that this one needs, keyed by id.
        say : callable
            Called with each line of the log.

        Returns
        -------
        Iterable of mappings
            Results, each written as soon as it is there.
        """
        ...


def work(
    plan: SweepPlan,
    store: ResultsFolder,
    runner: Runner,
    *,
    wait: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] | None = None,
) -> Counter[str]:
    """Do every job of a plan that nobody else does; return how many are in which state.

    Several workers may do this on one folder. A failed job stops only what depends on it.

    Parameters
    ----------
    plan : SweepPlan
        Jobs to do.
    store : ResultsFolder
        Folder of their results.
    runner : Runner
        Computes a job.
    wait : callable
        Called with seconds while all that is left is in other hands.
    say : callable, optional
        Called with each line of the log as well; None keeps to the log.

    Raises
    ------
    NeuriptError
        If the disk is full or cannot be written; what was finished stays, and the same call goes
        on from there.
    """
    log = _Log(store, say)
    while True:
        outcome = _next(plan, store, runner, log)
        if outcome == "nothing":
            return Counter(store.state(job.id) for job in plan.jobs)
        if outcome == "others":
            wait(POLL_S)


def _next(plan: SweepPlan, store: ResultsFolder, runner: Runner, log: _Log) -> str:
    """Do the first job that can be done; say whether one was done, or others are at work."""
    others = False
    for job in plan.jobs:
        if store.is_over(job.id):
            continue
        if not all(store.is_done(need) for need in job.needs):
            others |= not any(store.is_over(need) and not store.is_done(need) for need in job.needs)
            continue
        with locked(store.lock(job.id)) as free:
            if free:
                if not store.is_over(job.id):
                    _do(job, store, runner, log, _place(plan, job))
                return "done"
            others = True
    return "others" if others else "nothing"


def _do(job: SweepJob, store: ResultsFolder, runner: Runner, log: _Log, place: str) -> None:
    log(f"{place} {job.id} start · {job.label}")
    began = time.monotonic()
    try:
        folder = store.begin(job)
        (folder / "results.jsonl").unlink(missing_ok=True)
        needs = {need: store.folder(need) for need in job.needs}
        for result in runner(job, folder, needs, log):
            store.append(job.id, result)
        store.finish(job.id, time.monotonic() - began)
    except NeuriptError as error:
        _refuse_disk_fault(error)
        store.fail(job.id, str(error))
        log(f"{place} {job.id} failed · {job.label}: {error}")
    except Exception as error:  # noqa: BLE001  one odd job must not end the work on the others
        _refuse_disk_fault(error)
        _LOG.exception("job %s (%s)", job.id, job.label)
        store.fail(job.id, f"{type(error).__name__}: {error}", traceback.format_exc())
        log(f"{place} {job.id} failed · {job.label}: {type(error).__name__}: {error}")
    else:
        log(f"{place} {job.id} done in {time.monotonic() - began:.0f} s · {job.label}")


def _refuse_disk_fault(error: BaseException) -> None:
    if is_disk_fault(error):
        raise NeuriptError(
            f"the sweep stopped: {error}; free the disk and call it again, it goes on where it was"
        ) from error


def _place(plan: SweepPlan, job: SweepJob) -> str:
    return f"[{plan.jobs.index(job) + 1}/{len(plan.jobs)}]"


class _Log:
    def __init__(self, store: ResultsFolder, say: Callable[[str], None] | None) -> None:
        self._store, self._say = store, say

    def __call__(self, text: str) -> None:
        self._store.log(text)
        if self._say is not None:
            self._say(text)
