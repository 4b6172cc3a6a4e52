"""The command line: a table of verbs, each a module that is imported only when its verb is called.

Importing this package and printing `--help` touches nothing heavy (no PyTorch, SciPy, MNE, Qt or LSL).
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from neuript import __version__
from neuript.errors import NeuriptError

logger = logging.getLogger(__name__)

_Run = Callable[[list[str]], int]

VERBS: dict[str, str] = {
    "live": "find the EEG stream, decode, publish, show the dashboard (also: --demo, --replay FILE)",
    "calibrate": "fine-tune a model on one person, from recordings or a session",
    "replay": "publish all streams of a recording on LSL, with their timing, gaps and metadata",
    "train": "prepare a corpus, pretrain, fine-tune, evaluate, export (not in this version yet)",
    "simulate": "the digital twin: a simulated amplifier with a simulated person on LSL",
    "streams": "what is on the network, and how it maps to a montage",
    "inspect": "what a model or a recording is",
    "xdf": "check an XDF file, or save what is whole of a damaged one",
    "score": "score published decisions against the markers of a recording",
    "montages": "list the electrode layouts, or show one",
    "doctor": "why a stream cannot be seen",
}
"""Verb to its one line of help; the code is `neuript.cli.<verb>.run(argv) -> exit code`."""

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_EPILOG = """\
exit codes: 0 done · 2 bad input or usage · 3 no matching stream · 4 stream lost · 5 model refused ·
            130 interrupted (everything flushed and closed)
`neuript VERB --help` explains a verb; --verbose before or after it shows the log and tracebacks."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `neuript VERB ...` and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if a not in ("-v", "--verbose")), "--help")
    if first in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if first in ("-V", "--version"):
        print(f"neuript {__version__}")
        return 0
    if first not in VERBS:
        print(f"neuript: {_unknown_verb(first)}", file=sys.stderr)
        return EXIT_USAGE
    arguments.remove(first)
    return run_verb(first, arguments)


def live() -> int:
    """Entry point of `neuript-live`."""
    return run_verb("live", sys.argv[1:])


def calibrate() -> int:
    """Entry point of `neuript-calibrate`."""
    return run_verb("calibrate", sys.argv[1:])


def replay() -> int:
    """Entry point of `neuript-replay`."""
    return run_verb("replay", sys.argv[1:])


def train() -> int:
    """Entry point of `neuript-train`."""
    return run_verb("train", sys.argv[1:])


def run_verb(verb: str, argv: Sequence[str]) -> int:
    """Run one verb; turn what goes wrong into one sentence on stderr and an exit code."""
    arguments, verbose = _split_verbose(argv)
    _configure_logging(verbose)
    try:
        return _load(verb)(arguments)
    except SystemExit as stop:  # argparse: usage printed, or --help
        return stop.code if isinstance(stop.code, int) else (0 if stop.code is None else EXIT_USAGE)
    except NeuriptError as error:
        logger.debug("refused", exc_info=True)
        print(f"neuript {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"neuript {verb}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our stdout went away (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if verbose:
            raise
        print(
            f"neuript {verb}: internal error: {type(error).__name__}: {error}\n"
            "This is a fault of neuript; run it again with --verbose for the traceback to report.",
            file=sys.stderr,
        )
        return EXIT_INTERNAL


def _load(verb: str) -> _Run:
    try:
        module = importlib.import_module(f"neuript.cli.{verb}")
    except ModuleNotFoundError as missing:
        if missing.name != f"neuript.cli.{verb}":
            raise
        raise NeuriptError(f"'{verb}' is not part of version {__version__} yet") from None
    run: _Run = module.run
    return run


def _split_verbose(argv: Sequence[str]) -> tuple[list[str], bool]:
    flags = ("-v", "--verbose")
    verbose = any(a in flags for a in argv) or bool(os.environ.get("NEURIPT_VERBOSE"))
    return [a for a in argv if a not in flags], verbose


def _configure_logging(verbose: bool) -> None:
    handler = logging.StreamHandler()
    form = "%(asctime)s %(name)s %(levelname)s %(message)s" if verbose else "%(message)s"
    handler.setFormatter(logging.Formatter(form))
    root = logging.getLogger("neuript")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False


def _usage() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return (
        f"neuript {__version__}: real-time EEG decoding over Lab Streaming Layer\n\n"
        f"usage: neuript VERB [options]\n\n{verbs}\n\n{_EPILOG}"
    )


def _unknown_verb(given: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(given, VERBS, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"there is no verb '{given}'{hint} (verbs: {', '.join(VERBS)})"
