"""Pretrain a NeurIPT encoder on simulated people: which movement does a stranger on any of several caps imagine?

This is the first of the two steps behind the model that `neuript-live --demo` shows (`tools/build_demo.py` is the second,
a calibration on one simulated person). Nothing here has seen a real brain, and the model card says so.

    python tools/pretrain_twin.py --out runs/twin --sessions 128 --steps 1800
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from neuript.checkpoint import save_checkpoint
from neuript.classifier import NeuriptClassifier
from neuript.config import NeuriptConfig, preset
from neuript.manifest import Manifest, provenance
from neuript.montages import Montage, load_montage
from neuript.realtime.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.policy import PolicySpec
from neuript.realtime.preprocess import PreprocessSpec
from neuript.realtime.scoring import Trial
from neuript.realtime.twin.schedule import Protocol
from neuript.realtime.twin.signal import TwinRecording, record_session
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.training.augment import AugmentSpec, augment
from neuript.training.epochs import collect_windows

CLASSES = ("left_hand", "right_hand", "feet", "rest")
SFREQ_IN = 250.0
FRONTAL = ("Fz", "F3", "F4", "FCz", "AFz", "F1", "F2", "Fp1", "Fp2")
CENTRAL = (
    "C3",
    "Cz",
    "C4",
    "CP3",
    "CP4",
    "CPz",
    "C1",
    "C2",
    "P3",
    "P4",
    "Pz",
    "FC3",
    "FC4",
    "C5",
    "C6",
)
OCCIPITAL = ("Oz", "PO7", "PO8", "O1", "O2", "POz")
N_MONTAGES = 12


def random_montage(rng: np.random.Generator) -> Montage:
    """Eight electrodes over frontal, central-parietal and occipital cortex, always with both hand areas."""
    parent = load_montage("10-10")
    central = [
        "C3",
        "C4",
        *rng.choice([c for c in CENTRAL if c not in ("C3", "C4")], 3, replace=False),
    ]
    names = [*rng.choice(FRONTAL, 1 + int(rng.random() < 0.5), replace=False), *central]
    names += list(rng.choice(OCCIPITAL, 8 - len(names), replace=False))
    return parent.pick([str(n) for n in names])


class MemorySource:
    """A simulated session as a source of chunks."""

    def __init__(self, recording: TwinRecording) -> None:
        n = len(recording.ch_names)
        self.info = SignalInfo(
            name="twin",
            sfreq=recording.sfreq,
            ch_names=recording.ch_names,
            units=("microvolts",) * n,
            simulated=True,
        )
        self._data, self._at = recording.data, 0

    def pull(self, timeout_s: float = 0.0) -> Chunk:
        """Return the next four seconds."""
        part = self._data[self._at : self._at + 1000]
        stamps = np.arange(self._at, self._at + len(part)) / self.info.sfreq
        self._at += len(part)
        return Chunk(part, stamps, SourceStatus.OK if len(part) else SourceStatus.ENDED)

    def close(self) -> None:
        """Nothing to let go of."""


def session_windows(
    montage: Montage, manifest: Manifest, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Windows (n, n_chans, n_times) and classes of one session of a new person."""
    recording = record_session(
        montage,
        SFREQ_IN,
        Subject.sample(rng, skill=float(rng.uniform(0.5, 1.0))),
        SessionConditions.sample(rng),
        Protocol(classes=CLASSES, trials_per_class=6),
        seed=int(rng.integers(2**31)),
    )
    trials = [Trial(e.label, e.time_s) for e in recording.events if e.label in CLASSES]
    windows = collect_windows(
        MemorySource(recording), montage.derivation, 1e-6, manifest, trials, (2.5, 4.25), step_s=0.4
    )
    labels = np.array([CLASSES.index(t.label) for t in trials])
    return windows.x, labels[windows.trial]


def draft_manifest(montage: Montage, config: NeuriptConfig) -> Manifest:
    """What the windows of this run are."""
    return Manifest(
        task="motor-imagery",
        classes=CLASSES,
        model=config.to_dict(),
        montage=montage.to_dict(),
        preprocess=PreprocessSpec(mains_hz=50.0).to_dict(),
        policy=PolicySpec().to_dict(),
        window_s=4.0,
        hop_s=0.125,
        provenance={"simulated": True},
    )


