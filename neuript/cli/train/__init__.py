"""`neuript train VERB` (and `neuript-train VERB`): everything about making models, a module per verb."""

from __future__ import annotations

import argparse
import importlib

from neuript.cli.verb_table import table_of, unknown_verb
from neuript.errors import NeuriptError

VERBS: dict[str, str] = {
    "prepare": "turn folders of recordings into a corpus of windows for pretraining",
    "pretrain": "train an encoder without labels on a corpus, on one process or under torchrun",
    "finetune": "train a classifier on labelled recordings, from a pretrained encoder or from scratch",
    "population": "turn labelled recordings of several people into a prior for the next person",
    "evaluate": "run a published protocol, or decode recordings as if live, plain decoders beside",
    "clinical": "judge an evaluation of two classes at an operating point: false alarms per hour, decision curves",
    "sweep": "run, resume and tabulate a table of configurations (ablations)",
    "pictures": "show what a model learned, as one report",
    "curves": "draw the losses of pretrainings side by side",
    "export": "take the encoder out of a pretraining checkpoint",
}
"""Verb to its one line of help; the code is `neuript.cli.train.<verb>.run(argv) -> exit code`."""

_DESCRIPTION = "Make models: prepare data, pretrain, fine-tune, evaluate, look inside."


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb itself; each verb below it has a parser of its own."""
    parser = argparse.ArgumentParser(
        prog="neuript-train",
        usage="neuript-train VERB [options]",
        description=_DESCRIPTION,
        epilog=f"verbs:\n{table_of(VERBS)}\n\n`neuript-train VERB --help` explains a verb.",
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
        raise NeuriptError(unknown_verb(argv[0], VERBS, "training verb"))
    code: int = importlib.import_module(f"neuript.cli.train.{argv[0]}").run(argv[1:])
    return code
