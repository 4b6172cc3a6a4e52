"""What an electrode is worth: exchanges are exchanges, and an electrode that says nothing is worth nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up_windows import dataset, fitted, seen

from neuript.realtime.chain import spd
from neuript.training.report.electrode_use import _Exchange, electrode_use, symmetric


def test_vectors_become_the_matrices_that_they_were_made_of(rng):
    matrices = rng.normal(size=(4, 2, 5, 5))
    matrices = matrices + np.swapaxes(matrices, -1, -2)
    np.testing.assert_allclose(symmetric(spd.upper(matrices), 5), matrices)


def aligned(rng):
    """Windows whose tangent vectors are seen from the reference, as the chain makes them."""
    data = dataset(rng, n_trials=30)
    made = seen(data.x)
    reference = made["reference"]
    _, whitener = spd.roots(reference.mean)
    covariance = spd.exponential(symmetric(made["tangent"].reshape(len(data.x), 2, -1) * 2.0, 3))
    away = spd.logarithm(whitener[1:] @ covariance @ whitener[1:]) / reference.distance[1:, None, None]
    return replace(data, tangent=spd.upper(away).reshape(len(data.x), -1).astype(np.float32))


def test_what_is_exchanged_with_itself_stays(rng):
    data = aligned(rng)
    exchange = _Exchange(data.reference, data.signal, data.tangent)
    signal, _ = exchange.of(1, np.arange(len(data.x)))
    np.testing.assert_allclose(signal, data.signal, atol=1e-9)
    moved, tangent = exchange.of(1, np.roll(np.arange(len(data.x)), 1))
    assert not np.allclose(moved, data.signal)
    assert np.isfinite(tangent).all()


def test_only_the_electrodes_own_part_moves(rng):
    """With a reference in which electrodes are independent the whole electrode moves, and no other."""
    data = aligned(rng)
    plain = replace(data.reference, mean=np.tile(np.eye(3), (3, 1, 1)))
    other = rng.permutation(len(data.x))
    signal, _ = _Exchange(plain, data.signal, data.tangent).of(2, other)
    np.testing.assert_allclose(signal[:, :2], data.signal[:, :2], atol=1e-12)
    np.testing.assert_allclose(signal[:, 2], data.signal[other, 2], atol=1e-12)


def test_an_electrode_that_says_nothing_is_worth_nothing(rng):
    data = aligned(rng)
    use = electrode_use(data, fitted(data, alone=True))
    assert use["electrodes"] == ["C3", "Cz", "C4"]
    worth = np.array(use["loss"])
    assert worth[:2].min() > 3 * abs(worth[2])  # a class is a rhythm at C3 or at Cz; C4 has noise
    assert use["n_trials"] == 30
    assert electrode_use(replace(data, reference=None), fitted(data, alone=True)) is None
