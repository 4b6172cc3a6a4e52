"""`neuript-train population`: labelled recordings of earlier people to a prior for the next one."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from neuript.cli.arguments import add_seed, command
from neuript.cli.config_file import add_config, parse_with_config
from neuript.cli.progress import ProgressLine, say
from neuript.cli.window_options import add_window_options, window_settings
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.population.population_spec import PopulationSpec

_EXAMPLES = """\
examples:
  neuript-train population lab/bids --event left_hand=769 --event right_hand=770 --out lab.safetensors
  neuript-train population P1=p1/run1.xdf,p1/run2.xdf P2=p2 P3=p3 --event go=1 --event rest=2 --out lab.safetensors

A folder may hold many people, told apart by their paths (BIDS sub-..., else the first folder below); ALIAS=PATH names
one person. Recordings of a person are taken in order of their names. What comes out decodes the next person before the
first label (neuript-live --population) and helps their calibration (neuript-calibrate --population)."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train population", "Learn from labelled recordings of several people, for the next person.", _EXAMPLES
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="FOLDER|ALIAS=PATH", help="folders of several people, or recordings of one")
    add("--out", required=True, metavar="FILE.safetensors", help="file to write")
    add_window_options(parser, "what was on the heads")
    add("--include", action="append", default=[], metavar="GLOB", help="take these files of the folders only")
    add("--exclude", action="append", default=[], metavar="GLOB", help="leave these files out")
    add("--exclude-people", nargs="+", default=[], metavar="ALIAS", help="people of the folders to leave out")
    add(
        "--task",
        default="motor-imagery",
        help="short name, part of the published streams' names (default motor-imagery)",
    )
    add("--network", choices=("train", "none"), default="train", help="train a network (default), or none at all")
    add("--no-table", action="store_true", help="do not leave everybody out in turn: faster, but says nothing of it")
    add_seed(parser, "the network's weights and batches")
    add("--report", metavar="FILE.json", help="write the figures here as well")
    add_config(parser)
    return parser


def run(argv: list[str]) -> int:
    """Learn and return the exit code."""
    parser = build_parser()
    args = parse_with_config("population", parser, argv)
    if args.network == "none" and args.seed != parser.get_default("seed"):
        raise NeuriptError("--seed is the network's, and --network none has none; leave one of them out")
    if not args.out.endswith(".safetensors"):
        raise NeuriptError(f"--out {args.out} does not end in .safetensors; name the file for example lab.safetensors")

    from neuript.files import check_writable, write_atomically
    from neuript.pasteable import pasteable
    from neuript.training.corpus.scan import ScanOptions
    from neuript.training.population.people import people_of

    people = people_of(
        args.sources,
        ScanOptions(
            include=tuple(args.include), exclude=tuple(args.exclude), exclude_subjects=tuple(args.exclude_people)
        ),
    )
    files = [str(path) for paths in people.values() for path in paths]
    check_writable(args.out, keep=files)
    if args.report:
        check_writable(args.report, keep=(args.out, *files))
    spec = _spec(args)

    from neuript.training.population.population_file import learn_population

    began = time.monotonic()
    with ProgressLine(0.1, bar=True, vanishes=True) as line:
        population = learn_population(people, spec, say=say, report=line.show)
    population.save(args.out)
    metrics = population.manifest.metrics
    if args.report:
        write_atomically(args.report, (json.dumps(metrics, indent=1) + "\n").encode())
    _print_table(metrics.get("left_out", {}), len(people))
    if curve := metrics.get("without_a_trial_by_number_of_people"):
        steps = ", ".join(f"{n} {'person' if n == '1' else 'people'} {value:.1%}" for n, value in curve.items())
        print(f"Riemannian branch without a trial, learnt from {steps}.")
    then = pasteable("neuript-live", "--population", args.out)
    say(f"wrote {args.out} in {time.monotonic() - began:.0f} s; next: {then}")
    return 0


def _spec(args: argparse.Namespace) -> PopulationSpec:
    from neuript.training.population.population_spec import PopulationSpec

    return PopulationSpec(
        **window_settings(args),
        task=args.task,
        network=args.network == "train",
        seed=args.seed,
        table=not args.no_table,
    )


def _print_table(left_out: dict[str, Any], n_people: int) -> None:
    """Mean balanced accuracy of people left out, by decoder and number of trials."""
    if not left_out:
        return
    from rich.table import Table

    from neuript.safe_console import Report

    counts = sorted({int(count) for decoder in left_out.values() for count in decoder})
    table = Table(title=f"Balanced accuracy of {n_people} people left out in turn, by their trials per class")
    table.add_column("decoder")
    for count in counts:
        table.add_column("no trial" if not count else str(count), justify="right")
    for decoder, found in left_out.items():
        cells = [f"{found[str(count)]['mean']:.1%}" if str(count) in found else "-" for count in counts]
        table.add_row(decoder, *cells)
    console = Report()
    console.print(table)
