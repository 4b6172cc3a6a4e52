"""Hours of `neuript live` on 64 channels at 1 kHz that break again and again: does anything grow?

    python benchmarks/soak.py --out DIR [--minutes 120] [--docs docs/soak.md]

The twin plays the same timetable of faults over LSL once and again; memory, descriptors, threads and processor time of
the decoder are looked at once a second, and every row is judged as in the fault matrix. Leaves `soak.png`, `soak.json`
and the numbers of every second in DIR; `--docs` writes the figures into a page and the picture beside it. The exit code
is 1 where something grows or a fault is not answered as it has to be.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from fault_cases import (  # noqa: E402
    CLOCKS,
    LATE_SAMPLES,
    LEAD_S,
    LOST,
    NO_BRAIN,
    NO_SAMPLES,
    ORDER,
    RESTARTS,
    FaultCase,
    FaultSession,
)
from fault_player import Played, play_on_lsl  # noqa: E402

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

BEGIN, END = "<!-- written by benchmarks/soak.py: begin -->", "<!-- end -->"
QUIET_S = 45.0
"""Seconds without a fault between two rounds."""
OWN_S = 12.0
"""Seconds of them in which the twin's own artefacts, such as electrodes that pop, may silence the decoder."""
MB_PER_HOUR, SPREAD_MB = 2.0, 8.0
"""Memory may rise by so much an hour, by the line through it, and by `SPREAD_MB` in all where the time is too short."""


def round_of_faults() -> tuple[FaultCase, ...]:
    """Return one round of the timetable."""
    pick = {
        LOST: ("0.1 s", "1 s"),
        NO_SAMPLES: ("0.4 s", "one channel flat", "5 %"),
        LATE_SAMPLES: ("frozen", "stopped for 2 s"),
        ORDER: ("40 ms comes twice", "swapped", "scatter"),
        NO_BRAIN: ("identical",),
        RESTARTS: ("vanishes",),
        CLOCKS: ("ahead", "back"),
    }
    cases = [next(c for c in session.cases if part in c.name) for session, parts in pick.items() for part in parts]
    return (*cases, FaultCase(name="no fault", lasts_s=QUIET_S, touches=False, silent_s=OWN_S))


def session_of(minutes: float) -> FaultSession:
    """Return as many rounds as fit."""
    one = round_of_faults()
    round_s = sum(case.slot_s + LEAD_S for case in one)
    return FaultSession(
        name="soak", cases=one * max(1, round(60 * minutes / round_s)), twin=("--montage=biosemi-64",), sfreq=1000.0
    )


