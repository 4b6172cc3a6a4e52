"""What the spatial bias finds: classes that differ only by who leads whom, with the bias and without it. All simulated.

    python benchmarks/bench_spatial_bias.py --seeds 5

A 10 Hz rhythm at F3 reaches P3 after 25 ms in one class, from F4 P4 in the other; the power of every channel is the
same in both. Each seed is another network and another draw of 400 windows to train on and 400 to test on. It is a
benchmark and no test because a training ends elsewhere on another processor; without the bias 0.80 has been seen.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.montages import montage_of
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.forward import predict
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.windows.labelled import LabelledWindows

NAMES = ("F3", "P3", "F4", "P4", "Cz", "Pz")
PAIRS = ((0, 1), (2, 3))
"""Leader and follower: the first pair is coupled in class 1, the second in class 0."""
SFREQ, N_TIMES = 64, 128
SHAPE = {"d_model": 32, "n_heads": 4, "d_ff": 32, "d_expert": 4, "d_shared": 4, "merges": (4, 1, 2)}


def windows(seed: int, n: int = 400) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Windows (n, 6, 128) in volts at 64 Hz and their classes."""
    rng, t = np.random.default_rng(seed), np.arange(N_TIMES) / SFREQ
    y = np.arange(n) % 2
    start = rng.uniform(0, 2 * np.pi, size=(n, 4, 1))
    wander = np.cumsum(rng.normal(size=(n, 4, N_TIMES)), axis=-1) * 0.25
    free = np.sin(20 * np.pi * t + start + wander)
    led = np.sin(20 * np.pi * (t - 0.025) + start + wander)
    x = rng.normal(size=(n, len(NAMES), N_TIMES)) * 4
    for (lead, follow), label in zip(PAIRS, (1, 0), strict=True):
        x[:, lead] += 10 * free[:, lead]
        x[:, follow] += 10 * np.where((y == label)[:, None], led[:, lead], free[:, follow])
    return (x * 1e-6).astype(np.float32), y


def accuracy(seed: int, *, spatial_bias: bool, n_epochs: int) -> float:
    """Share of 400 fresh windows that a network names rightly after a training."""
    montage = montage_of(NAMES)
    config = NetworkConfig(n_outputs=2, n_times=N_TIMES, experts=(0, 0, 0), spatial_bias=spatial_bias, **SHAPE)
    torch.manual_seed(seed)
    model = NeurIPTNetwork(config, montage.pos_m, montage.lobe_groups())
    spec = SupervisedSpec(n_epochs=n_epochs, max_lr=1e-3, select="last", seed=seed)
    fitted = train_supervised(model, LabelledWindows(*windows(2 * seed + 1)), None, spec).model
    x, y = windows(2 * seed + 2)
    return float((predict(fitted, x).argmax(axis=1) == y).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="networks and draws (default 5; about a minute each)")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    for switched in (True, False):
        found = [accuracy(seed, spatial_bias=switched, n_epochs=args.epochs) for seed in range(args.seeds)]
        spread = np.std(found, ddof=1) if args.seeds > 1 else float("nan")
        said = " ".join(f"{value:.3f}" for value in found)
        print(f"{'with' if switched else 'without'} the bias: {np.mean(found):.3f} ± {spread:.3f} ({said})", flush=True)


if __name__ == "__main__":
    main()
