"""`neuript-train evaluate`: a protocol of the paper, or recordings as they would have been decoded live."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.cli.arguments import command
from neuript.cli.option_values import numbers, whole_numbers, words
from neuript.cli.progress import say
from neuript.cli.train.data_options import add_data_options, checkpoint_of, list_protocols, load_data
from neuript.cli.train.pseudo_online_options import add_pseudo_online_options, check_mode
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.evaluate.evaluation import EvaluateSpec

_EXAMPLES = """\
examples:
  neuript-train evaluate mental-arithmetic --data eegmat --out results
  neuript-train evaluate mental-arithmetic --data eegmat --out results \\
      --checkpoint run/encoder.safetensors --methods finetune,probe --set finetune.max_lr=5e-5
  neuript-train evaluate tuev --data tuev --out results --fractions 0.01,0.05,0.1,1
  neuript-train evaluate mental-arithmetic --out results --table     what is known so far
  neuript-train evaluate --pseudo-online --calibrate run1.xdf run2.xdf --test run3.xdf \\
      --event right_hand=770 --event rest=768 --out online.json      commands, hop by hop

methods: ts-lr, csp-lda, band-power, eegnet, shallow, scratch, probe-random; with --checkpoint also
finetune and probe. Everything is chosen on the validation people; the test people are only scored.
Call it again to go on after a kill; what is done is not repeated."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train evaluate",
        "Run a published protocol: splits by subject, metrics with intervals, baselines on the same windows.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add_data_options(parser)
    add("--out", metavar="DIR", help="folder of the results; with --pseudo-online the file to write (FILE.json)")
    add("--methods", metavar="NAME,...", help="what to run (default: all that can be)")
    add("--seeds", default="0,1,2", metavar="N,N,...", help="seeds (default 0,1,2)")
    add(
        "--fractions",
        default="1",
        metavar="F,F,...",
        help="shares of the training windows, such as 0.01,0.05,0.1,1 (default 1)",
    )
    add(
        "--reinit",
        action="store_true",
        help="where fine-tuning saturates early, also train from random weights, as the paper does",
    )
    add("--table", action="store_true", help="print the results so far, and stop")
    add_pseudo_online_options(parser)
    return parser


def run(argv: list[str]) -> int:
    """Evaluate and return the exit code: 0, or 1 if a method could not run."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_mode(parser, argv)
    if args.pseudo_online:
        from neuript.cli.train.run_pseudo_online import run_pseudo_online

        return run_pseudo_online(args)
    if args.protocol is None:
        return list_protocols()
    if args.out is None:
        raise NeuriptError("--out DIR is missing: the folder of the results")
    if args.table:
        from neuript.training.evaluate.result_tables import table

        print(table(args.out), end="")
        return 0
    from neuript.training.evaluate.evaluation import evaluate
    from neuript.training.evaluate.result_tables import table
    from neuript.training.fitting.torch_device import use_device

    spec = _spec(args)
    use_device(args.device, args.threads)
    data = load_data(args, Path(args.out) / "cache")
    results = evaluate(data, spec, args.out, checkpoint=checkpoint_of(args), say=say)
    failed = [result for result in results if "error" in result]
    if len(failed) < len(results):
        print(table(args.out), end="")
    for result in failed:
        print(f"{result['method']}, seed {result['seed']}: {result['error']}", file=sys.stderr)
    return 1 if failed else 0


def _spec(args: argparse.Namespace) -> EvaluateSpec:
    from neuript.training.evaluate.evaluation import EvaluateSpec
    from neuript.training.evaluate.methods import default_methods
    from neuript.training.evaluate.settings import method_spec

    return EvaluateSpec(
        methods=words(args.methods) or default_methods(pretrained=checkpoint_of(args) is not None),
        seeds=whole_numbers(args.seeds, "--seeds"),
        fractions=numbers(args.fractions, "--fractions"),
        method=method_spec(args.set, size=args.size, device=args.device),
        reinit=args.reinit,
    )
