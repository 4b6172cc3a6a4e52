"""How long the jobs of a sweep will take on this machine, from steps that are timed here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.specs import changed
from neuript.training.sweep.canonical import canonical
from neuript.training.sweep.jobs import PRETRAIN, SweepJob
from neuript.training.sweep.results_folder import ResultsFolder
from neuript.training.sweep.runner import CACHE, RealRunner, open_corpora

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols import EvalData

TIMED_STEPS = 3
"""Number of timed training steps, after one that is not timed."""
FORWARD_SHARE = 1 / 3
"""Seconds of a window without gradients, as a share of those of a training step."""
SVM_S = 60.0
"""Seconds of a grid search on some thousand windows; a rough figure."""


class StepCosts:
    """Estimates of jobs; finished ones of the same shape are worth more than a timed step.

    Parameters
    ----------
    store : ResultsFolder
        Folder of the results so far, which hold the seconds of finished jobs.
    data : mapping of str to Path
        Folder of the recordings of each protocol; data sets are read (and cut into the cache) to know their sizes.
    corpora : sequence of Path
        Folders of the pretraining corpora.
    """

    def __init__(self, store: ResultsFolder, data: Mapping[str, Path], corpora: Sequence[Path]) -> None:
        self._store = store
        self._runner = RealRunner(data, corpora)
        self._corpora = list(corpora)
        self._steps: dict[str, float] = {}

    def seconds(self, job: SweepJob) -> float:
        """Return the duration of a finished job, or an estimate (an upper one of a fine-tuning)."""
        known = self._store.seconds(job.id)
        if known is not None:
            return known
        if job.kind == PRETRAIN:
            return self._pretraining(job.config)
        data = self._runner.load(job.config["data"], self._store.out / CACHE)
        return self._evaluation(job, data)

    def _pretraining(self, config: Mapping[str, Any]) -> float:
        n_chans, n_times, n_windows = self._shape()
        values = {k: v for k, v in config[PRETRAIN].items() if k != "hours"}
        n_chans = min(n_chans, values.get("max_channels") or n_chans)
        shape = [config["size"], config["model"], values.get("spec"), values.get("batch_size")]
        key = canonical({"shape": shape, "precision": values.get("precision"), "n": n_chans})

        def step() -> Callable[[], None]:
            return pretraining_step(config, values, n_chans, n_times)

        from neuript.training.pretrain import PretrainRun

        run = PretrainRun.from_dict({**values, "size": config["size"]})
        return self._timed(key, step) * run.n_steps(n_windows)

    def _evaluation(self, job: SweepJob, data: EvalData) -> float:
        from neuript.training.sweep.channel_sets import pick_pair
        from neuript.training.sweep.measure import CHANNELS, Network, spec_of, with_channels

        config, settings = job.config, job.config["settings"]
        times = len(settings.get(CHANNELS) or [None])
        if job.kind == "svm":
            return times * SVM_S + times * len(data) * FORWARD_SHARE * self._per_window(config, {}, data)
        if job.kind == "transfer":
            (montage, channels), _ = pick_pair(data.montage)
            data = with_channels(data, montage, channels)
            spec = spec_of(settings.get("source", {}), 0)
            target = changed(spec, settings.get("target", {}), "the target of the transfer")
            epochs = spec.n_epochs + 2 * target.n_epochs
        else:
            spec = spec_of(settings, 0)
            epochs = spec.n_epochs
        Network(config["size"], config["model"], None, 0).build(data)  # refuses what cannot be
        held = len(data.where("val")) * FORWARD_SHARE
        windows = epochs * (len(data.where("train")) + held) + len(data.where("test"))
        return times * windows * self._per_window(config, {"precision": spec.precision}, data)

    def _per_window(self, config: Mapping[str, Any], settings: Mapping[str, Any], data: EvalData) -> float:
        shape = [config["size"], config["model"], list(data.x.shape[1:]), dict(settings)]

        def step() -> Callable[[], None]:
            return training_step(config, settings, data)

        return self._timed(canonical({"train": shape}), step) / _BATCH

    def _shape(self) -> tuple[int, int, int]:
        groups = [group for corpus in open_corpora(self._corpora) for group in corpus.groups]
        largest = max(groups, key=lambda group: group.n_windows)
        n_times = open_corpora(self._corpora[:1])[0].n_times
        return largest.montage.n_chans, n_times, sum(group.n_windows for group in groups)

    def _timed(self, key: str, make: Callable[[], Callable[[], None]]) -> float:
        if key not in self._steps:
            step = make()
            step()
            began = time.monotonic()
            for _ in range(TIMED_STEPS):
                step()
            self._steps[key] = (time.monotonic() - began) / TIMED_STEPS
        return self._steps[key]


_BATCH = 16


def pretraining_step(
    config: Mapping[str, Any], values: Mapping[str, Any], n_chans: int, n_times: int
) -> Callable[[], None]:
    """Return a function that does one step of a pretraining on noise."""
    import torch

    from neuript.network.pretext.pretrainer import MaskedPretrainer
    from neuript.training.pretrain import PretrainRun

    overrides = {**config["model"], **values.get("overrides", {})}
    run = PretrainRun.from_dict({**values, "size": config["size"], "overrides": overrides})
    model = MaskedPretrainer(run.model_config(n_times), _positions(n_chans), run.pretrain_spec())
    x = _noise(run.batch_size, n_chans, n_times)
    draws = torch.Generator().manual_seed(0)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=run.precision == "bf16"):
            loss = model(x, draws).loss
        loss.backward()
        model.zero_grad(set_to_none=True)

    return step


def training_step(config: Mapping[str, Any], settings: Mapping[str, Any], data: EvalData) -> Callable[[], None]:
    """Return a function that does one step of a fine-tuning on noise of the data's shape."""
    import torch

    from neuript.training.sweep.measure import Network

    model = Network(config["size"], config["model"], None, 0).build(data)
    x = _noise(_BATCH, data.x.shape[1], data.x.shape[2])

    def step() -> None:
        bf16 = settings.get("precision") == "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(x).float().square().mean()
        loss.backward()
        model.zero_grad(set_to_none=True)

    return step


def clock(seconds: float) -> str:
    """Return a duration as people write it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


@cache
def _positions(n_chans: int) -> Any:
    return np.random.default_rng(0).normal(scale=0.05, size=(n_chans, 3))


def _noise(n: int, n_chans: int, n_times: int) -> Any:
    import torch

    return torch.randn(n, n_chans, n_times, generator=torch.Generator().manual_seed(0)) * 1e-5
