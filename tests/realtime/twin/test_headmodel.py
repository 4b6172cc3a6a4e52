"""The closed-form sphere against MNE's sphere model, and the geometry of caps."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.twin import headmodel
from neuript.realtime.twin.headmodel import HEAD_CENTRE_M, HEAD_RADIUS_M, Cap, lead_field


def test_lead_field_is_that_of_mne(rng):
    cap = Cap.of("biosemi-32")
    centre = np.array(HEAD_CENTRE_M)
    directions = headmodel.unit(rng.standard_normal((6, 3)))
    dipoles = centre + HEAD_RADIUS_M * rng.uniform(0.1, 0.87, (6, 1)) * directions
    moments = headmodel.unit(rng.standard_normal((6, 3)))
    with mne.utils.use_log_level("ERROR"):
        info = mne.create_info(list(cap.ch_names), 250.0, "eeg")
        pos = dict(zip(cap.ch_names, headmodel.on_scalp(cap.pos_m), strict=True))
        info.set_montage(mne.channels.make_dig_montage(pos, coord_frame="head"))
        sphere = mne.make_sphere_model(r0=centre, head_radius=HEAD_RADIUS_M)
        one = np.ones(6)
        dipole = mne.Dipole(np.arange(6.0), dipoles, 1e-9 * one, moments, one)
        forward, _ = mne.make_forward_dipole(dipole, sphere, info, trans=None)
    theirs = np.asarray(forward["sol"]["data"])  # one column per dipole, along its moment
    ours = lead_field(cap.pos_m, dipoles, moments)
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4 * np.abs(theirs).max())


def test_mirrored_source_gives_mirrored_potential():
    montage = load_montage("10-20")
    centre = np.array(HEAD_CENTRE_M)
    names = list(montage.electrodes)
    pos = np.array(montage.electrode_pos_m) - centre
    mirrored = pos * [-1.0, 1.0, 1.0]
    one, other = centre + np.array([[-0.05, 0.0, 0.05]]), centre + np.array([[0.05, 0.0, 0.05]])
    left = lead_field(pos + centre, one, [[-0.6, 0.2, 0.77]])
    right = lead_field(mirrored + centre, other, [[0.6, 0.2, 0.77]])
    np.testing.assert_allclose(left, right, rtol=1e-12)
    assert left[names.index("C3")] > 3 * left[names.index("C4")]


def test_moved_cap_slides_along_the_scalp():
    cap = Cap.of("10-20")
    cz = cap.ch_names.index("Cz")
    for axis, shift in ((0, (10.0, 0.0, 0.0)), (1, (0.0, 10.0, 0.0))):
        step = cap.moved(shift).pos_m[cz] - cap.pos_m[cz]
        assert step[axis] == pytest.approx(0.010, abs=0.001)
        assert np.linalg.norm(step) == pytest.approx(0.010, abs=0.001)
    turned = cap.moved((0.0, 0.0, 10.0)).pos_m - cap.pos_m
    assert turned[cap.ch_names.index("Fz"), 0] < -0.003  # anticlockwise from above: front to left
    radius = np.linalg.norm(cap.pos_m - HEAD_CENTRE_M, axis=1)
    moved = cap.moved((7.0, -4.0, 3.0)).pos_m - HEAD_CENTRE_M
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), radius, rtol=1e-12)


def test_every_montage_can_be_simulated():
    from neuript.montages import available_montages

    for name in available_montages():
        cap = Cap.of(name)
        direction = headmodel.unit(cap.pos_m - HEAD_CENTRE_M)
        assert len(cap.ch_names) == len(set(cap.ch_names))
        for label, expected in (("Cz", [0, 0.07, 1.0]), ("C3", [-0.74, 0.04, 0.67])):
            if label in cap.ch_names:  # the frame of the montages is the frame of the sphere
                np.testing.assert_allclose(direction[cap.ch_names.index(label)], expected, atol=0.03)


def test_what_is_refused():
    with pytest.raises(ValueError, match="shape"):
        Cap("x", ("A", "B"), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="finite"):
        Cap("x", ("A",), np.full((1, 3), np.nan))
    with pytest.raises(ValueError, match="outside the brain"):
        lead_field([[0, 0, 0.1]], [[0.0, 0.0, 0.099]], [[0, 0, 1]])
    with pytest.raises(NeuriptError):
        Cap.of("no-such-cap")
