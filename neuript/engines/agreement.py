"""Equal answers: an engine is compared with the network in float32, as PyTorch runs it, or it is not used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neuript.engines.contract import EnginePrecision, NetworkEngine, routed_layers
from neuript.errors import EngineRefusedError

MAX_PROBABILITY_DIFFERENCE: dict[EnginePrecision, float] = {"float32": 1e-5, "float16": 0.01, "bfloat16": 0.01}
"""How far a probability may be from the reference's."""
MIN_EQUAL_DECISIONS: dict[EnginePrecision, float] = {"float32": 0.995, "float16": 0.995, "bfloat16": 0.995}
"""Share of windows whose most probable class must be the reference's."""


@dataclass(frozen=True)
class Agreement:
    """How far an engine agrees with the reference over some windows."""

    engine: str
    precision: EnginePrecision
    n_windows: int
    max_probability_difference: float
    """1 where the engine gives a number that is not finite."""
    decision_flips: float
    """Share of the windows whose most probable class is another one."""
    expert_flips: float | None
    """Share of the tokens, over all layers, that use other experts; None where the engine does not tell."""

    @property
    def ok(self) -> bool:
        """Whether the engine may take the place of the reference."""
        return (
            self.max_probability_difference <= MAX_PROBABILITY_DIFFERENCE[self.precision]
            and 1 - self.decision_flips >= MIN_EQUAL_DECISIONS[self.precision]
        )

    def __str__(self) -> str:
        """Return it in words."""
        experts = "" if self.expert_flips is None else f", and {self.expert_flips:.2%} of tokens use other experts"
        return (
            f"{self.engine} in {self.precision}: probabilities differ by at most "
            f"{self.max_probability_difference:.2g}, {self.decision_flips:.1%} of {self.n_windows} decisions differ"
            f"{experts}"
        )

    def check(self) -> None:
        """Raise `EngineRefusedError` if the engine may not be used."""
        if not self.ok:
            limit, share = MAX_PROBABILITY_DIFFERENCE[self.precision], MIN_EQUAL_DECISIONS[self.precision]
            raise EngineRefusedError(
                f"{self}; allowed are {limit:g} and {1 - share:.1%} of decisions, so another engine is used"
            )


def compare_engines(
    reference: NetworkEngine, other: NetworkEngine, windows: NDArray[np.float32], network: nn.Module | None = None
) -> Agreement:
    """Compare the answers of an engine with the reference's.

    Parameters
    ----------
    reference : NetworkEngine
        The network in float32 (`EagerEngine`).
    other : NetworkEngine
        Engine of the same network.
    windows : ndarray of float32, shape (n, n_chans, n_times)
        Windows in volts; golden ones and recorded ones.
    network : Module, optional
        The network, from which the layout of its router logits is read; None leaves the experts out.
    """
    experts = None
    if network is not None:
        ours, theirs = reference.router_logits(windows), other.router_logits(windows)
        experts = None if ours is None or theirs is None else expert_flips(network, ours, theirs)
    return agreement_of(other, reference(windows), other(windows), experts)


class NamedPrecision(Protocol):
    """What is compared: an engine, here or in another process."""

    @property
    def name(self) -> str:
        """Name that a person may ask for."""

    @property
    def precision(self) -> EnginePrecision:
        """Kind of the numbers that it computes with."""


def agreement_of(
    engine: NamedPrecision, expected: NDArray[np.float32], got: NDArray[np.float32], experts: float | None = None
) -> Agreement:
    """Compare the logits of an engine with those of the reference for the same windows.

    Parameters
    ----------
    engine : NamedPrecision
        Whose answers these are.
    expected, got : ndarray of float32, shape (n, n_outputs)
        Logits of the reference and of the engine.
    experts : float, optional
        Share of tokens that use other experts, where it is known.
    """
    if got.shape != expected.shape:
        raise EngineRefusedError(f"{engine.name} gives logits of shape {got.shape}, and the network {expected.shape}")
    ours, theirs = probabilities(expected), probabilities(got)
    difference = np.where(np.isfinite(theirs), np.abs(ours - theirs), 1.0)
    flips = float(np.mean(ours.argmax(axis=1) != theirs.argmax(axis=1)))
    return Agreement(engine.name, engine.precision, len(expected), float(difference.max()), flips, experts)


def probabilities(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return class probabilities (n, n_classes) of logits; a single logit is that of the second of two classes."""
    full = logits.astype(np.float64)
    if full.shape[1] == 1:
        full = np.concatenate([np.zeros_like(full), full], axis=1)
    with np.errstate(invalid="ignore"):
        weights = np.exp(full - full.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def expert_flips(network: nn.Module, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the share of tokens, over all layers, for which two sets of router logits choose other experts."""
    pairs = zip(expert_choices(network, ours), expert_choices(network, theirs), strict=True)
    changed = [(a != b).any(axis=-1).ravel() for a, b in pairs]
    return float(np.mean(np.concatenate(changed))) if changed else 0.0


def expert_choices(network: nn.Module, router_logits: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
    """Say which experts each token uses, for each layer (n, tokens, experts), from `NetworkEngine.router_logits`."""
    layers = routed_layers(network)
    counts = _tokens(network)
    chosen, start = [], 0
    for layer, n_tokens in zip(layers, counts, strict=True):
        part = router_logits[:, start : start + n_tokens * layer.n_experts].reshape(-1, n_tokens, layer.n_experts)
        start += n_tokens * layer.n_experts
        best = np.argsort(-part, axis=-1, kind="stable")[..., : layer.k]
        mask = np.zeros(part.shape, dtype=bool)
        np.put_along_axis(mask, best, True, axis=-1)
        chosen.append(mask)
    return chosen


def _tokens(network: nn.Module) -> list[int]:
    """Tokens of a window that each routed layer sees: two layers in every block with experts."""
    config: Any = network.config
    n_chans: Any = network.n_chans
    lengths = zip(config.lengths()[1:], config.experts, strict=True)
    return [int(n_chans * length) for length, experts in lengths if experts for _ in range(2)]
