"""What a recording loses to a recorder that is killed, to a stream that opens late, and to a kill of everything.

    python benchmarks/bench_recording.py [--times 20]

Plays an amplifier of 8 channels at 250 Hz over LSL. Everything is killed with `kill -9` in mid-recording, and the file
is walked byte by byte: it must be whole, without a hole, up to the end. Then only the recorder is killed, and the hole
in the EEG is measured; marker streams open while it records, and the time until they are joined is measured. The memory
is that of the recorder's process. Prints a table; exits 1 if a file was not whole.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.recorder import Recorder
from neuript.realtime.lsl.recording_rule import RecordingRule
from neuript.realtime.recordings.read_xdf import read_xdf
from neuript.realtime.recordings.xdf_bytes import load_bytes
from neuript.realtime.recordings.xdf_walk import scan

SFREQ = 250.0
AMPLIFIER = """
import sys, time, numpy as np, pylsl
info = pylsl.StreamInfo("amp", "EEG", 8, 250, "float32", sys.argv[1])
out, began, n = pylsl.StreamOutlet(info), pylsl.local_clock(), 0
while True:
    time.sleep(0.02)
    due = int((pylsl.local_clock() - began) * 250)
    for k in range(n, due):
        out.push_sample([float(k)] * 8, began + k / 250)
    n = max(n, due)
"""


def watched(recorder: Recorder, condition, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        recorder.check()
        time.sleep(0.02)
        if time.monotonic() > until:
            raise SystemExit("the recorder did not come to what was waited for")


def start(path: Path, source_id: str) -> Recorder:
    recorder = Recorder(path, RecordingRule(source_ids=(source_id,), others="markers"))
    recorder.start()
    watched(recorder, lambda: recorder.n_bytes > 10_000)
    return recorder


def holes(path: Path) -> np.ndarray:
    """Numbers of samples that are missing at each place where some are."""
    stamps = next(s for s in read_xdf(path).streams if s.info.name == "amp").timestamps
    steps = np.round(np.diff(stamps) * SFREQ).astype(int) - 1
    return steps[steps > 0]


def kill_everything(folder: Path, source_id: str, times: int) -> tuple[int, list[float]]:
    """Kill a program and its recorder; return how many files were whole, and how old their newest sample was then."""
    n_whole, behind = 0, []
    code = (
        "import sys, time; from pathlib import Path; from neuript.realtime.lsl.recorder import Recorder; "
        "from neuript.realtime.lsl.recording_rule import RecordingRule; "
        "r = Recorder(sys.argv[1], RecordingRule(source_ids=(sys.argv[2],), others='markers')); r.start()\n"
        "while True: r.check(); time.sleep(0.05)"
    )
    for k in range(times):
        path = folder / f"killed{k}.xdf"
        program = psutil.Popen([sys.executable, "-P", "-c", code, str(path), source_id])
        while not (path.exists() and path.stat().st_size > 20_000 + 3_000 * (k % 7)):
            time.sleep(0.01)
        at = pylsl.local_clock()
        for process in [*program.children(), program]:
            process.kill()
        program.wait()
        found = scan(load_bytes(path))
        n_whole += found.intact and len(holes(path)) == 0
        behind.append(at - read_xdf(path).streams[0].timestamps[-1])
    return n_whole, behind


def kill_recorders(folder: Path, source_id: str, times: int) -> tuple[list[float], list[float], float]:
    """Return seconds of EEG that each death cost, seconds until late streams were joined, and megabytes of memory."""
    path = folder / "restarted.xdf"
    recorder, joined, megabytes = start(path, source_id), [], 0.0
    for _ in range(times):
        late = f"late-{uuid.uuid4().hex[:6]}"
        outlet = pylsl.StreamOutlet(pylsl.StreamInfo("late", "Markers", 1, 0, "string", late))
        opened = time.monotonic()
        watched(recorder, partial(outlet.wait_for_consumers, 0.001))
        joined.append(time.monotonic() - opened)
        outlet = None
        megabytes = max(megabytes, psutil.Process(recorder.pid).memory_info().rss / 1e6)
        size = path.stat().st_size
        psutil.Process(recorder.pid).kill()
        watched(recorder, lambda size=size: path.stat().st_size > size + 30_000)
    recorder.close()
    return (holes(path) / SFREQ).tolist(), joined, megabytes


def spread(values: list[float]) -> str:
    return f"median {np.median(values):.2f} s, largest {np.max(values):.2f} s"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    source_id = f"bench-{uuid.uuid4().hex[:8]}"
    amplifier = subprocess.Popen([sys.executable, "-P", "-c", AMPLIFIER, source_id])
    try:
        with tempfile.TemporaryDirectory() as name:
            n_whole, behind = kill_everything(Path(name), source_id, times)
            print(f"everything killed {times} times: {n_whole} files whole; missing at their end: {spread(behind)}")
            lost, joined, megabytes = kill_recorders(Path(name), source_id, times)
            print(f"recorder killed {times} times: {len(lost)} holes of EEG, {spread(lost)}")
            print(f"streams that opened late: joined after {spread(joined)}")
            print(f"memory of the recorder: {megabytes:.0f} MB")
    finally:
        amplifier.kill()
        amplifier.wait()
    return 0 if n_whole == times else 1


if __name__ == "__main__":
    sys.exit(main())
