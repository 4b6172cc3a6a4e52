"""`neuript completion SHELL`: what makes the tab key complete verbs and options."""

from __future__ import annotations

import argparse
import importlib

from neuript.cli.arguments import command

_EXAMPLES = """\
once, for bash:
  mkdir -p ~/.local/share/bash-completion/completions
  neuript completion bash > ~/.local/share/bash-completion/completions/neuript
  neuript completion bash --program neuript-live > ~/.local/share/bash-completion/completions/neuript-live
for zsh, in a folder of $fpath:
  neuript completion zsh > ~/.zfunc/_neuript"""
PROGRAMS = ("neuript", "neuript-live", "neuript-calibrate", "neuript-replay", "neuript-train")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript completion", "Print what completes neuript's commands at the tab key.", _EXAMPLES)
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell")
    parser.add_argument("--program", choices=PROGRAMS, default="neuript", help="what to complete (default neuript)")
    return parser


def run(argv: list[str]) -> int:
    """Print it and return the exit code."""
    args = build_parser().parse_args(argv)
    import shtab

    print(shtab.complete(_parser_of(args.program), shell=args.shell))
    return 0


def _parser_of(program: str) -> argparse.ArgumentParser:
    """Return the parser of a whole program, its verbs as subcommands."""
    from neuript.cli import VERBS
    from neuript.cli.train import VERBS as TRAINING

    if program == "neuript":
        return _with_verbs(program, "neuript.cli", VERBS)
    if program == "neuript-train":
        return _with_verbs(program, "neuript.cli.train", TRAINING)
    parser: argparse.ArgumentParser = importlib.import_module(f"neuript.cli.{program[8:]}").build_parser()
    parser.prog = program
    return parser


def _with_verbs(program: str, package: str, verbs: dict[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program)
    below = parser.add_subparsers()
    for verb, text in verbs.items():
        module = importlib.import_module(f"{package}.{verb}")
        whole = _parser_of("neuript-train") if verb == "train" else module.build_parser()
        whole.prog = f"{program} {verb}"
        below.add_parser(verb, help=text, add_help=False)
        below.choices[verb] = whole  # the verb's own parser
    return parser
