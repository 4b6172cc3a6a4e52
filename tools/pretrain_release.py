"""Pretrain `tiny` on the public recordings whose licences let the weights be shipped.

    python tools/pretrain_release.py DATA --out runs/release

DATA holds one folder for each set: eegmmidb (PhysioNet, ODC-BY), eegmat (PhysioNet, ODC-BY; people 29-36, who choose
and test in MentalArithmetic, are left out), ssvep-exoskeleton (Kalunga 2016, CC0), muse-n170 (BSD-3), eeglab-sample
(BSD-2). Called again it goes on where it was. About 30 minutes on one core. Beside the encoder lies MODEL_CARD.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neuript.cli import run_verb
from neuript.training.corpus import Corpus
from neuript.training.pretrain.card import Origin, write_card

TEST_PEOPLE = ("eegmat/Subject28", "eegmat/Subject29", "eegmat/Subject3?")
SETS: dict[str, tuple[str, ...]] = {
    "eegmmidb": (),
    "eeglab-sample": (),
    "muse-n170": (),
    "ssvep-exoskeleton": ("--rescale",),  # its numbers are in no unit
    "eegmat": ("--dataset", "eegmat", "--exclude-subjects", *TEST_PEOPLE),
}
ORIGINS = {
    "eegmmidb": Origin(
        "movements and their imagery, 64 electrodes", "Schalk et al. 2004; PhysioNet, doi:10.13026/C28G6P", "ODC-BY 1.0"
    ),
    "eegmat": Origin(
        "rest and mental arithmetic, 19 electrodes",
        "Zyma et al., Data 4 (2019) 14; PhysioNet, eegmat 1.0.0",
        "ODC-BY 1.0",
    ),
    "ssvep-exoskeleton": Origin(
        "flicker of 13, 17 or 21 Hz, 8 electrodes", "Kalunga et al. 2016, doi:10.5281/zenodo.2392979", "CC0"
    ),
    "muse-n170": Origin("faces and houses, Muse headband", "the EEG-ExPy project", "BSD-3-Clause"),
    "eeglab-sample": Origin("visual attention, 30 electrodes", "Delorme and Makeig 2004 (EEGLAB)", "BSD-2-Clause"),
}
LIMITS = (
    "No better start for a calibration than the simulated people's weights that come with neuript: on the calibration "
    "runs of six people (Peterson et al. 2022) the network alone reached 55 %, with those 61 % (chance below 60 %).",
    "What is explained of the hidden samples is nearly all one constant for each window and channel.",
    "Three hours, most of them of healthy adults with one cap: other heads, tasks, caps and artefacts were not seen.",
)
RUN = (
    *("--size", "tiny", "--steps", "600", "--batch-size", "32", "--lr", "1e-3"),
    *("--max-channels", "12", "--val-fraction", "0.1", "--val-windows", "128"),
    *("--validate-every", "100", "--checkpoint-every", "50"),
    *("--model", "merges=4,1,1,2,1,2", "dropout=0", "attention_dropout=0"),
    *("--objective", "decoder_step=4", "decoder_scales=1,4,6"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    corpus = args.out / "corpus"
    for name, options in SETS.items():
        folder = next(iter(sorted(args.data.glob(f"{name}*"))), args.data / name)
        given = [str(folder), "--out", str(corpus), "--recipe", "lenient", *options]
        if code := run_verb("train", ["prepare", *given]):
            return code
    tiny = args.out / "tiny"
    if code := run_verb("train", ["pretrain", str(corpus), "--out", str(tiny), *RUN]):
        return code
    print(write_card(tiny / "encoder.safetensors", Corpus.open(corpus), ORIGINS, limits=LIMITS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
