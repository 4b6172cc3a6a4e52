"""`neuript score`: published decisions against the markers of the recording they were made from."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.realtime.decoding.scoring import PublishedRow, ScoreCard, Trial

_EXAMPLES = """\
examples:
  neuript-live --replay run4.xdf --model mi.ts --headless --json > run4.jsonl
  neuript score run4.jsonl --recording run4.xdf --event left_hand=769 --event right_hand=770

  neuript-replay run4.xdf --json > replay.json &      decisions made over LSL carry LSL stamps;
  neuript-live --model mi.ts --headless --json > live.jsonl
  neuript score live.jsonl --recording run4.xdf --replay-log replay.json --event ...

A trial's class is the one with the highest mean probability over the windows that end within --window-end
seconds after its event; fix that interval before you look at the result."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript score",
        description="Score the decisions of neuript-live --json against the markers of the recording, trial by trial.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("decisions", help="lines that neuript-live --json printed")
    add("--recording", required=True, metavar="FILE", help="the recording with the markers")
    add("--event", action="append", default=[], metavar="CLASS=MARKER", help="as for neuript-calibrate")
    add("--trial-start", metavar="MARKER", help="as for neuript-calibrate")
    add("--window-end", type=float, nargs=2, default=(4.0, 4.5), metavar=("FROM", "TO"))
    add("--replay-log", metavar="FILE", help="what neuript-replay --json printed, for decisions made over LSL")
    add("--json", action="store_true", help="print the figures as JSON")
    return parser


