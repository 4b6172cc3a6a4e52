"""Channel grids of the published montages, and sinusoids against their formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.network.positions import axis_widths, channel_grid, grid_encoding, shared_grid, sinusoid

TEMPLATE_MM = {
    "Fp1": (-29.4, 83.9, -7.0), "Fpz": (0.1, 88.2, -1.7), "Fp2": (29.9, 84.9, -7.1),
    "F7": (-70.3, 42.5, -11.4), "F3": (-50.2, 53.1, 42.2), "Fz": (0.3, 58.5, 66.5),
    "F4": (51.8, 54.3, 40.8), "F8": (73, 44.4, -12), "T7": (-84.2, -16, -9.3),
    "C5": (-80.3, -13.8, 29.2), "C3": (-65.4, -11.6, 64.4), "C1": (-36.2, -10, 89.8),
    "Cz": (0.4, -9.2, 100.2), "C2": (37.7, -9.6, 88.4), "C4": (67.1, -10.9, 63.6),
    "C6": (83.5, -12.8, 29.2), "T8": (85.1, -15, -9.5), "CP3": (-63.6, -47, 65.6),
    "CP1": (-35.5, -47.3, 91.3), "CP2": (38.4, -47.1, 90.7), "CP4": (66.6, -46.6, 65.6),
    "P7": (-72.4, -73.5, -2.5), "P3": (-53, -78.8, 55.9), "P1": (-28.6, -80.5, 75.4),
    "Pz": (0.3, -81.1, 82.6), "P2": (31.9, -80.5, 76.7), "P4": (55.7, -78.6, 56.6),
    "P8": (73.1, -73.1, -2.5), "POz": (0.2, -102.2, 50.6), "O1": (-29.4, -112.4, 8.8),
    "Oz": (0.1, -114.9, 14.7), "O2": (29.8, -112.2, 8.8),
}  # fmt: skip
BANANA = {
    "Fp1-F7": (8, 47, 0), "F7-T7": (0, 32, 0), "T7-P7": (0, 15, 1), "P7-O1": (8, 1, 4),
    "Fp2-F8": (38, 48, 0), "F8-T8": (47, 33, 0), "T8-P8": (47, 15, 1), "P8-O2": (38, 1, 4),
    "T7-C3": (1, 24, 11), "C3-Cz": (14, 25, 28), "Cz-C4": (33, 25, 27), "C4-T8": (46, 25, 11),
    "Fp1-F3": (11, 49, 8), "F3-C3": (6, 35, 19), "C3-P3": (6, 15, 21), "P3-O1": (11, 0, 13),
    "Fp2-F4": (35, 49, 8), "F4-C4": (41, 35, 19), "C4-P4": (41, 15, 21), "P4-O2": (36, 0, 13),
}  # fmt: skip
BCIC = {
    "C5-C1": (0, 26, 5), "C3-Cz": (11, 27, 14), "Cz-C4": (38, 27, 14), "C2-C6": (49, 26, 5),
    "Fz-C5": (8, 40, 0), "C5-P1": (2, 11, 2), "CP3-POz": (11, 0, 4), "Fz-C1": (17, 41, 12),
    "C1-Pz": (17, 12, 16), "CP1-POz": (17, 0, 10), "Fz-C2": (32, 41, 12), "C2-Pz": (32, 12, 16),
    "CP2-POz": (32, 0, 9), "Fz-C6": (41, 40, 0), "C6-P2": (48, 12, 2), "CP4-POz": (38, 0, 4),
}  # fmt: skip
SLEEP = {"Fpz-Cz": (0, 49, 0), "Pz-Oz": (0, 0, 0)}
SEED_V = {
    "Fp1": (14, 49, 1), "Fp2": (28, 49, 1), "F7": (3, 38, 0), "F3": (8, 41, 13),
    "F4": (34, 41, 13), "F8": (39, 39, 0), "T7": (0, 24, 1), "C3": (5, 25, 19),
    "Cz": (21, 26, 28), "C4": (38, 25, 19), "T8": (42, 24, 1), "P7": (3, 10, 2),
    "P3": (8, 8, 17), "P4": (35, 8, 17), "P8": (39, 10, 2), "O1": (14, 0, 5), "O2": (28, 0, 5),
}  # fmt: skip
PUBLISHED = {"double-banana": BANANA, "bcic-iv-2a": BCIC, "sleep-edfx": SLEEP, "seed-v": SEED_V}


def positions_m(names):
    """Midpoint of the electrodes of each channel."""
    return np.array(
        [np.mean([TEMPLATE_MM[e] for e in name.split("-")], axis=0) for name in names]
    ) * 1e-3  # fmt: skip


@pytest.mark.parametrize("montage", PUBLISHED)
def test_published_grids(montage):
    table = PUBLISHED[montage]
    np.testing.assert_array_equal(channel_grid(positions_m(table)), list(table.values()))


@pytest.mark.parametrize("montage", PUBLISHED)
def test_shipped_montages_have_the_published_grids(montage):
    from neuript.montages import canonical_name, load_montage

    shipped = load_montage(montage)
    table = PUBLISHED[montage]
    names = ["-".join(canonical_name(e) for e in c.split("-")) for c in shipped.ch_names]
    assert names == list(table)
    np.testing.assert_array_equal(channel_grid(shipped.pos_m), list(table.values()))


def test_grid_does_not_depend_on_unit_or_place():
    pos = positions_m(BANANA)
    np.testing.assert_array_equal(channel_grid(1e3 * pos + 20), channel_grid(pos))


def test_shared_grid_is_the_pretraining_grid_and_aligns_montages():
    np.testing.assert_array_equal(shared_grid(positions_m(BANANA)), list(BANANA.values()))
    np.testing.assert_array_equal(shared_grid(positions_m(["C3-Cz", "Cz-C4"])), [BANANA["C3-Cz"], BANANA["Cz-C4"]])
    assert tuple(channel_grid(positions_m(["C3-Cz", "Cz-C4"]))[1]) != BANANA["Cz-C4"]
    np.testing.assert_array_equal(shared_grid([[-1.0, 0.0, 1.0]]), [[0, 28, 49]])  # clipped


def test_single_channel_sits_at_the_origin():
    np.testing.assert_array_equal(channel_grid([[0.01, 0.02, 0.03]]), [[0, 0, 0]])


@pytest.mark.parametrize("pos", [np.zeros((3, 2)), np.zeros((0, 3)), np.zeros(3)])
def test_positions_of_another_shape_are_refused(pos):
    with pytest.raises(ValueError, match="n_chans, 3"):
        channel_grid(pos)


def test_missing_position_is_named():
    with pytest.raises(ValueError, match=r"channels \[1\]"):
        channel_grid([[0, 0, 0], [0, np.nan, 0]])


def test_axis_widths():
    assert axis_widths(768) == (256, 256, 256)
    assert axis_widths(256) == (84, 84, 88)
    for width in range(6, 200, 2):
        x, y, z = axis_widths(width)
        assert x == y <= z
        assert x % 2 == z % 2 == 0
        assert x + y + z == width


def test_sinusoid_is_its_formula():
    table = sinusoid(range(40), 12)
    for t in (0, 1, 39):
        for j in range(6):
            angle = t * 10000 ** (-2 * j / 12)
            assert table[t, 2 * j].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[t, 2 * j + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_axes_are_joined_with_their_own_base():
    table = grid_encoding(np.array([[0, 3, 49], [7, 3, 1]]), 32)  # widths 10, 10, 12
    assert table.shape == (2, 32)
    assert table[1, 2].item() == pytest.approx(math.sin(7 * 10000 ** (-2 / 10)), abs=1e-6)
    assert table[0, 10 + 4].item() == pytest.approx(math.sin(3 * 10000 ** (-4 / 10)), abs=1e-6)
    assert table[0, 20 + 2].item() == pytest.approx(math.sin(49 * 10000 ** (-2 / 12)), abs=1e-6)
