"""Fine-tuning on a data set into a file, with what it was trained on and how it scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import Manifest, provenance
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.training.evaluate.leaks import check_leak
from neuript.training.evaluate.methods import MethodSpec, Pretrained, build_classifier
from neuript.training.fitting.forward import predict
from neuript.training.fitting.metrics import score
from neuript.training.fitting.supervised import train_supervised

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols.eval_data import EvalData


def finetune_to_file(
    data: EvalData,
    spec: MethodSpec,
    out: Path,
    *,
    checkpoint: str | Path | None = None,
    seed: int = 520,
    hop_s: float = 0.25,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Train a classifier on the training people and write it.

    Parameters
    ----------
    data : EvalData
        Windows in volts with their people and split; the validation people choose the epoch.
    spec : MethodSpec
        Settings of the training: `finetune` is used with a checkpoint, `scratch` without.
    out : Path
        File to write: `.safetensors` for a checkpoint, `.ts` for a deployable.
    checkpoint : str or Path, optional
        Pretrained encoder; None starts at random weights.
    seed : int
        Seed of the initial weights and the batches.
    hop_s : float
        Time between two decisions of live decoding, in seconds; noted in the manifest.
    say : callable
        Called with a line of text after each epoch.

    Returns
    -------
    Manifest
        The manifest as written: classes, montage, filters, people and files seen, and scores of the held-out
        people. The golden vectors of a deployable are made up: no window of the data set is in the file.

    Raises
    ------
    NeuriptError
        If the checkpoint has seen validation or test people, or the file cannot be written.
    """
    start = None if checkpoint is None else Pretrained.load(checkpoint)
    if start is not None:
        check_leak(start.manifest, data, start.path.name)
    how = replace(spec.scratch if start is None else spec.finetune, seed=seed)
    model = build_classifier(data, spec, start, seed).to(spec.device)
    train, val = data.of("train"), data.of("val")
    fitted = train_supervised(
        model,
        train,
        val if len(val) else None,
        how,
        lambda e: say(f"epoch {e['epoch']:.0f}/{how.n_epochs}: loss {e['train_loss']:.4f}"),
    )
    network = fitted.model.to("cpu")
    metrics: dict[str, Any] = {"protocol": f"{data.protocol}: chosen on val, scored on test"}
    for split in ("val", "test"):
        held = data.of(split)
        scores = score(held.y, predict(network, held.x)) if len(held) else {}
        metrics[split] = {k: round(v, 4) for k, v in scores.items() if np.isfinite(v)}
    manifest = _manifest(data, model.config.to_dict(), start, hop_s, metrics, asdict(how))
    if out.suffix == ".safetensors":
        return save_checkpoint(out, network, manifest)
    return save_model(out, network, manifest)


def _manifest(
    data: EvalData,
    model: dict[str, Any],
    start: Pretrained | None,
    hop_s: float,
    metrics: dict[str, Any],
    settings: dict[str, Any],
) -> Manifest:
    before = start.manifest.provenance if start is not None else {}
    corpus = before.get("corpus") or {}
    hashes = {str(h) for h in corpus.get("file_hashes", ())}
    for split in ("train", "val"):
        hashes |= data.hashes_of_split.get(split, set())
    return Manifest(
        task=data.protocol or "evaluation",
        classes=data.classes,
        model=model,
        montage=data.montage.to_dict(),
        preprocess=PreprocessSpec(sfreq=data.sfreq).to_dict(),
        window_s=data.window_s,
        hop_s=hop_s,
        metrics=metrics,
        provenance=provenance(
            data=sorted({data.protocol, *before.get("data", ())} - {""}),
            simulated=bool(before.get("simulated", False)),
            counts={split: len(data.where(split)) for split in ("train", "val", "test")},
            notes="fine-tuned on the training people of a protocol"
            + (f" from {start.path.name}" if start is not None else ", from random weights"),
            corpus={
                "subjects": sorted({*corpus.get("subjects", ()), *data.subjects_of("train", "val")}),
                "file_hashes": sorted(hashes),
                "hours": corpus.get("hours"),
            },
            settings=settings,
            encoder=start.manifest.weights_sha256 if start is not None else None,
        ),
    )
