"""Processor time of the dashboard beside a real decoder on a simulated amplifier over LSL.

    python benchmarks/bench_dashboard.py [--seconds 60] [--montage biosemi-64 --sfreq 1000] [--head mu]

Starts `neuript simulate`, `neuript-live --headless` with the demo's model, and the dashboard with its steering bar, all
channels on the traces and power on the head map, on an offscreen screen of 1920x1080. The processor time is that of the
dashboard's process, divided by the time that passed; on a busy computer it draws fewer than its 30 frames a second, so
the share at 30 frames is printed too. It is to stay below half a core.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil

from neuript.realtime.dashboard.show import find_decoder
from neuript.realtime.dashboard.stream_head import SHOWS
from neuript.realtime.live.demo import DEMO_MODEL

SETTLE_S = 12.0
FRAMES_PER_S = 30.0
SCREEN = {
    "name": "screen",
    "x": 0,
    "y": 0,
    "width": 1920,
    "height": 1080,
    "logicalDpi": 96,
    "logicalBaseDpi": 96,
    "dpr": 1,
}
NEURIPT = (sys.executable, "-P", "-m", "neuript")


def environment(folder: Path, head: str) -> dict[str, str]:
    """Remembered settings and a screen of the dashboard's own."""
    (folder / "windows.ini").write_text(f"[dashboard]\nsize=@Size(1880 1000)\nhead={head}\n")
    (folder / "screen.json").write_text(json.dumps({"windowFrameMargins": True, "screens": [SCREEN]}))
    platform = f"offscreen:configfile={folder / 'screen.json'}"
    return {**os.environ, "NEURIPT_CONFIG_DIR": str(folder), "QT_QPA_PLATFORM": platform, "OMP_NUM_THREADS": "1"}


def measure(process: subprocess.Popen[str], seconds: float) -> tuple[float, float]:
    """Processor seconds of a process within some seconds, and how many passed."""
    cpu = psutil.Process(process.pid).cpu_times
    time.sleep(SETTLE_S)
    before, began = cpu(), time.monotonic()
    time.sleep(seconds)
    after = cpu()
    return after.user + after.system - before.user - before.system, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--montage", default="biosemi-64", help="the simulated cap")
    parser.add_argument("--sfreq", type=float, default=1000.0)
    parser.add_argument("--head", default="mu", choices=SHOWS, help="what the head map shows")
    args = parser.parse_args()
    source = f"bench-{uuid.uuid4().hex[:8]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    twin = [*NEURIPT, "simulate", f"--montage={args.montage}", f"--sfreq={args.sfreq:g}", f"--source-id={source}"]
    live = [*NEURIPT, "live", f"--model={DEMO_MODEL}", f"--source-id={source}", "--headless", "--wait=30"]
    dashboard = [sys.executable, "-P", "-m", "neuript.realtime.dashboard", "--window", "--steer", "--stats"]
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            running += [subprocess.Popen(twin, **quiet), subprocess.Popen(live, **quiet)]
            decoder = find_decoder(wait_s=60.0)
            ends = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
            shown = subprocess.Popen(
                [*dashboard, f"--proba-source-id={decoder.source_id}"], env=environment(Path(folder), args.head), **ends
            )
            running.append(shown)
            cpu_s, passed_s = measure(shown, args.seconds)
            shown.terminate()
            said = shown.communicate(timeout=30)[1].strip()
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(timeout=20)
    frames = int(re.search(r"(\d+) frames", said)[1]) / (passed_s + SETTLE_S)
    print(f"{args.montage} at {args.sfreq:g} Hz, head map: {args.head}; load average {os.getloadavg()[0]:.1f}")
    print(f"{cpu_s / passed_s:.2f} of a core over {passed_s:.0f} s at {frames:.1f} frames a second", end="; ")
    print(f"{cpu_s / passed_s * FRAMES_PER_S / frames:.2f} at {FRAMES_PER_S:g} frames a second")
    print(said)


if __name__ == "__main__":
    main()
