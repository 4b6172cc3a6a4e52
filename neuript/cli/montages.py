"""`neuript montages`: which electrode layouts there are, and what one of them holds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from neuript.montages import Montage


def build_parser() -> argparse.ArgumentParser:
    """Return the command's argument parser."""
    command = argparse.ArgumentParser(
        prog="neuript montages",
        description="List the electrode layouts, or show the channels, positions and lobes of one.",
    )
    command.add_argument("montage", nargs="?", help="a name from the list, or a YAML file of your own")
    command.add_argument(
        "--match", metavar="LABELS", help="labels of a stream, separated by commas: show how they map to the montage"
    )
    add_json(command, "print JSON instead of tables")
    return command


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Raises
    ------
    NeuriptError
        If a montage is unknown, or labels do not fit it.
    """
    command = build_parser()
    arguments = command.parse_args(argv)
    if arguments.montage is None:
        if arguments.match is not None:
            command.error("--match needs a montage, e.g. neuript montages 10-20 --match C3,Cz,C4")
        return _list_all(as_json=arguments.json)
    from neuript.montages import load_montage

    montage = load_montage(arguments.montage)
    if arguments.match is not None:
        return _show_match(montage, arguments.match.split(","), as_json=arguments.json)
    return _show(montage, as_json=arguments.json)


def _list_all(*, as_json: bool) -> int:
    from neuript.montages import available_montages, load_montage

    montages = [load_montage(name) for name in available_montages()]
    if as_json:
        _print_json(
            [
                {
                    "name": m.name,
                    "n_chans": m.n_chans,
                    "reference": m.reference,
                    "lobes": list(m.lobes),
                    "description": m.description,
                }
                for m in montages
            ]
        )
        return 0
    table = _table("Montages", "name", "channels", "reference", "lobes", "description")
    for m in montages:
        table.add_row(m.name, str(m.n_chans), m.reference, str(len(m.lobes)), m.description)
    _print(table)
    return 0


def _show(montage: Montage, *, as_json: bool) -> int:
    if as_json:
        _print_json(montage.to_dict())
        return 0
    table = _table(montage.name, "#", "channel", "x mm", "y mm", "z mm", "lobes")
    for i, (name, pos) in enumerate(zip(montage.ch_names, montage.pos_m * 1000.0, strict=True)):
        table.add_row(str(i), name, *(f"{v:.1f}" for v in pos), ", ".join(montage.lobes_of(i)))
    table.caption = "x to the right, y to the front, z up"
    _print(table)
    lines = [
        montage.description,
        f"reference: {montage.reference}",
        f"electrodes: {', '.join(montage.electrodes)}" if montage.reference == "bipolar" else "",
        f"aliases: {', '.join(f'{k} = {v}' for k, v in montage.aliases.items())}" if montage.aliases else "",
        montage.source,
    ]
    _print(*(line for line in lines if line))
    return 0


def _show_match(montage: Montage, labels: Sequence[str], *, as_json: bool) -> int:
    from neuript.errors import NeuriptError
    from neuript.montages import draft_plan

    plan = draft_plan([label.strip() for label in labels], montage)
    if as_json:
        _print_json(plan.to_dict())
    else:
        colours = {"interpolated": "yellow", "missing": "red", "ignored": "dim"}
        table = _table(montage.name, "model", "stream", "status", "note")
        for entry in plan.rows():
            table.add_row(entry.name, entry.label, entry.status, entry.note, style=colours.get(entry.status))
        _print(table, plan.summary(), *plan.notes)
    if plan.problems:
        raise NeuriptError(plan.problems[0])
    return 0


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        numeric = column in ("#", "channels") or column.endswith(" mm")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    return table


def _print(*parts: Table | str) -> None:

    from neuript.safe_console import Report

    console = Report(highlight=False, markup=False)
    if not console.is_terminal:  # a pipe has no width: do not cut lines for it
        console = Report(highlight=False, markup=False, width=160)
    for part in parts:
        console.print(part)


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False, indent=1))
