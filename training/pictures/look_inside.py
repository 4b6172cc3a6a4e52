"""From a checkpoint and the place of its windows to the written report (`neuript-train pictures`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.training.corpus import Corpus
from neuript.training.pictures.load import Learned, fit_probe, load_learned, training_subjects
from neuript.training.pictures.make import PicturesSpec, Section, make_pictures
from neuript.training.pictures.page import write_report
from neuript.training.pictures.samples import PictureWindows, draw_fairly
from neuript.training.pictures.style import require_matplotlib
from neuript.training.pictures.windows_source import Split, load_protocol, of_corpus, of_protocol

N_PROBE_WINDOWS = 600
"""Windows of the training split, drawn fairly, that a head is fitted on where the checkpoint has none."""


@dataclass(frozen=True, kw_only=True)
class WindowsPlace:
    """Where the windows to look at come from: a labelled data set, or a corpus.

    Raises
    ------
    NeuriptError
        Unless exactly one of `data` and `corpus` is given.
    """

    data: str | None = None
    """Name of a protocol and its folder, NAME=DIR."""
    corpus: str | Path | None = None
    """Folder of a corpus, whose windows have no labels."""
    split: Split = "val"
    """Split of `data` whose windows are looked at: "train", "val", "test" or "all"."""
    group: str | None = None
    """Name of the montage of the corpus; None takes the one with the most windows."""
    cache: Path | None = None
    """Folder in which protocols keep cleaned windows; None keeps none."""

    def __post_init__(self) -> None:
        """Check that there is one place."""
        if (self.data is None) == (self.corpus is None):
            raise NeuriptError("give either data (--data NAME=DIR) or a corpus (--corpus DIR)")


@dataclass(frozen=True, slots=True)
class PicturesReport:
    """The report as written.

    Attributes
    ----------
    page : Path
        Path of the page that holds all of it.
    sections : tuple of Section
        Section of each picture: what was drawn, or why it was left out.
    notes : tuple of str
        Remarks for the reader, a sentence each: people seen in training, a head that was fitted for the pictures.
    """

    page: Path
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


def look_inside(
    checkpoint: str | Path,
    place: WindowsPlace,
    spec: PicturesSpec,
    out: str | Path,
    tell: Callable[[str, int, int], None] | None = None,
) -> PicturesReport:
    """Look into a model with some windows, draw what is seen, and write the report.

    Parameters
    ----------
    checkpoint : str or Path
        Folder of a pretraining or one of its checkpoints, a pretrained encoder, or a trained classifier.
    place : WindowsPlace
        Protocol or corpus that the windows come from.
    spec : PicturesSpec
        Which pictures, and how many windows for them.
    out : str or Path
        Folder of the report.
    tell : callable, optional
        Called with what is being computed, steps done, and steps in all.

    Returns
    -------
    PicturesReport
        The page, its sections and remarks for the reader.

    Raises
    ------
    NeuriptError
        If the checkpoint or the windows cannot be used, or do not fit each other, or matplotlib is missing.
    """
    require_matplotlib()
    learned, windows, notes = _load(checkpoint, place, spec)
    sections = make_pictures(learned, windows, spec, tell)
    page = write_report(
        out,
        sections,
        title=f"{learned.about['file']} on {windows.name}",
        facts=_facts(learned, windows),
        notes=notes,
        about={"model": learned.about, "data": windows.name, "head": learned.head},
    )
    return PicturesReport(page, tuple(sections), tuple(notes))


def _load(checkpoint: str | Path, place: WindowsPlace, spec: PicturesSpec) -> tuple[Learned, PictureWindows, list[str]]:
    if place.corpus is not None:
        avoid = training_subjects(checkpoint)
        corpus = Corpus.open(place.corpus)
        windows = of_corpus(corpus, spec.n_windows, spec.seed, group=place.group, avoid=avoid)
        learned, windows = load_learned(checkpoint, windows)
        return learned, windows, _seen_before(learned, windows)
    assert place.data is not None
    name, data = load_protocol(place.data, place.cache)
    learned, windows = load_learned(checkpoint, of_protocol(data, place.split, name))
    notes = _seen_before(learned, windows)
    if learned.head == "none" and "perturbation" in spec.only:
        train = draw_fairly(of_protocol(data, "train", name), N_PROBE_WINDOWS, spec.seed)
        learned = fit_probe(learned, replace(train, name=name), batch_size=spec.batch_size)
        notes.append(
            f"The checkpoint has no head for these classes: a linear one was fitted on {len(train)} "
            "windows of the training split, with the encoder frozen."
        )
    return learned, windows, notes


def _seen_before(learned: Learned, windows: PictureWindows) -> list[str]:
    seen = sorted(learned.trained_on & set(map(str, windows.subject)))
    if not seen:
        return []
    some = ", ".join(seen[:5]) + (" and others" if len(seen) > 5 else "")
    return [f"The model was trained on recordings of {len(seen)} of these people ({some})."]


def _facts(learned: Learned, windows: PictureWindows) -> dict[str, str]:
    about, config = learned.about, learned.model.config
    people = len(set(windows.subject.tolist()))
    facts = {
        "model": f"{about['file']}, {about['kind']}",
        "encoder": f"width {config.d_model}, {config.n_heads} heads, merges "
        f"{', '.join(map(str, config.merges))}, experts {', '.join(map(str, config.experts))}",
        "data": f"{windows.name}: {len(windows)} windows of {windows.x.shape[2] / windows.sfreq:g} s, {people} people",
        "channels": f"{windows.montage.n_chans} ({windows.montage.name}) at {windows.sfreq:g} Hz",
    }
    if windows.classes:
        facts["classes"] = ", ".join(windows.classes)
    if about.get("trained on"):
        hours = f", {about['hours']:g} h" if about.get("hours") else ""
        facts["trained on"] = ", ".join(map(str, about["trained on"])) + hours
    if about.get("simulated"):
        facts["simulated"] = "the training data are of the digital twin, not of people"
    return facts
