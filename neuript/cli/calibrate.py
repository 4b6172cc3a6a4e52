"""`neuript calibrate` (and `neuript-calibrate`): a model for one person."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from neuript.cli.arguments import command
from neuript.cli.progress import ProgressLine, say
from neuript.cli.window_options import add_window_options, window_settings
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec

_EXAMPLES = """\
examples:
  neuript-calibrate --from run2.xdf run3.xdf --event left_hand=769 --event right_hand=770 --out mi.ts
  neuript-calibrate --from run2.edf run3.edf --montage peterson-15 --unit microvolts \\
      --event right_hand=OVTK_GDF_Right --event rest=OVTK_GDF_Tongue --out mi.ts

`neuript inspect FILE` lists the markers of a recording. Every accuracy that is printed comes from blocks of
trials that the decoder had not seen, with plain baselines on the same trials beside it.
The same from Python: `neuript.calibrate`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command(
        "neuript-calibrate", "Fit a decoder to one person's recordings and write the model file.", _EXAMPLES
    )
    add = parser.add_argument
    add("--from", dest="files", nargs="+", metavar="FILE", help="recordings of this person, in order of time")
    add("--out", metavar="FILE.ts", help="the model file to write")
    add_window_options(parser, "what is on the head")
    add("--reference", choices=("as recorded", "average"), default="as recorded")
    add(
        "--network",
        default="pretrained",
        metavar="{pretrained,none,FILE}",
        help="the network's encoder: the shipped one, no network, or a file of neuript-train pretrain or population",
    )
    add(
        "--population",
        metavar="FILE|shipped",
        help="begin with what earlier people say (made by neuript-train population), so that few trials are enough; "
        "without --event the recording needs no trial at all",
    )
    add(
        "--max-false-per-minute",
        type=float,
        default=1.0,
        metavar="N",
        help="commands at rest that threshold and dwell are chosen for (default 1)",
    )
    add("--folds", type=int, default=4, metavar="N", help="blocks of the cross-validation (default 4)")
    add("--subject", default="", metavar="ALIAS", help="noted in the model file; use an alias, not a name")
    add("--task", default="motor-imagery", help="short name, part of the published streams' names")
    add(
        "--report",
        action="append",
        default=[],
        metavar="FILE.html|FILE.json",
        help="what was measured on held-out trials, as a page with pictures or as figures; give it twice for both",
    )
    return parser


def run(argv: list[str]) -> int:
    """Calibrate and return the exit code."""
    args = build_parser().parse_args(argv)
    _check(args)

    from neuript.cli.show_calibration import print_calibration
    from neuript.files import check_writable
    from neuript.interrupt import Interrupt

    check_writable(args.out, keep=args.files)
    for path in args.report:
        check_writable(path, keep=(args.out, *args.files))
    with Interrupt() as interrupt:  # not in the middle of importing PyTorch
        from neuript.training.calibration.calibration import calibrate
    interrupt.check()
    began = time.monotonic()
    with ProgressLine(0.1, bar=True, vanishes=True) as line:
        result = calibrate(args.files, spec_of(args), say=say, progress=line.show)
    result.save(args.out)
    if args.report:
        from neuript.training.report.calibration_report import report

        report(result, *args.report)
    print_calibration(result)  # last: its reader may go away
    say(f"wrote {args.out} in {time.monotonic() - began:.0f} s; next: neuript-live --model {args.out}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not args.files:
        raise NeuriptError(
            "no recordings were given; name them with --from FILE ... (any cue program and LabRecorder record some)"
        )
    if not args.out:
        raise NeuriptError("--out is missing; say where to write the model, for example --out mi.ts")
    if not args.out.endswith(".ts"):
        raise NeuriptError(f"--out {args.out} does not end in .ts; name the model for example mi.ts")
    if args.report:
        from neuript.training.report.report_paths import report_suffix

        for path in args.report:
            report_suffix(path)


def spec_of(args: argparse.Namespace) -> CalibrationSpec:
    """Return the settings that the options say."""
    from neuript.training.calibration.calibration_spec import CalibrationSpec

    return CalibrationSpec(
        **window_settings(args),
        reference=args.reference,
        task=args.task,
        network=args.network,
        population=args.population,
        max_false_per_minute=args.max_false_per_minute,
        n_folds=args.folds,
        subject=args.subject,
    )
