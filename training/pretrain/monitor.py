"""How the experts are used, and an alarm when some no longer are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuript.network.experts import PMoE
from neuript.training.pretrain.distributed import World


@dataclass(frozen=True, slots=True)
class ExpertUse:
    """Routing of one mixture-of-experts layer over some steps.

    Attributes
    ----------
    use : tuple of float
        Share of the tokens that use each expert; they sum to k.
    entropy : float
        Mean entropy of the router's softmax per token, 1 for uniform and 0 for certain.
    even : float
        k / E: the share of each expert if all were used alike.
    """

    use: tuple[float, ...]
    entropy: float
    even: float


class ExpertMonitor:
    """Counts the choices of every router of a model while it is `watching`.

    Parameters
    ----------
    model : nn.Module
        Model whose `PMoE` layers are watched, by their names.
    share : float
        An expert used by less than this share of its even part (k / E) counts as unused.
    steps : int
        The alarm comes when it is unused for this many steps.
    """

    def __init__(self, model: nn.Module, share: float, steps: int) -> None:
        self.share, self.steps = share, steps
        self.watching = False
        self.layers = {n: m for n, m in model.named_modules() if isinstance(m, PMoE)}
        self._counts: dict[str, Tensor] = {}
        self._since: dict[str, int] = {}
        self._told: set[str] = set()
        for name, layer in self.layers.items():
            layer.register_forward_hook(self._hook(name))

    def collect(self, world: World) -> dict[str, ExpertUse]:
        """Return the use of all layers since the last call, over all processes, and forget it."""
        if not self._counts:
            return {}
        sizes = [layer.n_experts + 2 for layer in self.layers.values()]
        everything = world.sum(torch.cat([self._counts[name] for name in self.layers]))
        self._counts = {}
        found = {}
        parts = torch.split(everything.cpu(), sizes)
        for (name, layer), counts in zip(self.layers.items(), parts, strict=True):
            *used, entropy, n = counts.tolist()
            top = math.log(layer.n_experts)
            found[name] = ExpertUse(
                tuple(u / n for u in used), entropy / n / top if top else 0.0, layer.k / layer.n_experts
            )
        return found

    def alarms(self, step: int, uses: Mapping[str, ExpertUse]) -> list[str]:
        """Return a sentence for each expert that has just been unused for too long."""
        found = []
        for name, layer in uses.items():
            for expert, use in enumerate(layer.use):
                key = f"{name}[{expert}]"
                if use >= self.share * layer.even:
                    self._since.pop(key, None)
                    self._told.discard(key)
                    continue
                since = self._since.setdefault(key, step)
                if step - since >= self.steps and key not in self._told:
                    self._told.add(key)
                    found.append(
                        f"expert {expert} of {name} is used by {100 * use:.2g} % of the tokens "
                        f"(an even share is {100 * layer.even:.3g} %) since step {since}: raise "
                        "the balance weights, or use fewer experts"
                    )
        return found

    def state(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"since": dict(self._since), "told": sorted(self._told)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self._since, self._told = dict(state["since"]), set(state["told"])

    def _hook(self, name: str) -> Any:
        def note(layer: PMoE, inputs: tuple[Tensor, ...], output: Any) -> None:
            if self.watching and layer.training:
                counts = count_choices(layer, inputs[0])
                before = self._counts.get(name)
                self._counts[name] = counts if before is None else before + counts

        return note


def count_choices(layer: PMoE, z: Tensor) -> Tensor:
    """Return tokens per expert, the sum of routing entropies in nats, and the number of tokens.

    Parameters
    ----------
    layer : PMoE
        Layer whose router is asked, without noise.
    z : Tensor, shape (..., d_model)
        Input of the layer.

    Returns
    -------
    Tensor, shape (n_experts + 2,)
        The numbers in that order, float64.
    """
    with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
        weight, bias = layer.router.weight, layer.router.bias
        logits = F.linear(z.float(), weight, bias).flatten(0, -2)
        chosen = logits.topk(layer.k, dim=-1).indices.flatten()
        counts = torch.bincount(chosen, minlength=layer.n_experts).double()
        logs = logits.log_softmax(dim=-1)
        entropy = -(logs.exp() * logs).sum().double()
        return torch.cat([counts, entropy[None], counts.new_tensor([len(logits)])])
