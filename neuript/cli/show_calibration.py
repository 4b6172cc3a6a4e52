"""The figures of a calibration as a table: every decoder on the same trials, with bound and interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuript.training.calibration.to_model import CalibrationResult


def print_calibration(result: CalibrationResult) -> None:
    """Print what blocked cross-validation says of a calibration, and what follows from it."""
    from rich.table import Table

    from neuript.safe_console import Report

    console = Report()
    published = result.published
    people = len(result.decoder.people)
    if people:
        console.print(f"The decoder began with what {people} earlier people say.")
    if published is None:
        console.print(
            f"[bold]Not calibrated on this person yet[/bold]: {result.n_trials} trials are too few to hold some out, "
            "so no accuracy can be said. It decodes by what the earlier people say."
        )
        return
    table = Table(title=f"Held-out accuracy over {result.n_trials} trials (blocked cross-validation)")
    for column in ("decoder", "accuracy", "95 % interval", "above chance?"):
        table.add_column(column, justify="left" if column == "decoder" else "right")
    for name, card in result.scores.items():
        low, high = card.interval
        verdict = "yes" if card.above_chance else "no"
        style = "bold" if card is published else ""
        table.add_row(name, f"{card.accuracy:.1%}", f"{low:.0%} - {high:.0%}", verdict, style=style)
    console.print(table)
    guessing = f"Guessing stays below {published.bound:.1%} in 95 of 100 cases with {result.n_trials} trials."
    if published.bound > 1:
        guessing = f"{result.n_trials} trials are too few to be above what guessing may reach."
    console.print(
        f"{guessing} Weight of the network {result.weights[0]:.2f}, of the Riemannian branch {result.weights[1]:.2f}."
    )
    if result.operating_point is not None:
        console.print(result.operating_point.describe())
    from neuript.training.calibration.controls import warnings_of

    shown = ", ".join(f"{control.name} {control.card.accuracy:.0%}" for control in result.controls)
    if shown:
        console.print(f"Controls on the same trials: {shown}.")
    for sentence in warnings_of(result.controls):
        console.print(f"[bold]{sentence}[/bold]")
    if not published.above_chance:
        console.print(
            "[bold]The decoder is not above chance for this person and session.[/bold] Check signal, markers and "
            "instructions, and record more trials before using it."
        )
