"""What the streaming core costs: units to volts, stamps, quality, causal chain, ring and windows.

Everything but network and publishing, chunk by chunk as live.  CPU time, so that a busy machine does not
blur it; percentiles are wall time.

    python benchmarks/bench_chain.py            # a table
    python benchmarks/bench_chain.py --json     # the same as JSON
"""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.chain.quality import QualityMonitor
from neuript.realtime.chain.ring import RingBuffer
from neuript.realtime.chain.timestamps import StampFit
from neuript.realtime.chain.windowing import Windower

CASES = [  # channels in, channels out, rate, samples per chunk, what the design asks for
    (20, 20, 250.0, 32, "500 x real time"),
    (20, 20, 250.0, 8, ""),
    (20, 20, 250.0, 1, ""),
    (64, 20, 1000.0, 10, "10 % of a core"),
    (64, 64, 1000.0, 40, "10 % of a core"),
    (256, 20, 2000.0, 40, "5 x real time"),
    (256, 256, 2000.0, 40, "5 x real time"),
    (8, 8, 20_000.0, 400, ""),
]


class Core:
    """The steps that `Decoder` makes between pull and inference."""

    def __init__(self, n_in: int, n_out: int, sfreq: float) -> None:
        matrix = np.eye(n_out, n_in) - (n_in == n_out) / n_in
        self.scale = np.float32(1e-6)
        self.stamps = StampFit(sfreq)
        self.quality = QualityMonitor(n_in, sfreq)
        self.chain = CausalChain(PreprocessSpec(mains_hz=50.0), matrix, sfreq)
        self.ring = RingBuffer(512, n_out)
        self.windower = Windower(256, 8)
        self.took = dict.fromkeys(("stamps", "quality", "chain", "window"), 0.0)

    def feed(self, x: np.ndarray, stamps: np.ndarray) -> float:
        clock = time.process_time
        a = clock()
        self.stamps.update(stamps)
        b = clock()
        volts = x * self.scale
        self.quality.update(volts)
        c = clock()
        y, _ = self.chain.process(volts)
        d = clock()
        self.ring.append(y)
        total = 0.0
        for end in self.windower.advance(len(y)):
            if self.windower.is_full(end):
                total += float(self.ring.window(end, 256)[0, 0])
        e = clock()
        for name, value in zip(self.took, (b - a, c - b, d - c, e - d), strict=True):
            self.took[name] += value
        return total


def measure(n_in: int, n_out: int, sfreq: float, chunk: int, seconds: float) -> dict[str, object]:
    rng = np.random.default_rng(0)
    n = int(30 * sfreq) // chunk * chunk
    x = (rng.standard_normal((min(n, int(4 * sfreq)), n_in)) * 10 + 4000).astype(np.float32)
    core = Core(n_in, n_out, sfreq)
    for phase in ("warm up", "measure"):  # the first half minute is the learning phase of the stamps
        walls, cpu, done = [], 0.0, 0
        core.took = dict.fromkeys(core.took, 0.0)
        limit = 0.3 * seconds if phase == "warm up" else seconds
        began = time.process_time()
        while cpu < limit:
            at = done % (len(x) // chunk) * chunk
            stamps = (core.stamps.total + np.arange(chunk)) / sfreq
            wall = time.perf_counter()
            core.feed(x[at : at + chunk], stamps)
            walls.append(time.perf_counter() - wall)
            done += 1
            cpu = time.process_time() - began
    signal_s = done * chunk / sfreq
    return {
        "n_in": n_in,
        "n_out": n_out,
        "sfreq": sfreq,
        "chunk": chunk,
        "us_per_chunk": round(cpu / done * 1e6, 1),
        "p50_us": round(float(np.percentile(walls, 50)) * 1e6, 1),
        "p99_us": round(float(np.percentile(walls, 99)) * 1e6, 1),
        "core_percent": round(100 * cpu / signal_s, 3),
        "x_real_time": round(signal_s / cpu),
        "share_percent": {k: round(100 * v / sum(core.took.values())) for k, v in core.took.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time per case")
    args = parser.parse_args()
    results = []
    if not args.json:
        print("   channels      rate chunk | us/chunk     p50     p99 | % of core  x real time | target")
    for *case, target in CASES:
        r = measure(*case, seconds=args.seconds)
        results.append(r)
        if not args.json:
            share = " ".join(f"{k} {v}%" for k, v in r["share_percent"].items())
            print(
                f"{r['n_in']:4d} -> {r['n_out']:4d} {r['sfreq']:7.0f} Hz {r['chunk']:4d}  |"
                f"{r['us_per_chunk']:9.1f}{r['p50_us']:8.1f}{r['p99_us']:8.1f} |"
                f"{r['core_percent']:9.2f} {r['x_real_time']:12d} | {target:16s} {share}"
            )
    if args.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
