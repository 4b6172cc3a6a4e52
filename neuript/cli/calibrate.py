"""`neuript calibrate` (and `neuript-calibrate`): a model for one person."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration import CalibrationResult
    from neuript.training.calibration.dataset import Dataset

_EXAMPLES = """\
examples:
  neuript-calibrate --from run2.xdf run3.xdf --event left_hand=769 --event right_hand=770 --out mi.ts
  neuript-calibrate --from run2.edf run3.edf --montage peterson-15 --unit microvolts \\
      --event right_hand=OVTK_GDF_Right --event rest=OVTK_GDF_Tongue --out mi.ts

`neuript inspect FILE` lists the markers of a recording. Every accuracy that is printed comes from blocks of
trials that the decoder had not seen, with plain baselines on the same trials beside it."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript-calibrate",
        description="Fine-tune a decoder on one person's recordings and write the model file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--from", dest="files", nargs="+", metavar="FILE", help="recordings of this person, in order of time")
    add(
        "--event",
        action="append",
        default=[],
        metavar="CLASS=MARKER",
        help="which marker starts which class; repeat for each class, and for further markers of a class",
    )
    add("--out", metavar="FILE.ts", help="the model file to write")
    add("--montage", default="10-20", metavar="NAME|FILE", help="what is on the head (default 10-20)")
    add("--unit", metavar="UNIT", help="unit of the recordings' numbers, if the files do not say it or say it wrongly")
    add("--trial-start", metavar="MARKER", help="marker that starts a trial of several events (BCI Essentials)")
    add("--idle", metavar="CLASS", help="class that means `no command` (default: `rest`, if there is one)")
    add(
        "--epoch",
        type=float,
        nargs=2,
        default=(0.0, 4.5),
        metavar=("FROM", "TO"),
        help="seconds after an event between which the person does the task (default 0 4.5)",
    )
    add("--window", type=float, default=4.0, metavar="S", help="seconds of EEG per decision (default 4)")
    add("--hop", type=float, default=0.125, metavar="S", help="seconds between decisions (default 0.125)")
    add(
        "--mains",
        choices=("auto", "50", "60", "none"),
        default="auto",
        help="mains frequency to notch out (default: measured)",
    )
    add("--reference", choices=("as recorded", "average"), default="as recorded")
    add(
        "--network",
        default="pretrained",
        metavar="{pretrained,micro,tiny,none,FILE}",
        help="the network's weights to start from: the shipped ones, random ones of that size, no network at all, or a "
        "checkpoint of neuript-train pretrain",
    )
    add("--epochs", type=int, metavar="N", help="passes of fine-tuning over the windows")
    add("--folds", type=int, default=4, metavar="N", help="blocks of the cross-validation (default 4)")
    add("--seed", type=int, default=520)
    add("--subject", default="", metavar="ALIAS", help="noted in the model file; use an alias, not a name")
    add("--task", default="motor-imagery", help="short name, part of the published streams' names")
    add("--report", metavar="FILE.json", help="write the figures of the calibration here as well")
    add("--classes", help=argparse.SUPPRESS)
    return parser


