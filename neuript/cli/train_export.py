"""`neuript-train export`: the encoder of a pretraining checkpoint, as a file of its own."""

from __future__ import annotations

import argparse


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-train export",
        description="Take the encoder out of a checkpoint of a pretraining that is not finished, or "
        "of an earlier step. A finished run has it already, as encoder.safetensors.",
    )
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a checkpoint, or a run's folder (its newest one)")
    add("--out", required=True, metavar="FILE.safetensors", help="the file to write")
    return parser


def run(argv: list[str]) -> int:
    """Export and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.training.pretrain import export_encoder

    manifest = export_encoder(args.checkpoint, args.out)
    print(f"wrote {args.out}: weights {manifest.weights_sha256[:12]}")
    return 0
