"""Calibrate on early runs, decode late runs, score the published decisions: real people, the commands that users run.

    python benchmarks/bench_real_recordings.py DATA [--people edf01 xdf] [--lsl] [--network pretrained]

DATA is a folder with `peterson2022-mi-rest` (Peterson et al. 2022, Data in Brief 42:108225) and `bci-essentials-xdf`. The
split is by run, fixed here: Peterson 002-003 / 004-005, BCI Essentials MISwitch 002-003 / 004. With --lsl each test run is
published on LSL by `neuript-replay` in one process and decoded by `neuript-live` in another, in real time; without it
`neuript-live --replay --speed max` decodes the file. CSP+LDA and TS+LR are fitted on the same calibration windows and
tested on windows that end at the same times as the published ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuript.cli.score import figures, read_decisions
from neuript.montages import load_montage
from neuript.realtime.recordings import events_of, read_recording
from neuript.realtime.scoring import ScoreCard, Trial, TrialScore, chance_bound, score_trials
from neuript.training.baselines import BASELINES
from neuript.training.dataset import Dataset, DatasetSpec, load_dataset
from neuript.training.events import parse_event_map, trials_of


@dataclass(frozen=True)
class Case:
    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    events: tuple[str, ...]
    options: tuple[str, ...] = ()
    window_end_s: tuple[float, float] = (4.0, 4.5)
    epoch_s: tuple[float, float] = (0.0, 4.5)
    window_s: float = 4.0
    trial_start: str | None = None
    montage: str = "10-20"


def peterson(person: str) -> Case:
    last = "Test4" if person == "edf05" else "005"
    folder = f"peterson2022-mi-rest/{person}"
    return Case(
        person,
        tuple(f"{folder}/{run}/eeg.edf" for run in ("002", "003")),
        tuple(f"{folder}/{run}/eeg.edf" for run in ("004", last)),
        ("right_hand=OVTK_GDF_Right", "rest=OVTK_GDF_Tongue"),
    )


def bci_essentials() -> Case:
    run = "bci-essentials-xdf/sub-P001_ses-S001_task-MISwitch_run-{}_eeg.xdf"
    return Case(
        "xdf",
        (run.format("002"), run.format("003")),
        (run.format("004"),),
        ("neutral=switch,3,0,2", "one=switch,3,1,2", "two=switch,3,2,2"),
        ("--idle", "neutral"),
        window_end_s=(2.0, 2.5),
        epoch_s=(0.0, 2.5),
        window_s=2.0,
        trial_start="Trial Started",
        montage="10-10",
    )


CASES = {
    c.name: c
    for c in [
        *map(peterson, ("edf01", "edf03", "edf04", "edf05", "edf07", "edf10")),
        bci_essentials(),
    ]
}


def run(*command: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nexited {done.returncode}: {done.stderr[-2000:]}")
    return done


def calibrate(case: Case, data: Path, out: Path, network: str) -> dict:
    command = [
        "neuript-calibrate",
        "--from",
        *(str(data / f) for f in case.train),
        "--out",
        str(out),
    ]
    for event in case.events:
        command += ["--event", event]
    command += [
        "--montage",
        case.montage,
        "--window",
        str(case.window_s),
        *case.options,
        "--network",
        network,
    ]
    command += ["--epoch", *map(str, case.epoch_s), "--report", str(out.with_suffix(".json"))]
    if case.trial_start:
        command += ["--trial-start", case.trial_start]
    run(*command)
    return json.loads(out.with_suffix(".json").read_text())


def decode(model: Path, recording: Path, out: Path, *, lsl: bool) -> float:
    """Decode a recording; return what to add to the recording's stamps to get those of the decisions."""
    live = ["neuript-live", "--model", str(model), "--headless", "--json"]
    if not lsl:
        with out.open("w") as file:
            subprocess.run(
                [*live, "--replay", str(recording), "--speed", "max"],
                stdout=file,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        return -float(read_recording(recording).eeg.timestamps[0])
    suffix = f"-{out.stem}"
    with out.open("w") as file:
        player = subprocess.Popen(
            [
                "neuript-replay",
                str(recording),
                f"--suffix={suffix}",
                "--json",
                "--quiet",
                "--wait-for-consumers",
                "60",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        name = read_recording(recording).eeg.info.name + suffix
        decoder = subprocess.Popen(
            [*live, "--stream", f"name='{name}'"], stdout=file, stderr=subprocess.DEVNULL
        )
        log, _ = player.communicate()
        decoder.wait(timeout=120)
    start = next(json.loads(line) for line in log.splitlines() if "lsl_start" in line)
    return float(start["lsl_start"]) - float(start["recorded_start"])


def trials_in(case: Case, recording: Path, index: int, offset: float) -> list[Trial]:
    found = trials_of(
        events_of(read_recording(recording)),
        parse_event_map(case.events),
        recording=index,
        trial_start=case.trial_start,
    )
    return [
        Trial(t.label, t.onset_s + offset, index, tuple(s + offset for s in t.epochs_s))
        for t in found
    ]


def baselines(case: Case, data: Path) -> dict[str, ScoreCard]:
    spec = DatasetSpec(
        cap=load_montage(case.montage),
        event_map=parse_event_map(case.events),
        trial_start=case.trial_start,
        window_s=case.window_s,
        epoch_s=case.epoch_s,
    )
    train = load_dataset([data / f for f in case.train], spec)
    test = load_dataset(
        [data / f for f in case.test], replace(spec, step_s=0.125, min_trials_per_class=1)
    )
    assert train.montage.ch_names == test.montage.ch_names
    return {name: _baseline(make(64.0), train, test) for name, make in BASELINES.items()}


def _baseline(pipeline: object, train: Dataset, test: Dataset) -> ScoreCard:
    pipeline.fit(train.x.astype(float), train.y)
    proba = pipeline.predict_proba(test.x.astype(float))
    scored = []
    for i, trial in enumerate(test.trials):
        mean = proba[test.trial == i].mean(axis=0)
        scored.append(
            TrialScore(trial, test.classes[int(np.argmax(mean))], int((test.trial == i).sum()), ())
        )
    return ScoreCard(tuple(scored), test.classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--people", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--lsl", action="store_true")
    parser.add_argument("--network", default="pretrained")
    parser.add_argument("--out", type=Path, default=None, help="keep models and decisions here")
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    import mne

    mne.set_log_level("ERROR")
    print(
        "| person | published | CSP+LDA | TS+LR | bound | trials | CV: network | CV: stack | weight of network |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    table = {}
    for name in args.people:
        case = CASES[name]
        model = out / f"{name}.ts"
        cv = calibrate(case, args.data, model, args.network)
        trials, hits, cards = [], 0, []
        for i, file in enumerate(case.test):
            lines = out / f"{name}-{i}{'-lsl' if args.lsl else ''}.jsonl"
            offset = decode(model, args.data / file, lines, lsl=args.lsl)
            rows, _ = read_decisions(lines)
            card = score_trials(
                rows,
                trials_in(case, args.data / file, i, offset),
                [e.split("=")[0] for e in case.events],
                window_end_s=case.window_end_s,
            )
            cards.append(card)
            trials += card.trials
        whole = ScoreCard(tuple(trials), cards[0].classes)
        plain = baselines(case, args.data)
        hits = figures(whole) | {name: figures(card) for name, card in plain.items()} | {"cv": cv}
        table[name] = hits
        network = cv["decoders"].get("NeurIPT", {}).get("accuracy", float("nan"))
        print(
            f"| {name} | {whole.accuracy:.3f} | {plain['CSP+LDA'].accuracy:.3f} | {plain['TS+LR'].accuracy:.3f} | "
            f"{chance_bound(whole.n_trials, len(whole.classes)):.3f} | {whole.n_trials} | {network:.3f} | "
            f"{cv['decoders']['Stack (published)']['accuracy']:.3f} | {cv['stack_weights']['network']:.2f} |",
            flush=True,
        )
    (out / f"table-{args.network}{'-lsl' if args.lsl else ''}.json").write_text(
        json.dumps(table, indent=1)
    )


if __name__ == "__main__":
    main()
