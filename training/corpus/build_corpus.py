"""Folders of recordings to a corpus: one shard per recording, made in any order, by any number of workers.

Every finished recording has a record on disk, so a run that was killed or ran out of disk goes on where it was, and a
second run does nothing. The index is written from the records, in their order.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import DiskFullError, remove_leftovers, write_json
from neuript.locks import locked
from neuript.training.corpus.corpus import FORMAT, INDEX, VERSION, read_index
from neuript.training.corpus.executor import run_jobs
from neuript.training.corpus.index import Records
from neuript.training.corpus.outcome import CorpusReport, FileReport
from neuript.training.corpus.recipe import Recipe
from neuript.training.corpus.scan import ScannedFile, ScanOptions, require_people, scan
from neuript.training.corpus.shards import arrow
from neuript.training.corpus.work import RECORDS, SHARDS, RecordingJob, SignalOptions

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, FileReport], None]
"""Called with (recordings done, recordings in all, what became of the last one)."""
_INDEX_EVERY_S = 60.0
LOCK = ".lock"


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Everything but the recipe."""

    scan: ScanOptions = field(default_factory=ScanOptions)
    signal: SignalOptions = field(default_factory=SignalOptions)
    workers: int = 1
    """Number of processes on this machine; 1 works in this one, without Dask."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers see the same paths; None uses `workers`."""
    redo: bool = False
    """Whether recordings that were worked on before are worked on again."""
    verify: bool = False
    """Compare the hash of every shard that is there, and make anew what was changed."""


def prepare(
    folders: Sequence[str | Path],
    out: str | Path,
    recipe: Recipe,
    options: PrepareOptions | None = None,
    *,
    progress: Progress | None = None,
) -> CorpusReport:
    """Turn folders of recordings into a corpus, or add them to one.

    Parameters
    ----------
    folders : sequence of str or Path
        Trees of files, BIDS or loose. Each is a data set of its own unless the options name one.
    out : str or Path
        Folder of the corpus. A corpus of the same recipe is added to; what it has already is not made again.
    recipe : Recipe
        Filters, window length and limits of the windows.
    options : PrepareOptions, optional
        Which files are read and how, and by how many processes; None takes the defaults.
    progress : callable, optional
        Called after each recording with (recordings done, recordings in all, report of the last one).

    Returns
    -------
    CorpusReport
        What became of each recording; also in `out` as `report.json` and `report.csv`.

    Raises
    ------
    NeuriptError
        A folder is missing, unreadable or empty; `out` has another recipe or is in use.
    DiskFullError
        No room; the same command goes on from there.
    """
    options = options or PrepareOptions()
    arrow()  # say that it is missing before hours of work
    out = Path(out)
    sources, excluded = [], set()
    for folder in folders:
        found, without = scan(folder, options.scan)
        sources += found
        excluded.update(without)
    everybody = {source.subject for source in sources} | excluded
    require_people(options.scan.exclude_subjects, everybody, "--exclude-subjects")
    jobs = [_job(source, out, recipe, options.signal) for source in sources]
    _require_distinct(jobs)
    with _opened(out, recipe):
        records = Records(out)
        records.drop_subjects(excluded)
        todo = [job for job in jobs if options.redo or not records.holds(job, verify=options.verify)]
        new = _work(todo, records, options, len(jobs), progress)
        return _finish(out, recipe, records, new, excluded)


def _job(source: ScannedFile, out: Path, recipe: Recipe, options: SignalOptions) -> RecordingJob:
    """Return the job with absolute paths: a worker of a cluster may have another working directory."""
    source = replace(source, path=source.path.absolute())
    return RecordingJob(source=source, out=out.absolute(), recipe=recipe, options=options)


def _work(
    todo: list[RecordingJob], records: Records, options: PrepareOptions, n_all: int, progress: Progress | None
) -> set[str]:
    """Run the jobs, note each as it ends; return the keys of those that were made."""
    done, new, last = n_all - len(todo), set(), time.monotonic()
    results = run_jobs(todo, workers=options.workers, scheduler=options.scheduler)
    try:
        with contextlib.closing(results):
            for job, record in results:
                records.add(job.key, record)
                new.add(job.key)
                done += 1
                if progress is not None:
                    progress(done, n_all, FileReport(**record["report"]))
                if time.monotonic() - last > _INDEX_EVERY_S:
                    _write_index(records.out, todo[0].recipe, records)
                    last = time.monotonic()
    except DiskFullError as full:
        raise DiskFullError(
            f"{full}; {done} of {n_all} recordings are done and whole, so make room and give the same command again"
        ) from full
    return new


def _finish(out: Path, recipe: Recipe, records: Records, new: set[str], excluded: set[str]) -> CorpusReport:
    _write_index(out, recipe, records)
    files = [replace(r, reused=key not in new) for key, r in records.reports()]
    report = CorpusReport(files, recipe.window_s, len(new), tuple(sorted(excluded)))
    report.write(out)
    return report


def _write_index(out: Path, recipe: Recipe, records: Records) -> None:
    entries, montages = records.index()
    index: dict[str, Any] = {"format": FORMAT, "version": VERSION, "recipe": recipe.to_dict()}
    write_json(out / INDEX, index | {"montages": montages, "recordings": entries})


@contextlib.contextmanager
def _opened(out: Path, recipe: Recipe) -> Iterator[None]:
    """Make or check the folder, keep other runs out, and clear what a killed run left."""
    _check_out(out, recipe)
    try:
        for folder in (out, out / SHARDS, out / RECORDS):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"cannot write to {out}: {error.strerror}") from error
    with locked(out / LOCK) as free:
        if not free:
            raise NeuriptError(f"another prepare is writing to {out}; wait for it, or give another --out")
        for folder in (out, out / SHARDS, out / RECORDS):
            remove_leftovers(folder)
        if not (out / INDEX).exists():
            _write_index(out, recipe, Records(out))
        yield


def _check_out(out: Path, recipe: Recipe) -> None:
    if out.exists() and not out.is_dir():
        raise NeuriptError(f"{out} is a file; --out is a folder")
    if not (out / INDEX).exists():
        if out.is_dir() and any(p.name not in (SHARDS, RECORDS, LOCK) for p in out.iterdir()):
            raise NeuriptError(f"{out} has other things in it; give a folder that is new, empty or a corpus")
        return
    theirs = Recipe.from_dict(read_index(out)["recipe"])
    if theirs != recipe:
        raise NeuriptError(
            f"the corpus {out} was made by another recipe ({'; '.join(recipe.differences(theirs))}: asked for, there); "
            "give another --out, or the same recipe"
        )


def _require_distinct(jobs: Sequence[RecordingJob]) -> None:
    first: dict[str, RecordingJob] = {}
    for job in jobs:
        other = first.setdefault(job.key, job)
        if other is not job:
            raise NeuriptError(
                f"{other.source.path} and {job.source.path} would have the same name {job.source.dataset}/"
                f"{job.source.name} in the corpus; prepare the folders one by one with a --dataset each"
            )
