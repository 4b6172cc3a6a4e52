"""From labelled windows to a fitted decoder: cross-validate every branch, stack them, fit on everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.errors import NeuriptError
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.training.calibration.frozen_network import FrozenNetwork
from neuript.training.calibration.held_out import (
    NETWORK,
    TANGENT,
    Logits,
    Masks,
    ReportStep,
    baseline_log_proba,
    blocks_of,
    branch_readout,
    held_out_log_proba,
    nll_per_trial,
    score_held_out,
)
from neuript.training.calibration.stack_weights import fit_stack, nested_stack
from neuript.training.fitting.gate import GateWindows, fit_gate, with_gate
from neuript.training.fitting.plain_features import N_TAPS
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.population.command_evidence import CommandPrior
from neuript.training.population.learning import person_trials, tangent_trials
from neuript.training.population.prior import PersonTrials
from neuript.training.windows.dataset import Dataset

STACK = "Stack (published)"
MIN_N_TIMES = N_TAPS + 31
"""Half a second of the window is left when the filters of the Riemannian branch have settled (1.5 s at 64 Hz)."""


@dataclass(frozen=True, slots=True)
class FittedDecoder:
    """A fitted model and what blocked cross-validation says of it.

    Attributes
    ----------
    module : HybridClassifier
        Windows, signal (B, D, T) and tangent vectors (B, V), to logits, in eval mode.
    scores : dict of str to ScoreCard
        Held-out trial scores of each decoder, on the same trials.
    weights : tuple of two floats
        Network and Riemannian branch in the stack.
    nll : dict of str to float
        Held-out negative log-likelihood per trial of each branch and of the stack, in nats.
    simulated : bool
        Whether the model rests on the digital twin: the recordings, or the weights that its network started from.
    people : tuple of str
        Aliases of the earlier people that the decoder began with; none without a population.
    blocks : tuple of (ndarray of bool, ndarray of bool)
        Blocks of the cross-validation, as windows to train on and windows to test on.
    without_block : tuple of callable
        The decoder as it is without each block: from signals and tangent vectors to logits.
    centre_s : float
        Memory in seconds of the running mean that its logits are taken relative to (`PolicySpec.centre_s`).
    commands : CommandPrior or None
        What earlier people say of when to command; None without a population.
    """

    module: HybridClassifier
    scores: dict[str, ScoreCard]
    weights: tuple[float, float]
    nll: dict[str, float]
    simulated: bool = False
    people: tuple[str, ...] = ()
    blocks: tuple[Masks, ...] = ()
    without_block: tuple[Logits, ...] = ()
    centre_s: float = 0.0
    commands: CommandPrior | None = None

    @property
    def n_outputs(self) -> int:
        """Outputs of the module: one for each class, and one of the gate if it has one."""
        return len(self.module.bias) + (self.module.gate is not None)

    def policy(self, draft: Mapping[str, Any]) -> PolicySpec:
        """Return the draft of a manifest's policy as this decoder needs it."""
        return replace(PolicySpec.from_dict(draft), gate=self.module.gate is not None, centre_s=self.centre_s)

    def describe(self) -> dict[str, Any]:
        """How to build the module again, for the manifest."""
        network = self.module.network
        config = network.config.to_dict() if isinstance(network, NeurIPTNetwork) else None
        return {"architecture": "hybrid", "network": config, "weights": list(self.weights)}