def run(argv: list[str]) -> int:
    """Calibrate and return the exit code."""
    args = build_parser().parse_args(argv)
    _check(args)

    from neuript.files import check_writable, write_atomically
    from neuript.interrupt import Interrupt

    check_writable(args.out, keep=args.files)
    if args.report:
        check_writable(args.report, keep=(args.out, *args.files))
    with Interrupt() as interrupt:  # not in the middle of importing PyTorch
        import neuript.training.calibration.calibration  # noqa: F401
        from neuript.training.calibration.dataset import load_dataset
    interrupt.check()
    began = time.monotonic()
    _say(f"reading {len(args.files)} recording{'s' if len(args.files) > 1 else ''}")
    dataset = load_dataset(args.files, _dataset_spec(args))
    _describe(dataset)
    result = _calibrate(args, dataset)
    figures = _figures(dataset, result, time.monotonic() - began)
    _save(args, dataset, result, figures)
    if args.report:
        write_atomically(args.report, (json.dumps(figures, indent=1) + "\n").encode())
    _print_report(result, dataset)  # last: its reader may go away
    _say(f"wrote {args.out} in {time.monotonic() - began:.0f} s; next: neuript-live --model {args.out}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not args.files:
        raise NeuriptError(
            "no recordings were given; name them with --from FILE ... (a guided session with cues is not part of this "
            "version yet: record one with any cue program and LabRecorder)"
        )
    if not args.out:
        raise NeuriptError("--out is missing; say where to write the model, for example --out mi.ts")
    if not args.out.endswith(".ts"):
        raise NeuriptError(f"--out {args.out} does not end in .ts; name the model for example mi.ts")
    low, high = args.epoch
    if not -3600 < low < high < 3600:
        raise NeuriptError(
            f"--epoch {low:g} {high:g}: give two numbers of seconds, the end larger than the begin, for example 0 4.5"
        )
    for name, value, unit in (("window", args.window, "s"), ("hop", args.hop, "s")):
        if not 0 < value < 3600:
            raise NeuriptError(f"--{name} {value:g} {unit} is not larger than 0 and below an hour")
    if args.folds < 2:
        raise NeuriptError(f"--folds {args.folds}: at least 2 blocks are needed to hold one of them out")
    if args.epochs is not None and args.epochs < 0:
        raise NeuriptError(f"--epochs {args.epochs} is negative; 0 fits the read-out of the network alone")


def _dataset_spec(args: argparse.Namespace) -> Any:
    from neuript.montages import load_montage
    from neuript.training.calibration.dataset import DatasetSpec
    from neuript.training.windows.events import parse_event_map

    event_map = parse_event_map(args.event)
    if len(event_map) < 2:
        raise NeuriptError(
            f"--event names {len(event_map)} class{'' if len(event_map) == 1 else 'es'}; at least two are needed, for "
            "example --event left_hand=769 --event right_hand=770 (neuript inspect FILE lists the markers)"
        )
    idle = args.idle or ("rest" if "rest" in event_map else None)
    if idle is not None and idle not in event_map:
        raise NeuriptError(f"--idle {idle} is not one of the classes {', '.join(event_map)}")
    mains: float | str | None = {"auto": "auto", "none": None}.get(args.mains, args.mains)
    return DatasetSpec(
        cap=load_montage(args.montage),
        event_map=event_map,
        trial_start=args.trial_start,
        window_s=args.window,
        hop_s=args.hop,
        epoch_s=tuple(args.epoch),
        reference=args.reference,
        unit=args.unit,
        mains_hz=float(mains) if mains in ("50", "60") else mains,
        task=args.task,
        idle_class=idle,
    )


def _calibrate(args: argparse.Namespace, dataset: Dataset) -> CalibrationResult:
    from dataclasses import replace

    import torch
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from neuript.training.calibration.calibration import NETWORK, TANGENT, CalibrationSpec, calibrate, starting_point
    from neuript.training.fitting.top_blocks import FinetuneSpec

    torch.set_num_threads(min(torch.get_num_threads(), 4))
    finetune = FinetuneSpec(seed=args.seed)
    if args.network in ("micro", "tiny"):  # from random weights everything is to be learned
        finetune = replace(finetune, n_epochs=20, max_lr=1e-3)
    if args.epochs is not None:
        finetune = replace(finetune, n_epochs=args.epochs)
    start = starting_point(args.network, len(dataset.classes), dataset.x.shape[-1])
    spec = CalibrationSpec(
        config=start.config,
        n_folds=args.folds,
        finetune=finetune,
        encoder=start.encoder,
        encoder_simulated=start.simulated,
        branches=(TANGENT,) if args.network == "none" else (NETWORK, TANGENT),
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("calibrating", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        return calibrate(dataset, spec, report)


def _figures(dataset: Dataset, result: CalibrationResult, seconds: float) -> dict[str, Any]:
    from neuript.training.calibration.calibration import summary

    return {
        **summary(result),
        "trials": dataset.counts,
        "windows": len(dataset.x),
        "channels": list(dataset.montage.ch_names),
        "notes": list(dataset.notes),
        "seconds": round(seconds, 1),
    }


def _save(args: argparse.Namespace, dataset: Dataset, result: CalibrationResult, figures: dict[str, Any]) -> None:
    from dataclasses import replace

    from neuript.modelfile.deployable import save_model
    from neuript.modelfile.manifest import provenance

    names = [f"{Path(p).parent.name}/{Path(p).name}".lstrip("/") for p in args.files]
    manifest = replace(
        dataset.manifest,
        model=result.describe(),
        provenance=provenance(
            data=names, simulated=result.simulated, counts=dataset.counts, subject=args.subject, seed=args.seed
        ),
        metrics=figures,
    )
    save_model(args.out, result.module, manifest)  # golden vectors are made up: no EEG of the person in the file


def _describe(dataset: Dataset) -> None:
    counts = ", ".join(f"{n} {name}" for name, n in dataset.counts.items())
    mains = dataset.manifest.mains_hz
    _say(
        f"{counts} trials, {len(dataset.x)} windows of {dataset.manifest.window_s:g} s; {dataset.montage.n_chans} "
        f"channels: {' '.join(dataset.montage.ch_names)}; mains {f'{mains:g} Hz' if mains else 'not seen'}"
    )
    for note in dataset.notes:
        _say(note)


def _print_report(result: CalibrationResult, dataset: Dataset) -> None:
    from rich.table import Table

    from neuript.cli.console import Report
    from neuript.training.calibration.calibration import STACK

    n = len(dataset.trials)
    table = Table(title=f"Held-out accuracy over {n} trials (blocked cross-validation)")
    for column in ("decoder", "accuracy", "95 % interval", "above chance?"):
        table.add_column(column, justify="left" if column == "decoder" else "right")
    for name, card in result.scores.items():
        low, high = card.interval
        verdict = "yes" if card.accuracy >= card.bound else "no"
        style = "bold" if name == STACK else ""
        table.add_row(name, f"{card.accuracy:.1%}", f"{low:.0%} - {high:.0%}", verdict, style=style)
    console = Report()
    console.print(table)
    card = result.scores[STACK]
    console.print(
        f"Guessing stays below {card.bound:.1%} in 95 of 100 cases with {n} trials. Weight of the network "
        f"{result.weights[0]:.2f}, of the Riemannian branch {result.weights[1]:.2f}."
    )
    if card.accuracy < card.bound:
        console.print(
            "[bold]The decoder is not above chance for this person and session.[/bold] Check signal, markers and "
            "instructions, and record more trials before using it."
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr)
