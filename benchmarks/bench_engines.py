"""A forward pass of one window by every engine that can run here: the same weights, windows and cores, in turns.

    python benchmarks/bench_engines.py micro tiny --chans 20 --turns 15 --out build/engines

Each engine is compared with the network in float32 first. With one thread the processor's time is counted, which other
programs change little; with more it is the wall clock. Beside the milliseconds stand the ratio to eager, achieved
GFLOP/s (operations of the network as published, so that an engine that leaves some out may pass the peak) and the
largest matrix product measured in the same run. Writes NAME.json and NAME.png.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.onnx_engines import OnnxRuntimeEngine, OpenVinoEngine
from neuript.engines.onnx_export import export_onnx
from neuript.network.config import PRESETS, preset
from neuript.network.network import NeurIPTNetwork

N_TIMES = 256
PEAK_SIZE = 1024


class Compiled(EagerEngine):
    name = "torch.compile"

    def __init__(self, network: NeurIPTNetwork) -> None:
        super().__init__(network)
        self._network = torch.compile(network, dynamic=False)


def made_up(size: str, n_chans: int) -> tuple[NeurIPTNetwork, np.ndarray]:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    lobes = [list(range(i, n_chans, 5)) for i in range(min(5, n_chans))]
    network = NeurIPTNetwork(preset(size, n_outputs=3), rng.normal(0, 0.05, (n_chans, 3)), lobes)
    windows = 15e-6 * rng.normal(size=(4, n_chans, N_TIMES))
    return network.eval(), windows.astype(np.float32)


def engines_of(network: NeurIPTNetwork, threads: int, compiled: bool) -> dict[str, object]:
    onnx = export_onnx(network)
    makers = {
        "eager": lambda: EagerEngine(network),
        "cpu": lambda: CpuEngine(network, threads=threads),
        "openvino": lambda: OpenVinoEngine(onnx, threads=threads),
        "openvino, fused": lambda: OpenVinoEngine(onnx, threads=threads, fused=True),
        "onnxruntime": lambda: OnnxRuntimeEngine(onnx, threads=threads),
    }
    if compiled:
        makers["torch.compile"] = lambda: Compiled(network)
    engines = {}
    for name, make in makers.items():
        try:
            engines[name] = make()
        except Exception as error:  # noqa: BLE001  what is not installed is left out
            print(f"  {name}: {error}")
    return engines


def operations(network: NeurIPTNetwork, windows: np.ndarray) -> float:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.from_numpy(windows[:1]))
    return float(counter.get_total_flops())


def product(size: int = PEAK_SIZE):
    a, b, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out)


def bench(size: str, args: argparse.Namespace) -> dict[str, object]:
    network, windows = made_up(size, args.chans)
    engines = engines_of(network, args.threads, args.compile)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    agreement, taken = {}, {name: [] for name in engines}
    for name, engine in engines.items():
        found = compare_engines(engines["eager"], engine, windows)
        agreement[name] = found.max_probability_difference
    peak, multiply = [], product()
    with torch.inference_mode():
        for _ in range(args.turns):
            for name, engine in engines.items():
                start = clock()
                engine(windows[:1])
                taken[name].append(1e3 * (clock() - start))
            start = clock()
            multiply()
            peak.append(2 * PEAK_SIZE**3 / (clock() - start) / 1e9)
    flops = operations(network, windows)
    rows = {}
    for name, times in taken.items():
        p = {f"p{q}": float(np.percentile(times, q)) for q in (0, 50, 90, 99)}
        ratio = float(np.median(np.array(taken["eager"]) / np.array(times)))
        rows[name] = {
            "ms": p,
            "times_eager": ratio,
            "gflops": flops / p["p0"] / 1e6,
            "max_probability_difference": agreement[name],
        }
    return {"size": size, "gflop": flops / 1e9, "matrix_peak_gflops": float(max(peak)), "engines": rows}


def table(result: dict) -> str:
    lines = [
        f"{result['size']}: {result['gflop']:.2f} GFLOP a window; "
        f"largest matrix product {result['matrix_peak_gflops']:.0f} GFLOP/s"
    ]
    for name, row in result["engines"].items():
        ms = row["ms"]
        lines.append(
            f"  {name:16} best {ms['p0']:7.1f}  median {ms['p50']:7.1f}  p90 {ms['p90']:7.1f} ms"
            f"  {row['times_eager']:5.2f} x eager  {row['gflops']:5.0f} GFLOP/s"
            f"  differs by {row['max_probability_difference']:.1e}"
        )
    return "\n".join(lines)


def picture(results: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(4.5 * len(results), 3), layout="constrained", squeeze=False)
    for ax, result in zip(axes[0], results, strict=True):
        rows = result["engines"]
        names = list(rows)[::-1]
        best, median = ([rows[name]["ms"][q] for name in names] for q in ("p0", "p50"))
        ax.barh(names, median, color="#9fc5c1", label="median")
        ax.barh(names, best, height=0.4, color="#00695c", label="best")
        for y, name in enumerate(names):
            ax.text(median[y], y, f" {rows[name]['times_eager']:.2f} x", va="center", fontsize=8)
        limit = 1e3 * result["gflop"] / result["matrix_peak_gflops"]
        ax.axvline(limit, color="black", linestyle=":", label="products alone")
        ax.set(title=result["size"], xlabel="ms a window", xlim=(0, 1.2 * max(median)))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="+", choices=PRESETS)
    parser.add_argument("--chans", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which needs a C++ compiler")
    parser.add_argument("--out", type=Path, default=Path("build/engines"), metavar="NAME", help="of the two files")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    results = []
    for size in args.sizes:
        results.append(bench(size, args))
        print(table(results[-1]), flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"chans": args.chans, "n_times": N_TIMES, "threads": args.threads, "turns": args.turns}
    args.out.with_suffix(".json").write_text(json.dumps({"about": about, "results": results}, indent=1))
    picture(results, args.out.with_suffix(".png"))
    print(f"wrote {args.out.with_suffix('.json')} and .png")


if __name__ == "__main__":
    main()
