"""A small amplifier for tests: an EEG outlet in a process of its own, with scripted faults.

`plugged_in(...)` starts and ends it. It imports nothing of neuript. The signal is made from the seed, so a test can
make the same one with `signal(...)`. Faults are `SECOND:KIND:VALUE`, several separated by commas:

    5:gap:0.4       0.4 s of samples are never sent
    5:silence:1     nothing is sent for 1 s, then everything that was recorded meanwhile
    5:flat:1        channel 0 stands still for 1 s
    5:nan:1         channel 0 is NaN for 1 s
    5:step:100      all later stamps are 100 s ahead
    5:unplug:2      the outlet goes away for 2 s, what is measured meanwhile is lost
    5:rate:500      the outlet goes away and comes back with another nominal rate
    5:relabel:1     the outlet goes away and comes back with other labels
    5:end:0         the outlet goes away for good
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from processes import Child


@contextmanager
def plugged_in(
    *options: str, source_id: str | None = None, name: str = "test amplifier"
) -> Iterator[tuple[str, Child]]:
    """Run an amplifier; give its `source_id`, which nobody else has, and its process."""
    from processes import running

    source_id = source_id or f"test-{uuid.uuid4().hex[:10]}"
    with running([sys.executable, __file__, "--name", name, "--source-id", source_id, *options]) as child:
        child.wait_until_it_says("ready")
        yield source_id, child


def signal(seed: int, n_times: int, n_chans: int, sfreq: float) -> np.ndarray:
    """EEG-like numbers in microvolts, float32, (n_times, n_chans)."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_times)[:, None] / sfreq
    slow = np.cumsum(rng.normal(size=(n_times, n_chans)), axis=0) * 0.3
    alpha = 12 * np.sin(2 * np.pi * (10 * t + np.arange(n_chans) / 3)) * (1 + np.sin(0.7 * t))
    noise = rng.normal(scale=5, size=(n_times, n_chans))
    return (slow - slow.mean(0) + alpha + noise).astype(np.float32)


def outlet(args, *, sfreq=None, labels=None):
    import pylsl

    labels = args.labels.split(",") if labels is None else labels
    info = pylsl.StreamInfo(
        args.name, args.type, args.n_chans, args.sfreq if sfreq is None else sfreq, args.format,
        args.source_id,
    )  # fmt: skip
    if args.labels:
        channels = info.desc().append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            if args.unit:
                channel.append_child_value("unit", args.unit)
            channel.append_child_value("type", "EEG")
    return pylsl.StreamOutlet(info)


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("--name", required=True)
    p.add_argument("--source-id", required=True)
    p.add_argument("--type", default="EEG")
    p.add_argument("--labels", default="C3,Cz,C4,Pz")
    p.add_argument("--n-chans", type=int)
    p.add_argument("--unit", default="microvolts")
    p.add_argument("--sfreq", type=float, default=250.0)
    p.add_argument("--format", default="float32")
    p.add_argument("--scale", type=float, default=1.0)
    p.add_argument("--seconds", type=float, default=60.0)
    p.add_argument("--chunk", type=int, default=10)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--fault", default="")
    args = p.parse_args()
    if args.n_chans is None:
        args.n_chans = len(args.labels.split(","))
    import pylsl

    streams = [outlet(args)]
    print("ready", flush=True)
    streams[0].wait_for_consumers(120.0)
    if args.format == "string":
        time.sleep(args.seconds)
        return
    play(args, streams, pylsl.local_clock)


def play(args, streams, clock) -> None:
    out = streams.pop()  # the one reference: without it the stream is gone
    rate = args.sfreq or 250.0
    x = signal(args.seed, round(args.seconds * rate), args.n_chans, rate) * args.scale
    stamps = np.arange(len(x)) / rate
    x, stamps, away = apply_faults(args, x, stamps)
    begin = clock()
    for i in range(0, len(x), args.chunk):
        part = slice(i, min(i + args.chunk, len(x)))
        last = (part.stop - 1) / rate
        while clock() < begin + last:
            time.sleep(0.002)
        kind = next((k for a, b, k in away if a <= last < b), None)
        if kind == "end":
            return
        if kind in ("unplug", "rate", "relabel"):
            out = None
            continue
        if kind == "silence":
            while clock() < begin + next(b for a, b, k in away if a <= last < b):
                time.sleep(0.002)
        if out is None:
            changed = [k for _, b, k in away if b <= last]
            if "rate" in changed:
                out = outlet(args, sfreq=500.0)
            elif "relabel" in changed:
                out = outlet(args, labels=[f"E{k}" for k in range(args.n_chans)])
            else:
                out = outlet(args)
        keep = np.isfinite(stamps[part])
        if keep.any():
            out.push_chunk(np.ascontiguousarray(x[part][keep]), (begin + stamps[part][keep]).tolist())
    time.sleep(3.0)


def apply_faults(args, x, stamps):
    away = []
    x, true = x.copy(), stamps.copy()
    stamps = stamps.copy()
    for text in filter(None, args.fault.split(",")):
        at, kind, value = text.split(":")
        start, amount = float(at), float(value)
        inside = (true >= start) & (true < start + amount)
        if kind == "gap":
            stamps[inside] = np.nan
        elif kind == "flat":
            x[inside, 0] = x[np.argmax(inside), 0]
        elif kind == "nan":
            x[inside, 0] = np.nan
        elif kind == "step":
            stamps[true >= start] += amount
        elif kind == "end":
            away.append((start, 1e9, kind))
        else:
            away.append((start, start + (1.0 if kind in ("rate", "relabel") else amount), kind))
    return x, stamps, away


if __name__ == "__main__":
    main()
