"""Leakage: no held-out probability knows the labels or the windows of its block."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_windows import dataset, pretrained, relabel, short, tiny

from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.held_out import NETWORK, TANGENT, NetworkFit, blocks_of, held_out_log_proba


@pytest.mark.parametrize("start", ["random", "pretrained"])
def test_no_held_out_probability_depends_on_the_labels_or_windows_of_its_block(rng, start):
    data = dataset(rng)
    begin = tiny() if start == "random" else pretrained()
    masks = blocks_of(data, 3)

    def held_out(d):
        return held_out_log_proba(d, masks, (NETWORK, TANGENT), NetworkFit(d, begin, short()))

    plain = held_out(data)
    test = masks[1][1]
    relabelled = held_out(relabel(data, test))
    x = data.x.copy()
    first = int(np.flatnonzero(test)[0])
    x[first] = x[first][[1, 0, 2]]  # now it looks like the other class
    moved = held_out(Dataset(x, data.trial, data.trials, data.montage, data.manifest))
    rest = test & (np.arange(len(x)) != first)
    for name in ("CSP+LDA", "TS+LR", NETWORK, TANGENT):
        np.testing.assert_array_equal(relabelled[name][test], plain[name][test], name)
        assert not np.allclose(relabelled[name][~test], plain[name][~test]), name
        # a product over a batch may round differently where one of its rows changed
        np.testing.assert_allclose(moved[name][rest], plain[name][rest], 1e-4, 1e-5, name)
        assert not np.allclose(moved[name][first], plain[name][first]), name
