"""`neuript-train curves`: losses of pretrainings side by side, as one figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import command
from neuript.cli.option_values import named_folders
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript-train curves amplitudes=runs/aamp spans=runs/spans --out curves.png
  neuript-train curves --sweep sweeps --table masking --out curves.png    every seed of a sweep's settings

Losses of different maskings are not the same task: a band of amplitudes betrays itself. Compare what is explained."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript-train curves", "Draw the losses of pretrainings side by side.", _EXAMPLES)
    add = parser.add_argument
    add("runs", nargs="*", metavar="LABEL=DIR", help="folder of a pretraining, and what to call it")
    add("--sweep", metavar="DIR", help="folder of a sweep's results, in place of LABEL=DIR")
    add("--table", metavar="NAME", help="table of the sweep")
    add("--out", required=True, metavar="FILE", help="figure to write: .png or .pdf")
    return parser


def run(argv: list[str]) -> int:
    """Read, draw, print the last validations; return the exit code."""
    args = build_parser().parse_args(argv)
    if bool(args.runs) == bool(args.sweep) or bool(args.sweep) != bool(args.table):
        raise NeuriptError("give either LABEL=DIR of some pretrainings, or --sweep DIR with --table NAME")

    from neuript.training.pictures.loss_curves import draw_curves, last_scores

    if args.sweep:
        from neuript.training.sweep.run_sweep import pretraining_folders

        runs = pretraining_folders(args.table, Path(args.sweep))
    else:
        runs = {label: (folder,) for label, folder in named_folders(args.runs, "LABEL=DIR").items()}
    curves = draw_curves(runs, Path(args.out))
    print(last_scores(curves))
    print(args.out)
    return 0
