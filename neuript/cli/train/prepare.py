"""`neuript-train prepare`: folders of recordings to a corpus of windows for pretraining."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.cli.arguments import add_eeg, add_json, add_mains, add_montage, add_sfreq, add_unit, command, mains_hz
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.progress import say
from neuript.errors import NeuriptError
from neuript.foreign import one_line

if TYPE_CHECKING:
    from neuript.training.corpus import FileReport, PrepareOptions, Recipe

_EXAMPLES = """\
examples:
  neuript-train prepare tuh/edf bids/ds003190 --out corpus                    the paper's recipe
  neuript-train prepare eegmmidb --out corpus --recipe short --workers 8      short recordings kept whole
  neuript-train prepare headset --out corpus --unit microvolts --dataset mine files without a unit
  neuript-train prepare tuh/edf --out corpus --scheduler tcp://head:8786      on a Dask cluster

Giving the command again goes on where it was killed, adds what is new, and makes nothing twice.
Folders that need different options are added one after the other to the same --out."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-train prepare",
        "Turn folders of recordings (BIDS or loose; EDF, BDF, GDF, BrainVision, FIF, SET, CNT, XDF, Muse "
        "csv) into a corpus for pretraining, with a report of what was kept and why the rest was not.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("folders", nargs="+", metavar="FOLDER", help="folders with recordings, or single files")
    add("--out", required=True, metavar="CORPUS", help="folder of the corpus; added to if there")
    add(
        "--recipe",
        default="paper",
        help="paper (default); short: nothing trimmed, no least length; lenient: blinks kept too",
    )
    add(
        "--reject-uv",
        type=float,
        metavar="UV",
        help="leave out windows that exceed this (the recipes: 100); 0 keeps them all",
    )
    add_montage(parser, "auto (default): the paper's 20 pairs where possible, else own electrodes; or a NAME", "auto")
    add("--cap", metavar="MONTAGE", help="what was on the head, for recordings without labels")
    add("--dataset", metavar="NAME", help="first part of the subject ids (default: the folder's name)")
    add("--subject-pattern", metavar="REGEX", help="finds the subject in a path; its first group counts")
    add("--include", action="append", default=[], metavar="GLOB", help="take these files only")
    add("--exclude", action="append", default=[], metavar="GLOB", help="leave these files out")
    add(
        "--exclude-subjects",
        nargs="+",
        default=[],
        metavar="ID",
        help="DATASET/SUBJECT or a pattern; people to leave out",
    )
    add_eeg(parser)
    add_sfreq(parser)
    add_channels(parser)
    add_unit(parser)
    add("--rescale", action="store_true", help="bring each recording to a typical EEG amplitude (numbers in no unit)")
    add_mains(parser)
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default 1)")
    add("--scheduler", metavar="ADDRESS", help="Dask scheduler of a cluster that sees the same paths")
    add("--verify", action="store_true", help="check the hashes of what is there, and make anew what was changed")
    add("--redo", action="store_true", help="make everything anew")
    add_json(parser, "print the report as JSON")
    return parser


def run(argv: list[str]) -> int:
    """Prepare and return the exit code."""
    args = build_parser().parse_args(argv)
    if args.rescale and args.unit is not None:
        raise NeuriptError("--rescale scales numbers in no unit, so --unit says nothing; leave one of them out")
    if args.scheduler is not None and args.workers != 1:
        raise NeuriptError("--scheduler names a cluster with workers of its own; leave out --workers")
    from neuript.training.corpus import prepare

    report = prepare(args.folders, args.out, _recipe(args), _options(args), progress=None if args.json else _tell)
    if args.json:
        print(json.dumps(report.to_dict()))
    else:
        print(report.text())
        n_old = len(report.files) - report.n_new
        made = f"{report.n_new} recordings made, {n_old} were there"
        print(f"{report.hours:.2f} h in {args.out} ({made})")
    if not report.hours:
        raise NeuriptError(
            f"none of the {len(report.files)} recordings gave a window, so {args.out} is no corpus yet; the reasons "
            f"are in {Path(args.out) / 'report.csv'}"
        )
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    from neuript.training.corpus import get_recipe

    recipe = get_recipe(args.recipe)
    if args.reject_uv is None:
        return recipe
    if not args.reject_uv >= 0:
        raise NeuriptError(f"--reject-uv {args.reject_uv:g}: give microvolts, or 0 for no limit")
    return replace(recipe, reject_uv=args.reject_uv or None)


def _options(args: argparse.Namespace) -> PrepareOptions:
    from neuript.training.corpus import PrepareOptions, ScanOptions, SignalOptions

    return PrepareOptions(
        scan=ScanOptions(
            dataset=args.dataset,
            subject_pattern=args.subject_pattern,
            include=tuple(args.include),
            exclude=tuple(args.exclude),
            exclude_subjects=tuple(args.exclude_subjects),
        ),
        signal=SignalOptions(
            montage=args.montage,
            cap=args.cap,
            eeg=args.eeg,
            sfreq=args.sfreq,
            channels=given_channels(args),
            unit=args.unit,
            rescale=args.rescale,
            mains_hz=mains_hz(args.mains),
        ),
        workers=args.workers,
        scheduler=args.scheduler,
        redo=args.redo,
        verify=args.verify,
    )


def _tell(done: int, n_all: int, file: FileReport) -> None:
    """One line per recording, on stderr."""
    what = f"{file.kept} of {file.possible} windows" if file.status == "kept" else file.status
    say(one_line(f"[{done}/{n_all}] {file.dataset}/{file.recording}: {what}", 500))
