"""Draw what the digital twin looks like: ``python tools/plot_twin.py docs/twin.png``.

Traces, spectra at rest and while imagining, and the event-related desynchronisation over both hand areas, all
computed from simulated sessions as one would from a recording. Needs matplotlib; takes half a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import TwinRecording, record_session
from neuript.realtime.twin.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

F64 = NDArray[np.float64]

SFREQ = 250.0
LEFT, RIGHT = "#0072B2", "#D55E00"
AROUND = {"C3": ("FC3", "CP3", "C1", "C5"), "C4": ("FC4", "CP4", "C2", "C6")}
"""Neighbours of a small Laplacian, which shows what lies under the electrode."""


def laplacian(recording: TwinRecording, name: str) -> F64:
    """One electrode minus the mean of its neighbours, microvolts."""
    row = {label: recording.data[:, i] for i, label in enumerate(recording.ch_names)}
    return np.asarray(row[name] - np.mean([row[n] for n in AROUND[name]], axis=0), np.float64)


def stretches(recording: TwinRecording, x: F64, label: str, span_s: tuple[float, float]) -> F64:
    """Signal around the cues of a class, shape (n_trials, n_times)."""
    cues = [round(e.time_s * SFREQ) for e in recording.events if e.label == label]
    low, high = round(span_s[0] * SFREQ), round(span_s[1] * SFREQ)
    return np.stack([x[c + low : c + high] for c in cues if c + high <= len(x)])


def draw_traces(axes: Axes, recording: TwinRecording) -> None:
    cues = [e for e in recording.events if e.label in recording.protocol.classes]
    begin = cues[4].time_s - 4
    part = slice(round(begin * SFREQ), round((begin + 8) * SFREQ))
    t = np.arange(part.stop - part.start) / SFREQ - 4
    names = ("Fp1", "Fz", "C3", "Cz", "C4", "P3", "O1", "O2")
    for k, name in enumerate(names):
        x = signal.sosfiltfilt(
            signal.butter(2, 0.5, "highpass", fs=SFREQ, output="sos"), recording.data[:, recording.ch_names.index(name)]
        )[part]
        axes.plot(t, x - 80 * k, color="0.15", lw=0.6)
    axes.axvline(0, color=RIGHT if cues[4].label == "right_hand" else LEFT)
    said = f"cue: {cues[4].label.replace('_', ' ')}"
    axes.text(-0.1, 60, said, fontsize=8, va="bottom", ha="right")
    axes.plot([4.15, 4.15], [-560, -510], color="k", lw=2, clip_on=False)
    axes.text(4.25, -535, "50 µV", fontsize=7, va="center")
    axes.set(xlim=(-4, 4), ylim=(-640, 130), xlabel="time from the cue, s", title="Simulated EEG")
    axes.set_yticks([-80 * k for k in range(len(names))], names, fontsize=8)


def draw_spectra(axes: Axes, recording: TwinRecording) -> None:
    laps = {"C3": laplacian(recording, "C3")}
    before = stretches(recording, laps["C3"], "right_hand", (-2.0, 0.0))
    during = stretches(recording, laps["C3"], "right_hand", (1.0, 4.0))
    o1 = np.asarray(recording.data[:, recording.ch_names.index("O1")], np.float64)
    occipital = stretches(recording, o1, "right_hand", (-2.0, 0.0))
    for x, colour, label in (
        (occipital, "0.6", "O1, before the cue"),
        (before, "0.1", "C3 (Laplacian), before the cue"),
        (during, RIGHT, "C3 (Laplacian), imagining the right hand"),
    ):
        f, p = signal.welch(x, SFREQ, nperseg=500 if x.shape[1] >= 500 else None, nfft=1000)
        axes.semilogy(f, p.mean(0), color=colour, label=label, lw=1.4)
    axes.set(xlim=(1, 60), ylim=(5e-3, 300), xlabel="frequency, Hz", ylabel="µV²/Hz", title="Spectra")
    axes.legend(fontsize=7)


def draw_erd(axes: Axes, recording: TwinRecording, name: str) -> None:
    band = signal.butter(4, (8.5, 13.5), "bandpass", fs=SFREQ, output="sos")
    power = signal.sosfiltfilt(band, laplacian(recording, name)) ** 2
    t = np.arange(round(-2 * SFREQ), round(7 * SFREQ)) / SFREQ
    smooth = np.hanning(round(0.5 * SFREQ))
    for label, colour in (("left_hand", LEFT), ("right_hand", RIGHT)):
        course = stretches(recording, power, label, (-2.0, 7.0)).mean(0)
        course = np.convolve(course, smooth / smooth.sum(), "same")
        base = course[(t > -1.7) & (t < -0.3)].mean()
        keep = (t > -1.7) & (t < 6.7)
        axes.plot(t[keep], 100 * (course / base - 1)[keep], color=colour, lw=1.6,
                  label=f"imagining the {label.replace('_', ' ')}")  # fmt: skip
    axes.axhline(0, color="0.8", lw=0.8)
    axes.axvspan(0, 4, color="0.94", zorder=0)
    axes.set(
        ylim=(-85, 85), xlabel="time from the cue, s", ylabel="mu power (8.5-13.5 Hz), %",
        title=f"Over the {'left' if name == 'C3' else 'right'} hand area ({name})",
    )  # fmt: skip
    axes.legend(fontsize=7, loc="upper left")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="picture to write (.png, .svg, .pdf)")
    parser.add_argument("--skill", type=float, default=Subject.skill)
    parser.add_argument("--trials", type=int, default=60, help="per class")
    arguments = parser.parse_args(argv)
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    recording = record_session(
        "biosemi-64",
        SFREQ,
        Subject(skill=arguments.skill, seed=3),
        protocol=CueProtocol(trials_per_class=arguments.trials),
        seed=3,
    )
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.0))
    draw_traces(axes[0, 0], recording)
    draw_spectra(axes[0, 1], recording)
    draw_erd(axes[1, 0], recording, "C3")
    draw_erd(axes[1, 1], recording, "C4")
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
        panel.title.set_fontsize(10)
    figure.suptitle(
        f"SIMULATED: one person of skill {arguments.skill:g}, {arguments.trials} trials per hand", fontsize=10
    )
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)
    print(arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
