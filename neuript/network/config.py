"""Configuration of the NeurIPT encoder and classifier: the paper's model and every ablation of it.

The defaults are the published model. Section numbers and "reading" in the field descriptions refer
to the paper (arXiv 2510.16548) where its text leaves a choice open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.specs import require

Activation = Literal["swiglu", "gelu", "relu"]
Balance = Literal["shazeer", "source"]
Companding = Literal["alaw", "linear", "none"]
Gating = Literal["paper", "source"]
Head = Literal["linear", "mlp"]
Init = Literal["kaiming", "default"]
Pooling = Literal["iilp", "mean", "hemispheres", "coronal", "sagittal", "channels", "covariance", "none"]
Precision = Literal["bf16", "fp32"]
PresetName = Literal["base", "small", "tiny", "micro"]
SpatialPE = Literal["3d", "3d_shared", "trigonometric", "learned_1d", "learned_2d", "none"]
TemporalPE = Literal["sinusoid", "learned", "none"]

_COUNTS = ("n_outputs", "n_times", "d_model", "n_heads", "d_ff", "d_expert", "d_shared")
_PROBABILITIES = ("dropout", "attention_dropout")
_WHAT = "the model configuration"
_NOT_NEGATIVE = ("router_noise", "importance_weight", "load_weight")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape and switches of a NeurIPT classifier; checked when built.

    Raises
    ------
    NeuriptError
        If a value is out of its range, naming the field, the value and what is allowed.
    """

    n_outputs: int
    """Number of classes."""
    n_times: int = 256
    """Samples in a window (256 = 4 s at 64 Hz). Eager models also take other lengths."""

    d_model: int = 768
    """Width of a token; even, and divisible by `n_heads`."""
    n_heads: int = 8
    """Attention heads."""
    d_ff: int = 768
    """Hidden width of the dense feed-forward layers."""
    merges: tuple[int, ...] = (1, 4, 1, 2, 1, 2)
    """Time tokens merged into one at the entry of each block; its length is the depth."""
    experts: tuple[int, ...] = (0, 0, 2, 4, 4, 6)
    """Routed experts per feed-forward layer of each block; 0 is a dense layer."""
    d_expert: int = 512
    """Hidden width of a routed expert."""
    d_shared: int = 768
    """Hidden width of the shared expert."""
    top_k_ratio: float = 0.5
    """Share of the experts used by a token: k = ceil(ratio * E)."""
    gating: Gating = "paper"
    """"paper": softmax over the chosen experts. "source": over all of them, not renormalised."""
    balance: Balance = "shazeer"
    """Auxiliary loss: importance and load of Shazeer (2017), or the terms of the source."""
    router_noise: float = 0.001
    """Standard deviation of the noise on the routing logits, in training only."""
    importance_weight: float = 0.008
    """Weight of the importance term of the auxiliary loss."""
    load_weight: float = 0.008
    """Weight of the load term of the auxiliary loss (reading: not given by the paper)."""
    activation: Activation = "swiglu"
    """Feed-forward kind; "swiglu" has three matrices, the others two."""

    temporal_pe: TemporalPE = "sinusoid"
    """Positions in time, added to the embedding."""
    spatial_pe: SpatialPE = "3d"
    """Positions on the head, added between time and space stage of the first block."""
    spatial_bias: bool = False
    """Bias of the spatial attention by lagged coherence and distance; see `neuript.network.connectivity`."""
    remove_mean: bool = False
    """Take each channel's mean over the window away first."""
    companding: Companding = "alaw"
    """Input map: "alaw" and "linear" take volts, "none" takes the values as they come."""

    pooling: Pooling = "iilp"
    """Channel groups that are averaged before the head; "none" flattens every token, and "covariance" gives the
    logarithms of the channels' covariances (see `neuript.network.second_order`)."""
    covariance_heads: int = 8
    """With the pooling "covariance": groups of token components that have a covariance each."""
    class_layers: int | None = None
    """The head sees the last so many blocks; None means all."""
    pool_embedding: bool = True
    """The head also sees the embedding, as in the source."""
    head: Head = "linear"
    """One linear map, or one hidden layer of `d_model` units."""
    binary_single_logit: bool = False
    """True gives one logit (that of the second class) instead of two where there are two classes, as in the paper."""

    dropout: float = 0.1
    """Dropout on the residual branches."""
    attention_dropout: float | None = None
    """Dropout on attention weights; None means the same as `dropout`."""
    init: Init = "kaiming"
    """Kaiming normal weights and zero biases (paper), or PyTorch's default."""

    def __post_init__(self) -> None:
        specs.check_types(self)
        for name in _COUNTS:
            require(getattr(self, name) >= 1, self, name, "at least 1")
        require(self.n_outputs >= 2, self, "n_outputs", "at least 2 classes")
        for name in _PROBABILITIES:
            value = getattr(self, name)
            require(value is None or 0 <= value < 1, self, name, "in [0, 1)")
        for name in _NOT_NEGATIVE:
            require(getattr(self, name) >= 0, self, name, "0 or more")
        require(0 < self.top_k_ratio <= 1, self, "top_k_ratio", "in (0, 1]")
        require(self.d_model % 2 == 0 and self.d_model >= 6, self, "d_model", "even and at least 6")
        require(self.d_model % self.n_heads == 0, self, "n_heads", f"a divisor of d_model={self.d_model}")
        require(
            len(self.merges) >= 1 and all(m >= 1 for m in self.merges),
            self,
            "merges",
            "one whole number of at least 1 for each block",
        )
        require(
            len(self.experts) == self.depth and all(e >= 0 for e in self.experts),
            self,
            "experts",
            f"one number of at least 0 for each of the {self.depth} blocks of merges",
        )
        require(
            self.pooling != "covariance" or (self.covariance_heads >= 1 and self.d_model % self.covariance_heads == 0),
            self,
            "covariance_heads",
            f"a divisor of d_model={self.d_model}",
        )
        if self.class_layers is not None:
            require(
                1 <= self.class_layers <= self.depth, self, "class_layers", f"1 to {self.depth} (the number of blocks)"
            )
        require(
            not self.binary_single_logit or self.n_outputs == 2,
            self,
            "binary_single_logit",
            f"used with n_outputs=2 only, not {self.n_outputs}",
        )

    @property
    def depth(self) -> int:
        """Number of encoder blocks."""
        return len(self.merges)

    @property
    def n_logits(self) -> int:
        """Numbers that the classifier returns for a window."""
        return 1 if self.binary_single_logit else self.n_outputs

    @property
    def n_scales(self) -> int:
        """Encoder outputs that the head sees."""
        return (self.class_layers or self.depth) + int(self.pool_embedding)

    def top_k(self, n_experts: int) -> int:
        """Experts that each token uses out of `n_experts`."""
        return math.ceil(self.top_k_ratio * n_experts)

    def lengths(self, n_times: int | None = None) -> tuple[int, ...]:
        """Tokens in time of the embedding and of every block, for `n_times` samples."""
        lengths = [self.n_times if n_times is None else n_times]
        for merge in self.merges:
            lengths.append(-(-lengths[-1] // merge))
        return tuple(lengths)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON-safe values; `from_dict` is the inverse."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Build from `to_dict`'s values.

        Raises
        ------
        NeuriptError
            If a key is unknown, `n_outputs` is missing, or a value is not allowed.
        """
        return specs.from_dict(cls, values, _WHAT)


PRESETS: dict[PresetName, dict[str, Any]] = {
    "base": {"d_model": 768, "d_ff": 768, "d_expert": 512, "d_shared": 768},
    "small": {"d_model": 256, "d_ff": 768, "d_expert": 128, "d_shared": 256},
    "tiny": {"d_model": 128, "d_ff": 128, "d_expert": 64, "d_shared": 128},
    "micro": {"d_model": 64, "n_heads": 4, "d_ff": 64, "d_expert": 32, "d_shared": 64},
}
"""Widths of the presets; depth, merges and experts are the paper's in all of them.

micro has 4 heads of 16 instead of 8 of 8: the same parameters, a third less time at 256 samples.
"""


def preset(name: PresetName, *, n_outputs: int, **overrides: Any) -> NetworkConfig:
    """Return a configuration by size.

    Parameters
    ----------
    name : {'base', 'small', 'tiny', 'micro'}
        Size: "base" is the paper's 73 M model, "small" the paper's ablation model; "tiny" and "micro" are our own.
    n_outputs : int
        Number of classes.
    **overrides : Any
        Any other field of `NetworkConfig`.

    Raises
    ------
    NeuriptError
        If there is no such size, or a field has a value that is not allowed.
    """
    if name not in PRESETS:
        raise NeuriptError(f"there is no model size {name!r}; choose {', '.join(PRESETS)}")
    return specs.from_dict(NetworkConfig, {**PRESETS[name], "n_outputs": n_outputs, **overrides}, _WHAT)
