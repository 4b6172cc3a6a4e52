"""Leakage: no held-out probability knows the labels or the windows of its block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up_windows import dataset, frozen, relabel, seen

from neuript.training.calibration.held_out import (
    NETWORK,
    TANGENT,
    baseline_log_proba,
    blocks_of,
    branch_readout,
    held_out_log_proba,
)
from neuript.training.population.learning import person_trials, tangent_trials


def test_no_held_out_probability_depends_on_the_labels_or_windows_of_its_block(rng):
    data = dataset(rng)
    masks = blocks_of(data, 3)

    def held_out(d):
        out = baseline_log_proba(d, masks)
        for name, person in (
            (NETWORK, person_trials(d, frozen(d).features_of(d.signal))),
            (TANGENT, tangent_trials(d)),
        ):
            fits = [branch_readout(person, 2, train) for train, _ in masks]
            out[name] = held_out_log_proba(d, person.x, fits, masks)
        return out

    plain = held_out(data)
    test = masks[1][1]
    relabelled = held_out(relabel(data, test))
    x = data.x.copy()
    first = int(np.flatnonzero(test)[0])
    x[first] = x[first][[1, 0, 2]]  # now it looks like the other class
    moved = held_out(replace(data, x=x, **seen(x)))
    rest = test & (np.arange(len(x)) != first)
    for name in ("CSP+LDA", "TS+LR", NETWORK, TANGENT):
        np.testing.assert_array_equal(relabelled[name][test], plain[name][test], name)
        assert not np.allclose(relabelled[name][~test], plain[name][~test]), name
        # a product over a batch may round differently where one of its rows changed
        np.testing.assert_allclose(moved[name][rest], plain[name][rest], 1e-4, 1e-5, name)
        assert not np.allclose(moved[name][first], plain[name][first]), name
