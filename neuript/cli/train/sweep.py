"""`neuript-train sweep`: run, resume and tabulate a table of configurations."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import add_set, command
from neuript.cli.option_values import named_folders, whole_numbers, words
from neuript.cli.progress import say
from neuript.errors import NeuriptError

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
    parser = command(
        "neuript-train sweep", "Run, resume and tabulate a table of configurations (ablations).", _EXAMPLES
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
    add_set(parser, "another entry over the table's, such as pretrain.batch_size=8 or model.dropout=0")
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
    from neuript.training.sweep.run_sweep import SweepRequest, known_results, list_jobs, run_sweep

    if args.tabulate:
        print(known_results(args.table, Path(args.out)))
        return 0
    request = SweepRequest(
        table=args.table,
        out=Path(args.out),
        data=named_folders(args.data),
        corpora=tuple(Path(path) for path in args.corpus),
        seeds=whole_numbers(args.seeds, "--seeds"),
        overrides=_overrides(args),
        only=words(args.only),
        workers=args.workers,
    )
    if args.plan:
        for line in list_jobs(request, say):
            print(line)
        return 0
    outcome = run_sweep(request, ["train", "sweep", *argv], say)
    if outcome.results:
        print(outcome.results)
    if outcome.n_stopped:
        raise NeuriptError(f"{outcome.n_stopped} of the workers stopped; see {request.store.out / 'sweep.log'}")
    return 1 if outcome.n_failed else 0


def _list_tables() -> int:
    from neuript.training.sweep.sweep_tables import available_tables

    tables = available_tables()
    width = max(map(len, tables))
    for name, title in tables.items():
        print(f"{name:<{width}}  {title}")
    return 0


def _overrides(args: argparse.Namespace) -> dict[str, object]:
    from neuript.training.sweep.overrides import nested_values

    overrides: dict[str, object] = {}
    if args.size is not None:
        overrides["size"] = args.size
    if args.steps is not None:
        overrides["pretrain"] = {"steps": args.steps}
    return nested_values(args.set, overrides)
