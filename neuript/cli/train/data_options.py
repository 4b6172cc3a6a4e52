"""What `evaluate` and `finetune` share: the data set and the encoder that they are given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_set
from neuript.cli.option_values import words
from neuript.cli.progress import say

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols import EvalData


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add them."""
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
    add_set(parser, "a setting, such as max_lr=1e-4 (NeurIPT), eegnet.n_epochs=40, model.dropout=0.3")
    add("--subjects", metavar="ID,...", help="only these people, for a quick trial")
    add("--limit", type=int, metavar="N", help="at most N recordings of each split")
    add("--cache", metavar="DIR", help="keeps the cut windows (default: OUT/cache)")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--threads", type=int, metavar="N", help="CPU threads")


def list_protocols() -> int:
    """Print the protocols and return the exit code."""
    from neuript.training.evaluate.protocols import PROTOCOLS

    width = max(map(len, PROTOCOLS))
    for name, protocol in PROTOCOLS.items():
        print(f"{name:<{width}}  {protocol.title}")
    return 0


def load_data(args: argparse.Namespace, cache: Path) -> EvalData:
    """Load what the options name, and say what it is; windows are kept in --cache, or else in `cache`."""
    from neuript.training.evaluate.open_data import open_data

    data = open_data(
        args.protocol,
        args.data,
        cache=Path(args.cache) if args.cache else cache,
        fetch=args.fetch,
        subjects=words(args.subjects) or None,
        limit=args.limit,
        say=say,
    )
    say(data.describe())
    return data


def checkpoint_of(args: argparse.Namespace) -> str | None:
    """Return the checkpoint's path, or None for none."""
    given = args.checkpoint
    return None if given is None or given.lower() == "none" else str(given)
