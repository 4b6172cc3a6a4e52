"""An EDF+ or BDF+ writer from the specification, for tests only: record onsets and annotation bytes as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_edf_plus(
    path: Path,
    microvolts: np.ndarray,
    *,
    n_per_record: int,
    record_s: float = 1.0,
    kind: str = "EDF+C",
    labels: Sequence[str] = ("C3", "C4"),
    begins: Sequence[float | bytes] | None = None,
    notes: Sequence[tuple[int, bytes]] = (),
    n_lists: int = 1,
    list_bytes: int = 120,
) -> Path:
    """Write whole records of a signal of shape (n_times, n_chans).

    `begins` are the onsets of the records, as numbers or as the bytes of their first list entry; None counts them up.
    `notes` are annotations as (record, bytes of the entry); with several lists they go to the last one.
    """
    bdf = kind.startswith("BDF")
    width, low, high = (3, -(2**23), 2**23 - 1) if bdf else (2, -(2**15), 2**15 - 1)
    n_records, n_chans = len(microvolts) // n_per_record, microvolts.shape[1]
    begins = [k * record_s for k in range(n_records)] if begins is None else begins
    list_samples = list_bytes // width
    names = [*labels, *(["BDF Annotations" if bdf else "EDF Annotations"] * n_lists)]

    def column(texts, size):
        return b"".join(str(text).encode("latin-1").ljust(size)[:size] for text in texts)

    n = len(names)
    scale = 1 / 32 if bdf else 0.1
    head = (b"\xffBIOSEMI" if bdf else b"0".ljust(8)) + b"X X X X".ljust(80) + b"Startdate 02-JAN-2025 X X X".ljust(80)
    head += b"02.01.25" + b"10.20.30" + column([256 * (1 + n)], 8) + kind.encode().ljust(44)
    head += column([n_records], 8) + column([f"{record_s:g}"], 8) + column([n], 4)
    head += column(names, 16) + column([""] * n, 80) + column(["uV"] * n_chans + [""] * n_lists, 8)
    head += column([f"{low * scale:.8g}"[:8]] * n_chans + [-1] * n_lists, 8)
    head += column([f"{high * scale:.8g}"[:8]] * n_chans + [1] * n_lists, 8)
    head += column([low] * n, 8) + column([high] * n, 8) + column([""] * n, 80)
    head += column([n_per_record] * n_chans + [list_samples] * n_lists, 8) + column([""] * n, 32)
    body = bytearray()
    for k in range(n_records):
        digital = np.round(microvolts[k * n_per_record : (k + 1) * n_per_record] / scale).astype("<i4")
        for channel in digital.T:
            body += channel.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        first = begins[k] if isinstance(begins[k], bytes) else f"+{begins[k]:.6f}\x14\x14".encode()
        lists = [first + b"\x00", *[b""] * (n_lists - 1)]
        lists[-1] += b"".join(entry + b"\x00" for record, entry in notes if record == k)
        for entries in lists:
            assert len(entries) <= list_samples * width
            body += entries.ljust(list_samples * width, b"\x00")
    path.write_bytes(head + bytes(body))
    return path
