"""The command line: a table of verbs, each a module that is imported only when its verb is called.

Importing this package and printing `--help` touches nothing heavy (no PyTorch, SciPy, MNE, Qt or LSL).
It imports as little as it can before `run_verb`: until then Ctrl-C ends in a traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from neuript import __version__
from neuript.errors import NeuriptError

_Verb = Callable[[list[str]], int]

VERBS: dict[str, str] = {
    "live": "find the EEG stream, decode, publish, show the dashboard (also: --demo, --replay FILE)",
    "calibrate": "fine-tune a model on one person, from recordings or a session",
    "replay": "publish all streams of a recording on LSL, with their timing, gaps and metadata",
    "train": "prepare a corpus, pretrain, fine-tune, evaluate, sweep, pictures, export",
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
        return _tell(_usage())
    if first in ("-V", "--version"):
        return _tell(f"neuript {__version__}")
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
    try:
        _configure_logging(verbose)
        return _run(verb, arguments)
    except NeuriptError as error:
        _log_refusal()
        print(f"neuript {verb}: {error}", file=sys.stderr)
        _let_go_of_stdout()
        return error.exit_code
    except KeyboardInterrupt:
        # CPython notes an interrupt that leaves `exec` (which dataclasses use while modules load) as
        # unhandled, and would end the process by the signal whatever we return; the next `exec`
        # takes the note back.
        exec("")
        _let_go_of_stdout()
        print(f"neuript {verb}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if _is_of_stdout(error):
            return _output_failed(f"neuript {verb}", error)
        if verbose:
            raise
        print(
            f"neuript {verb}: internal error: {type(error).__name__}: {error}\n"
            "This is a fault of neuript; run it again with --verbose for the traceback to report.",
            file=sys.stderr,
        )
        return EXIT_INTERNAL


def _run(verb: str, arguments: list[str]) -> int:
    try:
        code = _load(verb)(arguments)
    except SystemExit as stop:  # argparse: usage printed, or --help
        code = 0 if stop.code is None else EXIT_USAGE
        code = stop.code if isinstance(stop.code, int) else code
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where it can still be said that it fails
    return code


def _tell(text: str) -> int:
    try:
        print(text, flush=True)
    except OSError as error:
        return _output_failed("neuript", error)
    return 0


def _is_of_stdout(error: Exception) -> bool:
    """Whether stdout was closed by its reader (`| head`) or cannot take more (a full disk)."""
    if isinstance(error, BrokenPipeError):
        return True
    from neuript.files import is_disk_fault

    return isinstance(error, OSError) and is_disk_fault(error) and error.filename is None


def _let_go_of_stdout() -> None:
    """Flush stdout; where that fails, drop what is left, or Python's own exit fails on it with code 120."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):  # a stdout that is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _output_failed(program: str, error: Exception) -> int:
    _let_go_of_stdout()
    if isinstance(error, BrokenPipeError):
        return 0
    why = getattr(error, "strerror", None) or error
    print(f"{program}: the output cannot be written: {why}; make room for it", file=sys.stderr)
    return EXIT_USAGE


def _load(verb: str) -> _Verb:
    run: _Verb = importlib.import_module(f"neuript.cli.{verb}").run
    return run


def _split_verbose(argv: Sequence[str]) -> tuple[list[str], bool]:
    flags = ("-v", "--verbose")
    verbose = any(a in flags for a in argv) or bool(os.environ.get("NEURIPT_VERBOSE"))
    return [a for a in argv if a not in flags], verbose


def _log_refusal() -> None:
    import logging

    logging.getLogger(__name__).debug("refused", exc_info=True)


def _configure_logging(verbose: bool) -> None:
    import logging

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
