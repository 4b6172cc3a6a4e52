"""Latency, processor time and memory of the real `neuript-live` on a simulated amplifier over LSL.

    python benchmarks/bench_live.py [--minutes 10] [--montage 10-20 --sfreq 250] [--merges 4,1,1,2,1,2]

Starts `neuript simulate` and `neuript-live --headless --report` as processes, with a NeurIPT model of random weights on
the electrodes of the 10-20 system (what it decides is worthless; how long it takes is not). Prints the report's
percentiles.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import torch

from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import Manifest
from neuript.montages import fit_montage, load_montage
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec


def random_model(path: Path, cap: str, name: str, merges: tuple[int, ...], n_chans: int | None) -> int:
    """Write a model of random weights for a cap's 10-20 electrodes; return its number of channels."""
    stream = load_montage(cap)
    montage = fit_montage(stream.electrodes, load_montage("10-20"))
    if n_chans is not None:
        montage = montage.pick(list(montage.ch_names[:n_chans]))
    torch.manual_seed(0)
    config = preset(name, n_outputs=2, merges=merges)
    module = NeurIPTNetwork(config, montage.pos_m, montage.lobe_groups()).eval()
    manifest = Manifest(
        task="motor-imagery",
        classes=("left_hand", "right_hand"),
        model=config.to_dict(),
        montage=montage.to_dict(),
        preprocess=PreprocessSpec(mains_hz=50.0).to_dict(),
        policy=PolicySpec().to_dict(),
        window_s=4.0,
        hop_s=0.125,
        provenance={"simulated": True},
    )
    save_model(path, module, manifest)
    return montage.n_chans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--montage", default="10-20", help="the simulated cap")
    parser.add_argument("--sfreq", type=float, default=250.0)
    parser.add_argument("--preset", default="micro")
    parser.add_argument("--merges", default="4,1,1,2,1,2")
    parser.add_argument("--model", help="use this model file instead of random weights")
    parser.add_argument("--out", type=Path, help="keep the report here")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    model = args.model or str(folder / "random.ts")
    if args.model is None:
        merges = tuple(int(m) for m in args.merges.split(","))
        n_chans = random_model(Path(model), args.montage, args.preset, merges, None)
        print(f"model: {args.preset}, merges {args.merges}, {n_chans} channels x 4 s")
    report = args.out or folder / "report.json"
    source = f"bench-{uuid.uuid4().hex[:8]}"
    neuript = [sys.executable, "-P", "-m", "neuript"]
    amplifier = subprocess.Popen(
        [*neuript, "simulate", f"--montage={args.montage}", f"--sfreq={args.sfreq:g}", f"--source-id={source}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        live = [
            *neuript,
            "live",
            f"--model={model}",
            f"--source-id={source}",
            "--headless",
            f"--duration={60 * args.minutes:g}",
        ]
        done = subprocess.run([*live, f"--report={report}"], capture_output=True, text=True, check=False)
    finally:
        amplifier.terminate()
        amplifier.wait(timeout=20)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    figures = json.loads(Path(report).read_text())
    print(
        f"{args.montage} at {args.sfreq:g} Hz, {args.minutes:g} min, load average {os.getloadavg()[0]:.1f} at the end"
    )
    print(done.stderr.strip().splitlines()[-1])
    kept = ("windows_decoded", "skipped_hops", "gaps", "states", "latency_ms", "sample_age_ms", "cost")
    print(json.dumps({k: figures[k] for k in kept}, indent=1))


if __name__ == "__main__":
    main()
