"""Build the model that `neuript-live --demo` uses: a calibration on one simulated person, from the pretrained encoder.

The person sits for a session of 40 trials per class; the model is then tested on two other simulated days of the same
person (other noise, other trials, a cap that sits a few millimetres off), which decide nothing. Writes the model, the
encoder, their hashes and the model card into the package.

    python tools/build_demo.py --encoder runs/twin/twin-micro.safetensors
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import torch

from neuript.checkpoint import load_checkpoint
from neuript.config import NeuriptConfig
from neuript.manifest import provenance
from neuript.modelfile import save_model
from neuript.montages import load_montage
from neuript.realtime.chunk import SignalInfo
from neuript.realtime.metadata import header_xml
from neuript.realtime.recordings import RecordedStream, Recording
from neuript.realtime.scoring import ScoreCard, TrialScore
from neuript.realtime.twin.schedule import Protocol
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.source import twin_info
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.training.baselines import BASELINES
from neuript.training.calibrate import (
    NETWORK,
    TANGENT,
    CalibrationSpec,
    calibrate,
    for_calibration,
    summary,
)
from neuript.training.dataset import Dataset, DatasetSpec, build_dataset
from neuript.training.finetune import predict_logits
from neuript.trust import write_shipped_hashes

MODELS = Path(__file__).resolve().parents[1] / "neuript" / "models"
CLASSES = ("left_hand", "right_hand")
MONTAGE, SFREQ = "unicorn-8", 250.0


def recorded(signal: TwinSignal) -> Recording:
    """A whole simulated session as a recording in memory."""
    seconds = signal.schedule.end_s
    assert seconds is not None
    data = signal.read(round(seconds * SFREQ))
    stamps = np.arange(len(data)) / SFREQ
    info = twin_info(signal)
    eeg = RecordedStream(info, data, stamps, stamps, header_xml(info), segments=((0, len(data)),))
    events = signal.events(0.0, seconds)
    marks = SignalInfo(
        name="cues",
        sfreq=0.0,
        ch_names=("",),
        units=("",),
        ch_types=("",),
        stype="Markers",
        channel_format="string",
    )
    times = np.array([e.time_s for e in events])
    cues = RecordedStream(marks, [(e.label,) for e in events], times, times, header_xml(marks))
    return Recording(Path("twin.xdf"), [eeg, cues], "twin", eeg_index=0)


def session(
    person: Subject, seed: int, trials: int, shift_mm: tuple[float, float, float]
) -> Dataset:
    """Windows of one simulated day."""
    montage = load_montage(MONTAGE)
    protocol = Protocol(classes=CLASSES, trials_per_class=trials)
    signal = TwinSignal(
        montage, SFREQ, person, SessionConditions(cap_shift_mm=shift_mm), protocol, seed
    )
    spec = DatasetSpec(cap=montage, event_map={c: (c,) for c in CLASSES}, mains_hz=50.0)
    return build_dataset([recorded(signal)], spec)


def scored(log_proba: np.ndarray, data: Dataset) -> ScoreCard:
    """Trial scores from window log-probabilities (n_windows, n_classes)."""
    rows = []
    for i, trial in enumerate(data.trials):
        mean = np.exp(log_proba[data.trial == i]).mean(axis=0)
        rows.append(
            TrialScore(trial, data.classes[int(np.argmax(mean))], int((data.trial == i).sum()), ())
        )
    return ScoreCard(tuple(rows), data.classes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--person", type=int, default=1, help="seed of the simulated person")
    parser.add_argument("--skill", type=float, default=0.8)
    parser.add_argument("--out", type=Path, default=MODELS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    mne.set_log_level("ERROR")
    manifest, state = load_checkpoint(args.encoder)
    person = Subject(seed=args.person, skill=args.skill)
    train = session(person, 1000, 40, (0.0, 0.0, 0.0))
    config = for_calibration(
        NeuriptConfig.from_dict(manifest.model), len(CLASSES), train.x.shape[-1]
    )
    spec = CalibrationSpec(config=config, encoder=state, branches=(NETWORK, TANGENT))
    result = calibrate(train, spec)
    figures = summary(result)

    tests = [
        session(person, 2000, 40, (3.0, -2.0, 2.0)),
        session(person, 2001, 40, (-4.0, 3.0, -2.0)),
    ]
    held_out: dict[str, list[float]] = {}
    for day in tests:
        logits = torch.tensor(predict_logits(result.module, day.x))
        cards = {"published": scored(logits.log_softmax(-1).numpy(), day)}
        if result.module.network is not None:
            alone = torch.tensor(predict_logits(result.module.network, day.x))
            cards["network alone"] = scored(alone.log_softmax(-1).numpy(), day)
        for name, make in BASELINES.items():
            pipeline = make(train.sfreq).fit(train.x.astype(float), train.y)
            cards[name] = scored(
                np.log(pipeline.predict_proba(day.x.astype(float)).clip(1e-9)), day
            )
        for name, card in cards.items():
            held_out.setdefault(name, []).append(round(card.accuracy, 4))
    figures["other_simulated_days"] = held_out | {"trials_per_day": len(tests[0].trials)}
    print(json.dumps(figures, indent=1))

    final = replace(
        train.manifest,
        model=result.describe(),
        provenance=provenance(
            data=["neuript digital twin"],
            simulated=True,
            counts=train.counts,
            notes="one simulated person; no real EEG",
            demo_person={"seed": args.person, "skill": args.skill},
            encoder=manifest.provenance,
        ),
        metrics=figures,
    )
    args.out.mkdir(parents=True, exist_ok=True)
    save_model(args.out / "demo.ts", result.module, final, golden_inputs=tests[0].x[::20][:8])
    if args.encoder.resolve() != (args.out / "twin-micro.safetensors").resolve():
        shutil.copy(args.encoder, args.out / "twin-micro.safetensors")
    write_shipped_hashes(args.out)


if __name__ == "__main__":
    main()
