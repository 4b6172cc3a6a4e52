"""A small recording written as a table, and two caps."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_csv(path: Path, names, seconds: float, sfreq: float = 128.0, seed: int = 0, scale=12.0):
    """Write a small recording of band-limited noise in microvolts; returns its samples."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sfreq)
    walk = np.cumsum(rng.standard_normal((n + 16, len(names))), axis=0)
    x = scale / 4 * (walk[16:] - walk[:-16])  # no drift, about `scale` microvolts
    stamps = np.arange(n) / sfreq
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ",".join(["timestamps", *names])
    np.savetxt(path, np.column_stack([stamps, x]), delimiter=",", header=head, comments="", fmt="%.7g")
    return x


MUSE = ("TP9", "AF7", "AF8", "TP10")
CAP = ("Fp1", "Fp2", "F7", "F3", "F4", "F8", "T3", "C3", "Cz", "C4", "T4", "T5", "P3", "P4", "T6", "O1", "O2")
