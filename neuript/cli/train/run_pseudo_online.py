"""`neuript-train evaluate --pseudo-online`: from its options to the one call, and what it prints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.cli.option_values import whole_numbers
from neuript.cli.progress import ProgressLine, say
from neuript.cli.window_options import window_settings
from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.training.evaluate.pseudo_online.pseudo_online_spec import PseudoOnlineSpec
    from neuript.training.evaluate.pseudo_online.target_data import PersonSplit


def run_pseudo_online(args: argparse.Namespace) -> int:
    """Decode, print the figures, write them, and return the exit code."""
    if args.people and (args.calibrate or args.test):
        raise NeuriptError("--people and --calibrate or --test are two ways to name the recordings; give one of them")
    if not args.people and not args.test:
        raise NeuriptError("--test FILE ... is missing: the recordings to decode (or --people, for many)")

    from neuript.cli.train.show_pseudo_online import print_online
    from neuript.files import check_writable

    people = _people(args)
    files = [str(path) for split in people.values() for path in (*split.calibrate, *split.test)]
    if args.out:
        if not args.out.endswith(".json"):
            raise NeuriptError(f"--out {args.out} does not end in .json; name the file for example online.json")
        check_writable(args.out, keep=files)
    spec = _spec(args)

    from neuript.training.evaluate.pseudo_online.pseudo_online import evaluate_pseudo_online

    with ProgressLine(0.1, bar=True, vanishes=True) as line:
        result = evaluate_pseudo_online(people, spec, say=say, progress=line.show)
    if args.out:
        result.save(args.out)
        say(f"wrote {args.out}")
    print_online(result)
    return 0


def _people(args: argparse.Namespace) -> dict[str, PersonSplit]:
    from neuript.training.evaluate.pseudo_online.target_data import PersonSplit, access_of, halves
    from neuript.training.population.people import people_of

    if not args.people:
        return {"person": PersonSplit(tuple(map(Path, args.calibrate or ())), tuple(map(Path, args.test)))}
    found = halves(people_of(args.people))
    if access_of(args.cs_mode).calibration_size == 0:  # nothing of anybody is seen before
        return {alias: PersonSplit((), split.test) for alias, split in found.items()}
    return found


def _spec(args: argparse.Namespace) -> PseudoOnlineSpec:
    from neuript.training.evaluate.pseudo_online.pseudo_online_spec import PseudoOnlineSpec

    return PseudoOnlineSpec(
        **window_settings(args),
        network="none" if args.population else args.network,  # theirs then
        population=args.population,
        max_false_per_minute=args.max_false_per_minute,
        n_folds=args.folds,
        trials=None if args.trials is None else whole_numbers(args.trials, "--trials"),
        cs_mode=args.cs_mode,
        window_end_s=None if args.window_end is None else tuple(args.window_end),
    )
