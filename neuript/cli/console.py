"""The rich console of all verbs."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class Report(Console):
    """Prints results to stdout; a reader that goes away (`| head`) is no fault."""

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `run_verb`; rich would exit with code 1."""
        raise BrokenPipeError
