"""From labelled windows to a fitted decoder: cross-validate every branch, stack them, fit on everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neuript.errors import NeuriptError
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.held_out import (
    NETWORK,
    TANGENT,
    NetworkFit,
    ReportStep,
    blocks_of,
    held_out_log_proba,
    nll_per_trial,
    score_held_out,
)
from neuript.training.calibration.stack_weights import fit_stack, nested_stack
from neuript.training.calibration.starting_point import StartingPoint
from neuript.training.fitting.plain import fit_tangent_branch
from neuript.training.fitting.plain_features import N_TAPS
from neuript.training.fitting.top_blocks import FinetuneSpec

STACK = "Stack (published)"
MIN_N_TIMES = N_TAPS + 31
"""Half a second of the window is left when the filters of the Riemannian branch have settled (1.5 s at 64 Hz)."""


@dataclass(frozen=True, slots=True)
class FittedDecoder:
    """A fitted model and what blocked cross-validation says of it.

    Attributes
    ----------
    module : HybridClassifier
        Windows in volts (B, D, T) to logits, in eval mode.
    scores : dict of str to ScoreCard
        Held-out trial scores of each decoder, on the same trials.
    weights : tuple of two floats
        Network and Riemannian branch in the stack.
    nll : dict of str to float
        Held-out negative log-likelihood per trial of each branch and of the stack, in nats.
    simulated : bool
        Whether the model rests on the digital twin: the recordings, or the weights that its network started from.
    """

    module: HybridClassifier
    scores: dict[str, ScoreCard]
    weights: tuple[float, float]
    nll: dict[str, float]
    simulated: bool = False

    def describe(self) -> dict[str, Any]:
        """How to build the module again, for the manifest."""
        network = self.module.network
        config = network.config.to_dict() if isinstance(network, NeurIPTNetwork) else None
        return {"architecture": "hybrid", "network": config, "weights": list(self.weights)}


def fit_decoder(
    data: Dataset,
    start: StartingPoint,
    spec: FinetuneSpec,
    *,
    n_folds: int = 4,
    branches: Sequence[str] = (NETWORK, TANGENT),
    report: ReportStep | None = None,
) -> FittedDecoder:
    """Cross-validate, stack, and fit the final model on everything.

    Parameters
    ----------
    data : Dataset
        Labelled windows of one person.
    start : StartingPoint
        Shape of the network and the weights that it starts from; random ones train all blocks.
    spec : FinetuneSpec
        Hyper-parameters of the network's training.
    n_folds : int
        Number of blocks of the cross-validation, at least 2.
    branches : sequence of str
        Names of the branches that may enter the stack: `NETWORK`, `TANGENT`.
    report : callable, optional
        Called with what is being done, steps done, and steps in all.

    Raises
    ------
    NeuriptError
        When the trials cannot be cut into blocks (too few, or a class in one block only), or the windows are too short.
    """
    n_times = data.x.shape[-1]
    if n_times < MIN_N_TIMES:
        raise NeuriptError(
            f"windows of {n_times / data.sfreq:g} s are too short for rhythms of 8 Hz and more; use at least "
            f"--window {MIN_N_TIMES / data.sfreq:g}"
        )
    blocks = blocks_of(data, n_folds)
    network_fit = NetworkFit(data, start, spec, report) if NETWORK in branches else None
    held_out = held_out_log_proba(data, blocks, branches, network_fit)
    scores = {name: score_held_out(log_proba, data) for name, log_proba in held_out.items()}
    mine = [held_out[name] for name in branches]
    stacked = nested_stack(mine, data, blocks)
    scores[STACK] = score_held_out(stacked, data)
    nll = {name: nll_per_trial(held_out[name], data) for name in branches}
    nll[STACK] = nll_per_trial(stacked, data)

    weights = dict(zip(branches, fit_stack(mine, data).tolist(), strict=True))
    pair = (weights.get(NETWORK, 0.0), weights.get(TANGENT, 0.0))
    network = tangent = None
    if network_fit is not None and pair[0] > 0:
        network = network_fit(np.ones(len(data.x), dtype=bool), "final network")
    if pair[1] > 0:
        tangent = fit_tangent_branch(data.x, data.y, sfreq=data.sfreq, n_outputs=len(data.classes))
    module = HybridClassifier(network, tangent, pair, torch.zeros(len(data.classes))).eval()
    twin_weights = network is not None and start.encoder is not None and start.simulated
    return FittedDecoder(module, scores, pair, nll, simulated=twin_weights or data.manifest.simulated)
