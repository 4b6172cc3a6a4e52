"""Earlier people as a prior for the next one: learn it, write it, read it, and say whether it fits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import check_writable
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.manifest import POPULATION_KIND, Manifest, provenance
from neuript.montages import Montage
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import PRIOR_PREFIX, HybridClassifier
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.fitting.centring import centre_s_of
from neuript.training.fitting.heads import readout_as_head
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.population.adaptation import PersonFit, adapt
from neuript.training.population.command_evidence import CommandEvidence
from neuript.training.population.commanded_people import command_evidence
from neuript.training.population.learning import BranchPrior, Learning, Learnt, Report
from neuript.training.population.leave_one_out import Table, leave_one_out, people_curve
from neuript.training.population.population_spec import (
    LEAST_PEOPLE,
    UNLABELLED_RELEASE,
    UNLABELLED_THRESHOLD,
    PopulationSpec,
)
from neuript.training.population.prior import CANDIDATES, Opinion, PersonTrials
from neuript.training.population.stacking import STACKS
from neuript.training.windows.dataset import Dataset, build_dataset, read_each
from neuript.training.windows.dataset_channels import montage_of_all


@dataclass(frozen=True, eq=False)
class Population:
    """What earlier people say of the next one, with all that says whether it fits.

    Attributes
    ----------
    learnt : Learnt
        Priors of the branches, the network, and the opinions of the people.
    manifest : Manifest
        Task, classes, channels, preprocessing, people by alias, and the table of people left out.
    """

    learnt: Learnt
    manifest: Manifest

    @property
    def people(self) -> tuple[str, ...]:
        """Aliases of the people."""
        return tuple(self.manifest.provenance["people"])

    @property
    def montage(self) -> Montage:
        """Channels that the priors are about."""
        return Montage.from_dict(self.manifest.montage)

    def check_recordings(self, paths: Sequence[Path]) -> None:
        """Refuse a person who is one of the people.

        Raises
        ------
        NeuriptError
            If a recording is among those that the population was learnt from.
        """
        known = set(self.manifest.provenance["file_hashes"])
        both = next((path for path in paths if path.is_file() and recording_sha256(path) in known), None)
        if both is not None:
            raise NeuriptError(
                f"{both.parent.name}/{both.name} is one of the recordings that the population was learnt from, so "
                "every accuracy would be too good; learn a population without this person (--exclude-people)"
            )

    def check_classes(self, classes: Sequence[str]) -> None:
        """Refuse another task.

        Raises
        ------
        NeuriptError
            If the classes are not those of the population, in whatever order.
        """
        if sorted(classes) != sorted(self.manifest.classes):
            raise NeuriptError(
                f"the population tells {', '.join(self.manifest.classes)} apart, not {', '.join(classes)}; use a "
                "population of this task, or name the classes as it does"
            )

    def nobody(self) -> PersonFit:
        """Return the decoder of somebody who has not given a trial."""
        features = None if self.learnt.features is None else _no_trials(self.learnt.features)
        return adapt(self.learnt, _no_trials(self.learnt.tangent), features, [])

    def module(self, fit: PersonFit, reference: Mapping[str, Tensor] | None = None) -> HybridClassifier:
        """Return a person's decoder as the module of a model file."""
        network_weight, tangent_weight = fit.weights
        network = None
        if network_weight > 0 and fit.features is not None and self.learnt.network is not None:
            network = readout_as_head(self.learnt.network, fit.features.readout, self.learnt.scale)
        tangent = fit.tangent.readout.branch() if tangent_weight > 0 else None
        bias = torch.zeros(len(self.manifest.classes))
        gate = None if fit.gate is None else fit.gate.readout.branch()
        return HybridClassifier(network, tangent, fit.weights, bias, reference, gate).eval()

    def save(self, path: str | Path) -> Manifest:
        """Write the population; as it is, it decodes somebody who has not given a trial.

        Raises
        ------
        NeuriptError
            If the file cannot be written; an old one is kept.
        """
        path = check_writable(path)
        if path.suffix != ".safetensors":
            raise NeuriptError(f"{path.name} must end in .safetensors")
        module = self.module(self.nobody())
        state = dict(module.state_dict())
        for name, readout in _readouts(self.learnt).items():
            state[f"{PRIOR_PREFIX}{name}.weight"] = torch.tensor(readout.weight)
            state[f"{PRIOR_PREFIX}{name}.bias"] = torch.tensor(readout.bias)
        if self.learnt.network is not None:
            state |= {f"{PRIOR_PREFIX}network.{k}": v for k, v in self.learnt.network.state_dict().items()}
        return save_checkpoint(path, state, replace(self.manifest, model=describe(module)))


