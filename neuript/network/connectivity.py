"""Spatial attention bias from connectivity: lagged coherence of the window, and electrode distance.

The paper asks in its outlook whether connectivity would help the spatial stage; this is one answer
that can be switched on (`spatial_bias` of the configuration) and that starts as exactly nothing.

Letters: B batch, D channels, T samples, S segments, F frequency bins, H heads, K features.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.network.config import NetworkConfig
from neuript.network.positions import check_positions

SFREQ = 64.0
"""Rate of the model's input in Hz, on which the bands below rest."""
BANDS_HZ = {"mu": (8.0, 13.0), "beta": (13.0, 30.0)}
SEGMENT = 32
"""Samples of a segment (0.5 s, bins of 2 Hz); segments are Hann-windowed and overlap by half."""
FEATURES = (*BANDS_HZ, "distance")
COHERENCE_SCALE = 5.0
"""Brings lagged coherence, 0.1 to 0.3 in real windows, to the order of one, like the distance."""
DISTANCE_UNIT_M = 0.1
GAIN = 10.0
"""Bias per unit of weight and feature. Adam moves a weight by at most the learning rate in a step, so
in a few hundred steps at 5e-4 the bias reaches the order of the scores themselves only with a gain."""
_TINY = 1e-6


def lagged_coherence(spectra_re: Tensor, spectra_im: Tensor) -> Tensor:
    """Squared lagged coherence of all pairs of channels.

    (Im S_ij)^2 / (S_ii S_jj - (Re S_ij)^2), with S the mean of the segments' cross-spectra: what is
    left when everything without delay, as volume conduction and a common reference, is taken out
    (Pascual-Marqui 2007, arXiv:0711.1455, Eq. 28).

    Parameters
    ----------
    spectra_re, spectra_im : Tensor, shape (..., D, S)
        Real and imaginary parts of Fourier coefficients: one row per channel, one column per segment, S at least 2.

    Returns
    -------
    Tensor, shape (..., D, D)
        Squared lagged coherence: symmetric, in [0, 1], 0 on the diagonal and for silent channels. Independent noise
        gives about 1 / (effective number of segments), not 0.
    """
    both = torch.cat([spectra_re, spectra_im], dim=-1)
    power = both.square().sum(dim=-1, keepdim=True)
    scale = power.clamp_min(torch.finfo(power.dtype).tiny).rsqrt()
    re, im, both = spectra_re * scale, spectra_im * scale, both * scale
    real = both @ both.transpose(-1, -2)
    cross = re @ im.transpose(-1, -2)
    lagged = (cross - cross.transpose(-1, -2)).square()
    return (lagged / (1 - real.square()).clamp_min(_TINY)).clamp_max(1.0)


class BandCoherence(nn.Module):
    """Lagged coherence of windows in the mu and beta band: the mean over the bins of each band.

    Welch's method with a Fourier transform as a product with fixed sines and cosines, so that it
    traces, exports and runs anywhere.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.bins, cosines, sines = _fourier()
        self.register_buffer("cosines", torch.tensor(cosines), persistent=False)
        self.register_buffer("sines", torch.tensor(sines), persistent=False)

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Windows (B, D, T), T at least 48, to (bands, B, D, D)."""
        x_BDSN = x_BDT.float().unfold(-1, SEGMENT, SEGMENT // 2)
        with torch.autocast(x_BDT.device.type, enabled=False):
            re_BDSF, im_BDSF = x_BDSN @ self.cosines, x_BDSN @ self.sines
            re_BFDS, im_BFDS = (s.permute(0, 3, 1, 2) for s in (re_BDSF, im_BDSF))
            coherence_BFDD = lagged_coherence(re_BFDS, im_BFDS)
        parts = torch.split(coherence_BFDD, self.bins, dim=1)
        return torch.stack([part.mean(dim=1) for part in parts])


class SpatialBias(nn.Module):
    """Additive bias of the spatial attention scores, per block and head; zero at the start.

    bias[l, b, h, i, j] = 10 sum over k of weight[l, h, k] f_k[b, i, j], where the features f are the
    lagged coherence of channels i and j in the mu and in the beta band of this very window (times 5)
    and their distance in decimetres. With weights of zero the encoder computes what it does without,
    on a CPU to the last bit, in training and in inference (gradients in eval mode, and a GPU, take
    another kernel: the same to rounding). The gradient of the weights is not zero there.

    In pretraining the coherence is left out (0): it is made of all samples, so that it would tell
    about masked ones. Pretraining thus learns the weight of the distance alone.

    Parameters
    ----------
    config : NetworkConfig
        Configuration of the encoder, from which depth, heads and window length are taken.
    pos_m : array_like, shape (D, 3)
        Channel positions in metres.

    Raises
    ------
    NeuriptError
        If windows are shorter than 48 samples (two segments).
    """

    distance: Tensor

    def __init__(self, config: NetworkConfig, pos_m: ArrayLike) -> None:
        super().__init__()
        if config.n_times < SEGMENT * 3 // 2:
            raise NeuriptError(
                f"n_times={config.n_times} is too short for spatial_bias, whose coherence needs at "
                f"least {SEGMENT * 3 // 2} samples; use longer windows or spatial_bias=False"
            )
        self.coherence = BandCoherence()
        self.weight = nn.Parameter(torch.zeros(config.depth, config.n_heads, len(FEATURES)))
        self.set_montage(pos_m)

    def set_montage(self, pos_m: ArrayLike) -> None:
        """Take the distances of another montage."""
        pos = check_positions(pos_m)
        apart = np.linalg.norm(pos[:, None] - pos[None], axis=-1) / DISTANCE_UNIT_M
        table = torch.tensor(apart, dtype=torch.float32, device=self.weight.device)
        self.register_buffer("distance", table, persistent=False)

    def forward(self, x_BDT: Tensor, *, masked: bool = False) -> Tensor:
        """Bias of every block, (blocks, B, H, D, D); B is 1 where `masked`.

        Parameters
        ----------
        x_BDT : Tensor, shape (B, D, T)
            Companded windows, as the encoder takes them.
        masked : bool
            True leaves the coherence out, for pretraining.
        """
        weight = GAIN * self.weight
        far = weight[:, None, :, 2, None, None] * self.distance
        if masked:
            return far
        coherence = COHERENCE_SCALE * self.coherence(x_BDT)
        near = weight[:, None, :, :2, None, None]
        mu = near[:, :, :, 0] * coherence[0].unsqueeze(1)
        beta = near[:, :, :, 1] * coherence[1].unsqueeze(1)
        total: Tensor = far + mu + beta
        return total


def _fourier() -> tuple[list[int], NDArray[np.float32], NDArray[np.float32]]:
    """Bins per band, and Hann-windowed cosines and sines, (SEGMENT, bins of all bands)."""
    frequencies = np.arange(SEGMENT // 2 + 1) * SFREQ / SEGMENT
    chosen = [frequencies[(frequencies >= lo) & (frequencies <= hi)] for lo, hi in BANDS_HZ.values()]
    hann = np.hanning(SEGMENT)
    phase = 2 * np.pi * np.arange(SEGMENT)[:, None] / SFREQ * np.concatenate(chosen)
    tables = (hann[:, None] * f(phase) for f in (np.cos, lambda p: -np.sin(p)))
    cosines, sines = (t.astype(np.float32) for t in tables)
    return [len(c) for c in chosen], cosines, sines
