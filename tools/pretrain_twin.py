"""Pretrain a NeurIPT encoder on simulated people, without labels: how strong is each rhythm, and where?

From whatever eight electrodes a montage has, the encoder must tell the log power of seven bands, at each of its own
channels (from the channel's tokens) and at eleven standard sites of the head, of which it sees only some (from the
pooled vector that a classifier reads). That is what motor imagery changes, and the second part makes the pooled vector
say where.

This is the first of the two steps behind the model that `neuript-live --demo` shows (`tools/build_demo.py` is the
second, a calibration on one simulated person). Nothing here has seen a real brain, and the model card says so.

    python tools/pretrain_twin.py --out runs/twin --sessions 60 --steps 2000
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
from torch import Tensor, nn

from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.manifest import Manifest, provenance
from neuript.montages import Montage, load_montage
from neuript.network.config import NetworkConfig, preset
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import TwinRecording, record_session
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.training.fitting.augment import AugmentSpec, augment
from neuript.training.windows.epochs import collect_windows

CLASSES = ("left_hand", "right_hand", "feet", "rest")
SFREQ_IN = 250.0
FRONTAL = ("Fz", "F3", "F4", "Fp1", "Fp2")
CENTRAL = ("C3", "Cz", "C4", "CP3", "CP4", "CPz", "C1", "C2", "P3", "P4", "Pz", "FC3", "FC4", "C5", "C6")
OCCIPITAL = ("Oz", "PO7", "PO8", "O1", "O2")
ALL = FRONTAL + CENTRAL + OCCIPITAL
SITES = ("F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
BANDS_HZ = ((2, 5), (5, 8), (8, 10.5), (10.5, 13.5), (13.5, 18), (18, 23), (23, 29))
N_MONTAGES = 12


def random_montage(rng: np.random.Generator) -> Montage:
    """Eight electrodes over frontal, central-parietal and occipital cortex, always with both hand areas."""
    central = ["C3", "C4", *rng.choice([c for c in CENTRAL if c not in ("C3", "C4")], 3, replace=False)]
    names = [*rng.choice(FRONTAL, 1 + int(rng.random() < 0.5), replace=False), *central]
    names += list(rng.choice(OCCIPITAL, 8 - len(names), replace=False))
    return load_montage("10-10").pick([str(n) for n in names])


class MemorySource:
    """A simulated session as a source of chunks."""

    def __init__(self, recording: TwinRecording) -> None:
        n = len(recording.ch_names)
        self.info = SignalInfo(
            name="twin", sfreq=recording.sfreq, ch_names=recording.ch_names, units=("microvolts",) * n, simulated=True
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


def session_windows(cap: Montage, manifest: Manifest, rng: np.random.Generator) -> NDArray[np.float32]:
    """Windows (n, n_chans, n_times), 1.5 s apart, of one session of a new person on all electrodes."""
    recording = record_session(
        cap,
        SFREQ_IN,
        Subject.sample(rng),
        SessionConditions.sample(rng),
        CueProtocol(classes=CLASSES, trials_per_class=5),
        seed=int(rng.integers(2**31)),
    )
    seconds = len(recording.data) / SFREQ_IN
    grid = [Trial(CLASSES[0], float(t)) for t in np.arange(6.0, seconds, 1.5)]
    source = MemorySource(recording)
    return collect_windows(source, cap.derivation, 1e-6, manifest, grid, (0.0, 0.0)).x


def log_power(x: Tensor) -> Tensor:
    """Log power of `BANDS_HZ` in windows (..., n_times) in volts: shape (..., n_bands), power in square microvolts."""
    n_times = x.shape[-1]
    tapered = (x - x.mean(dim=-1, keepdim=True)) * 1e6 * torch.hann_window(n_times)
    power = torch.fft.rfft(tapered).abs() ** 2 / n_times
    freq = torch.fft.rfftfreq(n_times, 1 / 64)
    return torch.stack([power[..., (freq >= a) & (freq < b)].mean(-1).log() for a, b in BANDS_HZ], -1)


def draft_manifest(montage: Montage, config: NetworkConfig) -> Manifest:
    """What the windows of this run are."""
    return Manifest(
        task="pretraining",
        classes=CLASSES,  # nobody asks; the decoder that cuts the windows wants some
        model=config.to_dict(),
        montage=montage.to_dict(),
        preprocess=PreprocessSpec(mains_hz=50.0).to_dict(),
        policy=PolicySpec().to_dict(),
        window_s=4.0,
        hop_s=0.125,
        provenance={"simulated": True},
    )


def build_models(config: NetworkConfig, montages: list[Montage]) -> list[NeurIPTNetwork]:
    """One model for each montage, all with the parameters of the first; only the positions differ."""
    models = [NeurIPTNetwork(config, m.pos_m, m.lobe_groups()) for m in montages]
    for model in models[1:]:
        for name, parameter in models[0].named_parameters():
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, parameter)
    return models


class Readouts(nn.Module):
    """Linear read-outs of the two targets: from a channel's mean token, and from the pooled vector."""

    def __init__(self, d_model: int, n_features: int) -> None:
        super().__init__()
        self.own = nn.Linear(d_model, len(BANDS_HZ))
        self.norm = nn.LayerNorm(n_features)
        self.sites = nn.Linear(n_features, len(SITES) * len(BANDS_HZ))

    def forward(self, model: NeurIPTNetwork, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return power at the channels (B, D, K), at the sites (B, S, K), and the experts' balancing loss."""
        with torch.autocast("cpu", torch.bfloat16, enabled=model.training):
            scales, aux = model.encoder(model.compand(x))
        scales = [h.float() for h in scales]
        own = self.own(scales[-1].mean(dim=2))
        sites = self.sites(self.norm(model.pool(scales))).unflatten(-1, (len(SITES), len(BANDS_HZ)))
        return own, sites, torch.zeros(()) if aux is None else aux


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/twin"))
    parser.add_argument("--sessions", type=int, default=60, help="simulated people to train on")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=520)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    config = preset("micro", n_outputs=2, merges=(4, 1, 1, 2, 1, 2), dropout=0.0, attention_dropout=0.0)
    montages = [load_montage("unicorn-8"), *(random_montage(rng) for _ in range(N_MONTAGES - 1))]
    cap = load_montage("10-10").pick(list(ALL))
    manifest = draft_manifest(cap, config)
    begin = time.monotonic()
    sessions = [session_windows(cap, manifest, rng) for _ in range(args.sessions + 6)]
    x_held_out = torch.as_tensor(np.concatenate(sessions[-6:]))[::2]
    x_train = torch.as_tensor(np.concatenate(sessions[:-6]))
    print(f"{len(x_train)} windows of {args.sessions} people, {time.monotonic() - begin:.0f} s", flush=True)
    y_train = log_power(x_train)
    mean, std = y_train.mean(dim=(0, 1)), y_train.std(dim=(0, 1))
    y_train, y_held_out = (y_train - mean) / std, (log_power(x_held_out) - mean) / std
    at_sites = [ALL.index(s) for s in SITES]

    models = build_models(config, montages)
    picks = [[ALL.index(c) for c in m.ch_names] for m in montages]
    readouts = Readouts(config.d_model, models[0].n_features)
    parameters = [*models[0].encoder.parameters(), *readouts.parameters()]
    generator = torch.Generator().manual_seed(args.seed)
    spec = AugmentSpec(recombine=0.0, channel_dropout=0.0, gain_log_sd=0.0, channel_gain_log_sd=0.0)
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.005)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.1, cycle_momentum=False
    )

    def losses(which: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        own, sites, aux = readouts(models[which], x[:, picks[which]])
        own_loss = F.smooth_l1_loss(own, y[:, picks[which]])
        return own_loss, F.smooth_l1_loss(sites, y[:, at_sites]), aux

    def explained() -> tuple[float, float]:
        """Share of variance explained in held-out people, at own channels and at the sites."""
        out = np.zeros(4)
        for which in range(0, len(models), 3):
            models[which].eval()
            with torch.inference_mode():
                parts = [readouts(models[which], x[:, picks[which]]) for x in x_held_out.split(64)]
            models[which].train()
            for k, (index, part) in enumerate(((picks[which], 0), (at_sites, 1))):
                target = y_held_out[:, index]
                error = torch.cat([p[part] for p in parts]) - target
                out[2 * k] += float((error**2).sum())
                out[2 * k + 1] += float(((target - target.mean(0)) ** 2).sum())
        return 1 - out[0] / out[1], 1 - out[2] / out[3]

    log = []
    for step in range(1, args.steps + 1):
        which = int(torch.randint(len(models), (), generator=generator))
        batch = torch.randint(len(x_train), (args.batch,), generator=generator)
        models[which].train()
        x = augment(x_train[batch], torch.arange(args.batch), spec, generator)
        own, sites, aux = losses(which, x, y_train[batch])
        (own + sites + 0.8 * aux).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        if step % 100 == 0 or step == args.steps:
            own_r2, sites_r2 = explained()
            log.append({"step": step, "r2_own_channels": round(own_r2, 4), "r2_sites": round(sites_r2, 4)})
            print(f"{log[-1]} loss {own.item():.3f} {sites.item():.3f}, {time.monotonic() - begin:.0f} s", flush=True)
            _save(args, models[0], manifest, len(x_train), montages, log)


def _save(
    args: argparse.Namespace,
    model: NeurIPTNetwork,
    manifest: Manifest,
    n_windows: int,
    montages: list[Montage],
    log: list[dict[str, float]],
) -> None:
    final = Manifest.from_dict(
        {
            **manifest.to_dict(),
            "classes": [],
            "provenance": provenance(
                data=["neuript digital twin"],
                simulated=True,
                counts={"people": args.sessions, "windows": n_windows},
                notes="self-supervised pretraining on simulated people; no real EEG",
                settings={k: str(v) for k, v in vars(args).items() if k != "out"},
                montages=[list(m.ch_names) for m in montages],
            ),
            "metrics": {
                "protocol": "variance of log band power explained in 6 simulated people not trained on",
                "log": log,
            },
        }
    )
    state = {k: v for k, v in model.state_dict().items() if k.startswith("encoder.")}
    save_checkpoint(args.out / "twin-micro.safetensors", state, final)
    (args.out / "log.json").write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    main()
