"""What each ingredient of the network's recipe is worth: everybody left out in turn, one change at a time.

    python benchmarks/bench_network_recipe.py DATA --include '*/00[2-5]/*' --include '*/Test4/*' --unit microvolts \\
        --event right_hand=OVTK_GDF_Right --event rest=OVTK_GDF_Tongue --seeds 520 1520 2520 --out recipe.jsonl

Every variant gets the same read-out (the others' as the mean of a prior, variances fixed), so that nothing is chosen
here. "log power" and "random weights" are the controls: the same read-out without any network, and without training.
A row is balanced accuracy (negative log-likelihood per trial, nats) at 0, 10, 20 and 40 trials per class, mean over
people and seeds; then the difference to the recipe, paired over people after averaging seeds, with its 95 % t-interval.
Finished rows are kept in --out and not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax

from neuript.cli.window_options import add_window_options, window_settings
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.training.corpus.scan import ScanOptions
from neuript.training.fitting.build import build_network
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.tangent_readout import feature_scale
from neuript.training.population.learning import groups_of, tangent_trials, trials_of_features
from neuript.training.population.leave_one_out import COUNTS, log_power
from neuript.training.population.network_training import (
    Corruption,
    GroupedWindows,
    NetworkTraining,
    features_of,
    train_network,
)
from neuript.training.population.people import people_of
from neuript.training.population.population_file import datasets_of
from neuript.training.population.population_spec import PopulationSpec
from neuript.training.population.prior import Candidate, PersonTrials, first_trials, fit_person, fit_prior, judge_of
from neuript.training.windows.dataset import Dataset

PRIOR_VARIANCE, CANDIDATE = 0.06, Candidate(share=1.0, variance=0.5)
RECIPE, POWER, RANDOM, TANGENT = "recipe", "log power", "random weights", "tangent vectors"
CROP_S, N_CROPS = 3.0, 5
Features = Callable[[NDArray[np.float32]], NDArray[np.floating]]


@dataclass(frozen=True)
class Variant:
    """One change of the recipe."""

    training: Mapping[str, Any] = field(default_factory=dict)
    """Of `NetworkTraining`."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of `NetworkConfig`."""
    unlabelled: bool = False
    """Learn from the pauses as well, without classes."""
    then: Mapping[str, Any] | None = None
    """Go on from these weights with another training, on the labelled windows."""
    n_networks: int = 1
    """Networks of different seeds, read side by side."""
    beside: Variant | None = None
    """Another network, read side by side."""
    lose_channels: float = 0.0
    """Share of the channels that each training window loses."""
    crop: bool = False
    """Train on random crops, and read the mean over crops."""


ALONE = {"class_weight": 0.0}
SELF_SUPERVISED = Variant(ALONE, unlabelled=True)
VARIANTS = {
    RECIPE: Variant(),
    "classes alone, no tangent vectors": Variant({"teacher_weight": 0.0}),
    "tangent vectors alone, no classes": Variant(ALONE),
    "self-supervised: the same, pauses too": SELF_SUPERVISED,
    "self-supervised, then the recipe": replace(SELF_SUPERVISED, then={}),
    "self-supervised beside the recipe": replace(SELF_SUPERVISED, beside=Variant()),
    "three seeds side by side": Variant(n_networks=3),
    "600 steps": Variant({"n_steps": 600}),
    "lower learning rate (6e-4)": Variant({"max_lr": 6e-4}),
    "dropout 0.25 in the encoder": Variant(config={"dropout": 0.25}),
    "channel dropout 0.15": Variant(lose_channels=0.15),
    "random crops, mean over crops": Variant(crop=True),
    "twice as wide": Variant(config={"d_model": 64, "d_ff": 64, "n_heads": 8, "covariance_heads": 16}),
    "mean per channel, classes alone": Variant({"teacher_weight": 0.0}, {"pooling": "channels"}),
    "lobes (IILP), classes alone": Variant({"teacher_weight": 0.0}, {"pooling": "iilp"}),
}
CONTROLS = (TANGENT, POWER, RANDOM)


