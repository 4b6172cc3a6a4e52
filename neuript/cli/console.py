"""The rich console of all verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console


class Report(Console):
    """Prints results to stdout; a reader that goes away (`| head`) is no fault."""

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `run_verb`; rich would exit with code 1."""
        raise BrokenPipeError


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that takes what is done, steps done and steps in all; the bar shows from its first call."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def report(what: str, done: int, total: int) -> None:
        bar.start()
        bar.update(task, description=what, completed=done, total=total)

    try:
        yield report
    finally:
        bar.stop()
