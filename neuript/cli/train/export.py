"""`neuript-train export`: the encoder of a pretraining, or a model file of a classifier or of an old model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import command
from neuript.cli.train.export_engine import add_engine_options, check_engine_options, export_engine
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript-train export runs/tiny tiny.safetensors
  neuript-train export runs/tiny/checkpoints/step-00004000.safetensors tiny-4000.safetensors
  neuript-train export hand.safetensors hand.ts
  neuript-train export mi-of-0.1.ts mi.ts --trust
  neuript-train export mi.ts mi-onnx.ts --engine onnxruntime --check session.xdf
  neuript-train export mi.ts mi-rtx.ts --engine tensorrt --precision fp16

A run's folder, or one of its checkpoints, gives the encoder; a classifier gives a file for `neuript-live`. A finished
pretraining has its encoder already, as encoder.safetensors. A model file of neuript 0.1 is a program (TorchScript) and
becomes a plain one, once you say with --trust that you know who made it."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train export", "Take the encoder out of a pretraining, or make a model file for decoding.", _EXAMPLES
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a run's folder, its checkpoint, a classifier, or a model file of neuript 0.1")
    add("file", metavar="FILE", nargs="?", help="NAME.safetensors (encoder) or NAME.ts (model file)")
    add("--out", metavar="FILE", help="the same as FILE")
    add("--trust", action="store_true", help="load a model file of neuript 0.1, which is a program")
    add_engine_options(parser)
    return parser


def run(argv: list[str]) -> int:
    """Export and return the exit code."""
    args = build_parser().parse_args(argv)
    if (args.file is None) == (args.out is None):
        raise NeuriptError("name the file to write once, as FILE or with --out FILE")
    out = Path(args.out or args.file)
    check_engine_options(args)
    if args.engine:
        export_engine(args, out)
        return 0
    if out.suffix not in (".safetensors", ".ts"):
        raise NeuriptError(f"{out.name} must end in .safetensors or .ts")

    from neuript.files import check_writable

    check_writable(out, keep=(args.source,))
    if out.suffix == ".safetensors":
        from neuript.training.pretrain import export_encoder

        export_encoder(args.source, out)
    else:
        from neuript.modelfile.deployable import export_model

        export_model(args.source, out, trust=args.trust)
    print(f"wrote {out}")
    return 0
