"""`neuript-train pretrain`: train an encoder without labels, on one process or under torchrun."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from neuript.cli.arguments import command
from neuript.cli.progress import ProgressLine
from neuript.durations import in_words

if TYPE_CHECKING:
    from neuript.training.pretrain import Status

_EXAMPLES = """\
examples:
  neuript-train pretrain corpus/ --out runs/tiny --size tiny --epochs 20
  neuript-train pretrain corpus/ --out runs/spans --steps 1000 --masking spans --span 4 --precision fp32
  torchrun --nproc-per-node 8 --no-python neuript-train pretrain corpus/ --out runs/base \\
      --config base.yaml --shard

The same command goes on with a run that was interrupted or killed, also with another number of processes.
--config takes a YAML table of the settings; options that are given as well count more. --model and --objective
set any field of the model's configuration and of the masking, decoder and loss: --model d_model=96 experts=0,0,2."""

_SETTINGS: dict[str, tuple[type, str]] = {
    "steps": (int, "optimiser steps"),
    "epochs": (float, "length of the run as passes over the windows, instead of --steps"),
    "batch-size": (int, "windows per step, over all processes (default 32; the paper's run: 480)"),
    "micro-batch": (int, "windows per forward pass (default: at most 8); memory grows with it"),
    "lr": (float, "highest learning rate (default 3e-4)"),
    "warmup": (float, "share of the steps in which the learning rate rises (default 0.15)"),
    "weight-decay": (float, "default 5e-3"),
    "seed": (int, "default 520"),
    "max-channels": (int, "draw so many channels for each batch (default: all)"),
    "val-fraction": (float, "share of the subjects held out for validation (default 0.05)"),
    "val-windows": (int, "windows of a validation (default 256)"),
    "validate-every": (int, "steps between validations (default: with each checkpoint)"),
    "checkpoint-every": (int, "steps between checkpoints (default 500)"),
    "keep": (int, "checkpoints to keep (default 2)"),
    "log-every": (int, "steps between entries of the log (default 10)"),
    "collapse-share": (float, "an expert below this share of its even part is unused (default 0.1)"),
    "collapse-steps": (int, "unused steps until the alarm (default 200)"),
    "timeout": (float, "seconds without a word from another process until giving up (default 300)"),
}
_FIELDS = {"lr": "max_lr", "timeout": "timeout_s"}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train pretrain", "Pretrain an encoder by masked reconstruction of a corpus' windows.", _EXAMPLES
    )
    add = parser.add_argument
    add("corpus", nargs="+", metavar="CORPUS", help="folders made by `neuript-train prepare`")
    add("--out", required=True, metavar="DIR", help="folder of the run: checkpoints, log, encoder")
    add("--config", metavar="FILE.yaml", help="settings of the run as a table")
    add("--size", choices=("base", "small", "tiny", "micro"), help="preset of widths (default tiny)")
    masking = parser.add_argument_group("masking")
    masking.add_argument(
        "--masking", choices=("amplitude", "absolute", "spans"), help="what is hidden (default amplitude)"
    )
    masking.add_argument("--span", type=int, metavar="N", help="samples of a span (default 16)")
    masking.add_argument(
        "--ratio",
        type=float,
        nargs="+",
        metavar="P",
        help="masked share of the points; of several one is drawn for each batch (default 0.2 0.35 0.5)",
    )
    for name, (kind, text) in _SETTINGS.items():
        add(f"--{name}", type=kind, metavar="X" if kind is float else "N", help=text)
    add("--precision", choices=("bf16", "fp32"), help="of the forward pass (default bf16)")
    add("--device", choices=("auto", "cpu", "cuda"), help="default: a GPU if there is one")
    add("--shard", action="store_true", help="shard the weights over the processes (FSDP2)")
    add("--model", nargs="+", default=[], metavar="FIELD=VALUE", help="fields of the model")
    add("--objective", nargs="+", default=[], metavar="FIELD=VALUE", help="of masking and loss")
    add("--resume", choices=("auto", "never", "must"), default="auto", help="default auto")
    add("--no-tensorboard", action="store_true", help="write the log as log.jsonl only")
    add(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare the hashes of all shards first, once per machine (default: yes)",
    )
    return parser


def run(argv: list[str]) -> int:
    """Pretrain and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.training.corpus import Corpus
    from neuript.training.pretrain import PretrainRun, pretrain

    run_settings = PretrainRun.from_dict(read_settings(args))
    corpora = [Corpus.open(folder) for folder in args.corpus]
    checks = [check for corpus in corpora for check in corpus.shard_checks()] if args.verify else []
    with ProgressLine(1.0, 30.0) as line:

        def show(status: Status) -> None:
            line.show(_position(status), status.step, status.n_steps, last=status.step == status.n_steps)

        path = pretrain(run_settings, corpora, args.out, resume=args.resume, progress=show, checks=checks)
    if os.environ.get("RANK", "0") == "0":
        print(f"wrote {path}")
    return 0


def read_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `PretrainRun` from the table of --config and the options.

    Raises
    ------
    NeuriptError
        If the table cannot be read or is none, or FIELD=VALUE is not of this form.
    """
    from neuript.training.pretrain.settings_table import field_values, over, read_table

    given: dict[str, Any] = {
        _FIELDS.get(name, name.replace("-", "_")): getattr(args, name.replace("-", "_"))
        for name in [*_SETTINGS, "size", "precision", "device"]
    }
    given["shard"] = True if args.shard else None
    given["tensorboard"] = False if args.no_tensorboard else None
    masking = {"masking": args.masking, "span": args.span, "ratios": args.ratio}
    objective = {name: value for name, value in masking.items() if value is not None} | field_values(args.objective)
    return over(read_table(args.config) if args.config else {}, given, objective, field_values(args.model))


def _position(status: Status) -> str:
    return (
        f"step {status.step} of {status.n_steps} · loss {status.loss:.4f} · lr {status.lr:.2g} · "
        f"{status.windows_per_s:.1f} windows/s · {in_words(status.eta_s)} left"
    )
