"""Checkpoints of a running pretraining: weights and optimiser, whole, in safetensors; nothing in them can run.

They do not depend on the number of processes or on how the weights were spread over them. The loader, the schedule and
all random numbers are functions of the step, so the step is all that is saved of these.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import UnwritableError, remove_leftovers, replacing
from neuript.network.config import NetworkConfig
from neuript.training.pretrain.distributed import World, assign, gather_whole, reshard
from neuript.training.pretrain.run_settings import NOT_IN_SETTINGS, PretrainRun, differences

if TYPE_CHECKING:
    from neuript.network.pretext.pretrainer import MaskedPretrainer

_log = logging.getLogger(__name__)

_KEY = "neuript.network.pretext.pretrainer"
FORMAT = 1
_NAME = re.compile(r"step-(\d+)\.safetensors")
_MOMENTS = ("exp_avg", "exp_avg_sq")


def folder_of(out: Path) -> Path:
    """Folder of the checkpoints of a run."""
    return out / "checkpoints"


def find_checkpoints(out: Path) -> list[Path]:
    """Return the checkpoints of a run, the newest first."""
    found = [p for p in folder_of(out).glob("step-*.safetensors") if _NAME.fullmatch(p.name)]
    return sorted(found, key=lambda p: int(_NAME.fullmatch(p.name)[1]), reverse=True)  # type: ignore[index]


def gather(model: torch.nn.Module, optimizer: torch.optim.Optimizer, world: World) -> dict[str, Tensor]:
    """Return weights and moments, whole, on the CPU of the first process (empty in the others).

    All processes must call it.
    """
    reshard(model)
    parameters = dict(model.named_parameters())
    tensors = {f"model.{k}": t for k, t in gather_whole(parameters, world).items()}
    for moment in _MOMENTS:
        held = {
            name: optimizer.state[p][moment] for name, p in parameters.items() if moment in optimizer.state.get(p, {})
        }
        if held:
            tensors |= {f"{moment}.{k}": t for k, t in gather_whole(held, world).items()}
    return tensors


def save(out: Path, step: int, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Path:
    """Write one checkpoint in one step; the others are untouched if that fails.

    Parameters
    ----------
    out : Path
        Folder of the run.
    step : int
        Number of steps that are done.
    tensors : mapping of str to Tensor
        Weights and moments, whole.
    about : mapping of str to Any
        What is noted beside them, as JSON values.

    Returns
    -------
    Path
        Path of the checkpoint.

    Raises
    ------
    NeuriptError
        If it cannot be written, for example on a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    text = json.dumps({"format": FORMAT, "step": step, **about}, allow_nan=False)
    path = folder_of(out) / f"step-{step:08d}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file({k: t.contiguous() for k, t in tensors.items()}, temporary, {_KEY: text})
    except (OSError, SafetensorError, UnwritableError) as error:
        why = error.__cause__ or error
        raise NeuriptError(
            f"the checkpoint of step {step} cannot be written to {path.parent}: {why}; "
            "make room: the same command goes on from the last whole checkpoint"
        ) from error
    return path


def prune(out: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints, and what killed writers left."""
    for path in find_checkpoints(out)[keep:]:
        path.unlink(missing_ok=True)
    remove_leftovers(folder_of(out))


def read_about(path: Path) -> dict[str, Any]:
    """Return what a checkpoint says about itself: step, settings, monitors.

    Raises
    ------
    ModelRefusedError
        If the file is damaged or no checkpoint of a pretraining.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_KEY)
    except (SafetensorError, OSError) as error:
        raise ModelRefusedError(f"{path.name} is damaged or no safetensors: {error}") from error
    if text is None:
        raise ModelRefusedError(f"{path.name} is no checkpoint of a pretraining")
    about: dict[str, Any] = json.loads(text)
    if about.get("format") != FORMAT:
        raise ModelRefusedError(f"{path.name} has format {about.get('format')}, this version reads {FORMAT}")
    return about


