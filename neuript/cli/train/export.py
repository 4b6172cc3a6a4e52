"""`neuript-train export`: the encoder of a pretraining checkpoint, or a deployable file of a classifier."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuript.cli.arguments import command
from neuript.errors import NeuriptError

_EXAMPLES = """\
examples:
  neuript-train export runs/tiny --out tiny.safetensors
  neuript-train export runs/tiny/checkpoints/step-00004000.safetensors --out tiny-4000.safetensors
  neuript-train export hand.safetensors --out hand.ts
  neuript-train export hand.safetensors --engine tensorrt --precision fp16 --out hand.rtx

A run's folder, or one of its checkpoints, gives the encoder; a classifier gives a file for `neuript-live`. A finished
pretraining has its encoder already, as encoder.safetensors."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train export", "Take the encoder out of a pretraining, or make a classifier deployable.", _EXAMPLES
    )
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a run's folder, its checkpoint, or a classifier")
    add(
        "--out",
        required=True,
        metavar="FILE",
        help="NAME.safetensors (encoder), NAME.ts (TorchScript) or NAME.pt2 (torch.export)",
    )
    add("--engine", choices=["tensorrt"], help="build an engine instead, NAME.rtx; that needs no GPU, running it does")
    add("--precision", choices=["fp32", "fp16"], help="of the engine's matrix products (default: fp32)")
    return parser


def run(argv: list[str]) -> int:
    """Export and return the exit code."""
    args = build_parser().parse_args(argv)
    out = Path(args.out)
    if args.engine:
        from neuript.cli.train.export_engine import export_engine

        export_engine(Path(args.checkpoint), out, args.precision or "fp32")
        print(f"wrote {out}")
        return 0
    if args.precision:
        raise NeuriptError("--precision is that of an engine; give --engine tensorrt with it")
    if out.suffix not in (".safetensors", ".ts", ".pt2"):
        raise NeuriptError(f"--out {out.name} must end in .safetensors, .ts or .pt2")

    from neuript.files import check_writable

    check_writable(out, keep=(args.checkpoint,))
    if out.suffix == ".safetensors":
        from neuript.training.pretrain import export_encoder

        export_encoder(args.checkpoint, out)
    else:
        _deploy(Path(args.checkpoint), out)
    print(f"wrote {out}")
    return 0


def _deploy(checkpoint: Path, out: Path) -> None:
    from neuript.modelfile.checkpoint import load_checkpoint
    from neuript.modelfile.deployable import save_model
    from neuript.modelfile.rebuild import build_module

    manifest, state = load_checkpoint(checkpoint)
    if not manifest.classes:
        raise NeuriptError(
            f"{checkpoint.name} is an encoder without classes; fine-tune it first: neuript-train finetune"
        )
    save_model(out, build_module(manifest, state), manifest)
