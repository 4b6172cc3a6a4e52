"""What was asked of a sweep, kept beside its results: `--table` needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import write_json
from neuript.specs import from_dict, to_dict
from neuript.training.sweep.jobs import SweepPlan, make_plan
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.sweep_tables import Sweep


def write_request(
    out: Path, table: str, plan: SweepPlan, *, data: Sequence[str], seeds: Sequence[int], corpus: str | None
) -> Path:
    """Write the whole table with every value, the data sets and the seeds to `OUT/<name>.json`.

    Raises
    ------
    NeuriptError
        If the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"cannot make the folder {out}: {error.strerror or error}") from error
    content = {"sweep": to_dict(plan.sweep), "data": list(data), "seeds": list(seeds), "corpus": corpus}
    path = _path(out, table)
    write_json(path, content)
    return path


def read_plan(out: Path, table: str) -> SweepPlan:
    """Return the plan that was last asked for under this name.

    Raises
    ------
    NeuriptError
        If this sweep was never started in `out`.
    """
    path = _path(out, table)
    if not path.exists():
        raise NeuriptError(f"{out} has no results of the sweep {table!r}; start it first")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sweep = from_dict(Sweep, content["sweep"], "the sweep", error=ValueError)
        return make_plan(sweep, data=content["data"], seeds=content["seeds"], corpus=content["corpus"])
    except (ValueError, KeyError, TypeError) as error:
        raise NeuriptError(f"{path} is damaged ({error}); start the sweep again") from error


def left_behind(out: Path, table: str, plan: SweepPlan, store: ResultsFolder) -> str:
    """Say which finished jobs of the last call are no part of this one, or return an empty text.

    It happens when the table, an override, the corpus or the seeds were changed in between.
    """
    if not _path(out, table).exists():
        return ""
    wanted = {job.id for job in plan.jobs}
    lost = [j for j in read_plan(out, table).jobs if j.id not in wanted and store.is_done(j.id)]
    if not lost:
        return ""
    return (
        f"{len(lost)} finished jobs of the last call, such as {lost[0].id} ({lost[0].label}), have "
        "another configuration than this one and are not part of its table; they are kept"
    )


def _path(out: Path, table: str) -> Path:
    return out / f"{table.rpartition('#')[2]}.json"
