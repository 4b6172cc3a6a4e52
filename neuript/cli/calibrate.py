"""`neuript calibrate` (and `neuript-calibrate`): a model for one person."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from neuript.cli.arguments import command, given_options, refuse
from neuript.cli.config_file import add_config, parse_with_config
from neuript.cli.guided import run_session
from neuript.cli.guided_options import FILES, SESSION, add_guided_options, fit_to_session
from neuript.cli.progress import ProgressLine, say
from neuript.cli.window_options import add_window_options, window_settings
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.calibration.calibration_spec import CalibrationSpec

_EXAMPLES = """\
examples:
  neuript-calibrate --subject S01 --montage openbci-8 --classes left_hand,right_hand,rest --out mi.ts
  neuript-calibrate --from run2.xdf run3.xdf --event left_hand=769 --event right_hand=770 --out mi.ts

`neuript inspect FILE` lists the markers of a recording. Every accuracy that is printed comes from blocks of trials
that the decoder had not seen, with plain baselines beside it. From Python: `neuript.calibrate`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript-calibrate", "Fit a decoder to one person and write the model file.", _EXAMPLES)
    add = parser.add_argument
    add("--from", dest="files", nargs="+", metavar="FILE", help="recordings of this person, in order of time")
    add("--out", metavar="FILE.ts", help="the model file to write")
    add_window_options(parser, "what is on the head")
    add(
        "--reference",
        choices=("as recorded", "average"),
        default="as recorded",
        help="average subtracts the mean of the electrodes (default: as recorded)",
    )
    add(
        "--network",
        default="pretrained",
        metavar="{pretrained,none,FILE}",
        help="the network's encoder (default pretrained: the shipped one), or a file of neuript-train pretrain",
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
    add("--subject", default="", metavar="ALIAS", help="alias, not a name")
    add("--task", default="motor-imagery", help="part of the streams' names (default motor-imagery)")
    add(
        "--report",
        action="append",
        default=[],
        metavar="FILE.html|FILE.json",
        help="what was measured, as a page with pictures or as figures; give it twice for both",
    )
    add_guided_options(parser)
    add_config(parser)
    return parser


def run(argv: list[str]) -> int:
    """Calibrate and return the exit code."""
    parser = build_parser()
    args, given = parse_with_config("calibrate", parser, argv), given_options(parser, argv)
    if args.resume is not None or args.from_last:
        return run_session(args, given, None)
    if args.classes is not None:
        refuse(given, set(FILES), "a guided session records its own trials")
        fit_to_session(args, given)
        return run_session(args, given, spec_of(args))
    _check(args)
    refuse(given, set(SESSION), "it belongs to a guided session, which has --classes and no --from")

    from neuript.cli.show_calibration import print_calibration
    from neuript.files import check_writable
    from neuript.interrupt import Interrupt
    from neuript.pasteable import pasteable

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
    then = pasteable("neuript-live", "--model", args.out)
    say(f"wrote {args.out} in {time.monotonic() - began:.0f} s; next: {then}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.population is not None and args.network != "pretrained":
        raise NeuriptError(f"--population brings its own network; leave out --network {args.network}")
    if args.population is not None and not args.event:
        unlabelled = {"--trial-start": args.trial_start, "--idle": args.idle}
        if ignored := [option for option, value in unlabelled.items() if value]:
            raise NeuriptError(f"{ignored[0]} speaks of trials, and without --event there are none; leave it out")
    if not args.files:
        raise NeuriptError(
            "nothing to learn from: name recordings with --from FILE ..., or let neuript show the cues and record: "
            "--subject S01 --classes left_hand,right_hand"
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
