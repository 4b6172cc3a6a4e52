"""The published tables of the montages, and the files that hold them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from processes import finished, python

from neuript.montages import available_montages, canonical_name, load_montage
from neuript.montages.loader import FOLDER, template_positions
from neuript.montages.lobes import channel_lobes, electrode_lobe

ROOT = Path(__file__).resolve().parents[2]


# The published grid of each montage (positions 0..49 on x, y, z), in channel order.
GRIDS = {
    "double-banana": [
        *[(8, 47, 0), (0, 32, 0), (0, 15, 1), (8, 1, 4), (38, 48, 0), (47, 33, 0), (47, 15, 1)],
        *[(38, 1, 4), (1, 24, 11), (14, 25, 28), (33, 25, 27), (46, 25, 11), (11, 49, 8)],
        *[(6, 35, 19), (6, 15, 21), (11, 0, 13), (35, 49, 8), (41, 35, 19), (41, 15, 21)],
        (36, 0, 13),
    ],
    "bcic-iv-2a": [
        *[(0, 26, 5), (11, 27, 14), (38, 27, 14), (49, 26, 5), (8, 40, 0), (2, 11, 2)],
        *[(11, 0, 4), (17, 41, 12), (17, 12, 16), (17, 0, 10), (32, 41, 12), (32, 12, 16)],
        *[(32, 0, 9), (41, 40, 0), (48, 12, 2), (38, 0, 4)],
    ],
    "sleep-edfx": [(0, 49, 0), (0, 0, 0)],
    "seed-v": [
        *[(14, 49, 1), (28, 49, 1), (3, 38, 0), (8, 41, 13), (34, 41, 13), (39, 39, 0)],
        *[(0, 24, 1), (5, 25, 19), (21, 26, 28), (38, 25, 19), (42, 24, 1), (3, 10, 2)],
        *[(8, 8, 17), (35, 8, 17), (39, 10, 2), (14, 0, 5), (28, 0, 5)],
    ],
}


# The template's coordinates as printed with the model, mm; old names where the print has them.
TEMPLATE_MM = """
Fp1 -29.4 83.9 -7.0; Fpz .1 88.2 -1.7; Fp2 29.9 84.9 -7.1; F7 -70.3 42.5 -11.4; F3 -50.2 53.1 42.2;
Fz .3 58.5 66.5; F4 51.8 54.3 40.8; F8 73 44.4 -12; T3 -84.2 -16 -9.3; C5 -80.3 -13.8 29.2;
C3 -65.4 -11.6 64.4; C1 -36.2 -10 89.8; Cz .4 -9.2 100.2; C2 37.7 -9.6 88.4; C4 67.1 -10.9 63.6;
C6 83.5 -12.8 29.2; T4 85.1 -15 -9.5; CP3 -63.6 -47 65.6; CP1 -35.5 -47.3 91.3; CP2 38.4 -47.1 90.7;
CP4 66.6 -46.6 65.6; T5 -72.4 -73.5 -2.5; P3 -53 -78.8 55.9; P1 -28.6 -80.5 75.4; Pz .3 -81.1 82.6;
P2 31.9 -80.5 76.7; P4 55.7 -78.6 56.6; T6 73.1 -73.1 -2.5; POz .2 -102.2 50.6; O1 -29.4 -112.4 8.8;
Oz .1 -114.9 14.7; O2 29.8 -112.2 8.8
"""

LOBES = {
    "double-banana": {
        "frontal": (0, 4, 12, 16),
        "central-parietal": (8, 9, 10, 11, 13, 14, 17, 18),
        "occipital": (3, 7, 15, 19),
        "temporal-left": (1, 2, 8),
        "temporal-right": (5, 6, 11),
    },
    "double-banana-22": {
        "frontal": (0, 4, 14, 18),
        "central-parietal": (9, 10, 11, 12, 15, 16, 19, 20),
        "occipital": (3, 7, 17, 21),
        "temporal-left": (1, 2, 8, 9),
        "temporal-right": (5, 6, 12, 13),
    },
    "seed-v": {
        "frontal": (0, 1, 2, 3, 4, 5),
        "central": (6, 7, 8, 9, 10),
        "parietal-occipital": (11, 12, 13, 14, 15, 16),
    },
    "bcic-iv-2a": {
        "frontal": (4, 7, 10, 13),
        "central": (0, 1, 2, 3),
        "parietal-left": (5, 6, 8, 9),
        "parietal-right": (11, 12, 14, 15),
    },
    "sleep-edfx": {"Fpz-Cz": (0,), "Pz-Oz": (1,)},
}


def grid(pos_m: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """The published recipe, written out slowly: shift, one factor for all axes, round half-even."""
    lowest = [min(row[axis] for row in pos_m) for axis in range(3)]
    largest = max(row[axis] - lowest[axis] for row in pos_m for axis in range(3))
    return [tuple(round((row[axis] - lowest[axis]) * 49.0 / largest) for axis in range(3)) for row in pos_m]


# ---------------------------------------------------------------------------- published tables


@pytest.mark.parametrize("name", sorted(GRIDS))
def test_grid_is_the_published_one(name: str) -> None:
    assert grid(load_montage(name).pos_m) == GRIDS[name]


def test_published_constants_of_the_pretraining_grid() -> None:
    mm = load_montage("double-banana").pos_m * 1000.0
    np.testing.assert_allclose(mm.min(axis=0), [-78.3, -95.62, -10.74], atol=0.01)
    assert 49.0 / np.ptp(mm, axis=0).max() == pytest.approx(0.29658, abs=5e-6)


def test_template_coordinates_are_the_published_ones() -> None:
    known = template_positions()
    rows = [entry.split() for entry in TEMPLATE_MM.split(";")]
    assert len(rows) == 32
    for label, *xyz in rows:
        published = [float(v) for v in xyz]
        ours = np.array(known[canonical_name(label)]) * 1000.0
        # "-7.0" has one digit behind the point, "-16" and "73" were cut where it is zero
        np.testing.assert_allclose(ours, published, atol=0.0501, err_msg=label)


@pytest.mark.parametrize("name", sorted(LOBES))
def test_lobes_are_the_published_ones(name: str) -> None:
    assert load_montage(name).lobes == LOBES[name]


@pytest.mark.parametrize("name", ["double-banana", "double-banana-22"])
def test_the_rule_for_pairs_reproduces_the_published_lobes(name: str) -> None:
    montage = load_montage(name)
    for lobe, indices in LOBES[name].items():
        by_rule = [i for i, ch in enumerate(montage.ch_names) if lobe in channel_lobes(ch)]
        assert tuple(by_rule) == indices


def test_t7_c3_belongs_to_two_lobes() -> None:
    montage = load_montage("double-banana")
    assert montage.lobes_of(montage.ch_names.index("T7-C3")) == ("central-parietal", "temporal-left")


@pytest.mark.parametrize(
    ("names", "lobe"),
    [
        ("Fp1 AF7 AFz F8 F10 AFp1 AFF2h FFC1h FFT7h Nz", "frontal"),
        ("FC3 FCz C3 Cz CP4 P3 P7 P10 FCC1h CCP2 CPP3h PPO1", "central-parietal"),
        ("PO3 POz O1 Oz O2 Iz POO9h OI1h", "occipital"),
        ("FT7 T7 TP9 T9 A1 M1 TTP7h FTT9h TPP7", "temporal-left"),
        ("FT8 T8 TP10 FT10 A2 M2", "temporal-right"),
    ],
)
def test_lobe_of_an_electrode(names: str, lobe: str) -> None:
    assert {name: electrode_lobe(name) for name in names.split()} == dict.fromkeys(names.split(), lobe)


# ---------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", available_montages())
def test_every_file_is_complete(name: str) -> None:
    montage = load_montage(name)
    template = template_positions()
    assert montage.name == name
    assert montage.description
    assert "MNE" in montage.source
    assert "colin27_1005" in montage.source
    assert set().union(*montage.lobes.values()) == set(range(montage.n_chans))
    for electrode, pos in zip(montage.electrodes, montage.electrode_pos_m, strict=True):
        np.testing.assert_allclose(pos, template[electrode], atol=1e-12)
    weights = np.abs(montage.derivation)
    middle = (weights @ montage.electrode_pos_m) / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(montage.pos_m, middle, atol=1e-12)


def test_the_montages_that_were_promised_are_there() -> None:
    names = set(available_montages())
    papers = {"double-banana", "double-banana-22", "bcic-iv-2a", "seed-v", "sleep-edfx"}
    assert papers | {"10-20", "10-10", "10-05", "bcic-iv-2a-22", "eegmmidb-64"} <= names
    caps = {"openbci-8", "openbci-16", "unicorn-8", "muse-4", "epoc-14", "biosemi-32", "biosemi-64"}
    assert caps | {"gnautilus-32", "dsi-7", "peterson-15"} <= names
    sizes = {n: load_montage(n).n_chans for n in names}
    assert sizes["10-20"] == 19
    assert sizes["double-banana"] == 20
    assert sizes["double-banana-22"] == 22
    assert all(
        sizes[n] == int(n.rsplit("-", 1)[1])
        for n in caps | {"dsi-7", "peterson-15", "eegmmidb-64", "gnautilus-32", "acticap-32"}
    )


def test_files_are_what_the_tool_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_montages", ROOT / "tools/make_montages.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    sys.modules["make_montages"] = tool
    spec.loader.exec_module(tool)
    assert tool.main(["--check"]) == 0


@pytest.mark.parametrize("n", [16, 32, 64])
def test_biosemi_order_is_that_of_mne(n: int) -> None:
    mne = pytest.importorskip("mne")
    montage = load_montage(f"biosemi-{n}")
    assert list(montage.ch_names) == mne.channels.make_standard_montage(f"biosemi{n}").ch_names
    assert montage.aliases["A1"] == "Fp1"


def test_the_live_path_does_not_import_mne_or_scipy() -> None:
    code = (
        "import sys; from neuript.montages import load_montage, plan_channels;"
        "m = load_montage('10-20'); plan_channels(m.ch_names[1:], m);"
        "print([n for n in ('mne', 'scipy', 'torch') if n in sys.modules])"
    )
    done = finished(python(code), ok=True)
    assert done.stdout.strip() == "[]"


def test_montage_files_are_named_in_the_package_data() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.yaml")) == available_montages()
    assert '"neuript.montages" = ["*.yaml"]' in (ROOT / "pyproject.toml").read_text("utf-8")
