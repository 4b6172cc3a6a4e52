"""The network of a population: trained supervised on aligned windows of many people, to be read out anew for each.

What is trained is a representation in which one linear read-out fits everybody: the head sees the features relative to
the mean of their recording's windows in the batch, so whatever is the person's own (and not the task's) cannot help.
Beside the classes the features are taught the tangent vectors of the windows' band covariances: a few hundred trials
alone teach a network little more than power, and what it lacks are the covariances between channels in narrow bands.
The head itself is thrown away; the read-outs of the population and of each person are fitted to the features afterwards
(`training.population.prior`), as for the Riemannian branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.montages import Montage
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.build import build_network
from neuript.training.fitting.forward import pooled_features, seeded
from neuript.training.fitting.schedules import OneCycle
from neuript.training.fitting.tangent_readout import SQUARED_NORM
from neuript.training.fitting.training_loop import BETAS

Corruption = Callable[[Tensor, np.random.Generator], Tensor]
"""From windows (n_windows, n_chans, n_times) to what the network is shown of them."""
StepReport = Callable[[int, int], None]
"""Progress: steps done, steps in all."""


@dataclass(frozen=True, kw_only=True)
class NetworkTraining:
    """Hyper-parameters, chosen by leaving out one of six people at a time (`docs/method.md`)."""

    n_steps: int = 150
    """Optimiser steps."""
    n_people: int = 3
    """Recordings in a batch; the windows of each are seen relative to their mean."""
    n_windows: int = 16
    """Windows of each recording in a batch, as many of each class."""
    teacher_weight: float = 1.0
    """Weight of the tangent vectors' unexplained variance in the loss; 0 leaves them out."""
    class_weight: float = 1.0
    """Weight of the classes' cross-entropy in the loss."""
    max_lr: float = 2e-3
    head_lr: float = 3e-3
    weight_decay: float = 0.05
    feature_dropout: float = 0.5
    """Dropout on the features that the head sees."""
    teacher_lr: float = 1e-2
    head_penalty: float = 1e-3
    """Weight of the head's squared norm in the loss."""
    max_grad_norm: float = 1.0


@dataclass(frozen=True, eq=False)
class GroupedWindows:
    """Aligned windows of one recording, or of one person: what a batch draws from.

    Attributes
    ----------
    signal : ndarray, shape (n_windows, n_chans, n_times)
        What the network reads.
    tangent : ndarray, shape (n_windows, n_tangent)
        Tangent vectors of the windows, band after band.
    y : ndarray, shape (n_windows,)
        Class of each window.
    """

    signal: NDArray[np.float32]
    tangent: NDArray[np.float32]
    y: NDArray[np.int64]


def train_network(
    groups: Sequence[GroupedWindows],
    config: NetworkConfig,
    montage: Montage,
    spec: NetworkTraining | None = None,
    *,
    seed: int = 520,
    start: NeurIPTNetwork | None = None,
    corrupt: Corruption | None = None,
    report: StepReport | None = None,
) -> NeurIPTNetwork:
    """Train a network on several people.

    Parameters
    ----------
    groups : sequence of GroupedWindows
        Windows, in groups that share an alignment; each group needs every class.
    config : NetworkConfig
        Shape of the network.
    montage : Montage
        Channels of the windows.
    spec : NetworkTraining, optional
        Hyper-parameters.
    seed : int
        Seed of the weights and the batches; the same arguments give the same weights.
    start : NeurIPTNetwork, optional
        Whose encoder to begin with; None begins with random weights.
    corrupt : callable, optional
        What is done to the signal of each batch before the network sees it.
    report : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    NeurIPTNetwork
        In eval mode; its head is not trained.

    Raises
    ------
    NeuriptError
        If the loss was no number any more.
    """
    spec = spec or NetworkTraining()
    network = build_network(config, montage, seed=seed)
    if start is not None:
        network.encoder.load_state_dict(start.encoder.state_dict())
    batches = _Batches(groups, config.n_outputs, spec, seed, corrupt)
    with seeded(seed):
        x, tangent, _ = batches.draw()
        with torch.no_grad():
            centred = _within(network.features(x), batches.n_groups)
            scale = (SQUARED_NORM / float(centred.square().sum(1).mean().clamp_min(1e-12))) ** 0.5
        head = nn.Linear(network.n_features, config.n_outputs)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        groups_of_weights: list[dict[str, Any]] = [
            {"params": list(network.encoder.parameters()), "max_lr": spec.max_lr},
            {"params": list(head.parameters()), "max_lr": spec.head_lr, "weight_decay": 0.0},
        ]
        teacher = None
        if spec.teacher_weight > 0:
            teacher = _Teacher(scale * centred, _within(tangent, batches.n_groups), network.n_chans)
            groups_of_weights.append(
                {"params": list(teacher.parameters()), "max_lr": spec.teacher_lr, "weight_decay": 0.0}
            )
        optimizer = torch.optim.AdamW(groups_of_weights, lr=spec.max_lr, betas=BETAS, weight_decay=spec.weight_decay)
        cycle = OneCycle(warmup=min(0.5, 20 / spec.n_steps), div=20.0, final_div=1e4)
        parameters = [weight for group in groups_of_weights for weight in group["params"]]
        network.train()
        for step in range(spec.n_steps):
            x, tangent, y = batches.draw()
            try:
                features = scale * _within(network.features(x), batches.n_groups)
            except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]  # a NaN or infinity in a matrix
                raise _diverged(step, spec) from error
            logits = head(F.dropout(features, spec.feature_dropout))
            loss = spec.class_weight * F.cross_entropy(logits, y) + spec.head_penalty * head.weight.square().sum()
            loss = loss + 0.8 * network.aux_loss
            if teacher is not None:
                loss = loss + spec.teacher_weight * teacher(features, _within(tangent, batches.n_groups))
            if not torch.isfinite(loss):
                raise _diverged(step, spec)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, spec.max_grad_norm)
            cycle.set(optimizer, step, spec.n_steps)
            optimizer.step()
            if report is not None:
                report(step + 1, spec.n_steps)
    network.zero_grad(set_to_none=True)
    return network.eval()


