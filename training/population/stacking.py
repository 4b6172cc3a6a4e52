"""How much each branch counts in the published decision, chosen by the people and moved by the person's own trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

F64 = NDArray[np.float64]

NETWORK_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The network's share of the weight; the Riemannian branch has the rest. 0 leaves the network out."""
TOTALS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Sums of the two weights: the inverse temperature of the decision."""
STACKS = tuple((share * total, (1 - share) * total) for total in TOTALS for share in NETWORK_SHARES)
"""Weights of the network and of the Riemannian branch among which a stack is chosen."""


def stacked(log_proba: Sequence[F64], weights: Sequence[float]) -> F64:
    """Return the log-probabilities of a stack of branches, each (n_windows, n_classes)."""
    total = sum(weight * branch for weight, branch in zip(weights, log_proba, strict=True))
    return np.asarray(log_softmax(total, axis=1))
