"""Pretrain `tiny` on the public recordings whose licences let the weights be shipped.

    python tools/pretrain_release.py DATA --out runs/release

DATA holds one folder for each set: eegmmidb (PhysioNet, ODC-BY), eegmat (PhysioNet, ODC-BY; people 29-36, who choose and
test in MentalArithmetic, are left out), ssvep-exoskeleton (Kalunga 2016, CC0), muse-n170 (BSD-3), eeglab-sample
(BSD-2). Called again it goes on where it was. About 30 minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neuript.cli import run_verb

TEST_PEOPLE = ("eegmat/Subject28", "eegmat/Subject29", "eegmat/Subject3?")
SETS: dict[str, tuple[str, ...]] = {
    "eegmmidb": (),
    "eeglab-sample": (),
    "muse-n170": (),
    "ssvep-exoskeleton": ("--rescale",),  # its numbers are in no unit
    "eegmat": ("--dataset", "eegmat", "--exclude-subjects", *TEST_PEOPLE),
}
RUN = (
    *("--size", "tiny", "--steps", "600", "--batch-size", "32", "--lr", "1e-3"),
    *("--max-channels", "12", "--val-fraction", "0.1", "--val-windows", "128"),
    *("--validate-every", "100", "--checkpoint-every", "50"),
    *("--model", "merges=4,1,1,2,1,2", "dropout=0", "attention_dropout=0"),
    *("--objective", "decoder_step=4", "decoder_scales=1,4,6"),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    corpus = args.out / "corpus"
    for name, options in SETS.items():
        folder = next(iter(sorted(args.data.glob(f"{name}*"))), args.data / name)
        given = [str(folder), "--out", str(corpus), "--recipe", "lenient", *options]
        if code := run_verb("train", ["prepare", *given]):
            return code
    return run_verb("train", ["pretrain", str(corpus), "--out", str(args.out / "tiny"), *RUN])


if __name__ == "__main__":
    sys.exit(main())
