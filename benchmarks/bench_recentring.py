"""What recentring costs a hop: the filter bank, one step of the reference, and the window as seen from it.

    python benchmarks/bench_recentring.py [--channels 15] [--hops 2000]

Wall time of each part in microseconds, least and median over the hops; on a busy machine the least says more.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec

SFREQ, N_TIMES, HOP = 64.0, 256, 8


def measure(n_chans: int, n_hops: int) -> dict[str, list[float]]:
    """Return the microseconds of every part of every hop, keyed by its name."""
    rng = np.random.default_rng(0)
    mixing = np.eye(n_chans) + 0.3 * rng.standard_normal((n_chans, n_chans))
    windows = AlignedWindows(AlignmentSpec(), N_TIMES, n_chans, SFREQ, 2 * N_TIMES, hop=HOP)
    took: dict[str, list[float]] = {"append": [], "follow": [], "window": [], "all": []}
    for hop in range(1, n_hops + N_TIMES // HOP):
        x = (1e-5 * rng.standard_normal((HOP, n_chans)) @ mixing).astype(np.float32)
        marks = [time.perf_counter()]
        windows.append(x)
        marks.append(time.perf_counter())
        if hop * HOP < N_TIMES:
            continue
        windows.follow(hop * HOP)
        marks.append(time.perf_counter())
        windows.window(hop * HOP)
        marks.append(time.perf_counter())
        parts = [*np.diff(marks), marks[-1] - marks[0]]
        for name, seconds in zip(took, parts, strict=True):
            took[name].append(1e6 * float(seconds))
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=15)
    parser.add_argument("--hops", type=int, default=2000)
    args = parser.parse_args()
    for name, values in measure(args.channels, args.hops).items():
        print(f"{name:8s} least {min(values):7.1f} us, median {np.median(values):7.1f} us")


if __name__ == "__main__":
    main()
