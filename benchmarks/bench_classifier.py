"""NeurIPTClassifier on real windows: its defaults, with and without sessions, beside random weights and plain decoders.

    python -P benchmarks/bench_classifier.py DATA [PERSON ...] [--trained]

DATA is the folder `peterson2022-mi-rest` (Peterson et al. 2022, Data in Brief 42:108225): six people, imagery of a hand
movement against rest. Fitted to the runs 002 and 003, scored on 004 and 005; windows of 4 s from 0.5 s after the cue as
MNE cuts them, unfiltered. The shipped encoder has seen these people, so each gets one that was trained like it on the
other five. `--trained` adds networks that are trained on the person's own windows, which takes minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np

from neuript import NeurIPTClassifier
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.encoders import network_in
from neuript.montages import montage_of
from neuript.network.resampling import resample
from neuript.training.fitting.encoder_readout import alignment_for
from neuript.training.fitting.plain import BASELINES
from neuript.training.population.network_training import GroupedWindows, train_network
from neuript.training.windows.recentred import seen_from, session_reference
from neuript.weights import SHIPPED_POPULATION

PEOPLE = ("edf01", "edf03", "edf04", "edf05", "edf07", "edf10")
CLASSES = {"OVTK_GDF_Right": 1, "OVTK_GDF_Tongue": 2}


def runs_of(data: Path, person: str):
    """Windows in volts and labels of each run, and MNE's info."""
    found = []
    for run in ("002", "003", "004", "Test4" if person == "edf05" else "005"):
        raw = mne.io.read_raw_edf(data / person / run / "eeg.edf", preload=True, encoding="latin1", verbose="error")
        raw.apply_function(lambda x: x * 1e-6, verbose="error")  # the file names no unit
        events, ids = mne.events_from_annotations(raw, event_id=CLASSES, verbose="error")
        end = 4.5 - 1 / raw.info["sfreq"]
        epochs = mne.Epochs(raw, events, ids, tmin=0.5, tmax=end, baseline=None, preload=True, verbose="error")
        found.append((epochs.get_data(copy=False), epochs.events[:, 2]))
    return found, epochs.info


def at_model_rate(x, sfreq):
    return np.ascontiguousarray(resample(x - x.mean(axis=2, keepdims=True), sfreq), dtype=np.float32)


def encoder_of_others(people, left_out: str, folder: Path) -> Path:
    """Train an encoder as the shipped one was on all but one person; return its file."""
    manifest, state = load_checkpoint(SHIPPED_POPULATION)
    config, _ = network_in(manifest, state, "shipped")
    spec, groups = alignment_for(manifest), []
    for person, (runs, info) in people.items():
        montage = montage_of(info["ch_names"])
        for x, y in runs if person != left_out else ():
            windows = at_model_rate(x, info["sfreq"])
            seen = seen_from(session_reference(windows, spec, 64.0), windows, spec, 64.0)
            groups.append(GroupedWindows(*seen, y - 1))
    network = train_network(groups, config, montage)
    weights = {k: v for k, v in network.state_dict().items() if k.startswith("encoder.")}
    path = folder / f"without-{left_out}.safetensors"
    provenance = {"simulated": False}
    plain = {"classes": (), "idle_class": None, "policy": {}, "metrics": {}, "provenance": provenance}
    save_checkpoint(
        path, weights, replace(manifest, model=config.to_dict(), montage=montage.to_dict(), weights_sha256="", **plain)
    )
    return path


def score(person, encoder: Path, *, trained: bool) -> dict[str, float]:
    runs, info = person
    n = [len(y) for _, y in runs]
    x, y = (np.concatenate(part) for part in zip(*runs, strict=True))
    session, train = np.repeat(range(4), n), np.arange(sum(n)) < n[0] + n[1]
    candidates = {"default": {"pretrained": encoder}, "random weights": {"pretrained": None}}
    if trained:
        candidates["trained (micro)"] = {
            "pretrained": None,
            "n_epochs": 30,
            "model_options": {"merges": (4, 1, 1, 2, 1, 2)},
        }
    found = {}
    for name, settings in candidates.items():
        began = time.process_time()
        model = NeurIPTClassifier(info=info, **settings).fit(x[train], y[train])
        found[f"{name}, CPU s"] = time.process_time() - began
        found[name] = model.score(x[~train], y[~train])
        model.fit(x[train], y[train], groups=session[train])
        found[f"{name}, sessions"] = model.score(x[~train], y[~train], groups=session[~train])
    slow = at_model_rate(x, info["sfreq"]).astype(np.float64)
    for name, make in BASELINES.items():
        with mne.use_log_level("error"):
            found[name] = make(64.0).fit(slow[train], y[train]).score(slow[~train], y[~train])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("people", nargs="*", default=PEOPLE)
    parser.add_argument("--trained", action="store_true")
    args = parser.parse_args()
    people = {person: runs_of(args.data, person) for person in PEOPLE}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for person in args.people:
            encoder = encoder_of_others(people, person, Path(folder))
            rows.append(score(people[person], encoder, trained=args.trained))
            print(person, *(f"{name} {value:.3f}" for name, value in rows[-1].items()), sep="  ", flush=True)
    print("mean  ", *(f"{name} {np.mean([row[name] for row in rows]):.3f}" for name in rows[0]), sep="  ")


if __name__ == "__main__":
    main()
