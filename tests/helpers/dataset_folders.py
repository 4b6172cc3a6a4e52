"""Small recordings in the layouts of published data sets, whose signal says which class it belongs to.

Every stretch of a class holds a tone of that class; a window cut at the wrong place, or labelled wrongly, has another
peak in its spectrum.
"""

import struct

import numpy as np

TEN_TWENTY = [
    "Fp1",
    "Fp2",
    "F3",
    "F4",
    "F7",
    "F8",
    "T3",
    "T4",
    "C3",
    "C4",
    "T5",
    "T6",
    "P3",
    "P4",
    "O1",
    "O2",
    "Fz",
    "Cz",
    "Pz",
]
TONES_HZ = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)


def tones(seconds, sfreq, n_chans, stretches, *, seed=0):
    """Return microvolts (n_times, n_chans): noise, and the tone of class k in (start, stop, k)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sfreq)) / sfreq
    x = rng.normal(scale=4.0, size=(len(t), n_chans)) + rng.normal(scale=4.0, size=(len(t), 1))  # as a scalp shares it
    size = 10.0 + 40.0 * (7 * np.arange(n_chans) % 11) / 11  # no two neighbours alike, or pairs would be silent
    for start, stop, k in stretches:
        inside = (t >= start) & (t < stop)
        x[inside] += np.sin(2 * np.pi * TONES_HZ[k] * t[inside])[:, None] * size
    return x


def peak_classes(x, sfreq):
    """Return for windows (n, n_chans, n_times) the class whose tone is strongest."""
    times = np.arange(x.shape[2]) / sfreq
    taper = np.hanning(x.shape[2])
    probes = np.exp(-2j * np.pi * np.outer(TONES_HZ, times)) * taper
    return np.abs(x @ probes.T).sum(1).argmax(1)


def write_edf(path, x_uv, sfreq, names, notes=None):
    """Write an EDF file, or EDF+ with annotations (onset, duration, text), one record a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_records = len(x_uv) // int(sfreq) if names else 1
    top = max(1.0, float(np.abs(x_uv).max())) if names else 1.0
    digital = np.round(x_uv[: n_records * int(sfreq)] / top * 32767).astype("<i2")
    tal = [f"+{i}\x14\x14\x00".encode() for i in range(n_records)]
    for i, (onset, duration, text) in enumerate(notes or ()):
        tal[i % n_records] += f"+{onset:g}\x15{duration:g}\x14{text}\x14\x00".encode()
    width = max(len(row) for row in tal) + 1
    width += width % 2
    labels = [*names, *(["EDF Annotations"] if notes is not None else [])]
    n = len(labels)

    def column(values, size):
        return b"".join(str(v)[:size].ljust(size).encode() for v in values)

    extra = int(notes is not None)
    head = column(["0"], 8) + column(["X X X X", "Startdate X X X X"], 80) + b"01.01.2001.00.00"
    head += column([256 * (n + 1)], 8) + column(["EDF+C" if extra else ""], 44)
    head += column([n_records, 1], 8) + column([n], 4) + column(labels, 16) + column([""] * n, 80)
    head += column(["uV"] * len(names) + [""] * extra, 8)
    head += column([f"{-top:.6g}"] * len(names) + [-1] * extra, 8)
    head += column([f"{top:.6g}"] * len(names) + [1] * extra, 8)
    head += column([-32767] * len(names) + [-32768] * extra, 8) + column([32767] * n, 8)
    head += column([""] * n, 80)
    head += column([int(sfreq)] * len(names) + [width // 2] * extra, 8) + column([""] * n, 32)
    body = b""
    for i in range(n_records):
        body += digital[i * int(sfreq) : (i + 1) * int(sfreq)].T.tobytes() if names else b""
        body += tal[i].ljust(width, b"\0") if extra else b""
    path.write_bytes(head + body)
    return path


def write_cnt(path, x_uv, sfreq, names):
    """Write a Neuroscan file: 32 bits, one unit is 1/204.8 microvolt, no events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n = len(names)
    data = np.round(x_uv * 204.8).astype("<i4").tobytes()
    head = bytearray(900)
    head[0:12] = b"Version 3.0\0"
    head[225:243] = b"02/01/20  10:00:00"
    head[225:245] = b"02/01/20  10:00:00\0\0"
    struct.pack_into("<H", head, 370, n)
    struct.pack_into("<H", head, 376, int(sfreq))
    struct.pack_into("<i", head, 864, len(x_uv))
    struct.pack_into("<i", head, 886, 900 + 75 * n + len(data))
    struct.pack_into("<f", head, 890, len(x_uv) / sfreq)
    places = bytearray()
    for i, name in enumerate(names):
        place = bytearray(75)
        place[: len(name)] = name.encode()
        angle = 2 * np.pi * i / n
        struct.pack_into("<ff", place, 19, float(np.cos(angle)), float(np.sin(angle)))
        struct.pack_into("<f", place, 59, 1.0)
        struct.pack_into("<f", place, 71, 1.0)
        places += place
    path.write_bytes(bytes(head) + bytes(places) + data + struct.pack("<Bll", 1, 0, 0)[:9])
    return path