def latest(out: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest checkpoint that can be read, and what it says; None without any.

    Raises
    ------
    ModelRefusedError
        If there are checkpoints and none can be read.
    """
    refusal: ModelRefusedError | None = None
    for path in find_checkpoints(out):
        try:
            return path, read_about(path)
        except ModelRefusedError as error:
            _log.warning("%s; trying the one before", error)
            refusal = error
    if refusal is not None:
        raise refusal
    return None


def check_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue a run with other settings, naming what differs.

    What an older version did not know yet counts as its default.

    Raises
    ------
    NeuriptError
        With up to six differences.
    """
    lines = differences({"device": now.get("device"), **_completed(before)}, now)
    if lines:
        more = f", and {len(lines) - 6} more" if len(lines) > 6 else ""
        raise NeuriptError(
            f"{path} was trained with other settings ({'; '.join(lines[:6])}{more}); use the same "
            "settings to go on with it, or another --out"
        )


def _completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    from neuript.network.pretext.pretrainer import PretrainSpec

    defaults = PretrainRun(steps=1).to_dict()
    own = set(defaults) - NOT_IN_SETTINGS
    return dict(settings) | {
        "run": {k: settings["run"].get(k, defaults[k]) for k in own},
        "model": NetworkConfig.from_dict(settings["model"]).to_dict(),
        "objective": PretrainSpec.from_dict(settings["objective"]).to_dict(),
    }


def restore(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, world: World) -> None:
    """Set weights and optimiser to those of a checkpoint, whole or as this process' shards.

    Raises
    ------
    ModelRefusedError
        If its tensors are not those of the model.
    """
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        held = set(file.keys())
        parameters = dict(model.named_parameters())
        if {k for k in held if k.startswith("model.")} != {f"model.{n}" for n in parameters}:
            raise ModelRefusedError(f"{path.name} has other weights than this model")
        step = torch.tensor(float(read_about(path)["step"]))
        for name, parameter in parameters.items():
            assign(parameter, file.get_tensor(f"model.{name}"), world)
            if f"{_MOMENTS[0]}.{name}" not in held:
                continue
            state = {m: torch.zeros_like(parameter) for m in _MOMENTS}
            for moment, value in state.items():
                assign(value, file.get_tensor(f"{moment}.{name}"), world)
            optimizer.state[parameter] = {"step": step.clone().to(parameter.device), **state}


def load_pretrainer(path: str | Path, pos_m: Any = None) -> MaskedPretrainer:
    """Build the pretraining model of a checkpoint again: encoder, decoder and mask token.

    Parameters
    ----------
    path : str or Path
        A checkpoint, or the folder of a run (its newest one).
    pos_m : array_like, shape (n_chans, 3), optional
        Channel positions in metres of the windows to come; None for those of the largest montage of the training.

    Returns
    -------
    MaskedPretrainer
        The model, in eval mode, on the CPU.

    Raises
    ------
    NeuriptError
        If there is none, or it is damaged.
    """
    from neuript.network.pretext.pretrainer import MaskedPretrainer, PretrainSpec

    path, about = find(path)
    settings = about["settings"]
    config = NetworkConfig.from_dict(settings["model"])
    model = MaskedPretrainer(config, about["pos_m"], PretrainSpec.from_dict(settings["objective"]))
    try:
        model.load_state_dict(read_weights(path), strict=True)
    except RuntimeError as error:
        raise ModelRefusedError(f"{path.name} does not fit this version: {error}") from error
    if pos_m is not None:
        model.set_montage(pos_m)
    return model.eval()


def find(path: str | Path) -> tuple[Path, dict[str, Any]]:
    """Return a checkpoint, or the newest one of a run's folder, and what it says about itself.

    Raises
    ------
    NeuriptError
        If there is none, or it is damaged.
    """
    path = Path(path)
    if path.is_file():
        return path, read_about(path)
    found = latest(path)
    if found is None:
        what = "has no checkpoints of a pretraining" if path.is_dir() else "does not exist"
        raise NeuriptError(f"{path} {what}; name a checkpoint or the --out folder of a pretraining")
    return found


def read_weights(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Return the weights of a checkpoint whose names start with `prefix`, without it."""
    from safetensors import safe_open

    start = f"model.{prefix}"
    with safe_open(path, "pt") as file:
        names = [k for k in file.keys() if k.startswith(start)]  # noqa: SIM118
        return {k.removeprefix(start): file.get_tensor(k) for k in names}
