"""Sweeps as data: reading and checking the tables of configurations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.strict_yaml import read_yaml
from neuript.training.sweep.canonical import merged

TABLES_FILE = Path(__file__).with_name("sweep_tables.yaml")
_TABLE_KEYS = {"title", "note", "reference", "base", "settings", "paper", "paper_tables", "interactions"}
RUN_KEYS = {"size", "model", "pretrain", "evaluate"}
EVALUATIONS = ("svm", "finetune", "transfer")
"""What can be measured after (or without) pretraining, the quickest first."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One table of configurations.

    Attributes
    ----------
    settings : dict of str to dict
        Complete configuration of each row, keyed by its label: "size", "model", "pretrain" (or None), "evaluate".
    reference : str
        Label of the row that the others are compared with.
    paper : dict of str to str
        Label of the paper's row beside each row, keyed by the row's label.
    paper_tables : dict of str to tuple of int
        Numbers of the paper's tables with that row, keyed by evaluation.
    interactions : dict of str to tuple of four str
        Labels a, b, c, d of a difference of differences (a - b) - (c - d), keyed by what it is called.
    """

    name: str
    title: str
    note: str
    reference: str
    settings: dict[str, dict[str, Any]]
    paper: dict[str, str]
    paper_tables: dict[str, tuple[int, ...]]
    interactions: dict[str, tuple[str, ...]] = field(default_factory=dict)


def available_tables(path: Path = TABLES_FILE) -> dict[str, str]:
    """Return the names of the tables in a file, with their titles."""
    tables = _read(path)["tables"]
    return {str(name): str(table.get("title", "")) for name, table in tables.items()}


def load_sweep(name: str, overrides: Mapping[str, Any] | None = None) -> Sweep:
    """Read one table.

    Parameters
    ----------
    name : str
        Name of a table that comes with neuript, or `FILE.yaml#NAME`.
    overrides : mapping of str to Any, optional
        Entries as in a setting, merged over every setting that has them switched on; None changes none.

    Raises
    ------
    NeuriptError
        If there is no such table, or it says something that is not understood.
    """
    file, _, table_name = name.rpartition("#")
    path = Path(file) if file else TABLES_FILE
    content = _read(path)
    tables = content["tables"]
    if table_name not in tables:
        raise NeuriptError(
            f"there is no sweep {table_name!r} in {path.name}; choose {', '.join(tables)}, "
            "or FILE.yaml#NAME of your own"
        )
    table = tables[table_name]
    _check_table(table_name, table)
    layers = [content.get("defaults"), table.get("base")]
    settings = {
        str(label): _setting(f"{table_name}: {label}", [*layers, setting], overrides)
        for label, setting in table["settings"].items()
    }
    return Sweep(
        name=table_name,
        title=str(table.get("title", table_name)),
        note=str(table.get("note", "")),
        reference=str(table["reference"]),
        settings=settings,
        paper={str(k): str(v) for k, v in (table.get("paper") or {}).items()},
        paper_tables={str(k): tuple(v) for k, v in (table.get("paper_tables") or {}).items()},
        interactions={str(k): tuple(map(str, v)) for k, v in (table.get("interactions") or {}).items()},
    )


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path, str(path))
    if not isinstance(content, dict) or not isinstance(content.get("tables"), dict):
        raise NeuriptError(f"{path} has no `tables`; see the one that comes with neuript")
    return content


def _check_table(name: str, table: Any) -> None:
    if not isinstance(table, dict) or not table.get("settings"):
        raise NeuriptError(f"sweep {name}: it has no settings")
    if unknown := sorted(set(table) - _TABLE_KEYS):
        raise NeuriptError(
            f"sweep {name}: {', '.join(unknown)} is not understood; known are {', '.join(sorted(_TABLE_KEYS))}"
        )
    labels = [str(label) for label in table["settings"]]
    if joined := [label for label in labels if "," in label]:
        raise NeuriptError(
            f"sweep {name}: the setting {joined[0]!r} has a comma, which `--only` splits at; use another sign"
        )
    named = [str(table.get("reference")), *(str(k) for k in table.get("paper") or {})]
    if missing := [label for label in named if label not in labels]:
        raise NeuriptError(
            f"sweep {name}: {missing[0]!r} is not one of its settings {', '.join(labels)}; "
            "`reference` and the keys of `paper` must be"
        )
    for title, four in (table.get("interactions") or {}).items():
        if not isinstance(four, list) or len(four) != 4 or not {str(label) for label in four} <= set(labels):
            raise NeuriptError(
                f"sweep {name}: the interaction {title!r} is {four}; it must name four of the settings, "
                "[a, b, c, d] for (a - b) - (c - d)"
            )


def _setting(where: str, layers: list[Mapping[str, Any] | None], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    setting = merged(*layers)
    setting = merged(setting, _switched_on(overrides or {}, setting))
    if unknown := sorted(set(setting) - RUN_KEYS):
        raise NeuriptError(f"{where}: {', '.join(unknown)} is not understood; known are {', '.join(sorted(RUN_KEYS))}")
    evaluate = setting.get("evaluate") or {}
    if unknown := sorted(set(evaluate) - set(EVALUATIONS)):
        raise NeuriptError(f"{where}: there is no evaluation {unknown[0]!r}; choose {', '.join(EVALUATIONS)}")
    _refuse_texts_of_numbers(where, setting)
    return setting


def _switched_on(overrides: Mapping[str, Any], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of the overrides what belongs to a part that this setting does not have."""
    kept: dict[str, Any] = {}
    for key, value in overrides.items():
        if isinstance(value, Mapping) and key in ("pretrain", *EVALUATIONS, "evaluate"):
            if isinstance(inside := setting.get(key), Mapping):
                kept[key] = _switched_on(value, inside)
        else:
            kept[key] = value
    return kept


