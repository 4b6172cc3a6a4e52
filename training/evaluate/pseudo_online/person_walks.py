"""One person: calibrated on what the protocol makes available, then decoded hop by hop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from neuript.errors import NeuriptError
from neuript.modelfile.engines import eager_engine
from neuript.modelfile.manifest import Manifest
from neuript.montages import Montage
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.channel_plan import absent_electrodes, with_estimated
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.training.calibration.calibration import fit_alone
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder
from neuript.training.calibration.from_people import calibrate_from_people, fit_from_people, spec_like
from neuript.training.calibration.frozen_network import EncoderFile
from neuript.training.calibration.held_out import ReportStep
from neuript.training.evaluate.pseudo_online.contestant_policies import choose_policies, decoders_of
from neuript.training.evaluate.pseudo_online.contestants import ALL, contestants_of
from neuript.training.evaluate.pseudo_online.online_scores import OnlineTask
from neuript.training.evaluate.pseudo_online.pseudo_online_spec import PseudoOnlineSpec
from neuript.training.evaluate.pseudo_online.target_data import (
    PersonSplit,
    access_of,
    first_share,
    moabb_terms,
    n_trials,
    trials_in,
)
from neuript.training.evaluate.pseudo_online.walks import Key, OtherDecoder, Walk, walk_recording
from neuript.training.population.population_file import Population, describe
from neuript.training.windows.dataset import Dataset, build_dataset, read_each
from neuript.training.windows.events import require_classes, trials_of

Chosen = tuple[nn.Module, Manifest, Reference | None, dict[Key, OtherDecoder]]
"""The published module with its manifest and first reference, and the others."""


class PersonWalks:
    """Calibrates one person and decodes the test recordings with every decoder.

    Parameters
    ----------
    alias : str
        The person, as sentences name them.
    spec : PseudoOnlineSpec
        How the person is calibrated, and what is compared.
    population : Population or None
        Earlier people to begin with.
    tell : callable
        Takes a sentence at a time.
    progress : callable or None
        Called with what is being done, steps done, and steps in all.

    Attributes
    ----------
    about : dict
        After `run`: what was calibrated on, policies, notes.
    task : OnlineTask
        After `run`: what the walks are scored against.
    spec : PseudoOnlineSpec
        After `run` with the classes, also where the recordings said them.
    """

    task: OnlineTask

    def __init__(
        self,
        alias: str,
        spec: PseudoOnlineSpec,
        population: Population | None,
        tell: Callable[[str], None],
        progress: ReportStep | None,
    ) -> None:
        self.alias, self.spec, self.population = alias, replace(spec, subject=spec.subject or alias), population
        self.access = access_of(spec.cs_mode)
        self._say, self._progress = tell, progress or (lambda _what, _done, _all: None)
        self._same: list[str] = []  # numbers of trials that are all of them
        self.about: dict[str, Any] = {}

    def run(self, split: PersonSplit) -> dict[Key, list[Walk]]:
        """Return the walks of every decoder over the test recordings."""
        try:
            return self._run(split)
        except NeuriptError as error:
            raise type(error)(f"{self.alias}: {error}") from error

    def _run(self, split: PersonSplit) -> dict[Key, list[Walk]]:
        spec, began = self.spec, time.monotonic()
        tests, calibration = (
            read_each([*paths], eeg=spec.eeg, channels=spec.channels, sfreq=spec.stream_sfreq) if paths else []
            for paths in (split.test, split.calibrate)
        )
        if not spec.event_map:
            self.spec = spec = self._completed([*calibration, *tests])
        trials = self._test_trials(tests)
        there = calibration
        if self.access.calibration_size:
            there = first_share(calibration, tests, self.access.calibration_size, spec)
        n_there, n_test = n_trials(there, spec), sum(map(len, trials))
        share = n_there / (n_trials(calibration, spec) + n_test)
        n_source = 0 if self.population is None else len(self.population.people)
        self.about = {
            "calibrate": [_name(path) for path in split.calibrate],
            "test": [_name(path) for path in split.test],
            "protocol": moabb_terms(spec.cs_mode, self.access, share, source_people=n_source),
        }
        published, manifest, reference, others = self._decoders(there)
        walks: dict[Key, list[Walk]] = {}
        for number, (recording, mine) in enumerate(zip(tests, trials, strict=True)):
            self._progress(f"{self.alias}: decoding {_name(recording.path)}", number, len(tests))
            first, rest = self._walk(recording, mine, published, manifest, reference, others)
            for key, walk in ((self._main, first), *rest.items()):
                walks.setdefault(key, []).append(walk)
        for name, count in list(walks):
            if count == ALL:
                walks |= {(name, other): walks[name, ALL] for other in self._same}
        self._say(f"{self.alias}: {n_test} trials decoded; {time.monotonic() - began:.0f} s")
        return walks

    def _completed(self, recordings: Sequence[Recording]) -> PseudoOnlineSpec:
        """Settings with the classes that the recordings say themselves; the test needs its labels in any case."""
        spec = self.spec.completed(recordings)
        if self.population is not None:
            self.population.check_classes(tuple(spec.markers))
        self._say(f"{self.alias}: the recordings say their classes themselves: {', '.join(spec.markers)}")
        return spec

    @property
    def _main(self) -> Key:
        return STACK, (ALL if self.access.calibration_labeled else "0")

    def _test_trials(self, tests: Sequence[Recording]) -> list[list[Trial]]:
        """Trials of each test recording; there must be some."""
        markers, start = self.spec.markers, self.spec.trial_start
        found = [trials_in(recording, self.spec, i) for i, recording in enumerate(tests)]
        everything = [trial for part in found for trial in part]
        if not everything:
            events = [event for recording in tests for event in events_of(recording)]
            require_classes(trials_of(events, markers, trial_start=start), markers, events)
        absent = [name for name in markers if not any(trial.label == name for trial in everything)]
        if absent:
            self._say(f"{self.alias}: the test recordings hold no trial of {', '.join(absent)}")
        return found

    def _decoders(self, there: Sequence[Recording]) -> Chosen:
        """Fit what is to be compared."""
        spec, population = self.spec, self.population
        if not there:  # nothing of the person has been seen
            assert population is not None
            spec_like(spec, population)  # or refuse
            module = population.module(population.nobody())
            manifest = replace(population.manifest, model=describe(module))
            self._take_classes(manifest)
            return module, manifest, None, {}
        encoder = None
        if population is None:
            encoder = EncoderFile.load(spec.network)
            if encoder is not None and spec.alignment is not None:
                spec = replace(spec, alignment=encoder.alignment())
            data = build_dataset(there, spec, keep_hops=True)
            for sentence in (data.describe(), *data.notes):
                self._say(f"{self.alias}: {sentence}")
        else:
            seen = spec if self.access.calibration_labeled else without_labels(spec)
            data, _ = calibrate_from_people(there, seen, population, lambda text: self._say(f"{self.alias}: {text}"))
        self._take_classes(data.manifest)
        labels = self.access.calibration_labeled
        contestants, self._same, notes = contestants_of(
            data, partial(self._fit, encoder), spec.counts if labels else (0,), everything=labels
        )
        self._progress(f"{self.alias}: choosing thresholds", 0, 1)
        policies = choose_policies(contestants, data, spec)
        self.about |= {
            "calibration_trials": data.counts if labels else dict.fromkeys(data.classes, 0),
            "notes": [*data.notes, *notes],
            "policies": {f"{name}, {count}": policies[name, count].to_dict() for name, count in policies},
        }
        for note in notes:
            self._say(f"{self.alias}: {note}")
        (main,) = [one for one in contestants if one.key == self._main]
        manifest = replace(data.manifest, model=main.model or {}, policy=policies[main.key].to_dict())
        others = [one for one in contestants if one is not main]
        assert main.module is not None
        return main.module, manifest, data.reference, decoders_of(others, policies)

    def _fit(self, encoder: EncoderFile | None, part: Dataset) -> FittedDecoder:
        """Fit the calibrated decoder to some of the windows."""
        if self.population is not None:
            return fit_from_people(part, self.population, n_folds=self.spec.n_folds)
        return fit_alone(part, encoder, n_folds=self.spec.n_folds, progress=self._progress)

    def _take_classes(self, manifest: Manifest) -> None:
        self.task = OnlineTask(
            classes=manifest.classes,
            idle_class=manifest.idle_class,
            duration_s=self.spec.epoch_s[1],
            window_end_s=self.spec.judged_s,
        )

    def _walk(
        self,
        recording: Recording,
        trials: Sequence[Trial],
        module: nn.Module,
        manifest: Manifest,
        reference: Reference | None,
        others: Mapping[Key, OtherDecoder],
    ) -> tuple[Walk, dict[Key, Walk]]:
        spec = self.spec
        if self.population is not None and reference is None:
            montage = Montage.from_dict(manifest.montage)
            absent = absent_electrodes(recording.eeg.info, montage, spec.cap)
            manifest = replace(manifest, montage=with_estimated(montage, absent, "the population").to_dict())
        return walk_recording(
            recording,
            trials,
            manifest,
            eager_engine(module, manifest),
            others,
            reference=reference,
            cap=spec.cap,
            unit=spec.unit,
            mains_hz=_told_mains_hz(spec),
        )


def without_labels(spec: CalibrationSpec) -> CalibrationSpec:
    """Return the settings of a calibration that sees no marker."""
    same = {part.name: getattr(spec, part.name) for part in fields(CalibrationSpec)}
    return CalibrationSpec(**{**same, "event_map": {}})


def _told_mains_hz(spec: PseudoOnlineSpec) -> float | None:
    """Mains frequency as `neuript-live` is told it: None measures it, 0 is no notch."""
    if spec.mains_hz is None:
        return 0.0
    return None if isinstance(spec.mains_hz, str) else float(spec.mains_hz)


def _name(path: Path) -> str:
    """Folder and file."""
    return f"{path.parent.name}/{path.name}".lstrip("/")
