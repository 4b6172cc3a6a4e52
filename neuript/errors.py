"""Errors that reach the user, each with the exit code that the command line returns.

The message is one clear sentence: what arrived, what is allowed, what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class NeuriptError(Exception):
    """Bad input or usage (exit code 2)."""

    exit_code = 2


class ArgumentError(NeuriptError, ValueError):
    """A wrong argument where scikit-learn or braindecode calls: a ValueError, too, as they expect it."""


class EngineRefusedError(NeuriptError):
    """An engine is not used: its answers are not those of the network, or it does not run."""


class StreamNotFoundError(NeuriptError):
    """No LSL stream matches what was asked for (exit code 3)."""

    exit_code = 3


class StreamLostError(NeuriptError):
    """The stream went away and did not come back (exit code 4)."""

    exit_code = 4


class ModelRefusedError(NeuriptError):
    """The model file is damaged, untrusted, too new, or does not fit the stream (exit code 5)."""

    exit_code = 5


class RecordingIncompleteError(NeuriptError):
    """What was to be recorded is not all in the file (exit code 6); all else went on to its end."""

    exit_code = 6


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Raise what goes wrong inside as an error that is a ValueError, too, with the same sentence."""
    try:
        yield
    except NeuriptError as error:
        if isinstance(error, ValueError):
            raise
        raise ArgumentError(str(error)) from error
