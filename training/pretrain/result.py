"""What a pretraining leaves: the encoder, and what it was trained on, for leak checks and model cards."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.manifest import Manifest, provenance
from neuript.montages import Montage
from neuript.network.config import NetworkConfig
from neuript.training.pretrain.batches import CorpusPart, WindowCorpus
from neuript.training.pretrain.snapshots import find, read_weights

ENCODER = "encoder.safetensors"
MAX_FULL_HASHES = 40_000
"""With more files their hashes are cut to 16 digits, or the manifest would grow past its limit."""


@dataclass(frozen=True, slots=True)
class Data:
    """What a run was trained on.

    Attributes
    ----------
    montage : Montage
        Montage with the most training windows.
    identity : dict
        Counts and SHA-256 digests of the corpora, enough to see that a corpus is another one.
    counts : dict of str to float
        Numbers of windows and subjects, and hours of EEG.
    corpus : dict
        Entry of the manifest: recipes, subjects, held-out subjects, hashes of the files, montages.
    simulated : bool
        Whether simulated people are among them.
    """

    montage: Montage
    identity: dict[str, Any]
    counts: dict[str, float]
    corpus: dict[str, Any]
    simulated: bool = False


def describe_data(corpora: Sequence[WindowCorpus], train: Sequence[CorpusPart], held_out: set[str]) -> Data:
    """Collect what the log, the checkpoints and the manifest say about the data."""
    subjects = sorted(set().union(*(c.subjects for c in corpora)))
    hashes = sorted(set().union(*(c.file_hashes for c in corpora)))
    groups = [(g.name, int(g.n_windows), list(g.montage.ch_names)) for c in corpora for g in c.groups]
    windows: Counter[str] = Counter()
    for part in train:
        windows[part.group.name] += len(part.indices)
    hours = sum(float(c.hours) for c in corpora)
    short = len(hashes) > MAX_FULL_HASHES
    return Data(
        montage=max(train, key=lambda p: len(p.indices)).group.montage,
        identity={
            "windows": sum(n for _, n, _ in groups),
            "subjects": len(subjects),
            "groups_sha256": _sha256(groups),
            "subjects_sha256": _sha256(subjects),
            "files_sha256": _sha256(hashes),
        },
        counts={
            "windows": sum(windows.values()),
            "hours": round(hours, 3),
            "subjects": len(subjects) - len(held_out),
            "subjects_held_out": len(held_out),
        },
        corpus={
            "recipes": [_recipe(c) for c in corpora],
            "hours": round(hours, 3),
            "subjects": subjects,
            "held_out": sorted(held_out),
            "file_hashes": [h[:16] for h in hashes] if short else hashes,
            "file_hash_digits": 16 if short else 64,
            "montages": [{"name": n, "windows": windows[n], "ch_names": names} for n, _, names in groups],
        },
        simulated=any(getattr(c, "simulated", False) for c in corpora),
    )


def build_manifest(config: NetworkConfig, corpus: WindowCorpus, data: Data, settings: Mapping[str, Any]) -> Manifest:
    """Return the manifest of the encoder; step and metrics are filled in when it is written.

    Parameters
    ----------
    config : NetworkConfig
        Configuration of the pretrained network.
    corpus : WindowCorpus
        Corpus whose recipe gives the filters, if it has one; otherwise its rate gives the default ones.
    data : Data
        Montage, people, hashes and counts of the training windows.
    settings : mapping of str to Any
        Settings of the run, as JSON values.
    """
    from neuript.realtime.chain.preprocess import PreprocessSpec

    preprocess = getattr(getattr(corpus, "recipe", None), "preprocess", None)
    if not isinstance(preprocess, PreprocessSpec):
        preprocess = PreprocessSpec(sfreq=corpus.sfreq)
    window_s = config.n_times / preprocess.sfreq
    return Manifest(
        task="pretraining",
        classes=(),
        model=config.to_dict(),
        montage=data.montage.to_dict(),
        preprocess=preprocess.to_dict(),
        window_s=window_s,
        hop_s=window_s,
        provenance=provenance(
            data=sorted({s.split("/")[0] for s in data.corpus["subjects"]}),
            simulated=data.simulated,
            counts={k: int(v) for k, v in data.counts.items() if k != "hours"},
            notes="encoder without a head, pretrained by masked reconstruction",
            corpus=data.corpus,
            settings=dict(settings),
        ),
    )


def export_encoder(checkpoint: str | Path, out: str | Path) -> Manifest:
    """Write the encoder of a training checkpoint as a file of its own.

    Parameters
    ----------
    checkpoint : str or Path
        A checkpoint, or the folder of a run (its newest one).
    out : str or Path
        File to write; should end in `.safetensors`.

    Returns
    -------
    Manifest
        The manifest as written, with step and metrics.

    Raises
    ------
    NeuriptError
        If there is no checkpoint, it is damaged, or `out` cannot be written.
    """
    path, about = find(checkpoint)
    manifest = Manifest.from_dict(about["manifest"])
    manifest.provenance["step"] = about["step"]
    manifest.metrics.update(about["metrics"])
    state = read_weights(path, "encoder.")
    return save_checkpoint(out, {f"encoder.{k}": v for k, v in state.items()}, manifest)


def _recipe(corpus: WindowCorpus) -> Any:
    recipe = getattr(corpus, "recipe", None)
    to_dict = getattr(recipe, "to_dict", None)
    return to_dict() if to_dict is not None else str(recipe)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
