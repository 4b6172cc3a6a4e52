"""Write the montage files of the package from MNE's template head.

    python tools/make_montages.py            # rewrites montages/*.yaml
    python tools/make_montages.py --check    # says which files differ, exit code 1 if any

Every position is the template's (``colin27_1005``, called ``standard_1005`` before MNE 1.10), in
millimetres, rounded to a micrometre. Channel lists are those of the makers and of the NeurIPT paper.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import mne

from neuript.montages.lobes import LOBES, channel_lobes
from neuript.montages.names import OLD_NAMES, split_pair

FOLDER = Path(__file__).resolve().parents[1] / "montages"
SOURCE = (
    "positions from the template colin27_1005 (standard_1005) of MNE-Python: the 10-5 system of "
    "Oostenveld and Praamstra (2001) on the Colin27 head"
)
PAPER = "NeurIPT (arXiv 2510.16548)"

TEN_TWENTY = "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2"
TEN_TEN = (
    "Fp1 Fpz Fp2 AF9 AF7 AF5 AF3 AF1 AFz AF2 AF4 AF6 AF8 AF10 F9 F7 F5 F3 F1 Fz F2 F4 F6 F8 F10 "
    "FT9 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 FT10 T9 T7 C5 C3 C1 Cz C2 C4 C6 T8 T10 TP9 TP7 CP5 "
    "CP3 CP1 CPz CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1 Pz P2 P4 P6 P8 P10 PO9 PO7 PO5 PO3 PO1 POz "
    "PO2 PO4 PO6 PO8 PO10 O1 Oz O2 I1 Iz I2"
)
DOUBLE_BANANA = (
    "Fp1-F7 F7-T7 T7-P7 P7-O1 Fp2-F8 F8-T8 T8-P8 P8-O2 T7-C3 C3-Cz Cz-C4 C4-T8 "
    "Fp1-F3 F3-C3 C3-P3 P3-O1 Fp2-F4 F4-C4 C4-P4 P4-O2"
)
DOUBLE_BANANA_22 = (
    "Fp1-F7 F7-T7 T7-P7 P7-O1 Fp2-F8 F8-T8 T8-P8 P8-O2 A1-T7 T7-C3 C3-Cz Cz-C4 C4-T8 T8-A2 "
    "Fp1-F3 F3-C3 C3-P3 P3-O1 Fp2-F4 F4-C4 C4-P4 P4-O2"
)
BCIC_16 = "C5-C1 C3-Cz Cz-C4 C2-C6 Fz-C5 C5-P1 CP3-POz Fz-C1 C1-Pz CP1-POz Fz-C2 C2-Pz CP2-POz Fz-C6 C6-P2 CP4-POz"
BCIC_22 = "Fz FC3 FC1 FCz FC2 FC4 C5 C3 C1 Cz C2 C4 C6 CP3 CP1 CPz CP2 CP4 P1 Pz P2 POz"
SEED_V = "Fp1 Fp2 F7 F3 F4 F8 T7 C3 Cz C4 T8 P7 P3 P4 P8 O1 O2"
BIOSEMI_32 = (
    "Fp1 AF3 F7 F3 FC1 FC5 T7 C3 CP1 CP5 P7 P3 Pz PO3 O1 Oz O2 PO4 P4 P8 CP6 CP2 C4 T8 FC6 FC2 F4 F8 AF4 Fp2 Fz Cz"
)
BIOSEMI_64 = (
    "Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 "
    "O1 Iz Oz POz Pz CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 "
    "TP8 CP6 CP4 CP2 P2 P4 P6 P8 P10 PO8 PO4 O2"
)
EEGMMIDB = (
    "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Fp1 Fpz Fp2 AF7 "
    "AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FT8 T7 T8 T9 T10 TP7 TP8 P7 P5 P3 P1 Pz P2 P4 "
    "P6 P8 PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz"
)
OPENBCI_8 = "Fp1 Fp2 C3 C4 P7 P8 O1 O2"
OPENBCI_16 = OPENBCI_8 + " F7 F8 F3 F4 T7 T8 P3 P4"


@dataclass
class Layout:
    """What one file says beside the positions."""

    channels: str
    description: str
    source: str = SOURCE
    lobes: dict[str, str] = field(default_factory=dict)  # lobe -> channel indices, "" for the rule
    aliases: dict[str, str] = field(default_factory=dict)
    electrode_order: str = TEN_TWENTY


def numbered(prefix: str, names: str, start: int = 1) -> dict[str, str]:
    """Return labels such as ``EEG 1`` for the electrodes in order."""
    return {f"{prefix}{i}": name for i, name in enumerate(names.split(), start)}


def biosemi_aliases(names: str) -> dict[str, str]:
    """BioSemi's own labels: A1..A32, then B1..B32."""
    return {f"{'AB'[i // 32]}{i % 32 + 1}": name for i, name in enumerate(names.split())}


def in_paper(**lobes: str) -> dict[str, str]:
    return {lobe.replace("_", "-"): indices for lobe, indices in lobes.items()}