def describe(module: HybridClassifier) -> dict[str, Any]:
    """How to build a decoder again, for its manifest."""
    network = module.network
    config = network.config.to_dict() if isinstance(network, NeurIPTNetwork) else None
    return {"architecture": "hybrid", "network": config, "weights": [module.network_weight, module.tangent_weight]}


def _readouts(learnt: Learnt) -> dict[str, Readout]:
    """What is kept of each read-out in a file, by its name there."""
    found = {"tangent": learnt.tangent.readout, "gate": learnt.gate}
    if learnt.features is not None:
        found["features"] = learnt.features.readout
    return {name: readout for name, readout in found.items() if readout is not None}


def _no_trials(prior: BranchPrior) -> PersonTrials:
    none = np.zeros(0, dtype=np.int64)
    return PersonTrials(np.zeros((0, prior.readout.weight.shape[1])), none, none, none.astype(bool))


def learn_population(
    people: Mapping[str, Sequence[Path]],
    spec: PopulationSpec,
    *,
    say: Callable[[str], None] | None = None,
    report: Report | None = None,
) -> Population:
    """Learn from labelled recordings of several people.

    Parameters
    ----------
    people : mapping of str to sequence of Path
        Recordings of each person in order of time, keyed by alias.
    spec : PopulationSpec
        Montage, the marker of each class, window, and what is learnt.
    say : callable, optional
        Takes a sentence at a time: what was found.
    report : callable, optional
        Called with what is being done, steps done, and steps in all.

    Raises
    ------
    NeuriptError
        If there are too few people, a recording is there twice, or one of them cannot be used; the sentence says whose.
    """
    began = time.monotonic()
    tell = say or (lambda _text: None)
    if len(people) < LEAST_PEOPLE:
        raise NeuriptError(
            f"{len(people)} {'person is' if len(people) == 1 else 'people are'} too few to say anything of another; "
            f"give recordings of at least {LEAST_PEOPLE}"
        )
    hashes = _hashes(people)
    data = datasets_of(people, spec, tell)
    first = next(iter(data.values()))
    learning = Learning(data, spec.network_config(len(first.classes)), seed=spec.seed, report=report)
    table = leave_one_out(learning) if spec.table else None
    curve = people_curve(learning) if spec.table else {}
    learnt = learning.learn(list(data))
    learnt = replace(learnt, commands=command_evidence(learning, learnt, spec.epoch_s[1]))
    manifest = replace(
        first.manifest,
        model={},
        policy=_policy(first.manifest.policy, gate=learnt.gate is not None),
        provenance=provenance(
            data=[f"{sum(map(len, people.values()))} recordings"],
            simulated=any(one.manifest.simulated for one in data.values()),
            counts={"people": len(data), "trials": sum(len(one.trials) for one in data.values())},
            notes="learnt from earlier people; not calibrated on anybody",
            kind=POPULATION_KIND,
            people=list(data),
            file_hashes=sorted(hashes),
            seed=spec.seed,
            config_file_sha256=spec.config_file_sha256,
        ),
        metrics=_metrics(learnt, table, curve, data, time.monotonic() - began),
    )
    return Population(learnt, manifest)


def datasets_of(
    people: Mapping[str, Sequence[Path]], spec: PopulationSpec, tell: Callable[[str], None]
) -> dict[str, Dataset]:
    """Return the windows of each person, of the channels that all have; keyed by alias.

    Raises
    ------
    NeuriptError
        If a recording cannot be used; the sentence says whose.
    """
    read = {
        alias: read_each([*paths], eeg=spec.eeg, channels=spec.channels, sfreq=spec.stream_sfreq)
        for alias, paths in people.items()
    }
    everything = [one for mine in read.values() for one in mine]
    if not spec.event_map:
        spec = spec.completed(everything)
        tell(f"the recordings say their classes themselves: {', '.join(spec.event_map)}")
    montage, notes = montage_of_all(everything, spec)
    for note in notes:
        tell(note)
    data: dict[str, Dataset] = {}
    for alias, recordings in read.items():
        try:
            data[alias] = build_dataset(recordings, spec, montage)
        except NeuriptError as error:
            raise NeuriptError(f"{alias}: {error}") from error
        for sentence in (data[alias].describe(), *data[alias].notes):
            tell(f"{alias}: {sentence}")
    return data


