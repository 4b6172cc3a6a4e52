"""A stand-in for amplifier and decoder: publishes the EEG and the decoder's streams on LSL.

Run as a program; it imports nothing of neuript, so it is also an independent statement of the
stream format. `--script "OK:6,GAP:3,LOST:4"` goes through states, each for some seconds (repeated);
in LOST no EEG is sent. With `--report FILE` it writes how long each push took when it ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import pylsl

STATES = ["OK", "WARMUP", "GAP", "STALE", "CLOCK", "BAD_SIGNAL", "OVERLOAD", "LOST", "RECOVERED"]
NAMES_10_10 = (
    "Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 "
    "T7 C5 C3 C1 Cz C2 C4 C6 T8 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 "
    "PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz P9 P10"
)
NAMES_8 = ["Fz", "C3", "Cz", "C4", "Pz", "PO7", "Oz", "PO8"]
CLASSES = {
    2: ["left_hand", "right_hand"],
    3: ["left_hand", "right_hand", "rest"],
    4: ["left_hand", "right_hand", "feet", "tongue"],
}


def eeg_outlet(args: argparse.Namespace) -> tuple[pylsl.StreamOutlet, list[str]]:
    names = NAMES_8 if args.channels == 8 else NAMES_10_10.split()[: args.channels]
    names += [f"E{k}" for k in range(len(names), args.channels)]
    info = pylsl.StreamInfo(args.eeg_name, "EEG", args.channels, args.sfreq, "float32", f"{args.prefix}-eeg")
    channels = info.desc().append_child("channels")
    for name in names:
        channel = channels.append_child("channel")
        channel.append_child_value("label", name)
        channel.append_child_value("unit", args.unit)
        channel.append_child_value("type", "EEG")
    acquisition = info.desc().append_child("acquisition")
    acquisition.append_child_value("manufacturer", "neuript (simulated)" if args.simulated else "x")
    return pylsl.StreamOutlet(info, chunk_size=args.chunk), names


def proba_outlets(args: argparse.Namespace) -> tuple[pylsl.StreamOutlet, pylsl.StreamOutlet]:
    classes = CLASSES[args.classes]
    labels = [*classes, "decision", "confidence", "state", "sample_age_ms", "latency_ms"]
    labels += [f"evidence_{name}" for name in classes]
    info = pylsl.StreamInfo("neuript-mi-proba", "Predictions", len(labels), 0, "float32", f"{args.prefix}-proba-x")
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", "Status" if label in labels[len(classes) : -len(classes)] else "Probability")
        channel.append_child_value("unit", "none")
    decoder = info.desc().append_child("decoder")
    for key, value in {
        "task": "motor imagery",
        "window_s": "4.0",
        "hop_s": "0.125",
        "smoothing_s": "0.5",
        "threshold": "0.75",
        "release": "0.6",
        "group_delay_10hz_ms": "17.9",
        "group_delay_20hz_ms": "21.4",
        "model_sha256": "3f9a2c11" * 8,
        "eeg_source_id": f"{args.prefix}-eeg",
        "eeg_name": args.eeg_name,
        "simulated": "true" if args.simulated else "false",
        "model_name": "demo-tiny",
        "idle_class": "rest" if "rest" in classes else "",
    }.items():
        decoder.append_child_value(key, value)
    listed = decoder.append_child("classes")
    for name in classes:
        listed.append_child_value("class", name)
    events = pylsl.StreamInfo("neuript-mi-events", "Markers", 1, 0, "string", f"{args.prefix}-events-x")
    return pylsl.StreamOutlet(info), pylsl.StreamOutlet(events)


class Brain:
    """Pink noise, occipital alpha that waxes and wanes, blinks at the front, mains, offsets."""

    def __init__(self, names: list[str], sfreq: float, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.names, self.sfreq, self.n = names, sfreq, 0
        self.poles = np.exp(-2 * np.pi * np.array([0.5, 3.0, 15.0]) / sfreq)
        self.gains = np.array([6.0, 6.0, 6.0]) * np.sqrt(1 - self.poles**2)
        self.state = np.zeros((3, len(names)))
        self.offset = self.rng.normal(0, 4000, len(names))
        back = np.array([n[0] in "OP" for n in names], float)
        self.alpha = 12 * back + 3
        self.blink = 90 * np.array([n.startswith(("Fp", "AF", "Fz")) for n in names], float)
        self.phase = self.rng.uniform(0, 0.6, len(names))

    def read(self, n: int) -> np.ndarray:
        t = (self.n + np.arange(n)) / self.sfreq
        self.n += n
        out = np.empty((n, len(self.names)))
        noise = self.rng.normal(size=(n, 3, len(self.names)))
        for k in range(n):
            self.state = self.poles[:, None] * self.state + self.gains[:, None] * noise[k]
            out[k] = self.state.sum(axis=0)
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.21 * t)
        out += swell[:, None] * self.alpha * np.sin(2 * np.pi * 10.2 * t[:, None] + 2 * np.pi * self.phase)
        since = (t % 4.7)[:, None]
        out += self.blink * np.exp(-(((since - 0.4) / 0.09) ** 2))
        out += 4 * np.sin(2 * np.pi * 50 * t)[:, None]
        return (out + self.offset).astype(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", default="fake")
    parser.add_argument("--eeg-name")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--sfreq", type=float, default=250)
    parser.add_argument("--chunk", type=int, default=8)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--unit", default="microvolts")
    parser.add_argument("--script", default="WARMUP:2,OK:3600")
    parser.add_argument("--duration", type=float, default=3600)
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--flat", action="store_true", help="the second channel is flat, and said to be bad")
    parser.add_argument("--count", action="store_true", help="the last channel counts samples")
    parser.add_argument("--report")
    args = parser.parse_args()
    args.eeg_name = args.eeg_name or ("twin (simulated)" if args.simulated else "g.Nautilus")

    eeg, names = eeg_outlet(args)
    proba, events = proba_outlets(args)
    brain = Brain(names, args.sfreq)
    if args.flat:
        for gains in (brain.alpha, brain.blink):
            gains[1] = 0
    script = [(s.split(":")[0], float(s.split(":")[1])) for s in args.script.split(",")]
    total = sum(seconds for _, seconds in script)
    print("READY", flush=True)

    rng = np.random.default_rng(2)
    start, sent, rows = pylsl.local_clock(), 0, 0
    pushes: list[tuple[float, float]] = []
    smooth = np.zeros(args.classes)
    evidence, held, last_commit, last_state = 0.0, -1, -9.0, ""
    while (now := pylsl.local_clock() - start) < args.duration:
        at, state = now % total, script[-1][0]
        for name, seconds in script:
            if at < seconds:
                state = name
                break
            at -= seconds
        due = int(now * args.sfreq)
        while sent + args.chunk <= due:
            data = brain.read(args.chunk)
            if args.flat:
                data[:, 1] = 100.0
            if args.count:
                data[:, -1] = sent + np.arange(args.chunk)
            sent += args.chunk
            if state in ("LOST", "STALE") or (state == "GAP" and at < 0.9):
                continue
            began = time.perf_counter()
            eeg.push_chunk(data, start + sent / args.sfreq)
            pushes.append((pylsl.local_clock(), time.perf_counter() - began))
        while rows * 0.125 <= now:
            rows += 1
            stamp = start + rows * 0.125
            if args.flat and rows % 40 == 1:
                events.push_sample([f"neuript/bad/{names[1]}=flat"], stamp)
            if state != last_state:
                events.push_sample([f"neuript/state/{state}"], stamp)
                last_state = state
            valid = state in ("OK", "BAD_SIGNAL", "OVERLOAD")
            phase = now % 12
            drive = 2.6 if 2 < phase < 6 else -2.6 if 8 < phase < 12 else 0.0
            evidence += 0.25 * (drive - evidence) + rng.normal(0, 0.25)
            logits = np.zeros(args.classes)
            logits[0], logits[1] = evidence, -evidence
            p = np.exp(logits) / np.exp(logits).sum() if valid else np.full(args.classes, np.nan)
            best = int(np.argmax(p)) if valid else -1
            smooth = 0.78 * smooth + 0.22 * np.log(p) if valid else np.zeros(args.classes)
            q = np.exp(smooth) / np.exp(smooth).sum()
            if state != "OK" or (held >= 0 and q[held] < 0.6):
                held = -1
            elif held < 0 and q[best] > 0.75 and now - last_commit > 1:
                held = best
                last_commit = now
                events.push_sample([f"neuript/decision/{CLASSES[args.classes][best]}"], stamp)
            row = [
                *p,
                held,
                float(q.max()) if valid else 0.0,
                STATES.index(state),
                rng.gamma(4, 1.2),
                rng.gamma(9, 1.6),
                *(q if valid else np.full(args.classes, np.nan)),
            ]
            proba.push_sample(np.asarray(row, np.float32), stamp)
        time.sleep(0.002)
    if args.report:
        with open(args.report, "w") as file:
            json.dump({"pushes": pushes, "sent": sent}, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
