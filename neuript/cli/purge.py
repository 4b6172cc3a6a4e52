"""`neuript purge SUBJECT`: forget a person."""

from __future__ import annotations

import argparse
import sys

from neuript.cli.arguments import command
from neuript.cli.progress import say
from neuript.errors import NeuriptError
from neuript.foreign import one_line

_EXAMPLES = """\
examples:
  neuript purge S01                      lists what is kept, then asks
  neuript purge S01 --in . --in ~/eeg    also models, reports and their recordings in and below these folders
  neuript purge S01 --yes                without asking

What is removed is the folder of the person's sessions, the models made under the alias with the recordings that they
were made from, reports, and caches of models. What is somebody else's, too, is listed and stays. Data sets that were
exported, backups and copies elsewhere are yours."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript purge", "List what is kept of a person, and remove it.", _EXAMPLES)
    add = parser.add_argument
    add("subject", metavar="SUBJECT", help="alias of the person")
    add("--sessions", default="sessions", metavar="DIR", help="folder of all sessions (default sessions)")
    add("--in", dest="folders", action="append", default=[], metavar="DIR", help="look here, too; may be repeated")
    add("--yes", action="store_true", help="do not ask")
    return parser


def run(argv: list[str]) -> int:
    """List, ask, remove; return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.training.guided.forgetting import kept_of, purge

    kept = kept_of(args.subject, args.sessions, args.folders)
    for line in kept.lines():
        print(one_line(line, 1000))
    if not kept.all:
        raise NeuriptError(
            f"nothing is kept under the alias {args.subject} in {args.sessions}"
            f"{''.join(f', {folder}' for folder in args.folders)}; name other folders with --in"
        )
    if not args.yes and not _confirmed(args.subject):
        say("nothing was removed")
        return 2
    n_files, failed = purge(kept)
    print(f"removed {n_files} files of {args.subject}")
    for sentence in failed:
        say(one_line(sentence, 1000))
    return NeuriptError.exit_code if failed else 0


def _confirmed(subject: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise NeuriptError("nobody is there to confirm; say it with --yes")
    say(f"All of this is removed for good. Type {subject} to go on:")
    return sys.stdin.readline().strip() == subject
