"""`neuript bids`: recorded sessions into a BIDS-EEG data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuript.cli.arguments import add_eeg, add_mains, add_montage, add_unit, command, mains_hz
from neuript.cli.channel_options import add_channels, given_channels
from neuript.cli.progress import say

if TYPE_CHECKING:
    import argparse

    from neuript.training.share.export_bids import BidsRun

_EXAMPLES = """\
examples:
  neuript bids sessions/S01/2026-11-30-1 --out dataset         a guided session, which says all of it itself
  neuript bids sessions/S01/* sessions/S02/* --out dataset     only what is not in it yet is added
  neuript bids run1.xdf run2.edf --subject S03 --out dataset   single recordings of one person

Written are BrainVision files with events (HED tags), channels, electrodes and what else BIDS wants, the recordings as
they are in sourcedata/, and decisions and reports in derivatives/neuript/. Nothing in a data set is replaced.
It needs the extra: pip install "neuript[bids]"; `pip install bids-validator-deno` brings the official validator."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = command("neuript bids", "Write recorded sessions into a BIDS-EEG data set.", _EXAMPLES)
    add = parser.add_argument
    add("sessions", nargs="+", metavar="SESSION", help="folders of guided sessions, or single recordings")
    add("--out", required=True, metavar="DATASET", help="folder of the data set; one that is there is added to")
    add("--subject", metavar="ALIAS", help="whose the single recordings are; never the person's name")
    add("--session", metavar="LABEL", help="session of the single recordings (default: 01)")
    add("--task", default="imagery", metavar="NAME", help="what was done, in letters and digits (default imagery)")
    add_montage(parser, "what was on the head, where a recording does not say it")
    add_channels(parser)
    add_unit(parser)
    add_eeg(parser)
    add_mains(parser)
    add(
        "--decisions",
        metavar="FILE.jsonl",
        help="what neuript-live --replay --json printed of the one recording that is given",
    )
    return parser


def run(argv: list[str]) -> int:
    """Write, say what was written, return the exit code."""
    args = build_parser().parse_args(argv)

    from neuript.training.share.export_bids import to_bids

    runs = to_bids(
        args.sessions,
        args.out,
        subject=args.subject,
        session=args.session,
        task=args.task,
        montage=args.montage,
        channels=given_channels(args),
        decisions=args.decisions,
        unit=args.unit,
        eeg=args.eeg,
        mains=mains_hz(args.mains),
        done=_tell,
    )
    print(f"{sum(run.is_new for run in runs)} of {len(runs)} recordings added to {args.out}")
    return 0


def _tell(run: BidsRun) -> None:
    print(f"{run.path}: {run.n_events} events" if run.is_new else f"{run.source}: there already, as {run.path}")
    for note in run.notes:
        say(f"! {run.source}: {note}")
