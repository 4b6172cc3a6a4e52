"""Cost of a pretraining step per window: time, arithmetic, memory for backward; and what a long run would take.

    python benchmarks/bench_pretrain.py micro tiny --batch 16 --threads 1
    python benchmarks/bench_pretrain.py base --batch 16 --device cuda

With one thread on a CPU the processor's time is counted, which another program's load changes little; else the wall
clock. Floating-point operations of the forward pass are counted by PyTorch (two per multiply-add, products only); a
step is three forward passes. The memory for backward is that of all tensors that autograd keeps, without weights.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from neuript.montages import load_montage
from neuript.network.config import PRESETS, preset
from neuript.network.pretext.pretrainer import MaskedPretrainer, PretrainSpec

WINDOWS, EPOCHS, PROCESSES = 2_219_455, 40, 8


class Kept:
    """Counts the bytes that autograd keeps, each storage once."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.skip = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self.held: dict[int, torch.UntypedStorage] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.skip:
            self.held[storage.data_ptr()] = storage  # kept alive: its address is its own
        return tensor

    def __enter__(self) -> Kept:
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.pack, lambda t: t)
        self.hooks.__enter__()
        return self

    def __exit__(self, *about: object) -> None:
        self.hooks.__exit__(*about)

    def total(self) -> int:
        return sum(s.nbytes() for s in self.held.values())


def bench(args: argparse.Namespace, size: str, precision: str) -> str:
    device = torch.device(args.device)
    config = preset(size, n_outputs=2, merges=args.merges, dropout=args.dropout)
    spec = PretrainSpec(decoder_scales=args.decoder_scales, decoder_step=args.decoder_step)
    torch.manual_seed(0)
    model = MaskedPretrainer(config, load_montage("double-banana").pos_m, spec).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, betas=(0.9, 0.98), fused=True)
    x = 2e-5 * torch.randn(args.batch, 20, config.n_times, device=device)
    x = torch.nn.functional.avg_pool1d(x, 5, 1, 2)

    def forward(windows: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator(device).manual_seed(2)  # the same ratio each time
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            return model(windows, generator).loss

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        forward(x).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    with Kept(model) as kept:
        loss = forward(x)
    memory = kept.total() / args.batch
    del loss, kept
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward(x[:1])
    n = sum(p.numel() for p in model.parameters())
    flops = 3 * counter.get_total_flops()
    row = f"| {size} | {precision} | {n / 1e6:.2f} | {flops / 1e9:.1f} | {memory / 2**20:.1f} |"
    if not args.repeats:
        return f"{row} | | |"
    clock = time.process_time if args.threads == 1 and device.type == "cpu" else time.perf_counter
    times = []
    for _ in range(args.repeats + 1):
        start = clock()
        step()
        times.append(clock() - start)
    per_window = min(times[1:]) / args.batch
    hours = per_window * WINDOWS * EPOCHS / 3600
    speed = flops / per_window / 1e9
    return f"{row} {1e3 * per_window:.1f} | {speed:.0f} | {hours / PROCESSES:,.0f} |"


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("sizes", nargs="+", choices=tuple(PRESETS))
    add("--batch", type=int, default=16)
    add("--precision", nargs="+", default=["fp32", "bf16"], choices=("fp32", "bf16"))
    add("--merges", type=numbers, default=(1, 4, 1, 2, 1, 2))
    add("--decoder-scales", type=numbers, help="scales that the decoder reads (default: all)")
    add("--decoder-step", type=int, default=1)
    add("--dropout", type=float, default=0.1)
    add("--device", default="cpu")
    add("--threads", type=int, default=1)
    add("--repeats", type=int, default=3, help="0: memory and arithmetic only")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print("20 channels x 256 samples; hours: 2,219,455 windows x 40 epochs on 8 such processes")
    print("| size | precision | M parameters | GFLOP/window | MiB/window | ms/window | GFLOP/s | hours |")
    print("|---|---|---|---|---|---|---|---|")
    for size in args.sizes:
        for precision in args.precision:
            print(bench(args, size, precision), flush=True)


if __name__ == "__main__":
    main()
