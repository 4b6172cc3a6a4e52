"""How fast a recording is replayed: all but the network, and with a model file.

    python benchmarks/bench_replay.py --minutes 2 --out build/replay

`Decoder.step()` over made-up EEG in chunks of a second, as `neuript-live --replay --speed max` reads a recording:
stamps, quality, channel matrix, filters to 64 Hz, windows of 4 s every 0.125 s, decisions. Processor time, so that a
busy computer changes little; the ratio is seconds of signal to seconds of one core. Writes replay.json and replay.png.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from made_up_eeg import eeg_noise

from neuript.modelfile.deployable import open_model
from neuript.modelfile.engines import Engine
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.conditioner import Conditioner
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.live.demo import DEMO_MODEL

SFREQ_OUT, HOP_S, WINDOW_S = 64, 0.125, 4.0
N_KEPT, WARM_S = 4, 6
CASES = [(20, 250.0), (64, 1000.0), (256, 2000.0), (64, 20_000.0)]
WANTED = {(20, 250.0): 500.0, (256, 2000.0): 5.0, (64, 20_000.0): 1.0}
"""Times real time that the design asks for, without the network."""


class MadeUp:
    """Noise that could be EEG, a second a chunk, the same seconds again and again."""

    def __init__(self, n_chans: int, sfreq: float, seconds: int) -> None:
        self.info = SignalInfo(name="made up", sfreq=sfreq, ch_names=tuple(f"E{k}" for k in range(n_chans)))
        self._x = eeg_noise(round(sfreq) * N_KEPT, n_chans, sfreq).reshape(N_KEPT, round(sfreq), n_chans)
        self._seconds, self._k = seconds, 0

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        x, self._k = self._x[self._k % N_KEPT], self._k + 1
        stamps = (np.arange(len(x)) + (self._k - 1) * len(x)) / self.info.sfreq
        if self._k > self._seconds:
            return Chunk(x[:0], stamps[:0], status=SourceStatus.ENDED)
        return Chunk(x, stamps)

    def close(self) -> None:
        """Nothing is held."""


class Free:
    """An engine that costs nothing."""

    def infer(self, signal, tangent, /):
        return np.zeros(2, np.float32)


def replayed(n_chans: int, sfreq: float, seconds: int, model: Engine | None = None, n_used: int = 20) -> dict:
    """Decode made-up EEG; return seconds of one core for a second of signal, and how often real time that is."""
    spec, classes, n_times, reference = PreprocessSpec(mains_hz=50.0), ("a", "b"), round(WINDOW_S * SFREQ_OUT), None
    if model is not None:
        manifest = model.manifest
        spec, classes, n_times = PreprocessSpec.from_dict(manifest.preprocess), manifest.classes, manifest.n_times
        n_used, reference = manifest.n_chans, Reference.of(model.reference)
    conditioner = Conditioner(spec, np.eye(min(n_used, n_chans), n_chans), 1e-6, sfreq)
    policy = DecisionPolicy(PolicySpec(), classes, HOP_S)
    source = MadeUp(n_chans, sfreq, seconds)
    decoder = Decoder(source, conditioner, model or Free(), policy, n_times, reference=reference)
    for _ in range(WARM_S):
        decoder.step()
    decoded, began = 0, time.process_time()
    while not decoder.ended:
        decoded += sum(row.proba is not None for row in decoder.step())
    per_s = (time.process_time() - began) / (seconds - WARM_S)
    return {"n_chans": n_chans, "sfreq": sfreq, "decoded": decoded, "cpu_s_per_s": per_s, "times": 1 / per_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of signal a case")
    parser.add_argument("--model", default=str(DEMO_MODEL), help="model file (default: the shipped demo)")
    parser.add_argument("--out", type=Path, default=Path("build/replay"), help="folder for the table and picture")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    seconds = max(12, round(60 * args.minutes))
    rows = []
    for n_chans, sfreq in CASES:
        row = {"what": "all but the network"} | replayed(n_chans, sfreq, max(12, round(seconds * min(1, 250 / sfreq))))
        row["wanted"] = WANTED.get((n_chans, sfreq))
        rows.append(row)
        print(json.dumps(row))
    model = open_model(args.model)
    with_network = replayed(model.manifest.n_chans, 250.0, min(seconds, 30), model)
    rows.append({"what": f"{Path(args.model).name}, engine {model.name}", "wanted": None} | with_network)
    print(json.dumps(rows[-1]))
    result = {"rows": rows, "load_average": [round(x, 1) for x in os.getloadavg()]}
    (args.out / "replay.json").write_text(json.dumps(result, indent=1))
    draw(rows, args.out / "replay.png")


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.55 * len(rows) + 1.2), layout="constrained")
    names = [f"{r['what']}: {r['n_chans']} ch at {r['sfreq']:g} Hz" for r in rows]
    axes.barh(names, [r["times"] for r in rows], color="#117a73")
    for k, row in enumerate(rows):
        axes.annotate(f"{row['times']:.0f}x", (row["times"], k), xytext=(4, 0), textcoords="offset points", va="center")
        if row["wanted"]:
            axes.plot([row["wanted"]] * 2, [k - 0.4, k + 0.4], color="#b3362b", linewidth=2)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times real time on one core (red: asked for)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
