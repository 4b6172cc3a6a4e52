"""Draw what the causal chain does to a signal: ``python tools/plot_chain.py docs/chain.png``.

Attenuation and group delay, and the response to a step and to an impulse, all measured on
`CausalChain` itself with sines, a step and an impulse; the formulas are drawn beside them as lines.
Needs matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.filters import lowpass_modes
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SFREQ = 250.0
SPEC = PreprocessSpec(mains_hz=50.0)
COLOURS = ("#0072B2", "#D55E00", "#009E73")


def run(x_v: NDArray[np.float64], sfreq: float = SFREQ) -> tuple[NDArray[np.float64], CausalChain]:
    """Send one channel in volts through a fresh chain; return the output and the chain."""
    chain = CausalChain(SPEC, np.eye(1), sfreq)
    y, _ = chain.process(x_v[:, None])
    return y[:, 0].astype(np.float64), chain


def measured_response(freq_hz: float, sfreq: float = SFREQ) -> tuple[float, float]:
    """Gain and phase delay in seconds of a sine, measured on the output at 64 Hz.

    Above 32 Hz a sine appears folded; its gain is that of whatever is left, by rms.
    """
    duration_s = max(40.0, 12.0 / freq_hz)
    t = np.arange(round(duration_s * sfreq)) / sfreq
    y, chain = run(1e-4 * np.sin(2 * np.pi * freq_hz * t), sfreq)
    t_out = np.arange(len(y)) / chain.spec.sfreq
    late = t_out > duration_s - max(20.0, 6.0 / freq_hz)
    if freq_hz > 31.9:
        return float(np.sqrt(2.0) * y[late].std() / 1e-4), float("nan")
    basis = np.stack([np.sin(2 * np.pi * freq_hz * t_out), np.cos(2 * np.pi * freq_hz * t_out)], 1)
    (a, b), *_ = np.linalg.lstsq(basis[late], y[late], rcond=None)
    return float(np.hypot(a, b) / 1e-4), float(-np.arctan2(b, a) / (2 * np.pi * freq_hz))


def draw_attenuation(axes: Axes) -> None:
    for sfreq, colour, marker in zip((125.0, 250.0, 1000.0), COLOURS, "o^s", strict=True):
        f = np.concatenate([np.arange(1, 33, 1.0), np.arange(33.5, 0.47 * sfreq, 1.7)])
        gain = [max(measured_response(float(x), sfreq)[0], 1e-6) for x in f[f < 160]]
        axes.plot(f[f < 160], 20 * np.log10(gain), marker, color=colour, ms=2.5, label=f"at {sfreq:g} Hz")
    fine = np.linspace(0.5, 160, 2000)
    axes.plot(
        fine,
        20 * np.log10(np.abs(lowpass_modes(SPEC.stop_hz).response(fine))),
        color="0.5",
        lw=1,
        zorder=0,
        label="low-pass, formula",
    )
    axes.axhline(-40, color="0.7", lw=0.8, ls="--")
    axes.set(
        xlim=(0, 160),
        ylim=(-110, 5),
        xlabel="frequency of the input, Hz",
        ylabel="what is left, dB",
        title="Attenuation, folding included (50 Hz notch)",
    )
    axes.legend(fontsize=7, loc="upper right")


def draw_delay(axes: Axes) -> None:
    f = np.arange(1.0, 31.0, 0.25)
    step = 0.1
    chain = CausalChain(SPEC, np.eye(1), SFREQ)
    delay = np.array([chain.group_delay_s(float(x)) for x in f])
    axes.plot(f, 1e3 * delay, color=COLOURS[0], label="formula")
    at = np.array([1.5, 2, 4, 6, 8, 10, 12, 15, 18, 20, 22, 25, 28])
    measured = []
    for x in at:  # group delay is the slope of the phase
        (_, low), (_, high) = measured_response(x - step), measured_response(x + step)
        measured.append(((x + step) * high - (x - step) * low) / (2 * step))
    axes.plot(at, 1e3 * np.array(measured), "o", color=COLOURS[1], ms=4, label="measured")
    for x in (10, 20):
        ms = 1e3 * chain.group_delay_s(x)
        axes.annotate(f"{ms:.0f} ms at {x} Hz", (x, ms), (x - 3.5, ms + 25), fontsize=8,
                      arrowprops={"arrowstyle": "-", "color": "0.5"})  # fmt: skip
    axes.set(
        xlim=(0, 31), ylim=(0, 160), xlabel="frequency, Hz", ylabel="group delay, ms",
        title="Delay of the whole chain",
    )  # fmt: skip
    axes.legend(fontsize=7, loc="upper left")


def draw_impulse(axes: Axes) -> None:
    at_s = 20.0
    for shift in range(16):  # impulses between two outputs show the response between them
        x = np.zeros(round(24 * SFREQ))
        x[round(at_s * SFREQ) + shift] = 1e-4
        y, chain = run(x)
        t = np.arange(len(y)) / chain.spec.sfreq - (at_s + shift / SFREQ)
        near = (t > -0.06) & (t < 0.4)
        axes.plot(1e3 * t[near], 1e6 * y[near], ".", color=COLOURS[0], ms=3)
    axes.axvline(0, color="0.6", lw=0.8)
    axes.set(
        xlim=(-60, 400),
        xlabel="time after the impulse, ms",
        ylabel="output, µV",
        title="One sample of 100 µV at 250 Hz",
    )


def draw_step(axes: Axes) -> None:
    t_in = np.arange(round(30 * SFREQ)) / SFREQ
    y, chain = run(np.where(t_in < 15, 0.0, 1e-4))
    t = np.arange(len(y)) / chain.spec.sfreq - 15
    axes.plot(t, 1e6 * y, color=COLOURS[0])
    axes.axvline(0, color="0.6", lw=0.8)
    axes.axhline(0, color="0.8", lw=0.8)
    axes.set(
        xlim=(-1, 10), xlabel="time after the step, s", ylabel="output, µV", title="A step of 100 µV (0.1 Hz high-pass)"
    )
    inset = axes.inset_axes((0.45, 0.45, 0.5, 0.45))
    near = (t > -0.05) & (t < 0.3)
    inset.plot(1e3 * t[near], 1e6 * y[near], ".-", color=COLOURS[0], ms=3)
    inset.set(xlim=(-50, 300))
    inset.set_xlabel("ms", fontsize=7, labelpad=0)
    inset.tick_params(labelsize=6)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="picture to write (.png, .svg, .pdf)")
    arguments = parser.parse_args(argv)
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9.6, 6.6))
    draw_attenuation(axes[0, 0])
    draw_delay(axes[0, 1])
    draw_impulse(axes[1, 0])
    draw_step(axes[1, 1])
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
        panel.title.set_fontsize(10)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)
    print(arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
