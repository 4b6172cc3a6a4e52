"""What decoding costs against channels, rate, window and width of the network.

    python benchmarks/bench_cost.py --out build/cost

Channels and rate: everything but the network, as `bench_replay.py` measures it. Window and width: one window of 19
channels by the CPU engine on one thread, random weights. Processor time, the best of several for the network. Writes
cost.json and cost.png.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from bench_replay import replayed

from neuript.engines.cpu_engine import CpuEngine
from neuript.montages import fit_montage, load_montage
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork

CHANNELS, RATES = (8, 16, 32, 64, 128, 256), (250.0, 500.0, 1000.0, 2000.0, 5000.0, 20_000.0)
WINDOWS_S, WIDTHS = (1.0, 2.0, 4.0, 8.0), ("micro", "tiny", "small")
TURNS = 3


def forward_ms(name: str, window_s: float) -> float:
    """Return the milliseconds of one window."""
    cap = load_montage("10-20")
    montage = fit_montage(cap.electrodes, cap)
    torch.manual_seed(0)
    config = preset(name, n_outputs=2, n_times=round(64 * window_s))
    engine = CpuEngine(NeurIPTNetwork(config, montage.pos_m, montage.lobe_groups()), threads=1)
    window = 1e-5 * np.random.default_rng(0).normal(size=(1, montage.n_chans, config.n_times)).astype(np.float32)
    engine(window)
    taken = []
    for _ in range(TURNS):
        began = time.process_time()
        engine(window)
        taken.append(time.process_time() - began)
    engine.close()
    return 1e3 * min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of signal a case (default 10)")
    parser.add_argument("--out", type=Path, default=Path("build/cost"), help="folder for the table and picture")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    percent = {
        "channels": {n: 100 * replayed(n, 1000.0, args.seconds, n_used=n)["cpu_s_per_s"] for n in CHANNELS},
        "rate": {f: 100 * replayed(32, f, args.seconds)["cpu_s_per_s"] for f in RATES},
    }
    ms = {
        "window": {s: forward_ms("micro", s) for s in WINDOWS_S},
        "width": {name: forward_ms(name, 4.0) for name in WIDTHS},
    }
    result = {"percent_of_one_core": percent, "forward_ms": ms, "load_average": [round(x, 1) for x in os.getloadavg()]}
    print(json.dumps(result, indent=1))
    (args.out / "cost.json").write_text(json.dumps(result, indent=1))
    draw(percent, ms, args.out / "cost.png")


def draw(percent: dict, ms: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
    plots = (
        (percent["channels"], "channels at 1000 Hz", "% of one core, without the network"),
        (percent["rate"], "rate of 32 channels, Hz", "% of one core, without the network"),
        (ms["window"], "window of micro, s", "ms a window, network alone"),
        (ms["width"], "preset, window of 4 s", "ms a window, network alone"),
    )
    for axes, (values, x, y) in zip(panels, plots, strict=True):
        axes.plot(list(values), list(values.values()), "o-", color="#117a73")
        if not isinstance(next(iter(values)), str):
            axes.set_xscale("log", base=2)
            axes.set_xticks(list(values), [f"{v:g}" for v in values], fontsize=8)
            axes.minorticks_off()
        axes.set_yscale("log")
        axes.set_xlabel(x)
        axes.set_title(y, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
