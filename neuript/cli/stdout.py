"""A stdout that goes away (`| head`) or is full (a disk): said in a sentence, no fault of neuript, the right exit code.

Imported before an interrupt can be caught, so it imports as little as it can.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext, suppress

from neuript.foreign import indented
from neuript.outflow import unheld_stderr

EXIT_USAGE, EXIT_INTERNAL = 2, 1
_LONGEST = 8000
UNHELD = ("live", "record", "bridge", "calibrate", "feedback", "rehearse", "replay", "simulate")
"""Verbs with a pace of their own, which a reader of their log who stands still must not hold up."""


def tell(text: str) -> int:
    """Print to stdout and return the exit code."""
    try:
        print(text, flush=True)
    except OSError as error:
        return output_failed("neuript", error)
    return 0


def tell_error(text: str) -> None:
    """Print to stderr, if anybody still reads it; a text that a stranger blew up is cut."""
    with suppress(OSError, ValueError):
        print(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...", file=sys.stderr, flush=True)


def internal_error(program: str, error: Exception, *, verbose: bool) -> int:
    """Say that something is a fault of neuript, and how to report it or its traceback; return the exit code."""
    if verbose:
        import traceback

        tell_error("".join(traceback.format_exception(error)))
    tell_error(
        f"{program}: internal error: {type(error).__name__}: {indented(str(error))}\n"
        "This is a fault of neuript; run it again with --verbose for the traceback to report."
    )
    return EXIT_INTERNAL


def stderr_of(verb: str) -> AbstractContextManager[None]:
    """Return the context in which a verb says things on stderr."""
    return unheld_stderr() if verb in UNHELD else nullcontext()


def log_refusal(error: Exception) -> None:
    """Keep why a verb was refused, for `--verbose`."""
    import logging

    logging.getLogger("neuript.cli").debug("refused", exc_info=error)


def is_of_stdout(error: Exception) -> bool:
    """Whether stdout was closed by its reader (`| head`) or cannot take more (a full disk)."""
    if isinstance(error, BrokenPipeError):
        return True
    from neuript.files import is_disk_fault

    return isinstance(error, OSError) and is_disk_fault(error) and error.filename is None


def let_go_of_stdout() -> None:
    """Flush stdout; where that fails, drop what is left, or Python's own exit fails on it with code 120."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):  # a stdout that is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def output_failed(program: str, error: Exception) -> int:
    """Say why nothing more can be printed, if somebody may still read it; return the exit code."""
    let_go_of_stdout()
    if isinstance(error, BrokenPipeError):
        return 0
    why = getattr(error, "strerror", None) or error
    tell_error(f"{program}: the output cannot be written: {why}; make room for it")
    return EXIT_USAGE
