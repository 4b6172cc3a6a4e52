"""Masked reconstructions (the paper's Figures 18 to 20), beside what a straight line would give.

Shape suffixes: B batch, D channels, T samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from neuript.network.pretext.pretrainer import MaskedPretrainer
    from neuript.training.pictures.samples import PictureWindows

N_BINS = 12


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Companded windows, which samples were hidden, and what the model put there.

    Attributes
    ----------
    target, prediction : ndarray, shape (n_windows, n_chans, n_times)
        Companded amplitudes of the windows and of what the model put there; `companding` says how they relate to volts.
    masked : ndarray of bool, same shape
        Whether each sample was hidden and counts in the loss.
    name : str
        Masking and share, for titles.
    """

    target: NDArray[np.float32]
    prediction: NDArray[np.float32]
    masked: NDArray[np.bool_]
    name: str = ""


def reconstruct(
    pretrainer: MaskedPretrainer,
    windows: PictureWindows,
    *,
    seed: int,
    batch_size: int = 8,
    name: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Mask and reconstruct windows with a pretraining model in eval mode.

    Parameters
    ----------
    pretrainer : MaskedPretrainer
        Pretraining model in eval mode; its specification says what is masked.
    windows : PictureWindows
        Windows to reconstruct.
    seed : int
        Seed of the masks.
    batch_size : int
        Windows per forward pass; one ratio is drawn per batch where several are allowed.
    name : str
        Name of the masking, for titles.
    progress : callable, optional
        Called with (windows done, all).

    Raises
    ------
    ValueError
        If the pretrainer is not in eval mode.
    """
    if pretrainer.training:
        raise ValueError("the pretrainer must be in eval mode")
    device = next(pretrainer.parameters()).device
    generator = torch.Generator(device=device).manual_seed(seed)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(windows), batch_size):
            x_BDT = torch.as_tensor(windows.x[start : start + batch_size]).to(device)
            out = pretrainer.reconstruct(x_BDT, generator)
            parts.append([t.cpu().numpy() for t in (out.target.float(), out.prediction.float(), out.masked)])
            if progress is not None:
                progress(min(start + batch_size, len(windows)), len(windows))
    target, prediction, masked = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Reconstruction(target, prediction, masked, name)


def interpolated(target: NDArray[np.floating[Any]], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the target with masked samples on straight lines between their visible neighbours.

    Constant beyond the first and last visible sample; a channel with none becomes 0.
    """
    n_times = target.shape[-1]
    values = np.asarray(target, dtype=np.float64).reshape(-1, n_times)
    hidden = masked.reshape(-1, n_times)
    out = np.zeros_like(values)
    t = np.arange(n_times)
    for row, x, m in zip(out, values, hidden, strict=True):
        if not m.all():
            row[:] = np.interp(t, t[~m], x[~m])
    return out.reshape(target.shape)


def visible_mean(target: NDArray[np.floating[Any]], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each channel's mean over its visible samples, at every sample (0 if there is none)."""
    visible = ~masked
    total = np.where(visible, target, 0.0).sum(axis=-1, keepdims=True, dtype=np.float64)
    mean = total / np.maximum(visible.sum(axis=-1, keepdims=True), 1)
    return np.broadcast_to(mean, target.shape)


def hidden_mean(target: NDArray[np.floating[Any]], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each channel's mean over its *masked* samples: the best constant, known to nobody.

    Amplitude masking hides a band, and the gap that it leaves among the visible values betrays
    where the band is. A model that has found the gap and nothing else is as good as this.
    """
    return visible_mean(target, ~masked)


@dataclass(frozen=True, eq=False)
class ErrorReport:
    """Mean squared error on masked samples (companded), of the model and of simple rules.

    `correlation` is that of all masked samples; `correlation_within` that of what is left when
    each channel of each window loses its means over the masked samples, of truth and of the model.

    `bins` are edges of the target's companded amplitude with equal numbers of masked samples
    between them; the `by_amplitude` arrays have one value per bin.
    """

    model: float
    interpolation: float
    mean: float
    constant: float
    correlation: float
    correlation_within: float
    masked_share: float
    bins: NDArray[np.float64]
    by_amplitude: dict[str, NDArray[np.float64]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "mse_model": self.model,
            "mse_linear_interpolation": self.interpolation,
            "mse_visible_mean": self.mean,
            "mse_best_constant": self.constant,
            "correlation": self.correlation,
            "correlation_within_channels": self.correlation_within,
            "masked_share": self.masked_share,
            "amplitude_edges": self.bins.tolist(),
            "mse_by_amplitude": {k: v.tolist() for k, v in self.by_amplitude.items()},
        }


def errors(r: Reconstruction, n_bins: int = N_BINS) -> ErrorReport:
    """Measure a reconstruction on its masked samples, of which there must be some."""
    hidden = r.masked
    truth = r.target[hidden].astype(np.float64)
    guesses = {
        "model": r.prediction[hidden].astype(np.float64),
        "linear interpolation": interpolated(r.target, hidden)[hidden],
        "mean of the visible": visible_mean(r.target, hidden)[hidden],
        "best constant": hidden_mean(r.target, hidden)[hidden],
    }
    square = {name: (guess - truth) ** 2 for name, guess in guesses.items()}
    edges = np.quantile(truth, np.linspace(0, 1, n_bins + 1))
    where = np.clip(np.searchsorted(edges, truth, side="right") - 1, 0, n_bins - 1)
    n = np.bincount(where, minlength=n_bins).astype(np.float64)
    n[n == 0] = np.nan
    guess = guesses["model"]
    guess_within = guess - hidden_mean(r.prediction, hidden)[hidden]
    return ErrorReport(
        model=float(square["model"].mean()),
        interpolation=float(square["linear interpolation"].mean()),
        mean=float(square["mean of the visible"].mean()),
        constant=float(square["best constant"].mean()),
        correlation=_correlation(truth, guess),
        correlation_within=_correlation(truth - guesses["best constant"], guess_within),
        masked_share=float(hidden.mean()),
        bins=edges,
        by_amplitude={name: np.bincount(where, weights=s, minlength=n_bins) / n for name, s in square.items()},
    )


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    scale = float(np.std(a) * np.std(b))
    if scale < 1e-12:
        return float("nan")
    return float(np.mean((a - a.mean()) * (b - b.mean())) / scale)
