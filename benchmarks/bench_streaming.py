"""The streaming path against others: how old a filtered 4 s window's newest sample is, and what it costs.

    python benchmarks/bench_streaming.py --chans 20 64 256 --sfreq 1000 --seconds 10 --out build/streaming

One simple sender (a process of its own) publishes noise in chunks of 10 ms. One after the other, each in its own
process: neuript's decoder with an engine that costs nothing, MNE-LSL's `StreamLSL` at two acquisition delays, ezmsg
(`ezmsg-lsl`, `ezmsg-sigproc`), and a plain pylsl loop with SciPy. All band-pass from 0.1 to 30 Hz and take a window of
4 s every 0.125 s; neuript also fits stamps, judges channels and resamples to 64 Hz. Age is the LSL clock when the
window is in hand less the stamp of the newest sample that went into it or waits behind it: neuript cuts windows by
counting samples, so that a window may end within a chunk (`window_end_ms` is the age of its own end). What is not
installed is left out (pip install mne-lsl ezmsg-lsl ezmsg-sigproc).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from made_up_eeg import eeg_noise

WINDOW_S, HOP_S, CHUNK_S, WARM_S = 4.0, 0.125, 0.01, 6.0
BAND_HZ = (0.1, 30.0)
CONSUMERS = {
    "neuript": None,
    "pylsl + SciPy": None,
    "StreamLSL 1 ms": "mne_lsl",
    "StreamLSL 10 ms": "mne_lsl",
    "ezmsg": "ezmsg.lsl",
}


class Meter:
    """Ages and processor time once everything has settled."""

    def __init__(self, seconds: float) -> None:
        self.ages: list[float] = []
        self._seconds, self._begin, self._cpu = seconds, None, None

    @property
    def over(self) -> bool:
        return self._begin is not None and time.monotonic() > self._begin + self._seconds

    def add(self, age_s: float) -> None:
        now = time.monotonic()
        if self._begin is None:
            self._begin = now + WARM_S
        if now < self._begin:
            return
        if self._cpu is None:
            self._cpu, self._since = _cpu_s(), now
        self.ages.append(1e3 * age_s)

    def result(self) -> dict:
        wall = time.monotonic() - self._since
        percentiles = {f"p{q}": round(float(np.percentile(self.ages, q)), 2) for q in (50, 95, 99)}
        cpu = round(100 * (_cpu_s() - self._cpu) / wall, 1)
        return {"n": len(self.ages), "age_ms": percentiles, "cpu_percent_of_one_core": cpu}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def send(name: str, n_chans: int, sfreq: float) -> None:
    import pylsl

    info = pylsl.StreamInfo(name, "EEG", n_chans, sfreq, "float32", name)
    channels = info.desc().append_child("channels")
    for k in range(n_chans):
        channel = channels.append_child("channel")
        for key, value in (("label", f"E{k}"), ("unit", "microvolts"), ("type", "EEG")):
            channel.append_child_value(key, value)
    n = round(CHUNK_S * sfreq)
    outlet = pylsl.StreamOutlet(info, n)
    chunks = eeg_noise(1000 * n, n_chans, sfreq).reshape(1000, n, n_chans)
    begin, k = pylsl.local_clock(), 0
    while True:
        k += 1
        due = begin + k * n / sfreq
        while (left := due - pylsl.local_clock()) > 0:
            time.sleep(left)
        outlet.push_chunk(chunks[k % 1000], due)


def resolve(name: str):
    import pylsl

    return pylsl.resolve_byprop("name", name, 1, 10.0)[0]


def neuript(name: str, meter: Meter) -> dict:
    from neuript.realtime.chain.conditioner import Conditioner
    from neuript.realtime.chain.preprocess import PreprocessSpec
    from neuript.realtime.decoding.decoder import Decoder
    from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
    from neuript.realtime.lsl.inlet import LslSource
    from neuript.realtime.lsl.library import lsl_clock

    class Free:
        def infer(self, signal, tangent, /):
            return np.zeros(2, np.float32)

    ends: list[float] = []

    class Age:
        def publish(self, row):
            if row.latency_ms["infer"] > 0:  # a window, whatever it is worth
                took = row.latency_ms
                meter.add((row.sample_age_ms + took["total"] - took["publish"]) / 1e3)
                ends.append(1e3 * (lsl_clock() - row.t))

    source = LslSource(resolve(name))
    source.start()
    info = source.info
    conditioner = Conditioner(PreprocessSpec(mains_hz=None), np.eye(len(info.ch_names)), 1e-6, info.sfreq)
    policy = DecisionPolicy(PolicySpec(), ("a", "b"), HOP_S)
    decoder = Decoder(source, conditioner, Free(), policy, round(WINDOW_S * 64), [Age()], clock=lsl_clock)
    while not meter.over:
        decoder.step(0.1)
    source.close()
    return {"window_end_ms": {f"p{q}": round(float(np.percentile(ends, q)), 2) for q in (50, 95, 99)}}


def plain(name: str, meter: Meter) -> None:
    import pylsl
    from scipy.signal import butter, sosfilt

    info = resolve(name)
    inlet, sfreq, n_chans = pylsl.StreamInlet(info), info.nominal_srate(), info.channel_count()
    sos = butter(4, BAND_HZ, "bandpass", fs=sfreq, output="sos")
    state = np.zeros((len(sos), 2, n_chans))
    size, hop = round(WINDOW_S * sfreq), round(HOP_S * sfreq)
    buffer, since = np.zeros((size, n_chans), np.float32), 0
    chunk = max(1, round(CHUNK_S * sfreq))
    while not meter.over:
        x, stamps = inlet.pull_chunk(timeout=CHUNK_S, max_samples=chunk)
        if not stamps:
            continue
        y, state = sosfilt(sos, np.asarray(x), axis=0, zi=state)
        buffer = np.concatenate([buffer[len(y) :], y.astype(np.float32)])
        since += len(y)
        if since >= hop:
            since -= hop
            buffer.copy()
            meter.add(pylsl.local_clock() - stamps[-1])


def stream_lsl(name: str, meter: Meter, delay_s: float) -> None:
    import pylsl
    from mne_lsl.stream import StreamLSL

    stream = StreamLSL(WINDOW_S, name=name).connect(acquisition_delay=delay_s)
    stream.filter(*BAND_HZ)
    hop = round(HOP_S * stream.info["sfreq"])
    while not meter.over:
        if stream.n_new_samples < hop:
            time.sleep(0.001)
            continue
        _, stamps = stream.get_data()
        meter.add(pylsl.local_clock() - float(stamps[-1]))
    stream.disconnect()


def ezmsg(name: str, meter: Meter) -> None:
    import ezmsg.core as ez
    import pylsl
    from ezmsg.lsl.inlet import LSLInfo, LSLInletSettings, LSLInletUnit
    from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
    from ezmsg.sigproc.window import Window, WindowSettings
    from ezmsg.util.messages.axisarray import AxisArray

    class Sink(ez.Unit):
        INPUT = ez.InputStream(AxisArray)

        @ez.subscriber(INPUT)
        async def on_window(self, message: AxisArray) -> None:
            axis = message.axes["time"]
            if message.data.size:
                newest = axis.offset + (message.data.shape[message.get_axis_idx("time")] - 1) * axis.gain
                meter.add(pylsl.local_clock() - newest)
            if meter.over:
                print(json.dumps(meter.result()), flush=True)
                os._exit(0)  # the inlet's thread does not end by itself

    units = {
        "INLET": LSLInletUnit(LSLInletSettings(info=LSLInfo(name=name, type="EEG"), use_lsl_clock=True)),
        "FILTER": ButterworthFilter(
            ButterworthFilterSettings(axis="time", order=4, cuton=BAND_HZ[0], cutoff=BAND_HZ[1], coef_type="sos")
        ),
        "WINDOW": Window(WindowSettings(axis="time", window_dur=WINDOW_S, window_shift=HOP_S)),
        "SINK": Sink(),
    }
    links = (
        (units["INLET"].OUTPUT_SIGNAL, units["FILTER"].INPUT_SIGNAL),
        (units["FILTER"].OUTPUT_SIGNAL, units["WINDOW"].INPUT_SIGNAL),
        (units["WINDOW"].OUTPUT_SIGNAL, units["SINK"].INPUT),
    )
    ez.run(components=units, connections=links, force_single_process=True)


def consume(what: str, name: str, seconds: float) -> None:
    meter, more = Meter(seconds), {}
    if what == "neuript":
        more = neuript(name, meter)
    elif what == "ezmsg":
        ezmsg(name, meter)
    elif what.startswith("StreamLSL"):
        stream_lsl(name, meter, float(what.split()[1]) / 1e3)
    else:
        plain(name, meter)
    print(json.dumps(meter.result() | more))


def is_there(module: str | None) -> bool:
    try:
        return module is None or find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def measured(what: str, n_chans: int, sfreq: float, seconds: float) -> dict:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    me = [sys.executable, __file__]
    sender = subprocess.Popen([*me, "--send", name, "--chans", str(n_chans), "--sfreq", str(sfreq)])
    try:
        command = [*me, "--consume", what, "--name", name, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40 + seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"error": "no result in time"}
    finally:
        sender.terminate()
        sender.wait(10)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no result"])[-1][:200]}
    return json.loads(lines[-1])


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    good = [row for row in rows if "error" not in row]
    counts, names = sorted({r["n_chans"] for r in good}), list(dict.fromkeys(r["consumer"] for r in good))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        mine = {r["n_chans"]: r for r in good if r["consumer"] == name}
        at = [i + (k - (len(names) - 1) / 2) * width for i, n in enumerate(counts) if n in mine]
        found = [mine[n] for n in counts if n in mine]
        p50, p99 = ([r["age_ms"][q] for r in found] for q in ("p50", "p99"))
        (bars,) = [left.bar(at, p50, width * 0.9, label=name)]
        left.errorbar(at, p50, [np.zeros(len(at)), np.subtract(p99, p50)], fmt="none", ecolor="0.3", capsize=2)
        right.bar(at, [r["cpu_percent_of_one_core"] for r in found], width * 0.9, color=bars[0].get_facecolor())
    for axes, title in ((left, "age of the newest sample, ms (bar p50, whisker p99)"), (right, "% of one core")):
        axes.set_xticks(range(len(counts)), [f"{n} channels" for n in counts])
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    figure.legend(loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chans", type=int, nargs="+", default=[20, 64, 256])
    parser.add_argument("--sfreq", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=Path("build/streaming"), help="folder for the table and picture")
    parser.add_argument("--send", help=argparse.SUPPRESS)
    parser.add_argument("--consume", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.send:
        send(args.send, args.chans[0], args.sfreq)
        return
    if args.consume:
        consume(args.consume, args.name, args.seconds)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for n_chans in args.chans:
        for what, module in CONSUMERS.items():
            row = {"consumer": what, "n_chans": n_chans, "sfreq": args.sfreq}
            row |= measured(what, n_chans, args.sfreq, args.seconds) if is_there(module) else {"error": "not installed"}
            ours = next((r for r in rows if r["consumer"] == "neuript" and r["n_chans"] == n_chans), row)
            if "error" not in row and "error" not in ours:
                row["age_against_neuript"] = {
                    q: round(row["age_ms"][q] / ours["age_ms"][q], 2) for q in ("p50", "p95", "p99")
                }
            rows.append(row)
            print(json.dumps(row), flush=True)
    load = [round(x, 1) for x in os.getloadavg()]
    result = {"rows": rows, "load_average": load, "cores": os.cpu_count(), "seconds": args.seconds}
    (args.out / "streaming.json").write_text(json.dumps(result, indent=1))
    draw(rows, args.out / "streaming.png")


if __name__ == "__main__":
    main()
