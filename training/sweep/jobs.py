"""From a table to jobs: what is to be computed, in which order, and what depends on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuript.errors import NeuriptError
from neuript.training.sweep.canonical import config_id, plain
from neuript.training.sweep.sweep_tables import EVALUATIONS, Sweep

PRETRAIN = "pretrain"
_OF_THE_HEAD = ("pooling", "class_layers", "pool_embedding", "head", "binary_single_logit")
_AFTERWARDS = (*_OF_THE_HEAD, "spatial_bias")
"""Fields of the model that pretraining does not see; it is shared by settings that differ in them.
The spatial bias starts as nothing after it, unless `pretrain.overrides` switches it on before."""


@dataclass(frozen=True)
class SweepJob:
    """One thing to compute: a pretraining, or one evaluation on one data set.

    Attributes
    ----------
    id : str
        Hash of `config`, which is complete: what it depends on is in there by its id.
    kind : str
        "pretrain", or an evaluation: "svm", "finetune", "transfer".
    config : dict
        Settings of the job, as JSON values.
    needs : tuple of str
        Ids of the jobs that must be done before.
    label : str
        For people; not part of the id (the first setting that asked for this job).
    """

    id: str
    kind: str
    config: dict[str, Any]
    needs: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Cell:
    """One entry of the result table and the job that fills it."""

    setting: str
    seed: int
    data: str
    kind: str
    job_id: str


@dataclass(frozen=True)
class SweepPlan:
    """Jobs in order of execution (a job stands after what it needs), and the table's cells."""

    sweep: Sweep
    jobs: tuple[SweepJob, ...]
    cells: tuple[Cell, ...]


def make_plan(sweep: Sweep, *, data: Sequence[str], seeds: Sequence[int], corpus: str | None = None) -> SweepPlan:
    """Lay out a sweep.

    All settings of the first seed come first, then all of the second: whenever the work is
    stopped, the comparisons that exist are complete ones.

    Parameters
    ----------
    sweep : Sweep
        The table of configurations.
    data : sequence of str
        Names of the data sets (protocols) to evaluate on.
    seeds : sequence of int
        Seeds, each used for pretraining and evaluation alike.
    corpus : str, optional
        Fingerprint of the pretraining corpus; may be None if no setting pretrains.

    Raises
    ------
    NeuriptError
        If a setting pretrains and there is no corpus, there are no data or seeds, or one is named twice.
    """
    if not data or not seeds:
        raise NeuriptError("a sweep needs at least one data set (--data NAME=DIR) and one seed (--seeds)")
    if len(set(seeds)) < len(seeds) or len(set(data)) < len(data):
        raise NeuriptError("a seed or a data set is named twice; name each once")
    jobs: dict[str, SweepJob] = {}
    cells: list[Cell] = []
    for seed in seeds:
        for label, setting in sweep.settings.items():
            before = _pretraining(label, setting, seed, corpus)
            if before is not None:
                jobs.setdefault(before.id, before)
            for kind in EVALUATIONS:
                if (setting.get("evaluate") or {}).get(kind) is None:
                    continue
                for name in data:
                    job = _evaluation(label, setting, kind, name, seed, before)
                    jobs.setdefault(job.id, job)
                    cells.append(Cell(label, seed, name, kind, job.id))
    return SweepPlan(sweep, tuple(jobs.values()), tuple(cells))


def _pretraining(label: str, setting: Mapping[str, Any], seed: int, corpus: str | None) -> SweepJob | None:
    if setting.get(PRETRAIN) is None:
        return None
    if corpus is None:
        raise NeuriptError(f"setting {label!r} pretrains; name a corpus (--corpus, made by neuript-train prepare)")
    model = {k: v for k, v in (setting.get("model") or {}).items() if k not in _AFTERWARDS}
    config: dict[str, Any] = plain(
        {
            "job": PRETRAIN,
            "size": setting["size"],
            "model": model,
            "pretrain": setting[PRETRAIN],
            "corpus": corpus,
            "seed": seed,
        }
    )
    return SweepJob(config_id(config), PRETRAIN, config, (), f"{label} · seed {seed} · pretrain")


def _evaluation(
    label: str, setting: Mapping[str, Any], kind: str, data: str, seed: int, before: SweepJob | None
) -> SweepJob:
    config: dict[str, Any] = plain(
        {
            "job": kind,
            "size": setting["size"],
            "model": setting.get("model") or {},
            "settings": setting["evaluate"][kind],
            "data": data,
            "pretrained": None if before is None else before.id,
            "seed": seed,
        }
    )
    needs = () if before is None else (before.id,)
    return SweepJob(config_id(config), kind, config, needs, f"{label} · seed {seed} · {kind} · {data}")
