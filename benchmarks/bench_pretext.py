"""What each masking teaches about the simplest rhythm: sines of 10 Hz with random phases.

    python benchmarks/bench_pretext.py --steps 1500 --seeds 0,1,2

Half of every channel is hidden. `r2` is the share of the variance explained at all hidden samples, `r2_within` the
share within each window and channel, which needs the phase. A model that answers with one constant for each channel has
none of the second. Two channels, 1 s at 64 Hz, a small encoder (width 32, two blocks, merges 4 and 2), windows never
seen before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neuript.network.config import preset
from neuript.network.pretext.pretrainer import MaskedPretrainer, PretrainSpec

MASKINGS = {"amplitude": ("amplitude", 1)} | {f"span {n}": ("spans", n) for n in (1, 4, 16)}
SFREQ, N_TIMES, N_CHANS, FREQ_HZ = 64.0, 64, 2, 10.0


def sines(n: int, generator: torch.Generator) -> Tensor:
    """Windows (n, channels, samples) of one rhythm, each channel with a phase of its own."""
    phase = torch.rand(n, N_CHANS, 1, generator=generator) * 2 * np.pi
    return torch.sin(2 * np.pi * FREQ_HZ * torch.arange(N_TIMES) / SFREQ + phase)


def train(masking: str, seed: int, n_steps: int, every: int) -> Iterator[tuple[int, float, float]]:
    """Pretrain, and yield step, r2 and r2_within on new windows."""
    kind, span = MASKINGS[masking]
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    config = preset(
        "micro",
        n_outputs=2,
        n_times=N_TIMES,
        d_model=32,
        n_heads=2,
        d_ff=64,
        merges=(4, 2),
        experts=(0, 0),
        dropout=0.0,
        companding="none",
    )
    pos_m = np.array([[0.05, 0.0, 0.05], [-0.05, 0.0, 0.05]])
    spec = PretrainSpec(masking=kind, span=span, ratios=(0.5,), decoder_step=4)  # type: ignore[arg-type]
    model = MaskedPretrainer(config, pos_m, spec)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    for step in range(1, n_steps + 1):
        optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, step / 50)
        optimizer.zero_grad()
        model(sines(32, generator), generator).loss.backward()
        optimizer.step()
        if step % every == 0:
            yield step, *score(model.eval(), generator)
            model.train()


def score(model: MaskedPretrainer, generator: torch.Generator) -> tuple[float, float]:
    """Return r2 and r2_within of 256 new windows."""
    with torch.no_grad():
        out = model(sines(256, generator), generator)
    hidden = out.masked.double()
    error = ((out.prediction - out.target).square() * hidden).sum()
    mean = (out.target * hidden).sum(-1, keepdim=True) / hidden.sum(-1, keepdim=True)
    within = ((out.target - mean).square() * hidden).sum()
    values = out.target[out.masked].double()
    total = (values - values.mean()).square().sum()
    return 1 - float(error / total), 1 - float(error / within)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", help="one of " + ", ".join(MASKINGS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'masking':<10} {'seed':>4} {'step':>5} {'r2':>6} {'r2_within':>9}")
    for seed in map(int, args.seeds.split(",")):
        for masking in [args.only] if args.only else MASKINGS:
            for step, r2, within in train(masking, seed, args.steps, args.every):
                print(f"{masking:<10} {seed:>4} {step:>5} {r2:>6.3f} {within:>9.3f}", flush=True)


if __name__ == "__main__":
    main()
