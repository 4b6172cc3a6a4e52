"""`neuript-train pretrain`: train an encoder without labels, on one process or under torchrun."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.pretrain import PretrainRun, Status

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
    parser = argparse.ArgumentParser(
        prog="neuript-train pretrain",
        description="Pretrain an encoder by masked reconstruction of a corpus' windows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("corpus", nargs="+", metavar="CORPUS", help="folders made by `neuript-train prepare`")
    add("--out", required=True, metavar="DIR", help="folder of the run: checkpoints, log, encoder")
    add("--config", metavar="FILE.yaml", help="settings of the run as a table")
    add("--size", choices=("base", "small", "tiny", "micro"), help="preset of widths (default tiny)")
    masking = parser.add_argument_group("masking")
    masking.add_argument("--masking", choices=("amplitude", "absolute", "spans"))
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
    settings = read_settings(args)

    from neuript.training.corpus import Corpus
    from neuript.training.pretrain import PretrainRun, pretrain

    run_settings = PretrainRun.from_dict(settings)
    verify = args.verify and os.environ.get("LOCAL_RANK", "0") == "0"
    corpora = [Corpus.open(folder, verify=verify) for folder in args.corpus]
    progress = Progress(run_settings)
    path = pretrain(run_settings, corpora, args.out, resume=args.resume, progress=progress)
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
    settings = _read_config(args.config) if args.config else {}
    given: dict[str, Any] = {
        _FIELDS.get(name, name.replace("-", "_")): getattr(args, name.replace("-", "_"))
        for name in [*_SETTINGS, "size", "precision", "device"]
    }
    given = {k: v for k, v in given.items() if v is not None}
    for one, other in (("steps", "epochs"), ("epochs", "steps")):
        if one in given and other not in given:
            settings.pop(other, None)  # the command line's length replaces that of the file
    settings |= given
    if args.shard:
        settings["shard"] = True
    if args.no_tensorboard:
        settings["tensorboard"] = False
    objective = {"masking": args.masking, "span": args.span, "ratios": args.ratio}
    objective = {k: v for k, v in objective.items() if v is not None}
    settings["spec"] = {**_table(settings, "spec"), **objective, **_pairs(args.objective)}
    settings["overrides"] = {**_table(settings, "overrides"), **_pairs(args.model)}
    return settings


def _read_config(path: str) -> dict[str, Any]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            table = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NeuriptError(f"--config {path} cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise NeuriptError(f"--config {path} is not a table of settings, such as `steps: 1000`")
    return table


def _table(settings: dict[str, Any], name: str) -> dict[str, Any]:
    value = settings.get(name) or {}
    if not isinstance(value, dict):
        raise NeuriptError(f"{name}={value!r} must be a table of fields")
    return value


def _pairs(texts: list[str]) -> dict[str, Any]:
    """Parse FIELD=VALUE; lists are written with commas."""
    import yaml

    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise NeuriptError(f"{text!r} is not of the form FIELD=VALUE")
        as_list = f"[{value}]" if "," in value and not value.startswith("[") else value
        try:
            found[name.replace("-", "_")] = yaml.safe_load(as_list)
        except yaml.YAMLError as error:
            raise NeuriptError(f"the value of {text!r} cannot be read: {error}") from error
    return found


class Progress:
    """Prints a line every few seconds: to a terminal on one line, else on lines of their own."""

    def __init__(self, run: PretrainRun) -> None:
        self.run = run
        self._next = 0.0

    def __call__(self, status: Status) -> None:
        """Print where the run is."""
        import time

        last = status.step == status.n_steps
        live = sys.stderr.isatty()
        if time.monotonic() < self._next and not last:
            return
        self._next = time.monotonic() + (1.0 if live else 30.0)
        text = (
            f"step {status.step} of {status.n_steps} · loss {status.loss:.4f} · lr {status.lr:.2g} · "
            f"{status.windows_per_s:.1f} windows/s · {duration(status.eta_s)} left"
        )
        print(f"\r{text}\x1b[K" if live else text, end="\n" if last or not live else "", file=sys.stderr)


def duration(seconds: float) -> str:
    """Return a time such as "3 h 20 min"."""
    if not 0 <= seconds < 1e8:
        return "unknown"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {s} s" if minutes else f"{s} s"
