"""`neuript-train evaluate`: a protocol of the paper, NeurIPT beside plain decoders."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols import EvalData

_EXAMPLES = """\
examples:
  neuript-train evaluate mental-arithmetic --data eegmat --out results
  neuript-train evaluate mental-arithmetic --data eegmat --out results \\
      --checkpoint run/encoder.safetensors --methods finetune,probe --set finetune.max_lr=5e-5
  neuript-train evaluate tuev --data tuev --out results --fractions 0.01,0.05,0.1,1
  neuript-train evaluate mental-arithmetic --out results --table     what is known so far

methods: ts-lr, csp-lda, band-power, eegnet, shallow, scratch, probe-random; with --checkpoint also
finetune and probe. Everything is chosen on the validation people; the test people are only scored.
Call it again to go on after a kill; what is done is not repeated."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-train evaluate",
        description="Run a published protocol: splits by subject, metrics with intervals, baselines "
        "on the same windows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_data_options(parser)
    add("--out", metavar="DIR", help="folder of the results")
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
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` and `finetune` share."""
    add = parser.add_argument
    add("protocol", metavar="PROTOCOL", nargs="?", help="data set; without it, the list of them")
    add("--data", metavar="DIR", help="folder with its recordings, in the published layout")
    add("--fetch", action="store_true", help="download them into --data first, where that is free")
    add("--checkpoint", metavar="FILE", help="pretrained encoder (.safetensors); none: start from random weights")
    add(
        "--size",
        help="width without --checkpoint: micro, tiny (default), small, base; with it all networks "
        "have the encoder's shape",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting, such as max_lr=1e-4 (NeurIPT), eegnet.n_epochs=40, model.dropout=0.3",
    )
    add("--subjects", metavar="ID,...", help="only these people, for a quick trial")
    add("--limit", type=int, metavar="N", help="at most N recordings of each split")
    add("--cache", metavar="DIR", help="keeps the cut windows (default: OUT/cache)")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--threads", type=int, metavar="N", help="CPU threads")


def run(argv: list[str]) -> int:
    """Evaluate and return the exit code: 0, or 1 if a method could not run."""
    args = build_parser().parse_args(argv)
    if args.protocol is None:
        return list_protocols()
    if args.out is None:
        raise NeuriptError("--out DIR is missing: the folder of the results")
    if args.table:
        from neuript.training.evaluate.result_tables import table

        print(table(args.out), end="")
        return 0
    spec = _spec(args)
    prepare_torch(args)
    from neuript.training.evaluate.evaluation import evaluate
    from neuript.training.evaluate.result_tables import table

    data = load_data(args, Path(args.out) / "cache")
    say(data.describe())
    results = evaluate(data, spec, args.out, checkpoint=checkpoint_of(args), say=say)
    failed = [result for result in results if "error" in result]
    if len(failed) < len(results):
        print(table(args.out), end="")
    for result in failed:
        print(f"{result['method']}, seed {result['seed']}: {result['error']}", file=sys.stderr)
    return 1 if failed else 0


def _spec(args: argparse.Namespace) -> Any:
    from neuript.training.evaluate.evaluation import EvaluateSpec
    from neuript.training.evaluate.methods import METHODS, PRETRAINED
    from neuript.training.evaluate.settings import method_spec

    if args.methods:
        methods = words(args.methods)
    else:
        methods = tuple(
            name for name in METHODS if name != "reinit" and (checkpoint_of(args) or name not in PRETRAINED)
        )
    return EvaluateSpec(
        methods=methods,
        seeds=tuple(int(n) for n in numbers(args.seeds, "--seeds", whole=True)),
        fractions=numbers(args.fractions, "--fractions"),
        method=method_spec(args.set, size=args.size, device=args.device),
        reinit=args.reinit,
    )


def load_data(args: argparse.Namespace, cache: Path) -> EvalData:
    """Load the protocol's windows as the options say."""
    from neuript.training.evaluate.protocols import get_protocol

    protocol = get_protocol(args.protocol)
    if args.data is None:
        raise NeuriptError(f"--data DIR is missing: the folder with {protocol.layout}. {protocol.how_to_get}")
    if args.fetch:
        if protocol.fetch is None:
            raise NeuriptError(f"{protocol.name} cannot be downloaded freely. {protocol.how_to_get}")
        protocol.fetch(Path(args.data))
    folder = Path(args.cache) if args.cache else cache
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return protocol.load(
        args.data,
        subjects=words(args.subjects) if args.subjects else None,
        limit=args.limit,
        cache=folder,
        progress=lambda done, n, name: say(f"read {done} of {n}: {name}"),
    )


def prepare_torch(args: argparse.Namespace) -> None:
    """Set threads, and refuse a device that is not there."""
    import torch

    if args.threads is not None:
        if args.threads < 1:
            raise NeuriptError(f"--threads {args.threads} must be 1 or more")
        torch.set_num_threads(args.threads)
    if args.device not in ("cpu", "cuda"):
        raise NeuriptError(f"--device {args.device} must be cpu or cuda")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise NeuriptError("--device cuda: PyTorch sees no GPU here; use cpu")


def checkpoint_of(args: argparse.Namespace) -> str | None:
    """Return the checkpoint's path, or None for none."""
    given = args.checkpoint
    return None if given is None or given.lower() == "none" else str(given)


def list_protocols() -> int:
    """Print the protocols."""
    from neuript.training.evaluate.protocols import PROTOCOLS

    width = max(map(len, PROTOCOLS))
    for name, protocol in PROTOCOLS.items():
        print(f"{name:<{width}}  {protocol.title}")
    return 0


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text: str, option: str, *, whole: bool = False) -> tuple[float, ...]:
    """Split a comma-separated list of numbers."""
    try:
        return tuple(float(int(word)) if whole else float(word) for word in words(text))
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise NeuriptError(f"{option} {text!r} must be {kind} joined by commas") from None


def say(text: str) -> None:
    """Print to stderr, where progress goes."""
    print(text, file=sys.stderr, flush=True)