def fit_decoder(
    data: Dataset, network: FrozenNetwork | None, *, n_folds: int = 4, report: ReportStep | None = None
) -> FittedDecoder:
    """Cross-validate, stack, and fit the final read-outs on everything.

    Parameters
    ----------
    data : Dataset
        Labelled windows of one person. Without an alignment the Riemannian branch has nothing to read and is left out.
    network : FrozenNetwork or None
        The network's features of these windows; None leaves the network out.
    n_folds : int
        Number of blocks of the cross-validation, at least 2.
    report : callable, optional
        Called with what is being done, steps done, and steps in all.

    Raises
    ------
    NeuriptError
        When the trials cannot be cut into blocks (too few, or a class in one block only), the windows are too short, or
        no branch is left.
    """
    n_times = data.x.shape[-1]
    if n_times < MIN_N_TIMES:
        raise NeuriptError(
            f"windows of {n_times / data.sfreq:g} s are too short for rhythms of 8 Hz and more; use at least "
            f"--window {MIN_N_TIMES / data.sfreq:g}"
        )
    tell = report or (lambda _what, _done, _total: None)
    read: dict[str, PersonTrials] = {}
    if network is not None:
        tell("features of the network", 0, 1)
        read[NETWORK] = person_trials(data, network.features_of(data.signal))
    if data.tangent.shape[1]:
        read[TANGENT] = tangent_trials(data)
    if not read:
        raise NeuriptError("without an alignment the Riemannian branch has nothing to read, and there is no network")
    blocks = blocks_of(data, n_folds)
    held_out = baseline_log_proba(data, blocks)
    fits: dict[str, list[Readout]] = {}
    n_classes = len(data.classes)
    for name, person in read.items():
        fits[name] = [branch_readout(person, n_classes, train) for train, _ in blocks]
        held_out[name] = held_out_log_proba(data, person.x, fits[name], blocks)
    scores = {name: score_held_out(log_proba, data) for name, log_proba in held_out.items()}
    mine = [held_out[name] for name in read]
    stacked = nested_stack(mine, data, blocks)
    gate = fit_gate(GateWindows.of(data), [np.unique(data.trial[train]) for train, _ in blocks])
    scores[STACK] = score_held_out(stacked, data)
    nll = {name: nll_per_trial(held_out[name], data) for name in read}
    nll[STACK] = nll_per_trial(stacked, data)

    def without(block: int, signals: NDArray[np.float32], tangents: NDArray[np.float32]) -> NDArray[np.float64]:
        weights = _weights_of(list(read), fit_stacks[block])
        total = np.zeros((len(signals), len(data.classes)))
        if network is not None and weights[0] > 0:
            said = fits[NETWORK][block].logits(network.features_of(signals))
            total += weights[0] * log_softmax(said, axis=1)
        if weights[1] > 0:
            total += weights[1] * log_softmax(fits[TANGENT][block].logits(tangents), axis=1)
        return with_gate(np.asarray(log_softmax(total, axis=1)), gate, tangents, block)

    fit_stacks = [fit_stack(mine, data, train) for train, _ in blocks]
    pair = _weights_of(list(read), fit_stack(mine, data))
    everything = np.ones(len(data.x), dtype=bool)
    whole = {name: branch_readout(person, n_classes, everything) for name, person in read.items()}
    with_head = network.with_readout(whole[NETWORK]) if network is not None and pair[0] > 0 else None
    tangent = whole[TANGENT].branch() if pair[1] > 0 else None
    reference = None
    if data.reference is not None:
        reference = {name: torch.tensor(values) for name, values in data.reference.to_arrays().items()}
    bias = torch.zeros(len(data.classes))
    branch = None if gate is None else gate.readout.branch()
    module = HybridClassifier(with_head, tangent, pair, bias, reference, branch).eval()
    twin_weights = with_head is not None and network is not None and network.simulated
    return FittedDecoder(
        module,
        scores,
        pair,
        nll,
        simulated=twin_weights or data.manifest.simulated,
        blocks=tuple(blocks),
        without_block=tuple(partial(without, block) for block in range(len(blocks))),
    )


def _weights_of(branches: Sequence[str], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Weights of the network and of the Riemannian branch, 0 for one that is not among the branches."""
    found = dict(zip(branches, weights.tolist(), strict=True))
    return found.get(NETWORK, 0.0), found.get(TANGENT, 0.0)