def figures(played: Played, minutes: float) -> dict[str, Any]:
    """Return what is said of a soak, as JSON values."""
    looks = played.looks[len(played.looks) // 2 :]  # the first half warms up
    at = np.array([look.at for look in looks]) / 3600.0
    rss = np.array([look.rss_mb for look in looks])
    slope = float(np.polyfit(at, rss, 1)[0]) if len(looks) > 2 else math.nan
    ages = np.array([row.arrived - row.t for row in played.seen if row.state == "OK" and row.t <= row.arrived])
    wall_s = looks[-1].at - looks[0].at
    wrong = Counter(f"{result.case}: {words}" for result in played.results for words in result.wrong)
    return {
        "minutes": round((played.looks[-1].at - played.looks[0].at) / 60, 1),
        "load_average": [round(x, 1) for x in os.getloadavg()],
        "faults": len(played.results),
        "rows": played.rows,
        "commands_from_touched_windows": sum(result.commands for result in played.results),
        "oldest_command_s": round(
            max((r.oldest_s for r in played.results if r.oldest_s == r.oldest_s), default=0.0), 3
        ),
        "age_of_ok_rows_ms": {p: round(1e3 * float(np.percentile(ages, q)), 1) for p, q in (("p50", 50), ("p99", 99))},
        "memory_mb": {
            "least": round(float(rss.min()), 1),
            "most": round(float(rss.max()), 1),
            "per_hour": round(slope, 2),
        },
        "descriptors": [min(look.n_descriptors for look in looks), max(look.n_descriptors for look in looks)],
        "threads": [min(look.n_threads for look in looks), max(look.n_threads for look in looks)],
        "descriptors_in_the_end": looks[-1].n_descriptors - looks[0].n_descriptors,
        "threads_in_the_end": looks[-1].n_threads - looks[0].n_threads,
        "processor_percent_of_a_core": round(100 * (looks[-1].cpu_s - looks[0].cpu_s) / wall_s, 1),
        "skipped_hops": played.report.get("skipped_hops"),
        "missing_samples": played.report.get("missing_samples"),
        "wrong": [f"{n} x {words}" for words, n in wrong.items()] + played.wrong,
    }


def grows(said: dict[str, Any]) -> list[str]:
    """Return in words what grows."""
    memory, out = said["memory_mb"], []
    hours = said["minutes"] / 60
    if memory["per_hour"] * hours > SPREAD_MB or (hours >= 1 and memory["per_hour"] > MB_PER_HOUR):
        out.append(f"memory grows by {memory['per_hour']:g} MB an hour")
    out += [f"{what} grow by {said[what + '_in_the_end']}" for what in ("descriptors", "threads")
            if said[what + "_in_the_end"] > 4]  # fmt: skip
    return out


def draw(played: Played, path: Path) -> None:
    """Draw memory, descriptors and threads, age and states against minutes."""
    figure, axes = plt.subplots(4, 1, figsize=(10, 8), sharex=True, layout="constrained")
    minute = [(look.at - played.zero) / 60 for look in played.looks]
    axes[0].plot(minute, [look.rss_mb for look in played.looks], color="tab:blue")
    axes[0].set_ylabel("memory, MB")
    axes[1].plot(minute, [look.n_descriptors for look in played.looks], label="descriptors", color="tab:orange")
    axes[1].plot(minute, [look.n_threads for look in played.looks], label="threads", color="tab:green")
    axes[1].set_ylabel("number")
    axes[1].legend(loc="upper right")
    fine = [row for row in played.seen if row.state == "OK" and row.t <= row.arrived]
    age_ms = [1e3 * (r.arrived - r.t) for r in fine]
    axes[2].plot([(r.arrived - played.zero) / 60 for r in fine], age_ms, ".", markersize=1.5, color="tab:purple")
    axes[2].axhline(1000, color="tab:red", linewidth=0.8)
    axes[2].set_ylabel("age of OK rows, ms")
    axes[2].set_yscale("log")
    states = sorted({row.state for row in played.seen}, key=lambda state: (state != "OK", state))
    place = [states.index(row.state) for row in played.seen]
    axes[3].plot(
        [(row.arrived - played.zero) / 60 for row in played.seen], place, ".", markersize=1.5, color="tab:gray"
    )
    axes[3].set_yticks(range(len(states)), states)
    axes[3].set_xlabel("minutes")
    for axis in axes:
        axis.grid(alpha=0.3)
    axes[0].set_title("neuript live, 64 channels at 1 kHz, a fault about every twelve seconds")
    figure.savefig(path, dpi=90)


def words(said: dict[str, Any], growing: list[str]) -> str:
    """Return the figures as a table of Markdown."""
    memory, age = said["memory_mb"], said["age_of_ok_rows_ms"]
    rows = {
        "length": f"{said['minutes']:g} min, {said['faults']} faults and pauses",
        "load average at the end (1, 5, 15 min)": ", ".join(f"{x:g}" for x in said["load_average"]),
        "rows": f"{said['rows']}; {said['skipped_hops']} hops skipped and counted",
        "commands from touched windows": f"{said['commands_from_touched_windows']}",
        "oldest command as it arrived": f"{said['oldest_command_s']:g} s",
        "age of rows in state OK as they arrived": f"p50 {age['p50']:g} ms, p99 {age['p99']:g} ms",
        "memory, second half": f"{memory['least']:g} to {memory['most']:g} MB, {memory['per_hour']:+g} MB an hour",
        **{
            f"{what}, second half": f"{said[what][0]} to {said[what][1]}, {said[what + '_in_the_end']:+d} in the end"
            for what in ("descriptors", "threads")
        },
        "processor": f"{said['processor_percent_of_a_core']:g} % of a core",
        "samples counted as missing": f"{said['missing_samples']}",
        "not as it has to be": "; ".join([*said["wrong"], *growing]) or "nothing",
    }
    return "| what | seen |\n|---|---|\n" + "".join(f"| {key} | {value} |\n" for key, value in rows.items())


def main() -> int:
    """Play, tell, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--docs", type=Path, help="a page with the two marks, such as docs/soak.md")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    session = session_of(args.minutes)
    print(f"{session.seconds / 60:.0f} minutes, {len(session.cases)} faults and pauses", file=sys.stderr, flush=True)
    played = play_on_lsl(session, args.out)
    said = figures(played, args.minutes)
    growing = grows(said)
    (args.out / "soak.json").write_text(json.dumps(said, indent=1))
    with (args.out / "soak.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, asdict(played.looks[0]))
        table.writeheader()
        table.writerows(asdict(look) for look in played.looks)
    draw(played, args.out / "soak.png")
    text = words(said, growing)
    print(text)
    if args.docs is not None:
        before, _, rest = args.docs.read_text("utf-8").partition(BEGIN)
        args.docs.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{rest.partition(END)[2]}", "utf-8")
        draw(played, args.docs.parent / "soak.png")
    return 1 if said["wrong"] or growing else 0


if __name__ == "__main__":
    sys.exit(main())