def refuse_unused(sweep: Sweep, overrides: Mapping[str, Any]) -> None:
    """Refuse overrides of a part that no setting of a sweep has, such as `pretrain.steps` where none pretrains.

    Raises
    ------
    NeuriptError
        Naming the entry.
    """
    used = {path for setting in sweep.settings.values() for path in _paths(_switched_on(overrides, setting))}
    for path in _paths(overrides):
        if path not in used:
            part = path.rpartition(".")[0] or path
            raise NeuriptError(
                f"sweep {sweep.name}: {path} would change nothing, as none of {', '.join(sweep.settings)} has {part}; "
                "leave it out, or switch that part on in a table of your own (FILE.yaml#NAME)"
            )


def _paths(values: Mapping[str, Any], before: str = "") -> list[str]:
    """Names of all entries, `a.b.c`."""
    found = []
    for key, value in values.items():
        inside = _paths(value, f"{before}{key}.") if isinstance(value, Mapping) else []
        found += inside or [f"{before}{key}"]
    return found


def _refuse_texts_of_numbers(where: str, value: Any) -> None:
    """YAML reads 1e-3 as text (it wants 1.0e-3); a learning rate must not be a word."""
    if isinstance(value, Mapping):
        for inside in value.values():
            _refuse_texts_of_numbers(where, inside)
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        raise NeuriptError(f"{where}: YAML reads {value} as a word; write it with a point and a sign, 1.0e-3")


def restrict(sweep: Sweep, labels: Sequence[str]) -> Sweep:
    """Keep only some settings of a sweep, and always its reference; no labels keep all.

    Raises
    ------
    NeuriptError
        If a label is not one of its settings.
    """
    if unknown := [label for label in labels if label not in sweep.settings]:
        raise NeuriptError(f"sweep {sweep.name} has no setting {unknown[0]!r}; it has {', '.join(sweep.settings)}")
    kept = set(labels) | {sweep.reference} if labels else set(sweep.settings)
    return replace(
        sweep,
        settings={k: v for k, v in sweep.settings.items() if k in kept},
        interactions={k: v for k, v in sweep.interactions.items() if kept >= set(v)},
    )