def layouts(every: list[str]) -> dict[str, Layout]:
    """Return file stem -> layout; `every` lists the electrodes of the 10-5 system."""
    return {
        "10-20": Layout(TEN_TWENTY, "the 19 scalp electrodes of the international 10-20 system", aliases=OLD_NAMES),
        "10-10": Layout(TEN_TEN, "the 10-10 system, 86 electrodes"),
        "10-05": Layout(" ".join(every), "the whole 10-5 system with ears and mastoids"),
        "double-banana": Layout(
            DOUBLE_BANANA,
            f"20 bipolar pairs in the order of the {PAPER} pretraining montage",
            lobes=in_paper(
                frontal="0 4 12 16",
                central_parietal="8 9 10 11 13 14 17 18",
                occipital="3 7 15 19",
                temporal_left="1 2 8",
                temporal_right="5 6 11",
            ),
            aliases=OLD_NAMES,
        ),
        "double-banana-22": Layout(
            DOUBLE_BANANA_22,
            f"the 20 pairs of double-banana with A1-T7 and T8-A2, {PAPER}",
            lobes=in_paper(
                frontal="0 4 14 18",
                central_parietal="9 10 11 12 15 16 19 20",
                occipital="3 7 17 21",
                temporal_left="1 2 8 9",
                temporal_right="5 6 12 13",
            ),
            aliases=OLD_NAMES,
            electrode_order=TEN_TWENTY + " A1 A2",
        ),
        "bcic-iv-2a": Layout(
            BCIC_16,
            f"16 bipolar pairs of BCI Competition IV set 2a in the order of {PAPER}",
            lobes=in_paper(
                frontal="4 7 10 13", central="0 1 2 3", parietal_left="5 6 8 9", parietal_right="11 12 14 15"
            ),
            electrode_order=BCIC_22,
        ),
        "bcic-iv-2a-22": Layout(BCIC_22, "the 22 electrodes of BCI Competition IV set 2a, in the order of its files"),
        "seed-v": Layout(
            SEED_V,
            f"17 referential electrodes of SEED-V in the order of {PAPER}",
            lobes=in_paper(frontal="0 1 2 3 4 5", central="6 7 8 9 10", parietal_occipital="11 12 13 14 15 16"),
        ),
        "sleep-edfx": Layout(
            "Fpz-Cz Pz-Oz",
            f"the two bipolar channels of Sleep-EDF Expanded, {PAPER}",
            lobes={"Fpz-Cz": "0", "Pz-Oz": "1"},
            electrode_order="Fpz Cz Pz Oz",
        ),
        "openbci-8": Layout(OPENBCI_8, "OpenBCI Cyton, 8 channels, Ultracortex Mark IV default places"),
        "openbci-16": Layout(OPENBCI_16, "OpenBCI Cyton + Daisy, 16 channels, Ultracortex Mark IV default places"),
        "unicorn-8": Layout(
            "Fz C3 Cz C4 Pz PO7 Oz PO8",
            "g.tec Unicorn Hybrid Black, 8 channels",
            aliases=numbered("EEG ", "Fz C3 Cz C4 Pz PO7 Oz PO8"),
        ),
        "muse-4": Layout("TP9 AF7 AF8 TP10", "InteraXon Muse headband, 4 channels"),
        "epoc-14": Layout("AF3 F7 F3 FC5 T7 P7 O1 O2 P8 T8 FC6 F4 F8 AF4", "Emotiv EPOC, EPOC+ and EPOC X"),
        "insight-5": Layout("AF3 T7 Pz T8 AF4", "Emotiv Insight, 5 channels"),
        "crown-8": Layout("CP3 C3 F5 PO3 PO4 F6 C4 CP4", "Neurosity Crown, 8 channels"),
        "biosemi-16": Layout(
            "Fp1 Fp2 F4 Fz F3 T7 C3 Cz C4 T8 P4 Pz P3 O1 Oz O2",
            "BioSemi ActiveTwo cap with 16 electrodes, in the order A1..A16",
            aliases=biosemi_aliases("Fp1 Fp2 F4 Fz F3 T7 C3 Cz C4 T8 P4 Pz P3 O1 Oz O2"),
        ),
        "biosemi-32": Layout(
            BIOSEMI_32,
            "BioSemi ActiveTwo cap with 32 electrodes, in the order A1..A32",
            aliases=biosemi_aliases(BIOSEMI_32),
        ),
        "biosemi-64": Layout(
            BIOSEMI_64,
            "BioSemi ActiveTwo cap with 64 electrodes, in the order A1..B32",
            aliases=biosemi_aliases(BIOSEMI_64),
        ),
        "gnautilus-16": Layout("Fp1 Fp2 F3 Fz F4 T7 C3 Cz C4 T8 P3 Pz P4 PO7 PO8 Oz", "g.tec g.Nautilus, 16 channels"),
        "gnautilus-32": Layout(
            "Fp1 Fp2 AF3 AF4 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 CP5 CP1 CP2 CP6 P7 P3 "
            "Pz P4 P8 PO7 PO3 PO4 PO8 Oz",
            "g.tec g.Nautilus, 32 channels",
        ),
        "acticap-32": Layout(
            "Fp1 Fz F3 F7 FT9 FC5 FC1 C3 T7 TP9 CP5 CP1 Pz P3 P7 O1 Oz O2 P4 P8 TP10 CP6 CP2 Cz "
            "C4 T8 FT10 FC6 FC2 F4 F8 Fp2",
            "Brain Products actiCAP, standard 32 channels, reference FCz",
        ),
        "smarting-24": Layout(
            "Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T7 T8 P7 P8 Fz Cz Pz M1 M2 AFz CPz POz",
            "mBrainTrain SMARTING, 24 channels, reference FCz",
        ),
        "dsi-7": Layout("F3 F4 C3 C4 P3 Pz P4", "Wearable Sensing DSI-7, 7 channels"),
        "dsi-24": Layout(
            "P3 C3 F3 Fz F4 C4 P4 Cz Fp1 Fp2 T7 P7 O1 O2 F7 F8 P8 T8",
            "Wearable Sensing DSI-24, the 18 scalp channels beside the reference Pz",
            aliases=OLD_NAMES,
        ),
        "eegmmidb-64": Layout(
            EEGMMIDB, "PhysioNet EEG Motor Movement/Imagery, 64 electrodes, in the order of its files"
        ),
        "peterson-15": Layout(
            "Pz Cz P8 T8 F8 P4 C4 F4 Fz P7 T7 F7 P3 C3 F3",
            "the 15 electrodes of Peterson et al. (2022, motor imagery against rest)",
            aliases=OLD_NAMES,
        ),
        "motor-16": Layout(
            "F3 Fz F4 FC3 FCz FC4 C5 C3 C1 Cz C2 C4 C6 CP5 CP4 Pz",
            "16 electrodes over the motor cortex, as in the BCI Essentials motor imagery sets",
        ),
    }


