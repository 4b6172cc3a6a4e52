"""When the pixels of a cue change against the stamp of its marker, under Xvfb: `python tools/measure_cue_onset.py`.

Xvfb keeps its screen in a file, which is watched here about three times a millisecond, on the LSL clock. It has no
vertical blank, so this measures the program and not a monitor: what lies between the stamp and the picture in the
memory of the screen.
"""

from __future__ import annotations

import argparse
import mmap
import os
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.paradigm.cue_process import CueProcess
from neuript.realtime.paradigm.cue_settings import CueSettings

WIDTH, HEIGHT = 1024, 640
BRIGHT = 120


class Pixels:
    """Two places of the screen, of which an arrow to the left or right covers one; notes when they become bright."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as screen:
            self._bytes = mmap.mmap(screen.fileno(), 0, prot=mmap.PROT_READ)
        head = struct.unpack(">25I", self._bytes[:100])
        size, line, n_colors = head[0], head[12], head[19]
        u = min(HEIGHT, 0.75 * WIDTH)
        y = int(HEIGHT / 2 - 0.09 * u)
        self._at = [size + 12 * n_colors + y * line + 4 * int(WIDTH / 2 + side * 0.13 * u) for side in (-1, 1)]
        self.onsets: list[float] = []
        self.done = threading.Event()

    def watch(self) -> None:
        before = False
        while not self.done.is_set():
            bright = max(self._bytes[at] for at in self._at) > BRIGHT
            if bright and not before:
                self.onsets.append(lsl_clock())
            before = bright
            time.sleep(0.0003)


def measure(n: int, opengl: bool, pixels: Pixels) -> tuple[dict[str, object], NDArray[np.float64], dict[str, object]]:
    """Return what the window says of itself, stamp minus onset of each cue in ms, and its own figures."""
    window = CueProcess()
    ready = window.start(CueSettings(time_scale=0.2, opengl=opengl, sound=False))
    threading.Thread(target=pixels.watch, daemon=True).start()
    trials = [{"trial": i, "cls": ("left_hand", "right_hand")[i % 2]} for i in range(n)]
    window.send(do="run", block=1, trials=trials)
    stamps: list[float] = []
    figures: dict[str, object] = {}
    while window.running:
        for said in window.poll(1.0):
            if said["said"] == "trial":
                stamps.append(said["cue_t"])
            elif said["said"] == "jitter":
                figures = said
            elif said["said"] == "block":
                window.close()
    pixels.done.set()
    onsets = np.array(pixels.onsets)
    return ready, np.array([t - onsets[np.argmin(abs(onsets - t))] for t in stamps]) * 1e3, figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cues", type=int, default=40)
    args = options.parse_args()
    for opengl in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            read, write = os.pipe()
            command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", folder]
            server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
            try:
                os.environ |= {"DISPLAY": f":{os.read(read, 16).decode().strip()}", "QT_QPA_PLATFORM": "xcb"}
                ready, late_ms, figures = measure(args.cues, opengl, Pixels(Path(folder) / "Xvfb_screen0"))
            finally:
                server.terminate()
                server.wait()
        low, middle, high = np.percentile(late_ms, [1, 50, 99])
        print(
            f"{ready['stamps']}, {ready['refresh_hz']} Hz, {len(late_ms)} cues: stamp minus onset {middle:.2f} ms "
            f"(p50), {low:.2f} (p1), {high:.2f} (p99); {figures}"
        )


if __name__ == "__main__":
    main()
