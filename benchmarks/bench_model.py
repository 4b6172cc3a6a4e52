"""Time of the network alone: one window forward and a training step.

    python benchmarks/bench_model.py micro --chans 8 16 20 --merges 4,1,1,2,1,2 --threads 1

With one thread the processor's time is counted, which another program's load changes little; with
more it is the wall clock. The smallest of the repetitions is shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from neuript.network.config import PRESETS, preset
from neuript.network.network import NeurIPTNetwork

BATCH = 16


def best_ms(run: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    times = []
    for _ in range(repeats + 2):
        start = clock()
        run()
        times.append(clock() - start)
    return 1e3 * min(times[2:])


def bench(args: argparse.Namespace, n_chans: int) -> str:
    clock = time.process_time if args.threads == 1 else time.perf_counter
    pos = np.random.default_rng(0).normal(0, 0.05, (n_chans, 3))
    lobes = [list(range(i, n_chans, 4)) for i in range(4)]
    config = preset(args.preset, n_outputs=3, merges=args.merges)
    model = NeurIPTNetwork(config, pos, lobes).eval()
    x = 2e-5 * torch.randn(BATCH, n_chans, config.n_times)
    y = torch.arange(BATCH) % 3
    with torch.inference_mode():
        eager = best_ms(lambda: model(x[:1]), args.repeats, clock)
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4)

    def step(autocast: bool) -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), y) + 0.8 * model.aux_loss
        loss.backward()
        optimiser.step()

    full, half = (best_ms(lambda a=a: step(a), 3, clock) for a in (False, True))
    return (
        f"{args.preset:6} {n_chans:3} ch  forward: {eager:6.1f} ms"
        f"  step of {BATCH}: float32 {full:6.0f} bfloat16 {half:6.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--chans", type=int, nargs="+", default=[8, 16, 20])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--merges", type=lambda s: tuple(map(int, s.split(","))), default=(1, 4, 1, 2, 1, 2))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for n_chans in args.chans:
        print(bench(args, n_chans), flush=True)


if __name__ == "__main__":
    main()
