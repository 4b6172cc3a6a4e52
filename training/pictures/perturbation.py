"""Channel perturbation (the paper's Figure 4): what a class loses when one channel is disturbed.

The paper does not say how it perturbs. Two ways here: "swap" puts the channel of another window in
place (its own amplitude and spectrum, no relation to the rest: permutation importance, Breiman
2001), "zero" silences it (an electrode that was unplugged).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["swap", "zero"]
Predict = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]
"""Windows in volts (n, n_chans, n_times) to logits (n, n_logits)."""


def log_odds(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return ln p/(1-p) of every class, (n, n_classes).

    One logit (of the second class) becomes two columns, minus and plus itself; of several the
    class logit minus the log-sum-exp of the others, so a constant added to all changes nothing.
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.shape[1] == 1:
        return np.concatenate([-z, z], axis=1)
    others = np.repeat(z[:, None], z.shape[1], axis=1)
    others[:, np.eye(z.shape[1], dtype=bool)] = -np.inf
    top = others.max(axis=2)
    return np.asarray(z - top - np.log(np.exp(others - top[..., None]).sum(axis=2)))


def perturbed(x: NDArray[np.float32], channel: int, kind: Kind, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a copy with one channel disturbed, in all windows.

    A swap moves each window's channel to another window, never to its own (for two or more).

    Parameters
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts; not changed.
    channel : int
        Index of the channel.
    kind : {"swap", "zero"}
        Put in the channel of another window, or zeros.
    rng : numpy.random.Generator
        Source of the swaps.
    """
    out = x.copy()
    if kind == "zero":
        out[:, channel] = 0.0
    else:
        order = rng.permutation(len(x))
        out[order, channel] = x[np.roll(order, 1), channel]
    return out


def channel_effects(
    predict: Predict, x: NDArray[np.float32], kind: Kind, seed: int, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.float64]:
    """Return the fall of every class's log-odds by disturbing each channel alone.

    Parameters
    ----------
    predict : callable
        The model: from windows in volts (n, n_chans, n_times) to logits (n, n_logits).
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts; not changed.
    kind : {"swap", "zero"}
        Put in the channel of another window, or zeros.
    seed : int
        Seed of the swaps.
    progress : callable, optional
        Called with (channels done, all).

    Returns
    -------
    ndarray, shape (n_windows, n_chans, n_classes)
        Fall of the log-odds. Positive: the channel spoke for the class.
    """
    rng = np.random.default_rng(seed)
    whole = log_odds(predict(x))
    effects = np.empty((len(x), x.shape[1], whole.shape[1]))
    for channel in range(x.shape[1]):
        effects[:, channel] = whole - log_odds(predict(perturbed(x, channel, kind, rng)))
        if progress is not None:
            progress(channel + 1, x.shape[1])
    return effects


def topographies(
    effects: NDArray[np.float64], y: NDArray[np.int64], subject: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each class, the effect on its own log-odds in its own windows.

    Parameters
    ----------
    effects : ndarray, shape (n_windows, n_chans, n_classes)
        Falls of the log-odds that `channel_effects` returned.
    y, subject : ndarray, shape (n_windows,)
        True class and person.

    Returns
    -------
    mean, error : ndarray, shape (n_classes, n_chans)
        Mean over people of their mean, and its standard error over people (NaN for fewer than
        two).
    """
    n_classes = effects.shape[2]
    mean = np.full((n_classes, effects.shape[1]), np.nan)
    error = np.full_like(mean, np.nan)
    for c in range(n_classes):
        people = sorted(set(map(str, subject[y == c])))
        rows = np.array([effects[(y == c) & (subject == p), :, c].mean(axis=0) for p in people])
        if len(rows):
            mean[c] = rows.mean(axis=0)
        if len(rows) > 1:
            error[c] = rows.std(axis=0, ddof=1) / len(rows) ** 0.5
    return mean, error
