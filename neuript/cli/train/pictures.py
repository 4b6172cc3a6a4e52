"""`neuript-train pictures`: what a model learned, as one report of figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuript.training.pictures.load import Learned
    from neuript.training.pictures.samples import PictureWindows

SECTIONS = ("experts", "attention", "perturbation", "reconstruction", "latent")
KINDS = ("swap", "zero")
MAX_PROBE_WINDOWS = 600


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-train pictures",
        description="Look into a model: which experts serve which class, who attends to whom, what "
        "each channel contributes, masked reconstructions, and a map of its features by class and by "
        "person. Writes report.html (all in one file), the figures, and numbers.json.",
        epilog="A pretrained encoder has no head; with --data a linear one is fitted on the training "
        "split. Reconstructions need the folder of a pretraining, which has the decoder.",
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="PATH",
        help="folder of a pretraining or one of its checkpoints, a pretrained encoder, or a trained "
        "classifier (.safetensors)",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", metavar="NAME=DIR", help="labelled windows of a protocol, such as mental-arithmetic=DIR"
    )
    source.add_argument("--corpus", metavar="DIR", help="windows of a corpus, without labels")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the report")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test", "all"),
        default="val",
        help="whose windows, with --data (default: val)",
    )
    parser.add_argument("--group", metavar="MONTAGE", help="which montage of the corpus (default: the largest)")
    parser.add_argument("--only", metavar="NAME,...", help=f"only these: {', '.join(SECTIONS)}")
    parser.add_argument("--windows", type=int, default=160, metavar="N", help="windows to look at (160)")
    parser.add_argument(
        "--perturbed",
        type=int,
        default=64,
        metavar="N",
        help="of these, windows to perturb or reconstruct; costs N times the channels (64)",
    )
    parser.add_argument("--perturb", default="swap,zero", metavar="KIND,...", help="swap, zero or both (both)")
    parser.add_argument("--examples", type=int, default=2, metavar="N", help="reconstructed windows to draw (2)")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="windows at once (16)")
    parser.add_argument("--seed", type=int, default=520, metavar="N", help="of draws and masks (520)")
    parser.add_argument("--cache", metavar="DIR", help="where protocols keep cleaned windows")
    parser.add_argument("--pdf", action="store_true", help="every figure also as PDF")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, look, draw, write; return the exit code."""
    args = build_parser().parse_args(argv)
    only = _chosen("--only", args.only, SECTIONS)
    kinds: Any = _chosen("--perturb", args.perturb, KINDS)
    for name in ("windows", "perturbed", "batch_size"):
        if getattr(args, name) < 1:
            raise NeuriptError(f"--{name.replace('_', '-')} must be at least 1")
    if args.examples < 0:
        raise NeuriptError("--examples must be 0 or more")
    from neuript.training.pictures import style

    style.require_matplotlib()
    from neuript.training.pictures.make import PicturesSpec, make_pictures
    from neuript.training.pictures.page import write_report

    tell = _progress()
    learned, windows, notes = _load(args, only)
    spec = PicturesSpec(
        only=only,
        n_windows=args.windows,
        n_perturbed=args.perturbed,
        kinds=kinds,
        n_examples=args.examples,
        batch_size=args.batch_size,
        seed=args.seed,
        pdf=args.pdf,
    )
    sections = make_pictures(learned, windows, spec, tell)
    page = write_report(
        args.out,
        sections,
        title=f"{learned.about['file']} on {windows.name}",
        facts=_facts(learned, windows),
        notes=notes,
        about={"model": learned.about, "data": windows.name, "head": learned.head},
    )
    for section in sections:
        if section.skipped:
            print(f"{section.name}: left out: {section.skipped}")
    for note in notes:
        print(note)
    print(page)
    return 0


def _load(args: argparse.Namespace, only: tuple[str, ...]) -> tuple[Learned, PictureWindows, list[str]]:
    from dataclasses import replace

    from neuript.training.pictures import windows_source as source
    from neuript.training.pictures.load import fit_probe, load_learned
    from neuript.training.pictures.samples import draw_fairly

    if args.corpus is not None:
        from neuript.training.corpus import Corpus
        from neuript.training.pictures.load import training_subjects

        avoid = training_subjects(args.checkpoint)
        windows = source.of_corpus(Corpus.open(args.corpus), args.windows, args.seed, group=args.group, avoid=avoid)
        learned, windows = load_learned(args.checkpoint, windows)
        return learned, windows, _seen_before(learned, windows)
    cache = Path(args.cache) if args.cache else None
    name, data = source.load_protocol(args.data, cache)
    windows = source.of_protocol(data, args.split, name)
    learned, windows = load_learned(args.checkpoint, windows)
    notes = _seen_before(learned, windows)
    if learned.head == "none" and "perturbation" in only:
        train = source.of_protocol(data, "train", name)
        train = draw_fairly(train, MAX_PROBE_WINDOWS, args.seed)
        learned = fit_probe(learned, replace(train, name=name), batch_size=args.batch_size)
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


def _chosen(option: str, given: str | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return allowed
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    wrong = [name for name in names if name not in allowed]
    if wrong or not names:
        raise NeuriptError(f"{option} {given!r} must be some of {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def _progress() -> Callable[[str, int, int], None] | None:
    if not sys.stderr.isatty():
        return None

    def tell(what: str, done: int, n: int) -> None:
        end = "\n" if done == n else ""
        print(f"\r{what}: {done}/{n}   ", end=end, file=sys.stderr, flush=True)

    return tell
