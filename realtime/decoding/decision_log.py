"""Decisions read back from the lines that `Decision.to_json_line` wrote (`neuript-live --json`)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.foreign import one_line
from neuript.realtime.decoding.scoring import PublishedRow


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """The decisions of one session, in the order of their lines.

    Attributes
    ----------
    rows : tuple of PublishedRow
        The decisions; their time in seconds is `rec_t` where the lines have it, else `t`.
    uses_rec_t : bool
        Whether the times count from the recording's first EEG sample (a replay) instead of the LSL clock.
    trained_on : bool
        Whether the lines say that the model has learnt from the recording.
    """

    rows: tuple[PublishedRow, ...]
    uses_rec_t: bool
    trained_on: bool = False

    @property
    def span_s(self) -> tuple[float, float]:
        """Earliest and latest time of a decision."""
        return min(row.t for row in self.rows), max(row.t for row in self.rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the model; none where no window was decoded."""
        return next((tuple(row.proba) for row in self.rows if row.proba is not None), ())


def read_decisions(path: str | Path) -> DecisionLog:
    """Read `--json` lines.

    Raises
    ------
    NeuriptError
        If the file is missing, empty, mixes replay and live, or holds a line that is not a decision.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise NeuriptError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise NeuriptError(f"{path} is no text; give the lines that neuript-live --json printed") from None
    lines = text.splitlines()
    found = [_read_line(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise NeuriptError(f"{path} holds no decision; was the stream decoded at all?")
    clocks = {uses_rec_t for _, uses_rec_t in found}
    if len(clocks) > 1:
        raise NeuriptError(
            f"{path} mixes decisions of a replay (with rec_t) and of a live stream; score them one by one"
        )
    _check_classes([row for row, _ in found], path)
    trained_on = any(json.loads(line).get("trained_on") is True for line in lines if line.strip())
    return DecisionLog(tuple(row for row, _ in found), clocks.pop(), trained_on)


def _check_classes(rows: Sequence[PublishedRow], path: str | Path) -> None:
    """Refuse rows that do not all have a probability for the same classes: they are of different models."""
    all_classes = list(dict.fromkeys(tuple(row.proba) for row in rows if row.proba is not None))
    if len(all_classes) > 1 or () in all_classes:
        told = " and ".join(one_line(", ".join(classes) or "none", 80) for classes in all_classes[:2])
        raise NeuriptError(f"{path} holds decisions about different classes ({told}); score each model's by themselves")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _share(value: Any) -> float:
    share = _number(value)
    if not 0 <= share <= 1:
        raise ValueError("not a probability")
    return share


def _read_line(line: str, where: str) -> tuple[PublishedRow, bool]:
    """One decision, and whether its time is `rec_t`."""
    try:
        row = json.loads(line)
        uses_rec_t = row.get("rec_t") is not None
        proba = None if row["proba"] is None else {k: _share(p) for k, p in row["proba"].items()}
        t = _number(row["rec_t" if uses_rec_t else "t"])
        decision, state = row["decision"], row["state"]
        if not isinstance(decision, str | None) or not isinstance(state, str):
            raise TypeError("decision and state are texts")
        return PublishedRow(t, proba, decision, state), uses_rec_t
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise NeuriptError(
            f"{where} is not a decision of neuript-live --json, or not a whole one ({line[:40]!r}); "
            "give its output unchanged, without lines that are cut off"
        ) from error
