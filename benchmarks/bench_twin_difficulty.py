"""How hard the digital twin is: trial accuracy of CSP+LDA by skill, cap and number of classes. All simulated.

    python benchmarks/bench_twin_difficulty.py --seeds 20

Causal band-pass 8 to 30 Hz, window 0.5 to 3.5 s after the cue, the first 20 trials per class for training (in the order
of the session), all later ones for testing. Every seed is another simulated person and another session.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import TwinRecording, TwinSignal, record_session
from neuript.realtime.twin.subject import SessionConditions, Subject

TWO = ("left_hand", "right_hand")
FOUR = (*TWO, "feet", "tongue")


def trials_of(
    recording: TwinRecording, window_s: tuple[float, float] = (0.5, 3.5)
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Band-passed trials (n_trials, n_chans, n_times) and their classes."""
    sos = signal.butter(4, (8.0, 30.0), "bandpass", fs=recording.sfreq, output="sos")
    x = signal.sosfilt(sos, recording.data - recording.data[0], axis=0)
    classes = recording.protocol.classes
    n = round((window_s[1] - window_s[0]) * recording.sfreq)
    trials, labels = [], []
    for event in recording.events:
        if event.label in classes:
            first = round((event.time_s + window_s[0]) * recording.sfreq)
            trials.append(x[first : first + n].T)
            labels.append(classes.index(event.label))
    return np.stack(trials), np.array(labels)


def csp_filters(x: NDArray[np.float64], y: NDArray[np.int64], n_pairs: int = 3) -> NDArray[np.float64]:
    """Common spatial patterns (Blankertz et al. 2008), one class against the rest for more than two."""
    covariances = np.stack([c / np.trace(c) for c in (t @ t.T for t in x)])
    n_classes = int(y.max()) + 1
    n_pairs = n_pairs if n_classes == 2 else 2
    filters = []
    for k in range(1 if n_classes == 2 else n_classes):
        one, rest = covariances[y == k].mean(axis=0), covariances[y != k].mean(axis=0)
        both = one + rest
        both += 1e-6 * np.trace(both) / len(both) * np.eye(len(both))
        vectors = linalg.eigh(one, both)[1]
        filters.append(np.concatenate([vectors[:, :n_pairs], vectors[:, -n_pairs:]], axis=1))
    return np.concatenate(filters, axis=1)


def csp_lda_accuracy(recording: TwinRecording, train_per_class: int = 20) -> float:
    """Accuracy on all trials after the first `train_per_class` per class."""
    x, y = trials_of(recording)
    n = train_per_class * len(recording.protocol.classes)
    w = csp_filters(x[:n], y[:n])
    features = np.log((w.T @ x).var(axis=2))
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[:n], y[:n])
    return float(lda.score(features[n:], y[n:]))


def accuracy(
    montage: str,
    skill: float,
    seed: int,
    classes: tuple[str, ...] = TWO,
    test_per_class: int = 40,
    sfreq: float = 250.0,
    brisk: bool = False,
) -> float:
    """Simulate one person's session and decode it; `brisk` shortens the breaks."""
    protocol = CueProtocol(
        classes=classes,
        trials_per_class=20 + test_per_class,
        pre_cue_s=1.0 if brisk else 2.0,
        pause_s=(0.6, 0.9) if brisk else (1.5, 2.5),
    )
    person = Subject(skill=skill, seed=seed)
    return csp_lda_accuracy(record_session(montage, sfreq, person, protocol=protocol, seed=seed))


def table(seeds: int, test_per_class: int) -> None:
    """Print the difficulty tables."""
    caps = ("openbci-16", "motor-16", "gnautilus-16")
    print(f"SIMULATED. CSP+LDA, 20 trials per class to train, {test_per_class} to test; {seeds} seeds")
    print("two classes: mean accuracy in % (lowest, highest person)")
    print("skill  " + "".join(f"{cap:>20}" for cap in caps) + "    all caps")
    for skill in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0):
        rows = [[100 * accuracy(c, skill, s, TWO, test_per_class) for s in range(seeds)] for c in caps]
        cells = "".join(f"{np.mean(r):8.1f} ({min(r):3.0f}, {max(r):3.0f})" for r in rows)
        print(f"{skill:5.1f}  {cells}    {np.mean(rows):6.1f}", flush=True)
    usual = Subject.skill
    rows4 = [100 * accuracy("motor-16", usual, s, FOUR, test_per_class) for s in range(seeds)]
    print(f"four classes, motor-16, skill {usual:g}: {np.mean(rows4):.1f} ({min(rows4):.0f}, {max(rows4):.0f})")
    rest = [100 * accuracy("motor-16", usual, s, (TWO[0], "rest"), test_per_class) for s in range(seeds)]
    print(f"left hand against rest, motor-16, skill {usual:g}: {np.mean(rest):.1f}")
    rng = np.random.default_rng(7)
    people = [
        100
        * csp_lda_accuracy(
            record_session(
                "motor-16",
                250.0,
                Subject.sample(rng),
                SessionConditions.sample(rng),
                CueProtocol(trials_per_class=20 + test_per_class),
                seed=s,
            )
        )
        for s in range(2 * seeds)
    ]
    quartiles = np.percentile(people, [10, 25, 50, 75, 90])
    print("population, percentiles 10 25 50 75 90: " + " ".join(f"{q:.0f}" for q in quartiles))


def speed() -> None:
    """Print what generating costs."""
    for montage, sfreq, seconds in (("openbci-16", 250.0, 1200.0), ("biosemi-64", 1000.0, 60.0)):
        twin = TwinSignal(montage, sfreq)
        twin.read(1)
        begin = time.process_time()
        twin.read(round(seconds * sfreq))
        used = time.process_time() - begin
        print(
            f"{montage} at {sfreq:g} Hz: {seconds:g} s of signal in {used:.2f} s of CPU "
            f"({100 * used / seconds:.2f} % of a core in real time)"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--test", type=int, default=40, help="test trials per class")
    arguments = parser.parse_args()
    speed()
    table(arguments.seeds, arguments.test)
