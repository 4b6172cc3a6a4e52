"""Build the model that `neuript-live --demo` uses: the network alone, fine-tuned on one simulated person.

The person sits for five sessions of 40 trials per class on different days; a sixth sets the temperature. The model is
then tested on two more simulated days of the same person (other noise, other trials, a cap that sits a few millimetres
off), which decide nothing, with the plain baselines fitted on the same five sessions beside it. Writes the model
and the encoder into the package; the figures go into the model's manifest and to standard output.

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
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from neuript.modelfile.checkpoint import load_checkpoint
from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import provenance
from neuript.montages import load_montage
from neuript.network.config import NetworkConfig
from neuript.network.stack import HybridClassifier
from neuript.realtime.decoding.scoring import ScoreCard, TrialScore
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.training.fitting.build import build_network
from neuript.training.fitting.finetuning import FinetuneSpec, finetune
from neuript.training.fitting.forward import predict_logits
from neuript.training.fitting.plain import BASELINES
from neuript.training.windows.dataset import Dataset, build_dataset
from neuript.training.windows.dataset_spec import DatasetSpec

MODELS = Path(__file__).resolve().parents[1] / "neuript" / "weights"
CLASSES = ("left_hand", "right_hand")
MONTAGE, SFREQ = "unicorn-8", 250.0


def sessions(person: Subject, seeds: range) -> Dataset:
    """Windows of simulated days of one person, each with the cap a few millimetres elsewhere."""
    montage = load_montage(MONTAGE)
    protocol = CueProtocol(classes=CLASSES, trials_per_class=40)
    recordings = []
    for seed in seeds:
        shift = np.random.default_rng(seed).normal(0.0, 3.0, size=3)
        day = SessionConditions(cap_shift_mm=(float(shift[0]), float(shift[1]), float(shift[2])))
        recordings.append(session_recording(TwinSignal(montage, SFREQ, person, day, protocol, seed)))
    spec = DatasetSpec(
        montage=MONTAGE, event_map={c: (c,) for c in CLASSES}, mains_hz=50.0, epoch_s=(-1.0, 4.5), alignment=None
    )
    return build_dataset(recordings, spec)


def scored(log_proba: np.ndarray, data: Dataset) -> ScoreCard:
    """Trial scores from window log-probabilities (n_windows, n_classes)."""
    rows = []
    for i, trial in enumerate(data.trials):
        mean = np.exp(log_proba[data.trial == i]).mean(axis=0)
        rows.append(TrialScore(trial, data.classes[int(np.argmax(mean))], int((data.trial == i).sum()), ()))
    return ScoreCard(tuple(rows), data.classes)


def temper(logits: np.ndarray, data: Dataset) -> float:
    """Weight of the log-probabilities that makes them fit windows of a day not trained on."""
    log_p = log_softmax(logits, axis=1)
    rows = np.arange(len(data.y))
    fit = minimize_scalar(
        lambda w: -log_softmax(w * log_p, axis=1)[rows, data.y].mean(), bounds=(0.05, 5.0), method="bounded"
    )
    return float(fit.x)


def for_few_trials(config: NetworkConfig, n_times: int) -> NetworkConfig:
    """The encoder's configuration with every channel of the last two blocks pooled by itself: lobes of a small cap
    average the two hand areas into one.
    """
    head = {"pooling": "channels", "class_layers": 2, "pool_embedding": False}
    return replace(config, n_outputs=len(CLASSES), n_times=n_times, **head)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--person", type=int, default=1, help="seed of the simulated person")
    parser.add_argument("--skill", type=float, default=0.8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=MODELS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    mne.set_log_level("ERROR")
    manifest, state = load_checkpoint(args.encoder)
    person = Subject(seed=args.person, skill=args.skill)
    train, extra = sessions(person, range(1000, 1005)), sessions(person, range(1005, 1006))
    config = for_few_trials(NetworkConfig.from_dict(manifest.model), train.x.shape[-1])
    network = build_network(config, train.montage, seed=520, encoder=state)
    spec = FinetuneSpec(n_epochs=args.epochs, max_lr=1e-3)

    def progress(step: int, total: int, loss: float) -> None:
        if step % 50 == 0 or step == total:
            print(f"step {step} of {total}, loss {loss:.3f}", flush=True)

    network = finetune(network, train.x, train.y, spec, progress=progress)
    weight = temper(predict_logits(network, extra.x), extra)
    module = HybridClassifier(network, None, (weight, 0.0), torch.zeros(len(CLASSES))).eval()

    held_out: dict[str, list[float]] = {}
    for seed in (2000, 2001):
        day = sessions(person, range(seed, seed + 1))
        cards = {"published (network alone)": scored(log_softmax(predict_logits(module, day.x), axis=1), day)}
        for name, make in BASELINES.items():
            pipeline = make(train.sfreq).fit(train.x.astype(float), train.y)
            cards[name] = scored(np.log(pipeline.predict_proba(day.x.astype(float)).clip(1e-9)), day)
        for name, card in cards.items():
            held_out.setdefault(name, []).append(round(card.accuracy, 4))
    figures = {
        "protocol": "two simulated days of the same person that decided nothing; unit: trial; chance 0.5",
        "accuracy_per_day": held_out,
        "trials_per_day": len(day.trials),
        "weight_of_log_probabilities": round(weight, 4),
    }
    print(json.dumps(figures, indent=1))

    final = replace(
        train.manifest,
        model={"architecture": "hybrid", "network": config.to_dict(), "weights": [weight, 0.0]},
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
    save_model(args.out / "demo.ts", module, final)
    if args.encoder.resolve() != (args.out / "twin-micro.safetensors").resolve():
        shutil.copy(args.encoder, args.out / "twin-micro.safetensors")


if __name__ == "__main__":
    main()
