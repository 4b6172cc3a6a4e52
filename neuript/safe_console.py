"""The rich console of every command and view: what it draws is free of orders to a terminal that others wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.segment import Segment

from neuript.foreign import printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType


class Report(Console):
    """Prints to stdout, or to stderr; a reader that goes away (`| head`) is no fault.

    Text goes through `neuript.foreign.printable` when rich has laid it out, so colours and cursor are rich's alone.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Lay something out as pieces of text, each printable."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `run_verb`; rich would exit with code 1."""
        raise BrokenPipeError