def _policy(draft: Mapping[str, Any], *, gate: bool) -> dict[str, Any]:
    """How decisions are made of what the people say, before anybody's own recordings say when."""
    policy = {**draft, "gate": gate, "centre_s": centre_s_of(0)}
    if gate:
        policy |= {"threshold": UNLABELLED_THRESHOLD, "release": UNLABELLED_RELEASE}
    return policy


def _hashes(people: Mapping[str, Sequence[Path]]) -> set[str]:
    """Hashes of all recordings, each of which may be there once."""
    owner: dict[str, str] = {}
    for alias, paths in people.items():
        for path in paths:
            digest = recording_sha256(path)
            if digest in owner:
                raise NeuriptError(
                    f"{path.parent.name}/{path.name} of {alias} is there twice (the other one is of {owner[digest]}); "
                    "a person who is two people would judge their own prior"
                )
            owner[digest] = alias
    return set(owner)


def _metrics(
    learnt: Learnt, table: Table | None, curve: Mapping[int, float], data: Mapping[str, Dataset], seconds: float
) -> dict[str, Any]:
    opinions: dict[str, Any] = {
        "candidates": [[c.share, c.variance] for c in CANDIDATES],
        "stacks": [list(weights) for weights in STACKS],
        "stack": learnt.stack.to_dict(),
        "scale": learnt.scale,
    }
    for name, branch in (("tangent", learnt.tangent), ("features", learnt.features)):
        if branch is not None:
            opinions[name] = {"opinion": branch.opinion.to_dict(), "variance": branch.variance}
    if learnt.commands is not None:
        opinions["commands"] = learnt.commands.to_dict()
    if learnt.network is not None:
        opinions["network"] = learnt.network.config.to_dict()
    shown: dict[str, Any] = {}
    if table is not None:
        by_people = {str(count): value for count, value in curve.items()}
        shown = {"left_out": table.to_dict(), "without_a_trial_by_number_of_people": by_people}
    return {
        "protocol": "each person left out in turn; first trials of the earlier recordings learnt from, later "
        "recordings judged; unit: trial; balanced accuracy",
        **shown,
        "opinions": opinions,
        "windows": sum(len(one.x) for one in data.values()),
        "seconds": round(seconds, 1),
    }


def load_population(path: str | Path) -> Population:
    """Read a population.

    Raises
    ------
    ModelRefusedError
        If the file is damaged, or holds something else.
    """
    path = Path(path)
    manifest, state = load_checkpoint(path)
    manifest.require_population(path.name)
    try:
        learnt = _learnt(manifest, state)
    except (KeyError, ValueError, TypeError, RuntimeError, NeuriptError) as error:
        reason = "".join(str(error).splitlines()[:1])[:200]
        raise ModelRefusedError(f"{path.name} cannot be used: {type(error).__name__}: {reason}") from error
    return Population(learnt, manifest)


def _learnt(manifest: Manifest, state: Mapping[str, Tensor]) -> Learnt:
    opinions = manifest.metrics["opinions"]
    if opinions["candidates"] != [[c.share, c.variance] for c in CANDIDATES]:
        raise NeuriptError("its candidates are not those of this version of neuript; learn it again")
    if opinions["stacks"] != [list(weights) for weights in STACKS]:
        raise NeuriptError("its stacks are not those of this version of neuript; learn it again")

    def readout(name: str) -> Readout:
        weight, bias = (state[f"{PRIOR_PREFIX}{name}.{part}"].double().numpy() for part in ("weight", "bias"))
        return Readout(weight, bias)

    def branch(name: str) -> BranchPrior | None:
        if name not in opinions:
            return None
        about = opinions[name]
        return BranchPrior(readout(name), Opinion.from_dict(about["opinion"]), float(about["variance"]))

    tangent = branch("tangent")
    if tangent is None:
        raise NeuriptError("it has no prior of the Riemannian branch")
    network = None
    if "network" in opinions:
        montage = Montage.from_dict(manifest.montage)
        network = NeurIPTNetwork(NetworkConfig.from_dict(opinions["network"]), montage.pos_m, montage.lobe_groups())
        prefix = f"{PRIOR_PREFIX}network."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        network.eval()
    gate = readout("gate") if f"{PRIOR_PREFIX}gate.weight" in state else None
    stack = Opinion.from_dict(opinions["stack"])
    commands = CommandEvidence.from_dict(opinions["commands"]) if "commands" in opinions else None
    return Learnt(tangent, branch("features"), network, float(opinions["scale"]), stack, gate, commands)
