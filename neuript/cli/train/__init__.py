"""`neuript train VERB` (and `neuript-train VERB`): everything about making models, a module per verb."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable

from neuript.errors import NeuriptError

VERBS: dict[str, str] = {
    "prepare": "turn folders of recordings into a corpus of windows for pretraining",
    "pretrain": "train an encoder without labels on a corpus, on one process or under torchrun",
    "finetune": "train a classifier on labelled recordings, from a pretrained encoder or from scratch",
    "evaluate": "run a published protocol: splits by subject, metrics with intervals, baselines",
    "sweep": "run, resume and tabulate a table of configurations (ablations)",
    "pictures": "show what a model learned, as one report",
    "export": "take the encoder out of a pretraining checkpoint",
}
"""Verb to its one line of help; the code is `neuript.cli.train.<verb>.run(argv) -> exit code`."""

_DESCRIPTION = "Make models: prepare data, pretrain, fine-tune, evaluate, look inside."


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb itself; each verb below it has a parser of its own."""
    width = max(map(len, VERBS))
    table = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="neuript-train",
        usage="neuript-train VERB [options]",
        description=_DESCRIPTION,
        epilog=f"verbs:\n{table}\n\n`neuript-train VERB --help` explains a verb.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", metavar="VERB", help="one of the verbs below")
    return parser


def run(argv: list[str]) -> int:
    """Run one training verb and return the exit code."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(build_parser().format_help(), end="")
        return 0
    if argv[0] not in VERBS:
        raise NeuriptError(_unknown(argv[0]))
    return load_verb(argv[0])(argv[1:])


def load_verb(verb: str) -> Callable[[list[str]], int]:
    """Import one verb's module and return its `run`."""
    found: Callable[[list[str]], int] = importlib.import_module(f"neuript.cli.train.{verb}").run
    return found


def _unknown(given: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(given, VERBS, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"there is no training verb '{given}'{hint} (verbs: {', '.join(VERBS)})"