def unlabelled(data: Dataset) -> list[GroupedWindows]:
    """Windows of trials and pauses, recording by recording; their classes mean nothing."""
    if data.pauses is None:
        raise SystemExit("the windows of the pauses are missing")
    recording = np.array([trial.recording for trial in data.trials])
    out = []
    for r in np.unique(recording):
        trials, pauses = recording[data.trial] == r, recording[data.pauses.trial] == r
        signal = np.concatenate([data.signal[trials], data.pauses.signal[pauses]])
        tangent = np.concatenate([data.tangent[trials], data.pauses.tangent[pauses]])
        out.append(GroupedWindows(signal, tangent, np.arange(len(signal)) % len(data.classes)))
    return out


def corruption(variant: Variant, n_crop: int) -> Corruption | None:
    """What the variant does to the windows that it is trained on."""

    def corrupt(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        if variant.crop:
            start = int(rng.integers(0, x.shape[-1] - n_crop + 1))
            x = x[..., start : start + n_crop]
        if variant.lose_channels:
            kept = rng.random((*x.shape[:2], 1)) >= variant.lose_channels
            x = x * torch.from_numpy(kept.astype(np.float32))
        return x

    return corrupt if variant.crop or variant.lose_channels else None


def crop_features(network: NeurIPTNetwork, n_crop: int, signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of the features over crops of a window."""
    starts = np.linspace(0, signal.shape[-1] - n_crop, N_CROPS).astype(int)
    crops = [features_of(network, np.ascontiguousarray(signal[..., s : s + n_crop])) for s in starts]
    return np.asarray(np.mean(crops, axis=0))


def readers(
    variant: Variant, people: Mapping[str, Dataset], kept: Sequence[str], config: NetworkConfig, seed: int
) -> list[Features]:
    """Train what the variant says on the people that are kept."""
    first = next(iter(people.values()))
    config, n_crop = replace(config, **variant.config), round(CROP_S * first.sfreq)
    groups = [g for alias in kept for g in (unlabelled if variant.unlabelled else groups_of)(people[alias])]
    labelled = [g for alias in kept for g in groups_of(people[alias])]
    out: list[Features] = []
    for k in range(variant.n_networks):
        options: dict[str, Any] = {"seed": seed + 10_000 * k, "corrupt": corruption(variant, n_crop)}
        network = train_network(groups, config, first.montage, NetworkTraining(**variant.training), **options)
        if variant.then is not None:
            training = NetworkTraining(**variant.then)
            network = train_network(labelled, config, first.montage, training, start=network, **options)
        out.append(partial(crop_features, network, n_crop) if variant.crop else partial(features_of, network))
    return out if variant.beside is None else out + readers(variant.beside, people, kept, config, seed)


def features_by(
    name: str, people: Mapping[str, Dataset], kept: Sequence[str], config: NetworkConfig, seed: int
) -> dict[str, PersonTrials]:
    """Everybody's trials as a variant, or a control, sees them."""
    if name == TANGENT:
        return {alias: tangent_trials(data) for alias, data in people.items()}
    if name == POWER:
        found: list[Features] = [log_power]
    elif name == RANDOM:
        found = [partial(features_of, build_network(config, next(iter(people.values())).montage, seed=seed))]
    else:
        found = readers(VARIANTS[name], people, kept, config, seed)
    each = []
    for read in found:
        raw = {alias: trials_of_features(data, read) for alias, data in people.items()}
        scale = feature_scale([raw[alias].x for alias in kept]) / len(found) ** 0.5
        each.append({alias: person.scaled(scale) for alias, person in raw.items()})
    return {alias: beside([part[alias] for part in each]) for alias in people}


def beside(parts: Sequence[PersonTrials]) -> PersonTrials:
    """Features of the same windows side by side."""
    centres = [part.centre for part in parts if part.centre is not None]
    return replace(parts[0], x=np.concatenate([p.x for p in parts], 1), centre=np.concatenate(centres, 1))


def judge(left_out: str, people: Mapping[str, PersonTrials], n_classes: int) -> dict[int, tuple[float, float]]:
    """Balanced accuracy and negative log-likelihood per trial of somebody left out, by trials per class."""
    prior = fit_prior([p for alias, p in people.items() if alias != left_out], n_classes, PRIOR_VARIANCE)
    person = people[left_out]
    later, out = judge_of(person), {}
    trials = np.unique(later.trial)
    labels = later.labels[trials]
    for count in COUNTS:
        own = person.windows_of(first_trials(person.labels, count, person.early))
        fit = fit_person(own, n_classes, prior, CANDIDATE)
        proba = np.exp(log_softmax(later.logits(fit, count), axis=1))
        mean = np.stack([proba[later.trial == trial].mean(axis=0) for trial in trials])
        nll = float(-np.log(mean[np.arange(len(labels)), labels].clip(1e-9)).mean())
        out[count] = balanced_accuracy(confusion(labels, mean.argmax(1), n_classes)), nll
    return out


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Means of all variants, and their difference to the recipe."""
    names = list(dict.fromkeys(row["variant"] for row in rows))
    means = {}
    for name in names:
        mine = [row["people"] for row in rows if row["variant"] == name]
        table = np.array([[[p[a][str(c)] for c in COUNTS] for a in sorted(p)] for p in mine])
        means[name] = table.mean(axis=0)  # people, counts, (accuracy, nll)
        cells = " ".join(f"{a:.3f} ({nll:.3f})" for a, nll in means[name].mean(axis=0))
        print(f"{name:40s} {len(mine)} seeds  {cells}")
    print("\ndifference to the recipe: balanced accuracy; negative log-likelihood")
    for name in names:
        if name == RECIPE or RECIPE not in means:
            continue
        difference = means[name] - means[RECIPE]
        n = len(difference)
        half = stats.t.ppf(0.975, n - 1) * difference.std(axis=0, ddof=1) / np.sqrt(n)
        for k, what in enumerate(("accuracy", "nll")):
            pairs = zip(difference.mean(axis=0)[:, k], half[:, k], strict=True)
            print(f"{name:40s} {what:8s} " + " ".join(f"{d:+.3f} [{d - h:+.3f}, {d + h:+.3f}]" for d, h in pairs))


def main() -> None:
    """Run what is not there yet, then show all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="rows as JSON lines")
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[520])
    parser.add_argument("--only", nargs="+", choices=(*CONTROLS, *VARIANTS))
    add_window_options(parser, "what was on the heads")
    args = parser.parse_args()
    torch.set_num_threads(1)
    done = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    spec = PopulationSpec(**window_settings(args))
    people = datasets_of(people_of(args.sources, ScanOptions(include=tuple(args.include))), spec, print)
    config = spec.network_config(len(next(iter(people.values())).classes))
    assert config is not None
    n_classes = config.n_outputs
    if any(sorted(row["people"]) != sorted(people) for row in done):
        raise SystemExit(f"{args.out} holds rows of other people; give another --out")
    for seed in args.seeds:
        for name in args.only or (*CONTROLS, *VARIANTS):
            if any(row["variant"] == name and row["seed"] in (seed, None) for row in done):
                continue
            began = time.monotonic()
            found = {}
            for left_out in people:
                kept = [alias for alias in people if alias != left_out]
                found[left_out] = judge(left_out, features_by(name, people, kept, config, seed), n_classes)
            row = {"variant": name, "seed": None if name in (TANGENT, POWER) else seed, "people": found}
            with args.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            done.append(json.loads(json.dumps(row)))
            print(f"{name}, seed {seed}: {time.monotonic() - began:.0f} s", flush=True)
    show(done)


if __name__ == "__main__":
    main()
