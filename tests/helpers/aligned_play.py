"""Signals played hop by hop to windows that are recentred, and the same windows by SciPy."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec, Reference, Window

SFREQ, N_CHANS, N_TIMES, HOP = 64.0, 4, 128, 8
SPEC = AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), memory_s=40.0, settle_s=10.0)
HOP_S = HOP / SFREQ
N_REFS = 3


def eeg(rng: np.random.Generator, seconds: float, sfreq: float = SFREQ) -> np.ndarray:
    """Coloured noise of about 10 uV, mixed over the channels, whose 10 Hz rhythms wax and wane; volts, float32."""
    n = round(seconds * sfreq)
    noise = sosfilt(butter(1, 6.0, fs=sfreq, output="sos"), rng.normal(size=(n, N_CHANS)), axis=0)
    t = np.arange(n)[:, None] / sfreq
    swell = 1 + 0.5 * np.sin(2 * np.pi * t / (2.1 + np.arange(N_CHANS)))
    rhythm = swell * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6, N_CHANS))
    mixing = np.eye(N_CHANS) + 0.4 * rng.normal(size=(N_CHANS, N_CHANS))
    return (1e-5 * (noise + 0.4 * rng.normal(size=(n, N_CHANS)) + rhythm) @ mixing.T).astype(np.float32)


def aligned(spec: AlignmentSpec = SPEC, **options: object) -> AlignedWindows:
    return AlignedWindows(spec, N_TIMES, N_CHANS, SFREQ, 500, hop=HOP, **options)


class Play:
    """Feeds signals to windows, one after the other; `follow` after every hop, as the decoder does."""

    def __init__(self, windows: AlignedWindows) -> None:
        self.windows, self.end = windows, 0

    def __call__(self, x: np.ndarray, *, follow: bool = True) -> list[Window]:
        """Play the hops of a signal and return the windows that could be decoded."""
        found = []
        for i in range(0, len(x) // HOP * HOP, HOP):
            self.windows.append(x[i : i + HOP])
            self.end += HOP
            if self.end < N_TIMES:
                continue
            if self.windows.follow(self.end) if follow else self.windows.settled:
                found.append(self.windows.window(self.end))
        return found


def seen_by_scipy(x: np.ndarray, spec: AlignmentSpec = SPEC) -> tuple[np.ndarray, np.ndarray]:
    """Filtered windows in microvolts (n, 1 + K, T, D) and their covariances (n, 1 + K, D, D), with every hop."""
    signals = []
    for band in (spec.signal_band_hz, *spec.bands_hz):
        sos = None if band is None else butter(2, band, "bandpass", fs=SFREQ, output="sos")
        signals.append(x * 1e6 if sos is None else sosfilt(sos, x.astype(float) * 1e6, axis=0))
    ends = range(N_TIMES, len(x) + 1, HOP)
    windows = np.array([[s[end - N_TIMES : end] for s in signals] for end in ends], dtype=float)
    centred = windows - windows.mean(axis=2, keepdims=True) if spec.signal_band_hz is None else windows
    raw = centred.swapaxes(-1, -2) @ centred / N_TIMES
    added = 1e-4 * np.trace(raw, axis1=-2, axis2=-1) / N_CHANS + 1e-6
    return windows, raw + added[..., None, None] * np.eye(N_CHANS)


def bits(windows: list[Window]) -> list[bytes]:
    return [part.tobytes() for w in windows for part in (w.signal, w.tangent)]


def same(one: Reference | None, other: Reference | None) -> bool:
    """Whether two references are the same to the last bit."""
    assert one is not None
    assert other is not None
    parts = zip(one.to_arrays().values(), other.to_arrays().values(), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in parts)
