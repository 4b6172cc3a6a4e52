"""Run the jobs: here, in local processes, or on a cluster; results come as they are ready."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import DiskFullError, write_json
from neuript.training.corpus.outcome import FileReport
from neuript.training.corpus.work import RecordingJob, work

logger = logging.getLogger(__name__)

Result = tuple[RecordingJob, dict[str, Any]]
AHEAD = 4
"""Jobs that wait at each worker; a corpus of 100,000 files is never all in the scheduler."""

ANSWER_S = 30.0
"""Longest time that a scheduler may take to answer, in seconds."""


def run_jobs(
    jobs: list[RecordingJob], *, workers: int = 1, scheduler: str | None = None
) -> Generator[Result, None, None]:
    """Yield (job, record) in the order in which they end.

    Parameters
    ----------
    jobs : list of RecordingJob
        One recording to work on each.
    workers : int
        Number of processes: 1 works in this one; more start a local Dask cluster.
    scheduler : str, optional
        Address of a Dask scheduler, such as `tcp://head:8786`; `workers` is then ignored.

    Raises
    ------
    NeuriptError
        The scheduler does not answer, or has no workers.
    DiskFullError
        A worker found no room.
    """
    if workers < 1:
        raise NeuriptError(f"--workers {workers}: give 1 or more")
    if not jobs:
        return
    if scheduler is None and (workers == 1 or len(jobs) == 1):
        for job in jobs:
            yield job, work(job)
        return
    yield from _on_dask(jobs, workers, scheduler)


def _on_dask(jobs: list[RecordingJob], workers: int, scheduler: str | None) -> Generator[Result, None, None]:
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as missing:
        raise NeuriptError(
            'working in parallel needs Dask, which is not installed; pip install "neuript[train]", or --workers 1'
        ) from missing
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=min(workers, len(jobs)),
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.ERROR,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield from _submit(client, jobs)
        return
    try:
        client = Client(scheduler, timeout=ANSWER_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise NeuriptError(f"no Dask scheduler answers at {scheduler} ({error})") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise NeuriptError(f"the Dask scheduler {scheduler} has no workers; start some")
        yield from _submit(client, jobs)


def _submit(client: Any, jobs: list[RecordingJob]) -> Generator[Result, None, None]:
    from dask.distributed import as_completed

    n_ahead = AHEAD * max(1, sum(client.nthreads().values()))
    waiting = iter(jobs)
    of: dict[Any, RecordingJob] = {}
    done = as_completed([], with_results=False)

    def put(n: int) -> None:
        for job in itertools.islice(waiting, n):
            # a recording that kills its worker would kill the next one
            future = client.submit(_guarded, job, pure=False, retries=0)
            of[future] = job
            done.add(future)

    put(n_ahead)
    for future in done:
        job = of.pop(future)
        yield job, _result(future, job)
        future.release()
        put(1)


def _guarded(job: RecordingJob) -> dict[str, Any] | str:
    """Do the work; a full disk comes back as a text, since not every exception survives the way."""
    try:
        return work(job)
    except DiskFullError as full:
        return str(full)


def _result(future: Any, job: RecordingJob) -> dict[str, Any]:
    error = future.exception()
    if error is None:
        found = future.result()
        if isinstance(found, str):
            raise DiskFullError(found)
        record: dict[str, Any] = found
        return record
    report = FileReport(
        dataset=job.source.dataset,
        subject=job.source.subject,
        recording=job.source.name,
        status="failed",
        reason=f"its worker died ({type(error).__name__}); perhaps out of memory: try --workers 1",
    )
    record = {"settings": job.settings, "stamp": job.stamp(), "shard": None}
    record["report"] = asdict(report)
    write_json(job.record, record, indent=None)
    return record
