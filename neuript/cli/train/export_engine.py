"""`neuript-train export --engine NAME`: a model file that carries what an engine needs, compared and measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.engines.contract import EnginePrecision

PRECISIONS: dict[str, EnginePrecision] = {"fp32": "float32", "fp16": "float16"}
"""What a person types to the names of the engines."""


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an engine."""
    from neuript.cli.arguments import add_eeg, add_montage
    from neuript.cli.channel_options import add_channels

    group = parser.add_argument_group("an engine in the model file")
    add = group.add_argument
    add(
        "--engine",
        choices=("tensorrt", "onnxruntime", "openvino"),
        help="add what this engine needs: the network's ONNX graph and, for tensorrt, an engine of TensorRT-RTX, whose "
        "building needs no GPU",
    )
    add("--precision", choices=tuple(PRECISIONS), help="of a TensorRT engine's matrix products (default: fp32)")
    add(
        "--check",
        metavar="RECORDING",
        help="compare the engines with float32 over the windows of a recording, too, not over the golden ones alone",
    )
    add_montage(group, "with --check: what is on the head, a name or a YAML file")
    add_eeg(group)
    add_channels(group)


def check_engine_options(args: argparse.Namespace) -> None:
    """Refuse what does nothing without another option."""
    if args.engine is None:
        for name in ("precision", "check", "montage", "eeg", "channels"):
            if getattr(args, name) is not None:
                raise NeuriptError(f"--{name} is for an engine; give --engine with it")
    if args.precision is not None and args.engine != "tensorrt":
        raise NeuriptError("--precision is that of a TensorRT engine; give --engine tensorrt with it")
    for name in ("montage", "eeg", "channels"):
        if getattr(args, name) is not None and args.check is None:
            raise NeuriptError(f"--{name} is for a recording; give --check RECORDING with it")


def export_engine(args: argparse.Namespace, out: Path) -> None:
    """Write the model file and say what is in it."""
    if out.suffix != ".ts":
        raise NeuriptError(f"--out {out.name} must end in .ts, since --engine {args.engine} writes a model file")

    from neuript.realtime.live.engine_export import export_with_engine

    done = export_with_engine(
        args.source,
        out,
        engine=args.engine,
        precision=PRECISIONS[args.precision or "fp32"],
        recording=args.check,
        montage=args.montage,
        eeg=args.eeg,
        channels=args.channels,
        trust=args.trust,
    )
    for line in done.lines():
        print(line)