def _diverged(step: int, spec: NetworkTraining) -> NeuriptError:
    return NeuriptError(f"training diverged at step {step} with max_lr={spec.max_lr:g}; use a smaller one")


class _Teacher(nn.Module):
    """Share of the tangent vectors' variance that a mixture of the network's covariances does not explain.

    The features are vectors of the same entries (channel pairs) in each head; so are the tangent vectors in each band.
    One matrix from heads to bands, which begins as their least-squares fit, is all that is learnt between them.
    """

    def __init__(self, features: Tensor, tangent: Tensor, n_chans: int) -> None:
        super().__init__()
        self._n_pairs = n_chans * (n_chans + 1) // 2
        a, b = (self._by_pair(part) for part in (features, tangent))
        ridge = 1e-2 * len(a) * torch.eye(a.shape[1])
        self.mix = nn.Parameter(torch.linalg.solve(a.T @ a + ridge, a.T @ b))

    def _by_pair(self, vectors: Tensor) -> Tensor:
        """Vectors (n, groups * pairs) as rows of one pair each, (n * pairs, groups)."""
        return vectors.reshape(len(vectors), -1, self._n_pairs).transpose(1, 2).flatten(0, 1)

    def forward(self, features: Tensor, tangent: Tensor) -> Tensor:
        """Return the mean over bands of the unexplained share."""
        wanted = self._by_pair(tangent)
        error = (self._by_pair(features) @ self.mix - wanted).square().sum(0)
        share: Tensor = (error / wanted.square().sum(0).clamp_min(1e-12)).mean()
        return share


def _within(features: Tensor, n_groups: int) -> Tensor:
    """Features relative to the mean of their group."""
    grouped = features.view(n_groups, -1, features.shape[1])
    centred: Tensor = (grouped - grouped.mean(dim=1, keepdim=True)).flatten(0, 1)
    return centred


class _Batches:
    """Balanced batches of a few groups, each cut to one length."""

    def __init__(
        self,
        groups: Sequence[GroupedWindows],
        n_outputs: int,
        spec: NetworkTraining,
        seed: int,
        corrupt: Corruption | None = None,
    ) -> None:
        self._rng, self._corrupt = np.random.default_rng(seed), corrupt
        self._groups, self._spec, self._n_outputs = groups, spec, n_outputs
        self._of_class = [[np.flatnonzero(g.y == c) for c in range(n_outputs)] for g in groups]
        self.n_groups = min(spec.n_people, len(groups))
        self._order: list[int] = []

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return windows (n_groups * n, n_chans, n_times), their tangent vectors and their classes."""
        if len(self._order) < self.n_groups:
            self._order = list(self._rng.permutation(len(self._groups)))
        each = max(1, self._spec.n_windows // self._n_outputs)
        xs, tangents, ys = [], [], []
        for _ in range(self.n_groups):
            k = self._order.pop()
            for c, mine in enumerate(self._of_class[k]):
                which = self._rng.choice(mine, each, replace=len(mine) < each)
                xs.append(self._groups[k].signal[which])
                tangents.append(self._groups[k].tangent[which])
                ys += [c] * each
        x = torch.from_numpy(np.concatenate(xs))
        if self._corrupt is not None:
            x = self._corrupt(x, self._rng)
        return x, torch.from_numpy(np.concatenate(tangents)), torch.tensor(ys)


def features_of(network: NeurIPTNetwork, signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the pooled features of windows, shape (n_windows, n_features)."""
    return pooled_features(network, signal).double().numpy()
