"""A model card for a pretrained encoder: what it is, what it saw, how it did, and what it is not good for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.modelfile.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from neuript.training.corpus import Corpus

CARD = "MODEL_CARD.md"

_LIMITS = (
    "It has no head: it decides nothing before it is fine-tuned on labelled windows.",
    "Research use only; not a medical device.",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data set comes from.

    Attributes
    ----------
    title : str
        What was recorded, in a few words.
    cite : str
        Reference to cite.
    licence : str
        Name of the licence of the data.
    """

    title: str
    cite: str
    licence: str


def write_card(
    encoder: str | Path, corpus: Corpus, origins: Mapping[str, Origin], *, limits: Sequence[str] = ()
) -> Path:
    """Write `MODEL_CARD.md` beside an encoder.

    Parameters
    ----------
    encoder : str or Path
        `encoder.safetensors` of a pretraining; its manifest says settings, people and metrics.
    corpus : Corpus
        Corpus of the pretraining; gives the hours of each data set.
    origins : mapping of str to Origin
        Origin of each data set of the corpus, keyed by the data set's name.
    limits : sequence of str
        Known shortcomings, a sentence each.

    Returns
    -------
    Path
        Path of the card that was written.

    Raises
    ------
    NeuriptError
        If a data set has no origin, the corpus is not the one of the encoder, or the file no
        pretrained encoder.
    """
    encoder = Path(encoder)
    manifest, state = load_checkpoint(encoder)
    about = manifest.provenance
    if "corpus" not in about:
        raise NeuriptError(f"{encoder.name} does not come from `neuript-train pretrain`")
    seen, there = set(about["corpus"]["subjects"]), {e.subject for e in corpus.entries}
    if seen != there:
        odd = sorted(seen ^ there)
        raise NeuriptError(f"the corpus is not the one {encoder.name} was trained on: {odd[0]} is in one of them only")
    if unknown := sorted({e.dataset for e in corpus.entries} - set(origins)):
        raise NeuriptError(
            f"the corpus holds {unknown[0]}, whose origin and licence are not stated; add it, or leave the data set out"
        )
    n_weights = sum(tensor.numel() for tensor in state.values())
    text = "\n".join(
        [
            f"# {encoder.name}: a NeurIPT encoder pretrained by masked reconstruction",
            "",
            *_about(manifest.model, about, corpus, n_weights, manifest.metrics),
            "",
            "## Data",
            "",
            *_data(corpus, origins, set(about["corpus"]["held_out"])),
            "",
            "## Limits",
            "",
            *(f"- {line}" for line in (*limits, *_LIMITS)),
            "",
        ]
    )
    path = encoder.with_name(CARD)
    write_atomically(path, text.encode())
    return path


def _about(
    model: Mapping[str, Any], about: Mapping[str, Any], corpus: Corpus, n_weights: int, metrics: Mapping[str, Any]
) -> list[str]:
    run, objective = about["settings"]["run"], about["settings"]["objective"]
    recipe, n_held = corpus.recipe, len(about["corpus"]["held_out"])
    merges, experts = (", ".join(map(str, model[k])) for k in ("merges", "experts"))
    kind = "simulated" if about["simulated"] else "recorded"
    ratios = " or ".join(f"{100 * ratio:.0f}" for ratio in objective["ratios"])
    what = "spans in time" if objective["masking"] == "spans" else "bands of amplitude"
    rows = {
        "model": f"width {model['d_model']}, {model['n_heads']} heads, merges {merges}, experts "
        f"{experts}, {n_weights / 1e6:.1f} M parameters, positions `{model['spatial_pe']}`",
        "windows": f"{recipe.window_s:g} s at {recipe.sfreq:g} Hz, {recipe.highpass_hz:g} Hz "
        f"high-pass, recipe `{recipe.name}`",
        "data": f"{about['corpus']['hours']:.2f} h of {len(about['corpus']['subjects'])} people "
        f"({kind}), {n_held} of them held out",
        "task": f"reconstruct masked {what}, {ratios} % of the samples",
        "run": f"{about['step']} steps of {run['batch_size']} windows, learning rate up to "
        f"{run['max_lr']:g}, {run['precision']}, seed {run['seed']}; neuript "
        f"{about['versions']['neuript']}, revision {about['git_revision']}, {about['date'][:10]}",
        "result": _result(metrics.get("validation")),
    }
    return ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items())]


def _result(found: Mapping[str, Any] | None) -> str:
    if not found or "r2" not in found:
        return "no validation was run"
    text = f"held-out people: {100 * found['r2']:.0f} % of the variance at the hidden samples is explained"
    if "r2_within" in found:
        text += f", {100 * found['r2_within']:.0f} % within each window and channel"
    return text


def _data(corpus: Corpus, origins: Mapping[str, Origin], held_out: set[str]) -> list[str]:
    hours: dict[str, float] = defaultdict(float)
    people: dict[str, set[str]] = defaultdict(set)
    for entry in corpus.entries:
        hours[entry.dataset] += entry.n_windows * corpus.recipe.window_s / 3600
        people[entry.dataset].add(entry.subject)
    lines = ["| data set | hours | people (held out) | licence | cite |", "|---|---|---|---|---|"]
    for name in sorted(people):
        origin, n_held = origins[name], len(people[name] & held_out)
        lines.append(
            f"| `{name}`: {origin.title} | {hours[name]:.2f} | {len(people[name])} ({n_held}) | "
            f"{origin.licence} | {origin.cite} |"
        )
    return lines
