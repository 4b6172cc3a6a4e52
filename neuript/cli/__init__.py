"""The command line: a table of verbs, each a module that is imported only when its verb is called.

Importing this package and printing `--help` touches nothing heavy (no PyTorch, SciPy, MNE, Qt or LSL).
It imports as little as it can before `run_verb`: until then Ctrl-C ends in a traceback.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from neuript import __version__
from neuript.cli.stdout import (
    EXIT_USAGE,
    internal_error,
    is_of_stdout,
    let_go_of_stdout,
    log_refusal,
    output_failed,
    stderr_of,
    tell,
    tell_error,
)
from neuript.cli.verb_table import split_verbose, table_of, unknown_verb
from neuript.errors import NeuriptError
from neuript.foreign import guard_output, indented

VERBS: dict[str, str] = {
    "live": "find the EEG stream, decode, publish, show the dashboard (also: --demo, --replay FILE)",
    "view": "see a signal, its quality and its spectrum; needs no model",
    "record": "all LSL streams into one XDF file; needs no model",
    "dashboard": "show a decoder that runs, again; closing it changes nothing",
    "calibrate": "make a model for one person, in a guided session or from recordings",
    "bridge": "a decoder's commands to OSC, web pages and key presses",
    "feedback": "a bar or a cursor that a decoder moves, with targets, hits and times",
    "rehearse": "the cues of a guided session, without an amplifier; measures the screen",
    "replay": "publish all streams of a recording on LSL, with their timing, gaps and metadata",
    "train": "prepare a corpus, pretrain, fine-tune, evaluate, sweep, pictures, export",
    "simulate": "the digital twin: a simulated amplifier with a simulated person on LSL",
    "init": "write a commented config.yaml by looking at the network",
    "streams": "what is on the network, and how it maps to a montage",
    "inspect": "what a model or a recording is",
    "xdf": "check an XDF file, or save what is whole of a damaged one",
    "bids": "recorded sessions into a BIDS data set, to share or to keep",
    "purge": "forget a person: list what is kept of one, and remove it",
    "score": "score published decisions against the markers of a recording",
    "montages": "list the electrode layouts, or show one",
    "doctor": "why a stream cannot be seen",
    "certify": "is this computer fast enough: the simulated amplifier through the real path, PASS or FAIL",
    "completion": "make the tab key complete verbs and options (bash, zsh)",
}
"""Verb to its one line of help; the code is `neuript.cli.<verb>.run(argv) -> exit code`."""

EXIT_INTERRUPTED = 130

_EPILOG = """\
exit codes: 0 done · 2 bad input or usage · 3 no matching stream · 4 stream lost · 5 model refused ·
            6 recorded, but not all of it · 130 interrupted (everything flushed and closed)
`neuript VERB --help` explains a verb; --verbose before or after it shows the log and tracebacks."""


@guard_output()
def main(argv: Sequence[str] | None = None) -> int:
    """Run `neuript VERB ...` and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if a not in ("-v", "--verbose")), "--help")
    if first in ("-h", "--help", "help"):
        return tell(_usage())
    if first in ("-V", "--version"):
        return tell(f"neuript {__version__}")
    if first not in VERBS:
        tell_error(f"neuript: {unknown_verb(first, VERBS)}")
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
    arguments, verbose = split_verbose(argv)
    with stderr_of(verb), guard_output():
        return _run_told(verb, arguments, verbose=verbose)


def _run_told(verb: str, arguments: list[str], *, verbose: bool) -> int:
    try:
        from neuript.cli.channel_options import joined
        from neuript.cli.log import TIMED, configure_logging

        configure_logging(verbose=verbose, timed=verb in TIMED)
        return _run(verb, joined(arguments))
    except NeuriptError as error:
        log_refusal(error)
        tell_error(f"neuript {verb}: {indented(str(error))}")
        let_go_of_stdout()
        return error.exit_code
    except KeyboardInterrupt:
        # CPython notes an interrupt that leaves `exec` (which dataclasses use while modules load) as
        # unhandled, and would end the process by the signal whatever we return; the next `exec`
        # takes the note back.
        exec("")
        let_go_of_stdout()
        tell_error(f"neuript {verb}: interrupted")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001
        if is_of_stdout(error):
            return output_failed(f"neuript {verb}", error)
        return internal_error(f"neuript {verb}", error, verbose=verbose)


def _run(verb: str, arguments: list[str]) -> int:
    try:
        code: int = importlib.import_module(f"neuript.cli.{verb}").run(arguments)
    except SystemExit as stop:  # argparse: usage printed, or --help
        code = stop.code if isinstance(stop.code, int) else EXIT_USAGE * (stop.code is not None)
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where it can still be said that it fails
    return code


def _usage() -> str:
    return (
        f"neuript {__version__}: real-time EEG decoding over Lab Streaming Layer\n\n"
        f"usage: neuript VERB [options]\n\n{table_of(VERBS)}\n\n{_EPILOG}"
    )