def build_models(config: NeuriptConfig, montages: list[Montage]) -> list[NeuriptClassifier]:
    """One model for each montage, all with the parameters of the first; only the positions differ."""
    models = [NeuriptClassifier(config, m.pos_m, m.lobe_groups()) for m in montages]
    for model in models[1:]:
        for name, parameter in models[0].named_parameters():
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, parameter)
    return models


def validate(
    models: list[NeuriptClassifier], data: list[tuple[NDArray[np.float32], NDArray[np.int64]]]
) -> float:
    """Balanced over montages: share of held-out people's windows that are classified rightly."""
    shares = []
    for model, (x, y) in zip(models, data, strict=True):
        model.eval()
        with torch.inference_mode():
            predicted = torch.cat([model(part) for part in torch.as_tensor(x).split(64)]).argmax(1)
        shares.append(float((predicted.numpy() == y).mean()))
        model.train()
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/twin"))
    parser.add_argument("--sessions", type=int, default=128, help="simulated people to train on")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=520)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    config = preset(
        "micro",
        n_outputs=len(CLASSES),
        merges=(4, 1, 1, 2, 1, 2),
        dropout=0.0,
        attention_dropout=0.0,
    )
    montages = [load_montage("unicorn-8"), *(random_montage(rng) for _ in range(N_MONTAGES - 1))]
    montages = [m for m in montages if len(m.lobe_groups()) == len(montages[0].lobe_groups())]
    manifests = [draft_manifest(m, config) for m in montages]
    per_montage = max(2, args.sessions // len(montages))
    train: list[tuple[torch.Tensor, torch.Tensor]] = []
    held_out = []
    begin = time.monotonic()
    for montage, manifest in zip(montages, manifests, strict=True):
        parts = [session_windows(montage, manifest, rng) for _ in range(per_montage + 1)]
        held_out.append(parts[-1])
        x = torch.as_tensor(np.concatenate([p[0] for p in parts[:-1]]))
        train.append((x, torch.as_tensor(np.concatenate([p[1] for p in parts[:-1]]))))
        print(f"{montage.ch_names}: {len(x)} windows, {time.monotonic() - begin:.0f} s", flush=True)

    models = build_models(config, montages)
    generator = torch.Generator().manual_seed(args.seed)
    spec = AugmentSpec(recombine=0.0, channel_dropout=0.0)
    optimizer = torch.optim.AdamW(
        models[0].parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.005
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.15
    )
    log = []
    running = None
    for step in range(1, args.steps + 1):
        which = int(torch.randint(len(models), (), generator=generator))
        x_all, y_all = train[which]
        batch = torch.randint(len(x_all), (args.batch,), generator=generator)
        x = augment(x_all[batch], y_all[batch], spec, generator)
        model = models[which].train()
        loss = F.cross_entropy(model(x), y_all[batch])
        (loss + 0.8 * model.aux_loss).backward()
        torch.nn.utils.clip_grad_norm_(models[0].parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 150 == 0 or step == args.steps:
            accuracy = validate(models, held_out)
            log.append(
                {"step": step, "loss": round(running, 4), "held_out_accuracy": round(accuracy, 4)}
            )
            print(f"{log[-1]} {time.monotonic() - begin:.0f} s", flush=True)
            final = Manifest.from_dict(
                {
                    **manifests[0].to_dict(),
                    "provenance": provenance(
                        data=["neuript digital twin"],
                        simulated=True,
                        counts={
                            "people": per_montage * len(montages),
                            "windows": sum(len(x) for x, _ in train),
                        },
                        notes="supervised pretraining on simulated people; no real EEG",
                        settings={k: str(v) for k, v in vars(args).items()},
                        montages=[list(m.ch_names) for m in montages],
                    ),
                    "metrics": {
                        "protocol": "windows of simulated people not trained on, chance 0.25",
                        "log": log,
                    },
                }
            )
            save_checkpoint(args.out / "twin-micro.safetensors", models[0], final)
            (args.out / "log.json").write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    main()
