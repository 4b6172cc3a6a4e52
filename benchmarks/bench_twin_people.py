"""Promises of a calibration, over a hundred simulated people. All simulated.

    python benchmarks/bench_twin_people.py --people 100

1. A person without any desynchronisation is told to be at chance (at least 95 of 100).
2. The commands at rest of another session stay below the bound that was asked for (at least 95 of 100 people).
3. The cap sits elsewhere on another day: trial accuracy of the same model with the alignment frozen at the calibration,
   and moving; and without a shift of the cap, for comparison.

Every person is another head; the second day has another seed. Nothing is chosen on what is tested.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import mne
import numpy as np
import torch

from neuript import CalibrationSpec, calibrate
from neuript.network.stack import reference_of
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.event_scoring import Commit, EventCard, score_events
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import PublishedRow, ScoreCard, score_trials
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import SessionConditions, Subject
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.windows.events import trials_of

CLASSES = ("right_hand", "rest")
MONTAGE, SFREQ = "motor-16", 250.0
SHIFT_MM = (8.0, -6.0, 0.0)


def day(person: Subject, seed: int, trials: int, conditions: SessionConditions | None = None) -> Recording:
    """One session of a person."""
    protocol = CueProtocol(classes=CLASSES, trials_per_class=trials)
    return session_recording(TwinSignal(MONTAGE, SFREQ, person, conditions or SessionConditions(), protocol, seed))


def calibrated(recording: Recording, bound: float = 1.0) -> CalibrationResult:
    """The Riemannian branch alone: nothing of what is asked here depends on the network."""
    spec = CalibrationSpec(
        event_map={name: (name,) for name in CLASSES},
        montage=MONTAGE,
        network="none",
        mains_hz=50.0,
        max_false_per_minute=bound,
    )
    return calibrate(recording, spec)


@dataclass
class Eager:
    """The calibrated module as an engine."""

    module: torch.nn.Module

    def infer(self, signal: np.ndarray, tangent: np.ndarray, /) -> np.ndarray:
        with torch.inference_mode():
            x, v = (torch.as_tensor(np.ascontiguousarray(part, dtype=np.float32))[None] for part in (signal.T, tangent))
            return self.module(x, v)[0].numpy()


def replayed(result: CalibrationResult, recording: Recording, *, moving: bool) -> tuple[ScoreCard, EventCard]:
    """The live decoder over another session: trials and events."""
    manifest = result.manifest
    module = result.decoder.module
    state = {name: values.numpy() for name, values in reference_of(module.state_dict()).items()}
    reference = Reference.of(state)
    matrix = np.eye(len(recording.eeg.info.ch_names))
    names = list(recording.eeg.info.ch_names)
    matrix = matrix[[names.index(name) for name in manifest.ch_names]]
    source = ReplaySource(recording, chunk=512)
    decoder = Decoder.from_manifest(source, matrix, 1e-6, manifest, Eager(module), reference=reference, moving=moving)
    rows = []
    while not decoder.ended:
        rows += decoder.step(0.0)
    trials = trials_of(events_of(recording), {name: (name,) for name in CLASSES})
    published = [PublishedRow(r.t, r.proba, r.decision, str(r.state)) for r in rows]
    card = score_trials(published, trials, manifest.classes, window_end_s=(4.0, 4.5))
    commits = [Commit(r.t, r.decision) for r in rows if r.committed and r.decision is not None]
    decoded = np.array([r.t for r in rows if r.state is State.OK])
    spec = PolicySpec.from_dict(manifest.policy)
    events = score_events(commits, trials, decoded, manifest.hop_s, idle_class=spec.idle_class, duration_s=4.5)
    return card, events


def no_desynchronisation(n_people: int, trials: int) -> None:
    """Promise 1."""
    told = 0
    for seed in range(n_people):
        result = calibrated(day(Subject(skill=0.0, seed=seed), 10_000 + seed, trials))
        published = result.published
        told += published is not None and not published.above_chance
    print(f"without desynchronisation, {trials} trials per class: {told} of {n_people} people are told so", flush=True)


def false_activations(n_people: int, trials: int, bound: float) -> None:
    """Promise 2."""
    kept, promised, rates, hits = 0, 0, [], []
    for seed in range(n_people):
        rng = np.random.default_rng(seed)
        person = replace(Subject.sample(rng), seed=seed)
        result = calibrated(day(person, 20_000 + seed, trials), bound)
        point = result.operating_point
        promised += point is not None and point.kept
        _, events = replayed(result, day(person, 30_000 + seed, trials), moving=True)
        rates.append(events.false_per_minute)
        hits.append(events.hit_rate)
        kept += events.false_per_minute <= bound
    print(
        f"bound {bound:g} a minute, {trials} trials per class: kept on another session by {kept} of {n_people} people "
        f"(the calibration could promise it to {promised}); false per minute: median {np.median(rates):.2f}, 95th "
        f"percentile {np.percentile(rates, 95):.2f}; tasks commanded: mean {np.mean(hits):.0%}",
        flush=True,
    )


def shifted_cap(n_people: int, trials: int) -> None:
    """Promise 3."""
    rows = []
    for seed in range(n_people):
        person = Subject(skill=0.8, seed=seed)
        result = calibrated(day(person, 40_000 + seed, trials))
        same = day(person, 50_000 + seed, trials)
        moved = day(person, 50_000 + seed, trials, SessionConditions(cap_shift_mm=SHIFT_MM))
        rows.append(
            [replayed(result, where, moving=moving)[0].accuracy for where in (same, moved) for moving in (False, True)]
        )
    mean = np.mean(rows, axis=0)
    error = (
        np.std(np.diff(np.array(rows), axis=1), axis=0, ddof=1) / np.sqrt(n_people) if n_people > 1 else [np.nan] * 3
    )
    print(
        f"{n_people} people, trial accuracy on another day: same cap, alignment frozen {mean[0]:.3f}, moving "
        f"{mean[1]:.3f}; cap shifted by {SHIFT_MM} mm, frozen {mean[2]:.3f}, moving {mean[3]:.3f} (standard error "
        f"of the last difference {error[2]:.3f})",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20, help="trials per class")
    parser.add_argument("--bound", type=float, default=1.0, help="false activations per minute")
    parser.add_argument("--only", choices=("chance", "false", "cap"))
    arguments = parser.parse_args()
    mne.set_log_level("ERROR")
    torch.set_num_threads(1)
    begin = time.monotonic()
    print("SIMULATED")
    if arguments.only in (None, "chance"):
        no_desynchronisation(arguments.people, arguments.trials)
    if arguments.only in (None, "false"):
        false_activations(arguments.people, arguments.trials, arguments.bound)
    if arguments.only in (None, "cap"):
        shifted_cap(max(2, arguments.people // 5), arguments.trials)
    print(f"{time.monotonic() - begin:.0f} s")
