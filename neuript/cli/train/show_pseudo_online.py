"""The figures of `neuript-train evaluate --pseudo-online` as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from neuript.training.evaluate.pseudo_online.pseudo_online import OnlineResult

ALL_PEOPLE = "all people"
COMMANDS = ("person", "decoder", "false/min (95 %)", "hits", "wrong", "missed", "s (p90)")
WINDOWS = ("person", "decoder", "BA", "ECE", "AURC", "nMCC", "kappa (s)", "ITR", "MI")


def print_online(result: OnlineResult) -> None:
    """Print three tables: commands, windows and trials, and both against the number of calibration trials."""
    from neuript.safe_console import Report

    console = Report()
    for sentence in _sentences(result):
        console.print(sentence)
    console.print(_commands(result))
    if any(figures["false_per_minute"] is None for *_, figures in _main(result)):
        console.print("There is no rest in some recordings: their false activations are unknown, not 0.")
    console.print(_windows(result))
    if any(len(counts) > 1 for counts in result.over_all.values()):
        console.print(_by_trials(result))


def _sentences(result: OnlineResult) -> Iterable[str]:
    about = result.about
    idle = about["idle_class"]
    yield (
        f"Every hop of the test recordings through the live decoder. Classes {', '.join(about['classes'])}; "
        f"{f'{idle} means no command' if idle else 'no class means no command'}; a task lasts {about['task_s']:g} s."
    )
    seen = []
    for alias, person in result.people.items():
        terms = person["protocol"]
        name = terms["cs_mode"] or "no cross-subject mode (the person's own recordings only)"
        if terms["cs_mode"] is None and terms["source_subjects"]:
            name = "a share of its own"
        seen.append(
            f"{alias}: {name}, calibration_size={terms['calibration_size']:.2f}, "
            f"calibration_labeled={terms['calibration_labeled']}"
        )
    yield f"Protocol in MOABB's terms: {'; '.join(seen)}."


def _main(result: OnlineResult) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Person, decoder and figures at the main number of trials; all people last, where there are several."""
    for alias, person in result.people.items():
        for name, counts in person["decoders"].items():
            if result.main in counts:
                yield alias, name, counts[result.main]
    if len(result.people) > 1:
        for name, counts in result.over_all.items():
            if result.main in counts:
                yield ALL_PEOPLE, name, counts[result.main]


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < 2 else "right")
    return table


def _commands(result: OnlineResult) -> Table:
    table = _table("Commands: false activations per minute of rest, events, median seconds to a hit", *COMMANDS)
    for alias, name, figures in _main(result):
        table.add_row(
            alias,
            _short(name),
            _false(figures),
            f"{figures['hits']}/{figures['events']}",
            str(figures["wrong"]),
            str(figures["missed"]),
            f"{_number(figures['time_to_detect_median_s'], '.1f')} ({_number(figures['time_to_detect_p90_s'], '.1f')})",
        )
    return table


def _windows(result: OnlineResult) -> Table:
    table = _table("Windows and trials: balanced accuracy, kappa at its best, bits per minute", *WINDOWS)
    for alias, name, figures in _main(result):
        trial, course, bits = figures["by_trial"], figures["kappa_course"], figures["information"]
        table.add_row(
            alias,
            _short(name),
            _number(trial["balanced_accuracy"], ".1%"),
            _number(trial["ece"], ".2f"),
            _number(trial["risk_coverage"]["aurc"], ".2f"),
            _number(figures["windows"]["nmcc"], ".2f"),
            f"{_number(course['max'], '.2f')} ({_number(course['max_at_s'], '.1f')})",
            _number(bits.get("itr_bits_per_minute"), ".2f"),
            _number(bits.get("mutual_information_bits_per_minute"), ".2f"),
        )
    return table


def _by_trials(result: OnlineResult) -> Table:
    """Of all people together: a column for each number of trials."""
    numbers = {count for counts in result.over_all.values() for count in counts}
    order = sorted(numbers, key=lambda count: (not count.isdigit(), int(count) if count.isdigit() else 0))
    table = _table("By calibration trials per class", "decoder", "figure", *order)
    for name, counts in result.over_all.items():
        shown = [counts.get(count) for count in order]
        table.add_row(
            _short(name),
            "balanced acc.",
            *("-" if f is None else _number(f["by_trial"]["balanced_accuracy"], ".1%") for f in shown),
        )
        table.add_row("", "hits", *("-" if f is None else f"{f['hits']}/{f['events']}" for f in shown))
        table.add_row("", "false/min", *("-" if f is None else _number(f["false_per_minute"], ".2f") for f in shown))
    return table


def _false(figures: dict[str, Any]) -> str:
    if figures["false_per_minute"] is None:
        return "unknown"
    low, high = figures["false_per_minute_interval_95"]
    return f"{figures['false_per_minute']:.2f} ({low:.2f}-{high:.2f})"


def _number(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def _short(name: str) -> str:
    """Name of a decoder without what is said of it."""
    return name.partition(" (")[0]
