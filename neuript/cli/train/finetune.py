"""`neuript-train finetune`: one classifier for a data set, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import add_seed, command
from neuript.cli.progress import say
from neuript.cli.train.data_options import add_data_options, checkpoint_of, list_protocols, load_data
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript-train finetune mental-arithmetic --data eegmat --checkpoint run/encoder.safetensors \\
      --out arithmetic.safetensors
  neuript-train finetune peterson-mi --data peterson2022 --size micro --out hand.ts --hop 0.125

The training people train, the validation people choose the epoch, the test people are scored into
the file's manifest. A .ts runs in neuript-live; a .safetensors is a checkpoint to go on from."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train finetune",
        "Train a classifier on a labelled data set, from a pretrained encoder or from scratch, and write it to a file.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add_data_options(parser)
    add("--out", metavar="FILE", help="NAME.safetensors (checkpoint) or NAME.ts (deployable)")
    add_seed(parser, "weights and batches")
    add(
        "--hop",
        type=float,
        default=0.25,
        metavar="S",
        help="seconds between decisions when decoding live (default 0.25)",
    )
    return parser


def run(argv: list[str]) -> int:
    """Train, write and return the exit code."""
    args = build_parser().parse_args(argv)
    if args.protocol is None:
        return list_protocols()
    if args.out is None:
        raise NeuriptError("--out FILE is missing: the model to write")
    from neuript.files import check_writable

    out = check_writable(args.out)
    if out.suffix not in (".safetensors", ".ts"):
        raise NeuriptError(f"{out.name} must end in .safetensors or .ts")
    from neuript.training.evaluate.finetuned_file import finetune_to_file
    from neuript.training.evaluate.settings import method_spec
    from neuript.training.fitting.torch_device import use_device

    use_device(args.device, args.threads)
    spec = method_spec(args.set, size=args.size, device=args.device)
    data = load_data(args, Path(args.cache) if args.cache else out.parent / "cache")
    manifest = finetune_to_file(
        data, spec, out, checkpoint=checkpoint_of(args), seed=args.seed, hop_s=args.hop, say=say
    )
    scores = ", ".join(f"{k} {v:.3f}" for k, v in manifest.metrics["test"].items())
    print(f"wrote {out}: test {scores}" if scores else f"wrote {out}")
    return 0
