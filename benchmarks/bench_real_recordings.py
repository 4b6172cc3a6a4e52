"""Calibrate on early runs, decode late runs, score the published decisions: real people, the commands that users run.

    python benchmarks/bench_real_recordings.py DATA [--people edf01 xdf] [--lsl] [--network pretrained|FILE]

DATA is a folder with `peterson2022-mi-rest` (Peterson et al. 2022, Data in Brief 42:108225) and `bci-essentials-xdf`.
The split is by run, fixed here: Peterson 002-003 / 004-005; BCI Essentials (four runs of 10 trials) each run by a model
of the other three. With --lsl each test run is
published on LSL by `neuript-replay` in one process and decoded by `neuript-live` in another, in real time; without it
`neuript-live --replay --speed max` decodes the file. CSP+LDA and TS+LR are fitted on the same calibration windows and
tested on windows that end at the same times as the published ones.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import mne
import numpy as np

from neuript.realtime.decoding.decision_log import read_decisions
from neuript.realtime.decoding.scoring import ScoreCard, Trial, TrialScore, score_trials
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.training.fitting.plain import BASELINES
from neuript.training.windows.dataset import Dataset, load_dataset
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import parse_event_map, trials_of


@dataclass(frozen=True)
class Case:
    name: str
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """Pairs of calibration files and files to decode."""
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
        (
            (
                tuple(f"{folder}/{run}/eeg.edf" for run in ("002", "003")),
                tuple(f"{folder}/{run}/eeg.edf" for run in ("004", last)),
            ),
        ),
        ("right_hand=OVTK_GDF_Right", "rest=OVTK_GDF_Tongue"),
    )


def bci_essentials() -> Case:
    names = ("T1_run-001", "MISwitch_run-002", "MISwitch_run-003", "MISwitch_run-004")
    runs = tuple(f"bci-essentials-xdf/sub-P001_ses-S001_task-{n}_eeg.xdf" for n in names)
    return Case(
        "xdf",
        tuple((tuple(r for r in runs if r != test), (test,)) for test in runs),
        ("neutral=switch,3,0,2", "one=switch,3,1,2", "two=switch,3,2,2"),
        ("--idle", "neutral"),
        window_end_s=(2.0, 2.5),
        epoch_s=(0.0, 2.5),
        trial_start="Trial Started",
        montage="10-10",
    )


CASES = {c.name: c for c in [*map(peterson, ("edf01", "edf03", "edf04", "edf05", "edf07", "edf10")), bci_essentials()]}


def run(*command: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nexited {done.returncode}: {done.stderr[-2000:]}")
    return done


def calibrate(case: Case, files: tuple[str, ...], data: Path, out: Path, network: str) -> dict:
    command = ["neuript-calibrate", "--from", *(str(data / f) for f in files), "--out", str(out)]
    for event in case.events:
        command += ["--event", event]
    command += ["--montage", case.montage, "--window", str(case.window_s), *case.options, "--network", network]
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
            ["neuript-replay", str(recording), f"--suffix={suffix}", "--json", "--quiet", "--wait-for-consumers", "60"],
            stdout=subprocess.PIPE,
            text=True,
        )
        name = read_recording(recording).eeg.info.name + suffix
        decoder = subprocess.Popen([*live, "--stream", f"name='{name}'"], stdout=file, stderr=subprocess.DEVNULL)
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
    return [trial.shifted(offset) for trial in found]


def baselines(case: Case, train_files: tuple[str, ...], test_files: tuple[str, ...], data: Path) -> dict[str, list]:
    spec = DatasetSpec(
        montage=case.montage,
        event_map=parse_event_map(case.events),
        trial_start=case.trial_start,
        window_s=case.window_s,
        epoch_s=case.epoch_s,
    )
    train = load_dataset([data / f for f in train_files], spec)
    test = load_dataset([data / f for f in test_files], replace(spec, step_s=0.125, min_trials_per_class=1))
    assert train.montage.ch_names == test.montage.ch_names
    return {name: _baseline(make(64.0), train, test) for name, make in BASELINES.items()}


def _baseline(pipeline: object, train: Dataset, test: Dataset) -> list[TrialScore]:
    pipeline.fit(train.x.astype(float), train.y)
    proba = pipeline.predict_proba(test.x.astype(float))
    scored = []
    for i, trial in enumerate(test.trials):
        mean = proba[test.trial == i].mean(axis=0)
        scored.append(TrialScore(trial, test.classes[int(np.argmax(mean))], int((test.trial == i).sum()), ()))
    return scored


def label(network: str) -> str:
    """Name of a starting point that can stand in a file name."""
    return re.sub(r"[^\w.-]+", "-", network.removesuffix(".safetensors"))


def evaluate(case: Case, data: Path, out: Path, *, network: str, lsl: bool) -> tuple[dict[str, ScoreCard], list[dict]]:
    """Decode every test file with a model calibrated on its calibration files."""
    classes = tuple(e.partition("=")[0] for e in case.events)
    trials: dict[str, list[TrialScore]] = {}
    cvs = []
    start = label(network)
    for k, (train, test) in enumerate(case.splits):
        model = out / f"{case.name}-{k}-{start}.ts"
        cvs.append(calibrate(case, train, data, model, network))
        for i, file in enumerate(test):
            lines = out / f"{case.name}-{k}-{i}-{start}{'-lsl' if lsl else ''}.jsonl"
            offset = decode(model, data / file, lines, lsl=lsl)
            rows = read_decisions(lines).rows
            found = trials_in(case, data / file, i, offset)
            card = score_trials(rows, found, classes, window_end_s=case.window_end_s)
            trials.setdefault("published", []).extend(card.trials)
        for name, plain in baselines(case, train, test, data).items():
            trials.setdefault(name, []).extend(plain)
    return {name: ScoreCard(tuple(found), classes) for name, found in trials.items()}, cvs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--people", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--lsl", action="store_true")
    parser.add_argument("--network", default="pretrained")
    parser.add_argument("--out", type=Path, default=None, help="keep models and decisions here")
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    mne.set_log_level("ERROR")
    logging.disable(logging.WARNING)
    print("| person | published | CSP+LDA | TS+LR | bound | trials | CV: network | CV: stack | weight of network |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    table = {}
    for name in args.people:
        cards, cvs = evaluate(CASES[name], args.data, out, network=args.network, lsl=args.lsl)
        table[name] = {k: card.to_dict() for k, card in cards.items()} | {"cv": cvs}
        decoders = [cv["decoders"] for cv in cvs]
        network = np.mean([d.get("NeurIPT", {}).get("accuracy", np.nan) for d in decoders])
        stack = np.mean([d["Stack (published)"]["accuracy"] for d in decoders])
        weight = np.mean([cv["stack_weights"]["network"] for cv in cvs])
        shares = " | ".join(f"{cards[k].accuracy:.3f}" for k in ("published", "CSP+LDA", "TS+LR"))
        whole = cards["published"]
        print(
            f"| {name} | {shares} | {whole.bound:.3f} | {whole.n_trials} "
            f"| {network:.3f} | {stack:.3f} | {weight:.2f} |",
            flush=True,
        )
    (out / f"table-{label(args.network)}{'-lsl' if args.lsl else ''}.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
