"""From a checkpoint to a model that looks at given windows, with a head and perhaps a decoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuript.errors import NeuriptError
from neuript.network.config import NetworkConfig
from neuript.network.learned_positions import POSITION_KEYS
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.build import build_network
from neuript.training.fitting.forward import pooled_features
from neuript.training.fitting.heads import init_head
from neuript.training.pictures.samples import PictureWindows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from neuript.modelfile.manifest import Manifest
    from neuript.montages import Montage
    from neuript.network.pretext.pretrainer import MaskedPretrainer


@dataclass(frozen=True, eq=False)
class Learned:
    """A model to look into.

    Attributes
    ----------
    model : NeurIPTNetwork
        The network, in eval mode.
    head : str
        "own" (trained with the model), "probe" (fitted here) or "none" (random: not for pictures
        of classes).
    pretrainer : MaskedPretrainer or None
        The pretraining model with its decoder, from a checkpoint of a pretraining; None for other checkpoints.
    trained_on : frozenset of str
        Subject ids of the training, as far as the checkpoint says.
    about : dict
        Facts that the report says about the model, as JSON values.
    """

    model: NeurIPTNetwork
    head: str
    pretrainer: MaskedPretrainer | None
    trained_on: frozenset[str]
    about: dict[str, Any]


def load_learned(path: str | Path, windows: PictureWindows) -> tuple[Learned, PictureWindows]:
    """Load a checkpoint for some windows.

    Parameters
    ----------
    path : str or Path
        The folder of a pretraining, one of its checkpoints, a pretrained encoder, or a trained
        classifier (.safetensors).
    windows : PictureWindows
        Windows that the model will look at.

    Returns
    -------
    learned : Learned
        The model, ready for the windows.
    windows : PictureWindows
        The windows with the model's channels: a classifier may have been trained on some of them.

    Raises
    ------
    NeuriptError
        If the checkpoint is damaged or does not fit the windows, saying what differs.
    """
    path = Path(path)
    if not path.exists():
        raise NeuriptError(f"there is no checkpoint {path}")
    if path.is_dir() or _is_pretraining(path):
        return _from_pretraining(path, windows), windows
    if path.suffix != ".safetensors":
        raise NeuriptError(
            f"{path.name} is no checkpoint; pictures need the weights: a .safetensors file or the "
            "folder of a pretraining"
        )
    from neuript.modelfile.checkpoint import load_checkpoint

    manifest, state = load_checkpoint(path)
    _check_rate(path.name, manifest.sfreq, windows)
    if not manifest.classes:
        return _from_encoder(path, manifest, state, windows), windows
    return _from_classifier(path, manifest, state, windows)


def fit_probe(learned: Learned, train: PictureWindows, *, batch_size: int = 16) -> Learned:
    """Return the model with a linear head fitted on the frozen features of training windows.

    The ridge read-out in closed form that fine-tuning starts from.
    """
    features = pooled_features(learned.model, train.x, batch_size=batch_size)
    init_head(learned.model.head, features, torch.as_tensor(train.y))
    return replace(learned, head="probe")


def training_subjects(path: str | Path) -> frozenset[str]:
    """Return the people that a checkpoint was trained on, as far as it or its folder says."""
    from neuript.modelfile.checkpoint import load_checkpoint

    path = Path(path)
    if path.is_dir() or _is_pretraining(path):
        return _subjects_beside(path)
    return _of_manifest(load_checkpoint(path)[0]) if path.is_file() else frozenset()


def _is_pretraining(path: Path) -> bool:
    from neuript.training.pretrain.snapshots import read_about

    if path.suffix != ".safetensors":
        return False
    try:
        read_about(path)
    except NeuriptError:
        return False
    return True


def _from_pretraining(path: Path, windows: PictureWindows) -> Learned:
    from neuript.training.pretrain.snapshots import latest, load_pretrainer, read_about

    if path.is_dir() and (found := latest(path)) is not None:
        file = found[0]
    else:
        file = path
    pretrainer = load_pretrainer(file, windows.montage.pos_m)
    about = read_about(file)
    config = pretrainer.config
    model = _for_windows(config, pretrainer.state_dict(), windows)
    spec = pretrainer.spec
    return Learned(
        model,
        "none",
        pretrainer,
        _subjects_beside(file),
        {
            "file": file.name,
            "kind": "pretraining (encoder and decoder)",
            "step": int(about["step"]),
            "masking": spec.masking + (f" of {spec.span}" if spec.masking == "spans" else ""),
            "ratios": list(spec.ratios),
            "model": config.to_dict(),
        },
    )


def _subjects_beside(file: Path) -> frozenset[str]:
    """Training subjects out of the encoder that a finished run leaves beside its checkpoints."""
    from neuript.modelfile.checkpoint import load_checkpoint
    from neuript.training.pretrain.result import ENCODER

    for folder in (file, file.parent, file.parent.parent):
        if (folder / ENCODER).is_file():
            return _of_manifest(load_checkpoint(folder / ENCODER)[0])
    return frozenset()


def _of_manifest(manifest: Manifest) -> frozenset[str]:
    corpus = manifest.provenance.get("corpus") or {}
    return frozenset(corpus.get("subjects", [])) - frozenset(corpus.get("held_out", []))


def _from_encoder(path: Path, manifest: Manifest, state: Mapping[str, Tensor], windows: PictureWindows) -> Learned:
    values = {k: v for k, v in manifest.model.items() if k != "architecture"}
    config = NetworkConfig.from_dict(values)
    learned_tables = config.spatial_pe.startswith("learned") or config.temporal_pe == "learned"
    if learned_tables and tuple(manifest.montage["ch_names"]) != windows.montage.ch_names:
        raise NeuriptError(
            f"{path.name} has learned positions of the channels {_names(manifest.montage)}; it "
            "cannot look at another montage"
        )
    model = _for_windows(config, state, windows)
    about = {"file": path.name, "kind": "pretrained encoder", **_about(manifest)}
    return Learned(model, "none", None, _of_manifest(manifest), about)


def _for_windows(config: NetworkConfig, state: Mapping[str, Tensor], windows: PictureWindows) -> NeurIPTNetwork:
    """Build a classifier for the windows around pretrained weights, pooled by lobe at all scales."""
    config = replace(
        config,
        n_outputs=max(len(windows.classes), 2),
        n_times=windows.n_times if config.temporal_pe != "learned" else config.n_times,
        pooling="iilp",
        class_layers=None,
        pool_embedding=True,
        head="linear",
        binary_single_logit=False,
    )
    model = build_network(config, windows.montage, seed=0, encoder=state)
    own = model.encoder.state_dict()
    tables = {k.removeprefix("encoder."): v for k, v in state.items()}
    fitting = {k: v for k, v in tables.items() if k.startswith(POSITION_KEYS) and k in own and own[k].shape == v.shape}
    model.encoder.load_state_dict(fitting, strict=False)
    return model.eval()


def _from_classifier(
    path: Path, manifest: Manifest, state: Mapping[str, Tensor], windows: PictureWindows
) -> tuple[Learned, PictureWindows]:
    from neuript.modelfile.rebuild import build_module
    from neuript.network.stack import HybridClassifier

    model: Any = build_module(manifest, state)
    if isinstance(model, HybridClassifier):
        model = model.network
    if not isinstance(model, NeurIPTNetwork):
        raise NeuriptError(f"{path.name} has no network to look into, only its Riemannian branch")
    if windows.classes and manifest.classes != windows.classes:
        raise NeuriptError(
            f"{path.name} tells {', '.join(manifest.classes)} apart; {windows.name} has {', '.join(windows.classes)}"
        )
    windows = _with_channels(path.name, manifest, windows)
    if windows.n_times != manifest.n_times:
        raise NeuriptError(
            f"{path.name} takes windows of {manifest.n_times} samples; those of {windows.name} have {windows.n_times}"
        )
    about = {"file": path.name, "kind": "trained classifier", **_about(manifest)}
    return Learned(model.eval(), "own", None, _of_manifest(manifest), about), windows


def _with_channels(name: str, manifest: Manifest, windows: PictureWindows) -> PictureWindows:
    montage = windows.montage
    if manifest.ch_names == montage.ch_names:
        return windows
    wanted = list(manifest.ch_names)
    same = manifest.montage.get("reference") == montage.reference != "average"
    if not same or not set(wanted) <= set(montage.ch_names):
        raise NeuriptError(
            f"{name} was trained on the channels {_names(manifest.montage)} "
            f"({manifest.montage.get('reference')}); {windows.name} has "
            f"{', '.join(montage.ch_names)} ({montage.reference})"
        )
    index = [montage.ch_names.index(channel) for channel in wanted]
    return replace(windows, x=np.ascontiguousarray(windows.x[:, index]), montage=montage.pick(wanted))


def _check_rate(name: str, sfreq: float, windows: PictureWindows) -> None:
    if abs(sfreq - windows.sfreq) > 1e-6:
        raise NeuriptError(f"{name} takes {sfreq:g} Hz; the windows of {windows.name} have {windows.sfreq:g} Hz")


def _about(manifest: Manifest) -> dict[str, Any]:
    corpus = manifest.provenance.get("corpus") or {}
    return {
        "model": manifest.model,
        "weights_sha256": manifest.weights_sha256,
        "simulated": manifest.simulated,
        "trained on": manifest.provenance.get("data") or [],
        "hours": corpus.get("hours"),
    }


def _names(montage: Mapping[str, Any] | Montage) -> str:
    names = list(montage["ch_names"] if isinstance(montage, dict) else montage.ch_names)  # type: ignore[union-attr]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
