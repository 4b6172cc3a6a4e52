"""What the decoder uses: how much worse it decodes held-out trials when one electrode says what it said in another.

An electrode shares most of its signal with its neighbours, so only the part is exchanged that the others do not tell
(conditional permutation, Strobl et al. 2008, BMC Bioinformatics 9:307): its difference from what they predict of it in
the person's own mean. Exchanging all of it would make signals that no head gives.

Suffixes: N windows, K bands, D electrodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.realtime.chain import spd
from neuript.realtime.chain.alignment import SMALLEST_DISTANCE, Reference
from neuript.training.calibration.fitted_decoder import FittedDecoder
from neuript.training.report.held_out_trials import block_of_trials
from neuript.training.windows.dataset import Dataset

F64 = NDArray[np.float64]
MOST_WINDOWS = 1500
"""Windows that are decoded for each exchange, all electrodes together: with many electrodes fewer trials are asked."""
N_EXCHANGES = 2


def electrode_use(data: Dataset, decoder: FittedDecoder, *, seed: int = 0) -> dict[str, Any] | None:
    """Exchange every electrode's own part between trials, and return what each exchange costs.

    Parameters
    ----------
    data : Dataset
        Windows as the decoder reads them, seen from a reference.
    decoder : FittedDecoder
        The decoder as it is without each block.
    seed : int
        Seed of the exchanges.

    Returns
    -------
    dict or None
        `electrodes`, and for each `loss` (rise of the negative log-likelihood in nats per trial), `loss_error` (its
        standard error over trials) and `accuracy` (fall of the accuracy); `n_trials` that were asked. None without an
        alignment or without a held-out trial.
    """
    if data.reference is None or not decoder.blocks or not data.tangent.shape[1]:
        return None
    rng = np.random.default_rng(seed)
    last = np.unique(data.trial[::-1], return_index=True)[1]
    windows = np.sort(len(data.trial) - 1 - last)  # the last one of every trial
    n_most = max(2, MOST_WINDOWS // data.n_chans)
    windows = windows[np.linspace(0, len(windows) - 1, min(n_most, len(windows))).round().astype(int)]
    asked = _Asked(data, decoder, windows)
    whole = asked.log_proba(asked.signal, asked.tangent)
    exchanged = _Exchange(data.reference, asked.signal, asked.tangent)
    loss, right = [], []
    for electrode in range(data.n_chans):
        others = [rng.permutation(len(windows)) for _ in range(N_EXCHANGES)]
        said = [asked.log_proba(*exchanged.of(electrode, other)) for other in others]
        loss.append(np.mean([asked.truth(whole) - asked.truth(one) for one in said], axis=0))
        right.append(asked.accuracy(whole) - np.mean([asked.accuracy(one) for one in said]))
    per_trial = np.array(loss)
    return {
        "electrodes": list(data.montage.ch_names),
        "loss": per_trial.mean(axis=1).tolist(),
        "loss_error": (per_trial.std(axis=1, ddof=1) / np.sqrt(len(windows))).tolist(),
        "accuracy": [float(fall) for fall in right],
        "n_trials": len(windows),
    }


class _Asked:
    """Some windows, each decoded by the decoder that did not see its block."""

    def __init__(self, data: Dataset, decoder: FittedDecoder, windows: NDArray[np.int64]) -> None:
        self.signal, self.tangent, self.y = data.signal[windows], data.tangent[windows], data.y[windows]
        self._decoder, self._n_classes = decoder, len(data.classes)
        self._block = block_of_trials(data, decoder)[data.trial[windows]]

    def log_proba(self, signal: NDArray[np.float32], tangent: NDArray[np.float32]) -> F64:
        """Log-probabilities of the classes, shape (n_windows, n_classes)."""
        out = np.zeros((len(self.y), self._n_classes))
        for block in np.unique(self._block):
            mine = self._block == block
            said = self._decoder.without_block[block](signal[mine], tangent[mine])
            out[mine] = log_softmax(said[:, : self._n_classes], axis=1)
        return out

    def truth(self, log_proba: F64) -> F64:
        """Log-probability of the true class of each window."""
        return np.asarray(log_proba[np.arange(len(self.y)), self.y])

    def accuracy(self, log_proba: F64) -> float:
        """Share of the windows that are right."""
        return float((log_proba.argmax(axis=1) == self.y).mean())


class _Exchange:
    """Windows in which the own part of one electrode comes from other windows.

    Parameters
    ----------
    reference : Reference
        What the windows are seen from; the person's mean says what electrodes tell of each other.
    signal : ndarray, shape (N, D, n_times)
        What the network reads.
    tangent : ndarray, shape (N, K * D * (D + 1) / 2)
        What the Riemannian branch reads.
    """

    def __init__(self, reference: Reference, signal: NDArray[np.float32], tangent: NDArray[np.float32]) -> None:
        self._root, self._whitener = spd.roots(reference.mean)
        precision = self._whitener @ self._whitener
        self._own = precision / np.diagonal(precision, axis1=1, axis2=2)[..., None]  # (1 + K, D, D): row, its own part
        self._distance = np.maximum(reference.distance[1:, None, None], SMALLEST_DISTANCE)
        n_chans = reference.mean.shape[-1]
        vectors = tangent.reshape(len(tangent), len(self._distance), -1).astype(np.float64)
        away = symmetric(vectors, n_chans) * self._distance
        self._covariance = self._root[1:] @ spd.exponential(away) @ self._root[1:]  # (N, K, D, D)
        self._x = np.einsum("ed,ndt->net", self._root[0], signal.astype(np.float64))  # the scale of it cancels

    def of(self, electrode: int, other: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return signal and tangent vectors with the electrode's own part from the windows `other`."""
        own = self._own[:, electrode]
        x = self._x.copy()
        residual = np.einsum("d,ndt->nt", own[0], x)
        x[:, electrode] += residual[other] - residual
        signal = np.einsum("ed,ndt->net", self._whitener[0], x)

        predicted = np.tile(np.eye(len(own[0])), (len(own) - 1, 1, 1))
        predicted[:, electrode] -= own[1:]
        covariance = predicted @ self._covariance @ np.swapaxes(predicted, -1, -2)
        variance = np.einsum("kd,nkde,ke->nk", own[1:], self._covariance, own[1:])
        covariance[..., electrode, electrode] += variance[other]
        away = spd.logarithm(self._whitener[1:] @ covariance @ self._whitener[1:]) / self._distance
        tangent = spd.upper(away).reshape(len(x), -1)
        return signal.astype(np.float32), tangent.astype(np.float32)


def symmetric(vectors: F64, n_chans: int) -> F64:
    """Return the symmetric matrices (..., D, D) of which `spd.upper` made vectors (..., D (D + 1) / 2)."""
    rows, columns = np.triu_indices(n_chans)
    out = np.zeros((*vectors.shape[:-1], n_chans, n_chans))
    values = vectors * np.where(rows == columns, 1.0, np.sqrt(0.5))
    out[..., rows, columns] = values
    out[..., columns, rows] = values
    return out