def run(argv: list[str]) -> int:
    """Score and return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.realtime.decoding.scoring import score_trials
    from neuript.realtime.recordings.read import read_recording
    from neuript.realtime.recordings.recording import events_of
    from neuript.training.windows.events import parse_event_map, require_classes, trials_of

    event_map = parse_event_map(args.event)
    if len(event_map) < 2:
        raise NeuriptError(
            f"--event names {len(event_map)} class{'' if len(event_map) == 1 else 'es'}; at least two are needed: "
            "--event left_hand=769 --event right_hand=770"
        )
    low, high = args.window_end
    if not low <= high:
        raise NeuriptError(f"--window-end {low:g} {high:g}: the first number must not be larger")
    rows, uses_rec_t = read_decisions(args.decisions)
    recording = read_recording(args.recording)
    events = events_of(recording)
    trials = trials_of(events, event_map, trial_start=args.trial_start)
    require_classes(trials, event_map, events)
    offset = _offset(args.replay_log, uses_rec_t, float(recording.eeg.timestamps[0]))
    shifted = [_shift(trial, offset) for trial in trials]
    _note_outside(rows, shifted, (low, high), args.decisions)
    classes = _classes(rows, tuple(event_map))
    card = score_trials(rows, shifted, classes, window_end_s=tuple(args.window_end))
    if args.json:
        print(json.dumps(figures(card), indent=1))
    else:
        _print(card)
    return 0


def read_decisions(path: str | Path) -> tuple[list[PublishedRow], bool]:
    """Read `--json` lines.

    Returns
    -------
    rows : list of PublishedRow
        Their time is `rec_t` where the lines have it, else `t`.
    uses_rec_t : bool

    Raises
    ------
    NeuriptError
        If the file is missing, empty, mixes replay and live, or holds a line that is not a decision.
    """
    from neuript.realtime.decoding.scoring import PublishedRow

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise NeuriptError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise NeuriptError(f"{path} is no text; give the lines that neuript-live --json printed") from None
    rows = []
    clocks = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            clock = "rec_t" if row.get("rec_t") is not None else "t"
            proba = None if row["proba"] is None else {k: float(p) for k, p in row["proba"].items()}
            rows.append(PublishedRow(float(row[clock]), proba, row["decision"], row["state"]))
            clocks.add(clock)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NeuriptError(
                f"{path}, line {number} is not a decision of neuript-live --json, or not a whole one ({line[:40]!r}); "
                "give its output unchanged, without lines that are cut off"
            ) from error
    if not rows:
        raise NeuriptError(f"{path} holds no decision; was the stream decoded at all?")
    if len(clocks) > 1:
        raise NeuriptError(
            f"{path} mixes decisions of a replay (with rec_t) and of a live stream; score them one by one"
        )
    return rows, "rec_t" in clocks


def _offset(replay_log: str | None, uses_rec_t: bool, first_stamp: float) -> float:
    """Return what to add to the recording's times to get the decisions' times."""
    if uses_rec_t:
        return -first_stamp
    if replay_log is None:
        raise NeuriptError(
            "the decisions carry stamps of the LSL clock; give --replay-log, the output of neuript-replay --json"
        )
    try:
        for line in Path(replay_log).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if "lsl_start" in entry:
                if entry.get("speed", 1) != 1 and not entry.get("recorded_stamps", False):
                    raise NeuriptError(
                        f"{replay_log} is of a replay at speed {entry['speed']}, whose stamps are closer together than "
                        "the markers of the recording; score a replay at speed 1 or with --recorded-stamps"
                    )
                return float(entry["lsl_start"]) - float(entry["recorded_start"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NeuriptError(f"cannot use {replay_log} as a log of neuript-replay --json: {error}") from error
    raise NeuriptError(f"{replay_log} does not say when the replay began; it is no output of neuript-replay --json")


def _note_outside(rows: list[PublishedRow], trials: list[Trial], window_end_s: tuple[float, float], name: str) -> None:
    """Say when decisions and recording do not cover the same time: they may not belong together."""
    first, last = min(row.t for row in rows), max(row.t for row in rows)
    low, high = window_end_s
    n_outside = sum(t.onset_s + high < first or t.onset_s + low > last for t in trials)
    if n_outside:
        print(
            f"{n_outside} of {len(trials)} trials lie outside the {last - first:.0f} s that {name} covers; "
            "is it the same recording, all of it?",
            file=sys.stderr,
        )


def _shift(trial: Trial, offset: float) -> Trial:
    from dataclasses import replace

    onsets = tuple(t + offset for t in trial.epochs_s)
    return replace(trial, onset_s=trial.onset_s + offset, epochs_s=onsets)


def _classes(rows: list[PublishedRow], given: tuple[str, ...]) -> tuple[str, ...]:
    for row in rows:
        if row.proba is not None:
            unknown = sorted(set(given) - set(row.proba))
            if unknown:
                raise NeuriptError(
                    f"class {unknown[0]!r} is not among the decisions' classes {', '.join(row.proba)}; use their names"
                )
            return tuple(row.proba)
    return given


def figures(card: ScoreCard) -> dict[str, Any]:
    """Return a score card as plain values."""
    return {
        "accuracy": card.accuracy,
        "balanced_accuracy": card.balanced_accuracy,
        "n_trials": card.n_trials,
        "n_hits": card.n_hits,
        "interval_95": list(card.interval),
        "chance_bound_5": card.bound,
        "above_chance": card.accuracy >= card.bound,
        "classes": list(card.classes),
        "confusion": card.confusion().tolist(),
        "trials_with_command": sum(bool(t.commands) for t in card.trials),
    }


def _print(card: ScoreCard) -> None:
    from rich.table import Table

    from neuript.cli.console import Report

    low, high = card.interval
    verdict = "above" if card.accuracy >= card.bound else "NOT above"
    console = Report()
    console.print(
        f"{card.n_hits} of {card.n_trials} trials: accuracy {card.accuracy:.1%} (95 % interval {low:.0%} - "
        f"{high:.0%}), balanced {card.balanced_accuracy:.1%}; {verdict} the "
        f"{card.bound:.1%} that guessing stays below in 95 of 100 cases"
    )
    table = Table(title="cued (rows) and decoded (columns)")
    table.add_column("")
    for name in (*card.classes, "nothing"):
        table.add_column(name, justify="right")
    for name, counts in zip(card.classes, card.confusion(), strict=True):
        table.add_row(name, *map(str, counts))
    console.print(table)
