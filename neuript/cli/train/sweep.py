"""`neuript-train sweep`: run, resume and tabulate a table of configurations."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.sweep.jobs import SweepPlan
    from neuript.training.sweep.results_folder import ResultsFolder

_EXAMPLES = """\
examples:
  neuript-train sweep                                 the tables that come with neuript
  neuript-train sweep masking --corpus corpus --data mental-arithmetic=eegmat \\
      --size micro --steps 1000 --seeds 0,1,2 --out sweeps --plan
  neuript-train sweep masking --out sweeps --table    what is known so far
  neuript-train sweep my.yaml#mine --data mental-arithmetic=eegmat --out sweeps

Call it again to go on after a kill: finished jobs are not repeated, a pretraining goes on from its
last checkpoint. Several calls, also on several machines, may share --out."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-train sweep",
        description="Run, resume and tabulate a table of configurations (ablations).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("table", nargs="?", metavar="TABLE", help="name of a table, or FILE.yaml#NAME")
    add("--out", metavar="DIR", help="folder of the results; it may hold several sweeps")
    add(
        "--data",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a data set to evaluate on: name of its protocol, and its folder; repeat for more",
    )
    add(
        "--corpus",
        action="append",
        default=[],
        metavar="DIR",
        help="pretraining corpus (neuript-train prepare); repeat for more",
    )
    add("--seeds", default="0,1,2", metavar="N,N,...", help="seeds of the runs (default 0,1,2)")
    add("--size", metavar="NAME", help="size of the model, over the table's")
    add("--steps", type=int, metavar="N", help="pretraining steps, over the table's")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another entry over the table's, such as pretrain.batch_size=8 or model.dropout=0",
    )
    add("--only", metavar="LABEL,...", help="only these settings of the table")
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default 1)")
    add("--plan", action="store_true", help="print the jobs and how long they will take, and stop")
    add("--table", dest="tabulate", action="store_true", help="print the results so far, and stop")
    return parser


def run(argv: list[str]) -> int:
    """Run the verb and return the exit code: 0, or 1 if a job failed."""
    args = build_parser().parse_args(argv)
    if args.table is None:
        return _list_tables()
    if args.out is None:
        raise NeuriptError("--out DIR is missing: the folder of the results")
    from neuript.training.sweep.results_folder import ResultsFolder

    store = ResultsFolder(Path(args.out))
    if args.tabulate:
        return _tabulate(args.table, store)
    if args.workers < 1:
        raise NeuriptError(f"--workers {args.workers} must be 1 or more")
    data = _folders(args.data)
    plan = _plan(args, store, data)
    if args.plan:
        return _show_plan(plan, store, args, data)
    return _work(plan, store, args, data, argv)


def _list_tables() -> int:
    from neuript.training.sweep.sweep_tables import available_tables

    tables = available_tables()
    width = max(map(len, tables))
    for name, title in tables.items():
        print(f"{name:<{width}}  {title}")
    return 0


def _plan(args: argparse.Namespace, store: ResultsFolder, data: Mapping[str, Path]) -> SweepPlan:
    from neuript.training.sweep.jobs import make_plan
    from neuript.training.sweep.request import left_behind, write_request
    from neuript.training.sweep.sweep_tables import load_sweep, restrict

    sweep = restrict(load_sweep(args.table, _overrides(args)), _words(args.only))
    seeds = _seeds(args.seeds)
    corpus = None
    if args.corpus:
        from neuript.training.sweep.runner import corpus_fingerprint

        corpus = corpus_fingerprint([Path(path) for path in args.corpus])
    plan = make_plan(sweep, data=list(data), seeds=seeds, corpus=corpus)
    if note := left_behind(store.out, args.table, plan, store):
        _say(f"note: {note}")
    if not args.plan:
        write_request(store.out, args.table, plan, data=list(data), seeds=seeds, corpus=corpus)
    return plan


def _show_plan(plan: SweepPlan, store: ResultsFolder, args: argparse.Namespace, data: Mapping[str, Path]) -> int:
    from neuript.training.sweep.cost import StepCosts, clock

    costs = StepCosts(store, data, [Path(path) for path in args.corpus])
    total = 0.0
    for job in plan.jobs:
        state = store.state(job.id)
        seconds = costs.seconds(job)
        total += 0.0 if state == "done" else seconds
        print(f"{job.id}  {state:<8} {clock(seconds):>9}  {job.label}")
    print(f"{len(plan.jobs)} jobs; about {clock(total)} to go with one worker")
    return 0


def _tabulate(table: str, store: ResultsFolder) -> int:
    from neuript.training.sweep.markdown import tabulate
    from neuript.training.sweep.request import read_plan

    print(tabulate(read_plan(store.out, table), store))
    return 0


def _work(
    plan: SweepPlan, store: ResultsFolder, args: argparse.Namespace, data: Mapping[str, Path], argv: list[str]
) -> int:
    from neuript.training.sweep.jobs import PRETRAIN
    from neuript.training.sweep.markdown import tabulate
    from neuript.training.sweep.runner import RealRunner, preflight
    from neuript.training.sweep.worker import work

    child = os.environ.get("NEURIPT_SWEEP_CHILD") == "1"
    if not child:
        pretrains = any(job.kind == PRETRAIN for job in plan.jobs)
        preflight(data, [Path(path) for path in args.corpus] if pretrains else [])
        for job in plan.jobs:
            store.forget_failure(job.id)
    others = [] if child else _start_others(args.workers - 1, argv)
    try:
        runner = RealRunner(data, [Path(path) for path in args.corpus])
        states = work(plan, store, runner, say=None if child else _say)
        codes = [process.wait() for process in others]
    finally:
        for process in others:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if child:
        return 0
    print(tabulate(plan, store))
    if bad := [code for code in codes if code]:
        raise NeuriptError(f"{len(bad)} of the workers stopped; see {store.out / 'sweep.log'}")
    return 1 if states["failed"] else 0


def _start_others(n: int, argv: list[str]) -> list[subprocess.Popen[bytes]]:
    """Start more workers: the same call, which finds the rest of the work in --out by itself."""
    command = [sys.executable, "-P", "-m", "neuript", "train", "sweep", *argv]
    environment = {**os.environ, "NEURIPT_SWEEP_CHILD": "1"}
    return [subprocess.Popen(command, env=environment) for _ in range(n)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _folders(given: Sequence[str]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for text in given:
        name, sign, folder = text.partition("=")
        if not sign or not name or not folder:
            raise NeuriptError(f"--data {text!r} must be NAME=DIR, such as mental-arithmetic=eegmat")
        if name in folders:
            raise NeuriptError(f"--data names {name} twice; give each data set once")
        folders[name] = Path(folder)
    return folders


def _seeds(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise NeuriptError(f"--seeds {text!r} must be whole numbers, such as 0,1,2") from None


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _overrides(args: argparse.Namespace) -> dict[str, Any]:
    import yaml

    overrides: dict[str, Any] = {}
    if args.size is not None:
        overrides["size"] = args.size
    if args.steps is not None:
        overrides["pretrain"] = {"steps": args.steps}
    for text in args.set:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise NeuriptError(f"--set {text!r} must be KEY=VALUE, such as pretrain.batch_size=8")
        *path, last = key.split(".")
        place = overrides
        for word in path:
            place = place.setdefault(word, {})
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise NeuriptError(f"--set {text!r}: {value!r} is not a value") from error
    return overrides
