"""Calibrate on earlier recordings, run the live decoder over later ones, and count what it commanded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.calibration.frozen_network import EncoderFile
from neuript.training.calibration.held_out import ReportStep
from neuript.training.evaluate.pseudo_online.contestants import ALL
from neuript.training.evaluate.pseudo_online.online_scores import OnlineTask, figures_of, operating_curve, plain
from neuript.training.evaluate.pseudo_online.person_walks import PersonWalks
from neuript.training.evaluate.pseudo_online.pseudo_online_spec import PseudoOnlineSpec
from neuript.training.evaluate.pseudo_online.target_data import PersonSplit, access_of
from neuript.training.evaluate.pseudo_online.walks import Key, Walk
from neuript.training.population.population_file import Population, load_population
from neuript.weights import population_file

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False, slots=True)
class OnlineResult:
    """What every decoder did over the test recordings.

    Attributes
    ----------
    main : str
        Number of calibration trials of the main figures: `all`, or `0` where no label was used.
    people : dict
        For each alias what it was calibrated on and, by decoder and number of trials, its figures.
    over_all : dict
        Figures of all people together, by decoder and number of trials.
    about : dict
        Classes, times, settings and protocol.
    """

    main: str
    people: dict[str, Any]
    over_all: dict[str, Any]
    about: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**self.about, "main": self.main, "people": self.people, "over_all": self.over_all}

    def save(self, path: str | Path) -> None:
        """Write the figures as JSON."""
        write_atomically(path, (json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n").encode())


def evaluate_pseudo_online(
    people: Mapping[str, PersonSplit],
    spec: PseudoOnlineSpec,
    *,
    say: Tell | None = None,
    progress: ReportStep | None = None,
) -> OnlineResult:
    """Run the live decoder over later recordings of people who were calibrated on earlier ones.

    Parameters
    ----------
    people : mapping of str to PersonSplit
        Recordings of each person, keyed by alias.
    spec : PseudoOnlineSpec
        How each is calibrated, and what is compared.
    say : callable, optional
        Takes a sentence at a time.
    progress : callable, optional
        Called with what is being done, steps done, and steps in all.

    Returns
    -------
    OnlineResult
        Figures of each person and of all together; `result.save("FILE.json")` writes them.

    Raises
    ------
    NeuriptError
        For recordings that cannot be used, a recording on both sides, or a test without a trial.
    """
    tell = say or (lambda _text: None)
    population = None if spec.population is None else load_population(population_file(spec.population))
    if population is not None and spec.event_map:
        population.check_classes(tuple(spec.event_map))
    for alias, split in people.items():
        _check(alias, split, spec, population)
    main = ALL if access_of(spec.cs_mode).calibration_labeled else "0"
    walks: dict[Key, list[Walk]] = {}
    reports: dict[str, Any] = {}
    task: OnlineTask | None = None
    for alias, split in people.items():
        person = PersonWalks(alias, spec, population, tell, progress)
        mine = person.run(split)
        task, spec = person.task, replace(spec, event_map=person.spec.event_map)  # one set of classes for all
        for key, found in mine.items():
            walks.setdefault(key, []).extend(found)
        reports[alias] = {**person.about, "decoders": _by_decoder(mine, task, main)}
    if task is None:
        raise NeuriptError("nobody was given; name recordings with --calibrate and --test, or people with --people")
    over_all = _by_decoder(walks, task, main)
    for name, counts in over_all.items():
        for count, figures in counts.items():
            figures["people"] = _spread(reports, name, count)
    return OnlineResult(main, reports, over_all, _about(spec, task, population))


def _check(alias: str, split: PersonSplit, spec: PseudoOnlineSpec, population: Population | None) -> None:
    split.check(alias)
    size = access_of(spec.cs_mode).calibration_size
    if size == 0 and split.calibrate:
        raise NeuriptError(
            f"--cs-mode {spec.cs_mode} uses no recording of the person before the test; leave out --calibrate"
        )
    if size != 0 and not split.calibrate:
        raise NeuriptError(f"{alias}: no recording to calibrate on was given; name earlier ones with --calibrate")
    paths = [*split.calibrate, *split.test]
    if population is not None:
        population.check_recordings(paths)
    elif (encoder := EncoderFile.load(spec.network)) is not None:
        known = set(encoder.manifest.provenance.get("file_hashes", ()))
        both = next((path for path in paths if recording_sha256(path) in known), None)
        if both is not None:
            raise NeuriptError(
                f"{alias}: {both.parent.name}/{both.name} is one of the recordings that the network was trained on, so "
                "every figure would be too good; use --network none, or another file"
            )


def _by_decoder(walks: Mapping[Key, Sequence[Walk]], task: OnlineTask, main: str) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for (name, count), found in walks.items():
        figures = figures_of(found, task)
        if count == main:
            figures["operating_curve"] = operating_curve(found, task)
        out.setdefault(name, {})[count] = figures
    return out


def _spread(reports: Mapping[str, Any], name: str, count: str) -> dict[str, Any]:
    """Mean and standard deviation over people of what is a share or a rate."""
    mine = [person["decoders"][name][count] for person in reports.values() if count in person["decoders"].get(name, {})]
    picks: dict[str, list[float | None]] = {
        "balanced_accuracy": [one["by_trial"]["balanced_accuracy"] for one in mine],
        "nmcc": [one["windows"]["nmcc"] for one in mine],
        "hit_rate": [one["hit_rate"] for one in mine],
        "false_per_minute": [one["false_per_minute"] for one in mine],
    }
    out: dict[str, Any] = {"n": len(mine)}
    for field, values in picks.items():
        known = [value for value in values if value is not None]
        sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
        out[field] = {"mean": float(np.mean(known)) if known else None, "sd": sd}
    return out


def _about(spec: PseudoOnlineSpec, task: OnlineTask, population: Population | None) -> dict[str, Any]:
    about: dict[str, Any] = plain(
        {
            "mode": "pseudo-online",
            "classes": task.classes,
            "idle_class": task.idle_class,
            "task_s": task.duration_s,
            "window_end_s": task.window_end_s,
            "hop_s": spec.hop_s,
            "population": None if population is None else list(population.people),
            "settings": asdict(spec),
        }
    )
    return about