def template() -> dict[str, tuple[float, float, float]]:
    """Return electrode -> mm from MNE's 10-5 template, under its name of today or of yesterday."""
    wanted = "colin27_1005"
    if wanted not in mne.channels.get_builtin_montages():
        wanted = "standard_1005"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        positions = mne.channels.make_standard_montage(wanted).get_positions()["ch_pos"]
    mm = {k: tuple(round(float(v) * 1000.0, 3) + 0.0 for v in xyz) for k, xyz in positions.items()}
    return {k: v for k, v in mm.items() if k not in OLD_NAMES}


def render(stem: str, layout: Layout, mm: dict[str, tuple[float, float, float]]) -> str:
    """Return the text of one file."""
    channels = layout.channels.split()
    pairs = [split_pair(channel) for channel in channels]
    if all(pair is not None for pair in pairs):
        used = {electrode for pair in pairs if pair for electrode in pair}
        electrodes = [e for e in layout.electrode_order.split() if e in used]
        if set(electrodes) != used:
            raise ValueError(f"{stem}: electrode_order lacks {used - set(electrodes)}")
    else:
        electrodes = channels
    members = {lobe: [channels[int(i)] for i in text.split()] for lobe, text in layout.lobes.items()}
    if not members:
        members = {lobe: [c for c in channels if lobe in channel_lobes(c)] for lobe in LOBES}
    lines = [
        "# Written by tools/make_montages.py; change that, not this file.",
        f"name: {stem}",
        f"description: {quoted(layout.description)}",
        f"source: {quoted(layout.source)}",
        f"reference: {'bipolar' if electrodes is not channels else 'as recorded'}",
        "electrodes:  # x to the right, y to the front, z up, in mm",
    ]
    lines += [f"  {e}: [{', '.join(f'{v:.3f}' for v in mm[e])}]" for e in electrodes]
    if electrodes is not channels:
        lines += ["channels:", *(f"  - {channel}" for channel in channels)]
    lines += ["lobes:"]
    lines += [f"  {lobe}: [{', '.join(names)}]" for lobe, names in members.items() if names]
    if layout.aliases:
        present = set(electrodes) | set(channels)
        lines += ["aliases:"]
        lines += [f"  {quoted(k)}: {v}" for k, v in layout.aliases.items() if v in present]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    arguments = parser.parse_args(argv)
    mm = template()
    different = []
    for stem, layout in layouts(list(mm)).items():
        path, text = FOLDER / f"{stem}.yaml", render(stem, layout, mm)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        different.append(path.name)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
    known = {f"{stem}.yaml" for stem in layouts(list(mm))}
    stray = sorted(p.name for p in FOLDER.glob("*.yaml") if p.name not in known)
    if stray:
        print(f"not written by this script: {', '.join(stray)}", file=sys.stderr)
    print(f"{len(different)} of {len(known)} files {'differ' if arguments.check else 'written'}")
    return 1 if arguments.check and (different or stray) else 0


if __name__ == "__main__":
    raise SystemExit(main())
