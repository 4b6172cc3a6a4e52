"""`neuript-train pictures`: what a model learned, as one report of figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neuript.cli.arguments import add_seed
from neuript.cli.option_values import some_of
from neuript.cli.progress import ProgressLine

SECTIONS = ("experts", "attention", "perturbation", "reconstruction", "latent")
KINDS = ("swap", "zero")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-train pictures",
        description="Look into a model: which experts serve which class, who attends to whom, what "
        "each channel contributes, masked reconstructions, and a map of its features by class and by "
        "person. Writes report.html (all in one file), the figures, and numbers.json.",
        epilog="A pretrained encoder has no head; with --data a linear one is fitted on the training "
        "split. Reconstructions need the folder of a pretraining, which has the decoder.",
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="PATH",
        help="folder of a pretraining or one of its checkpoints, a pretrained encoder, or a trained "
        "classifier (.safetensors)",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", metavar="NAME=DIR", help="labelled windows of a protocol, such as mental-arithmetic=DIR"
    )
    source.add_argument("--corpus", metavar="DIR", help="windows of a corpus, without labels")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the report")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test", "all"),
        default="val",
        help="whose windows, with --data (default: val)",
    )
    parser.add_argument("--group", metavar="MONTAGE", help="which montage of the corpus (default: the largest)")
    parser.add_argument("--only", metavar="NAME,...", help=f"only these: {', '.join(SECTIONS)}")
    parser.add_argument("--windows", type=int, default=160, metavar="N", help="windows to look at (default 160)")
    parser.add_argument(
        "--perturbed",
        type=int,
        default=64,
        metavar="N",
        help="of these, windows to perturb or reconstruct; costs N times the channels (default 64)",
    )
    parser.add_argument(
        "--perturb", default="swap,zero", metavar="KIND,...", help="swap, zero or both (default swap,zero)"
    )
    parser.add_argument(
        "--examples", type=int, default=2, metavar="N", help="reconstructed windows to draw (default 2)"
    )
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="windows at once (default 16)")
    add_seed(parser, "draws and masks")
    parser.add_argument("--cache", metavar="DIR", help="where protocols keep cleaned windows")
    parser.add_argument("--pdf", action="store_true", help="every figure also as PDF")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, look, draw, write; return the exit code."""
    args = build_parser().parse_args(argv)
    only = some_of("--only", args.only, SECTIONS)
    kinds: Any = some_of("--perturb", args.perturb, KINDS)

    from neuript.training.pictures.look_inside import WindowsPlace, look_inside
    from neuript.training.pictures.make import PicturesSpec

    with ProgressLine(0.0) as line:
        report = look_inside(
            args.checkpoint,
            WindowsPlace(
                data=args.data,
                corpus=args.corpus,
                split=args.split,
                group=args.group,
                cache=Path(args.cache) if args.cache else None,
            ),
            PicturesSpec(
                only=only,
                n_windows=args.windows,
                n_perturbed=args.perturbed,
                kinds=kinds,
                n_examples=args.examples,
                batch_size=args.batch_size,
                seed=args.seed,
                pdf=args.pdf,
            ),
            args.out,
            lambda what, done, n: line.show(f"{what}: {done}/{n}", done, n, last=done == n),
        )
    for section in report.sections:
        if section.skipped:
            print(f"{section.name}: left out: {section.skipped}")
    for note in report.notes:
        print(note)
    print(report.page)
    return 0
