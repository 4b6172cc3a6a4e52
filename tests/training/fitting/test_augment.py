"""Augmentations keep to their class, and switched off to their window."""

from __future__ import annotations

import torch

from neuript.training.fitting.augment import AugmentSpec, augment


def test_augmentations_switched_off_change_nothing(rng):
    x, y = torch.tensor(rng.normal(size=(32, 3, 64)) * 4e-6).float(), torch.arange(32) % 2
    off = AugmentSpec(polarity=0, gain_log_sd=0, channel_gain_log_sd=0, recombine=0, noise_v=0, channel_dropout=0)
    assert torch.equal(augment(x, y, off, torch.Generator().manual_seed(1)), x)


def test_recombination_stays_within_the_class():
    x = torch.arange(8.0).repeat_interleave(2 * 40).reshape(8, 2, 40)
    y = torch.tensor([0, 1] * 4)
    only = AugmentSpec(polarity=0, gain_log_sd=0, channel_gain_log_sd=0, recombine=1, noise_v=0, channel_dropout=0)
    mixed = augment(x, y, only, torch.Generator().manual_seed(3))
    assert not torch.equal(mixed, x)
    for i in range(8):
        assert set((mixed[i].unique() % 2).tolist()) == {float(y[i])}
