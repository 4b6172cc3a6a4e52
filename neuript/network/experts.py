"""Progressive mixture of experts: k of E routed SwiGLU experts, and one that always runs.

All experts are computed for every token, as one matrix product up and one down, and weighted by
their gates, which are zero for experts that are not chosen. This has no data-dependent shape, so
it exports, and no capacity, so a prediction never depends on the rest of its batch. For E = 2..6
of the widths used here it is also faster than gathering tokens by expert.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuript.network.config import NetworkConfig
from neuript.network.layers import FeedForward, activate, init_linear, up_width


class PMoE(nn.Module):
    """Mixture-of-experts feed-forward layer with its own router.

    Parameters
    ----------
    config : NetworkConfig
        Configuration with the widths, the activation, the gating and the balance losses with their weights.
    n_experts : int
        Number of routed experts E, at least 1; each token uses ceil(E / 2).
    """

    def __init__(self, config: NetworkConfig, n_experts: int) -> None:
        super().__init__()
        self.config = config
        self.n_experts = n_experts
        self.k = config.top_k(n_experts)
        width, hidden = config.d_model, config.d_expert
        self.router = nn.Linear(width, n_experts)
        # Rows of `up`: for SwiGLU the gates of all experts, then the values of all experts.
        self.up = nn.Linear(width, up_width(n_experts * hidden, config.activation))
        self.down = nn.Linear(n_experts * hidden, width, bias=False)
        self.down_bias = nn.Parameter(torch.zeros(n_experts, width))
        self.shared = FeedForward(width, config.d_shared, config.activation)

    def init_down(self) -> None:
        """Initialise the down projections with the fan-in of one expert, not of all."""
        hidden = self.config.d_expert
        init_linear(self.down.weight, self.down_bias, hidden, self.config.init)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (..., C) to (..., C); in training also the auxiliary loss of this module."""
        logits = self._route(z)
        noisy = logits
        if self.training and self.config.router_noise > 0:
            noisy = logits + self.config.router_noise * torch.randn_like(logits)
        gates = self._gates(noisy)
        hidden = activate(self.up(z), self.config.activation)
        routed = hidden.view(*gates.shape, -1) * gates.unsqueeze(-1)
        y = self.shared(z) + self.down(routed.flatten(-2)) + gates @ self.down_bias
        if not self.training:
            return y, None
        n = self.n_experts
        aux = self._aux(logits.reshape(-1, n), noisy.reshape(-1, n), gates.reshape(-1, n))
        return y, aux

    def _route(self, z: Tensor) -> Tensor:
        kind = z.device.type
        if torch.is_autocast_enabled(kind):  # bfloat16 logits would choose other experts
            with torch.autocast(kind, enabled=False):
                return self.router(z.float())  # type: ignore[no-any-return]
        return self.router(z)  # type: ignore[no-any-return]

    def _gates(self, logits: Tensor) -> Tensor:
        top, index = logits.topk(self.k, dim=-1)
        if self.config.gating == "source":
            top = logits.softmax(dim=-1).gather(-1, index)
        else:
            top = top.softmax(dim=-1)
        return torch.zeros_like(logits).scatter(-1, index, top.to(logits.dtype))

    def _aux(self, logits_NE: Tensor, noisy_NE: Tensor, gates_NE: Tensor) -> Tensor:
        config = self.config
        if config.balance == "source":
            used = gates_NE.mean(dim=0)
            importance = _cv2(noisy_NE.softmax(dim=-1).sum(dim=0), unbiased=True)
            load = self.n_experts * used.square().sum() / gates_NE.shape[0]
            return config.importance_weight * importance + load
        aux = config.importance_weight * _cv2(gates_NE.sum(dim=0))
        if self.k == self.n_experts:  # every token uses every expert: the load is even
            return aux
        load = load_estimate(logits_NE, noisy_NE, self.k, config.router_noise)
        return aux + config.load_weight * _cv2(load)


def load_estimate(logits_NE: Tensor, noisy_NE: Tensor, k: int, sigma: float) -> Tensor:
    """Differentiable number of tokens per expert (Shazeer 2017, appendix A).

    The probability that a fresh draw of expert e's noise leaves it among the k chosen, given the
    noise of the others: Phi((logit_e - threshold_e) / sigma), summed over tokens, where
    threshold_e is the k-th largest noisy logit without entry e.

    Parameters
    ----------
    logits_NE, noisy_NE : Tensor, shape (tokens, experts)
        Routing logits without and with noise, for more than k experts.
    k : int
        Number of experts chosen per token.
    sigma : float
        Standard deviation of the noise; a tiny one is used in its place where it is 0.

    Returns
    -------
    Tensor, shape (experts,)
        Expected load of each expert, in tokens.
    """
    top = noisy_NE.topk(k + 1, dim=-1).values
    chosen = noisy_NE > top[:, k:]
    threshold = torch.where(chosen, top[:, k:], top[:, k - 1 : k])
    return torch.special.ndtr((logits_NE - threshold) / max(sigma, 1e-6)).sum(dim=0)  # type: ignore[no-any-return]


def _cv2(x: Tensor, *, unbiased: bool = False) -> Tensor:
    """Squared coefficient of variation; zero for a single entry."""
    if x.numel() == 1:
        return torch.zeros_like(x[0])
    return x.var(correction=int(unbiased)) / (x.mean().square() + 1e-8)
