"""Masks of the pretraining: by amplitude, by spans, what replaces the masked points, and coarser scales.

Pure functions of tensors and a random generator. Shape suffixes: B batch, D channels, T samples,
L time tokens of a scale. True is masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuript.network.layers import repeated


@dataclass(frozen=True)
class Share:
    """The draws of some samples of a larger batch.

    A batch that is split over processes is masked as in one process when each of them passes its
    share, with a generator of the same seed: everything is drawn for the whole batch.

    Parameters
    ----------
    generator : Generator
        Random numbers; the generator is in the same state in every process.
    start : int
        Index of this process's first sample in the whole batch.
    total : int
        Number of samples of the whole batch.
    """

    generator: torch.Generator
    start: int
    total: int


Draws = torch.Generator | Share
"""Where random numbers come from."""


@dataclass(frozen=True)
class Corruption:
    """What happens to every point of a batch; boolean tensors are (batch, n_chans, n_times)."""

    masked: Tensor
    """M: hidden from the attention of others, and part of the loss."""
    replaced: Tensor
    """R, 80 % of M: the embedding and the stored outputs become the mask token."""
    random: Tensor
    """10 % of M: the value is that of another time."""
    random_source: Tensor
    """int64: the time whose value a point gets; its own where `random` is false."""

    def __getitem__(self, index: slice | Tensor) -> Corruption:
        """Return the corruption of some samples."""
        return Corruption(self.masked[index], self.replaced[index], self.random[index], self.random_source[index])


def amplitude_mask(x_BDT: Tensor, n_masked: int, generator: Draws, *, absolute: bool = False) -> Tensor:
    """Mask a random band of amplitudes (AAMP, section 3.1 of the paper).

    In each sample and channel the points are ranked by their signed value, ties by time; a window
    of `n_masked` neighbouring ranks around a uniform rank is masked, shifted inward at the ends
    (reading: so that counts are equal).

    Parameters
    ----------
    x_BDT : Tensor, shape (batch, n_chans, n_times)
        Signal in any unit; companding does not change ranks.
    n_masked : int
        Number of masked points per sample and channel, 0 to n_times.
    generator : Draws
        Source of the random numbers: one is drawn per sample and channel.
    absolute : bool
        True ranks by absolute value instead.

    Returns
    -------
    Tensor of bool, shape (batch, n_chans, n_times)
        Mask, true at exactly `n_masked` points in each sample and channel.
    """
    xi_BD = uniform(tuple(x_BDT.shape[:2]), generator, x_BDT.device)
    return rank_window_mask(x_BDT.abs() if absolute else x_BDT, n_masked, xi_BD)


def rank_window_mask(x_BDT: Tensor, n_masked: int, xi_BD: Tensor) -> Tensor:
    """Mask `n_masked` neighbouring ranks around rank floor(xi T), the deterministic part of `amplitude_mask`.

    Parameters
    ----------
    x_BDT : Tensor, shape (batch, n_chans, n_times)
        Values to rank, in any unit.
    n_masked : int
        Number of masked points per sample and channel, 0 to n_times.
    xi_BD : Tensor, shape (batch, n_chans)
        Place of the central rank, in [0, 1).

    Returns
    -------
    Tensor of bool, shape (batch, n_chans, n_times)
        Mask, true at exactly `n_masked` points in each sample and channel.
    """
    n_times = x_BDT.shape[-1]
    _check_count(n_masked, n_times)
    centre = (xi_BD * n_times).floor().long()
    start_BD = (centre - n_masked // 2).clamp(0, n_times - n_masked)
    ranks = start_BD.unsqueeze(-1) + torch.arange(n_masked, device=x_BDT.device)
    points = x_BDT.argsort(dim=-1, stable=True).gather(-1, ranks)
    mask = torch.zeros_like(x_BDT, dtype=torch.bool)
    return mask.scatter_(-1, points, True)


def span_mask(
    shape: tuple[int, int, int], n_masked: int, span: int, generator: Draws, device: torch.device | str = "cpu"
) -> Tensor:
    """Mask random spans of consecutive samples, the baseline of AAMP.

    Every arrangement of ceil(n / span) spans that do not overlap is equally likely (they may
    touch); one of them, any, is shorter where `span` does not divide `n_masked`.

    Parameters
    ----------
    shape : tuple of three int
        Batch, n_chans and n_times of the mask.
    n_masked : int
        Number of masked points per sample and channel.
    span : int
        Length of a span in samples, at least 1.
    generator : Draws
        Source of the random numbers.
    device : torch.device or str
        Device that the mask is made for.

    Returns
    -------
    Tensor of bool, shape `shape`
        Mask, true at exactly `n_masked` points in each sample and channel.

    Raises
    ------
    ValueError
        If `span` is below 1.
    """
    n_batch, n_chans, n_times = shape
    _check_count(n_masked, n_times)
    if span < 1:
        raise ValueError(f"span={span} must be at least 1 sample")
    if n_masked == 0:
        return torch.zeros(shape, dtype=torch.bool, device=device)
    n_spans = -(-n_masked // span)
    # Stars and bars: a span is one of n_spans marks among the unmasked samples.
    slots = n_times - n_masked + n_spans
    marks = uniform((n_batch, n_chans, slots), generator, device).argsort(dim=-1)
    marks = marks[..., :n_spans].sort(dim=-1).values
    short = (uniform((n_batch, n_chans, 1), generator, device) * n_spans).long()
    lengths = torch.full((n_batch, n_chans, n_spans), span, device=device)
    lengths.scatter_(-1, short, n_masked - span * (n_spans - 1))
    ends = marks - torch.arange(n_spans, device=device) + lengths.cumsum(dim=-1)
    steps = torch.zeros((n_batch, n_chans, n_times + 1), dtype=torch.int64, device=device)
    ones = torch.ones_like(ends)
    steps.scatter_add_(-1, ends - lengths, ones).scatter_add_(-1, ends, -ones)
    return steps.cumsum(dim=-1)[..., :n_times] > 0


def corrupt(masked: Tensor, generator: Draws, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> Corruption:
    """Decide what the masked points of a batch are replaced by.

    Parameters
    ----------
    masked : Tensor of bool, shape (batch, n_chans, n_times)
        The masked points.
    generator : Draws
        Source of the random numbers.
    shares : tuple of three floats that sum to 1
        Shares of the masked points that become the mask token, get a random value, and keep their own value. They are
        met in every sample and channel to less than one point, and exactly on average.

    Returns
    -------
    Corruption
        A random value is that of a uniform *unmasked* time of the same sample and channel
        (reading: the paper's "predefined set" is not given). Unmasked, because the value of
        another masked point would be a target of the loss, visible at a wrong place. Where all of
        a channel is masked, there is none, and the point keeps its own.
    """
    n_times = masked.shape[-1]
    device = masked.device
    count = masked.sum(dim=-1, keepdim=True)
    # Random order within M, then systematic sampling: the i-th point has the level (i + u) / n.
    key = uniform(tuple(masked.shape), generator, device).masked_fill(~masked, 2.0)
    place = key.argsort(dim=-1).argsort(dim=-1)
    offset = uniform((*masked.shape[:2], 1), generator, device)
    level = (place + offset) / count.clamp(min=1)
    replaced = masked & (level < shares[0])
    free = n_times - count
    random = masked & ~replaced & (level < shares[0] + shares[1]) & (free > 0)
    unmasked_first = masked.to(torch.uint8).argsort(dim=-1, stable=True)
    pick = (uniform(tuple(masked.shape), generator, device) * free).long()
    source = unmasked_first.gather(-1, pick.minimum((free - 1).clamp(min=0)))
    own = torch.arange(n_times, device=device).expand_as(source)
    return Corruption(masked, replaced, random, torch.where(random, source, own))


def coarsen(mask_BDL: Tensor, factor: int) -> Tensor:
    """Mask of the scale above: a merged token is masked where all its children are (reading).

    A last group that is not full is filled with the last tokens once more, as the tokens are.

    Parameters
    ----------
    mask_BDL : Tensor of bool, shape (batch, n_chans, L)
        Mask of the tokens below.
    factor : int
        Number of tokens merged into one.

    Returns
    -------
    Tensor of bool, shape (batch, n_chans, ceil(L / factor))
        Mask of the merged tokens.
    """
    if factor == 1:
        return mask_BDL
    if pad := -mask_BDL.shape[-1] % factor:
        mask_BDL = torch.cat([mask_BDL, mask_BDL[..., repeated(mask_BDL.shape[-1], pad)]], dim=-1)
    return mask_BDL.reshape(*mask_BDL.shape[:2], -1, factor).all(dim=-1)


def uniform(shape: tuple[int, ...], generator: Draws, device: torch.device | str) -> Tensor:
    """Uniform numbers in [0, 1) of `shape`, first axis the batch, on `device`.

    They are drawn on the generator's own device, so that a CPU generator gives the same masks on
    every machine.
    """
    if not isinstance(generator, Share):
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        return drawn.to(device)
    rng = generator.generator
    drawn = torch.rand((generator.total, *shape[1:]), generator=rng, device=rng.device)
    return drawn[generator.start : generator.start + shape[0]].to(device)


def _check_count(n_masked: int, n_times: int) -> None:
    if not 0 <= n_masked <= n_times:
        raise ValueError(f"n_masked={n_masked} must be 0 to n_times={n_times}")
