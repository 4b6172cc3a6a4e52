"""NeurIPT classifier: companding, encoder, lobe pooling over all scales, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.network.companding import compand_volts, scale_volts
from neuript.network.config import NetworkConfig
from neuript.network.encoder import Encoder, init_modules
from neuript.network.learned_positions import POSITION_KEYS, carried
from neuript.network.pooling import Flatten, GroupPool, pooling_groups
from neuript.network.second_order import CovariancePool

BIAS_KEYS = ("spatial_bias.",)
"""Encoder entries that start as exactly nothing, so that older encoders may lack them."""


class NeurIPTNetwork(nn.Module):
    """Windows of EEG in, class logits out.

    Parameters
    ----------
    config : NetworkConfig
        Widths and switches of encoder and head.
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres; the midpoint for a bipolar channel.
    lobes : sequence of sequences of int
        Channel indices of each lobe, for the "iilp" pooling.

    Attributes
    ----------
    encoder : Encoder
        The part that is pretrained; see `load_encoder`.
    head : Module
        The part that belongs to one task.
    """

    def __init__(self, config: NetworkConfig, pos_m: ArrayLike, lobes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, pos_m)
        self.n_chans = self.encoder.n_chans
        self.pool: nn.Module
        if config.pooling == "covariance":
            self.pool = CovariancePool(config.covariance_heads, self.n_chans)
            self.n_features = self.pool.n_features(config.n_scales, config.covariance_heads, self.n_chans)
        elif config.pooling == "none":
            self.pool = Flatten()
            tokens = sum(self._selected(config.lengths()))
            self.n_features = self.n_chans * tokens * config.d_model
        else:
            groups = pooling_groups(config.pooling, pos_m, lobes)
            self.pool = GroupPool(groups, self.n_chans)
            self.n_features = config.n_scales * len(groups) * config.d_model
        self.head = _head(config, self.n_features)
        self._aux_loss: Tensor | None = None

    @property
    def aux_loss(self) -> Tensor:
        """Balance loss of the experts in the last forward; 0 in evaluation or without experts."""
        if self._aux_loss is None:
            return torch.zeros((), device=next(self.parameters()).device)
        return self._aux_loss

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Classify windows.

        Parameters
        ----------
        x_BDT : Tensor, shape (batch, n_chans, n_times)
            Signal in volts.

        Returns
        -------
        Tensor, shape (batch, n_outputs)
            Logits; shape (batch, 1) with `binary_single_logit`.
        """
        return self.head(self.features(x_BDT))  # type: ignore[no-any-return]

    def features(self, x_BDT: Tensor) -> Tensor:
        """Pooled encoder output, (batch, n_features): scales, groups in a scale, width."""
        scales, self._aux_loss = self.encoder(self.compand(x_BDT))
        return self.pool(self._selected(scales))  # type: ignore[no-any-return]

    def covariances(self, x_BDT: Tensor) -> Tensor:
        """Return what a `CovariancePool` takes the logarithms of, (batch, scales, heads, n_chans, n_chans)."""
        if not isinstance(self.pool, CovariancePool):
            raise TypeError(f"pooling={self.config.pooling}, which knows no covariances")
        scales, self._aux_loss = self.encoder(self.compand(x_BDT))
        return self.pool.covariances(self._selected(scales))

    def compand(self, x_BDT: Tensor) -> Tensor:
        """Map windows in volts to what the encoder takes, as the configuration says."""
        if self.config.remove_mean:
            x_BDT = x_BDT - x_BDT.mean(dim=-1, keepdim=True)
        if self.config.companding == "alaw":
            return compand_volts(x_BDT)
        if self.config.companding == "linear":
            return scale_volts(x_BDT)
        return x_BDT

    def load_encoder(self, state_dict: Mapping[str, Tensor], rows: Sequence[int | None] | None = None) -> list[str]:
        """Load pretrained encoder weights.

        They may come from another montage, window length or task: the head stays as it is here, and learned
        positions are taken over for the channels and samples that both have, if `rows` says which. All else must
        match exactly; only the weights of `spatial_bias` may be missing, and stay as they are.

        Parameters
        ----------
        state_dict : mapping of str to Tensor
            State of a `NeurIPTNetwork`, whose entries "encoder.*" are used, or of an `Encoder`.
        rows : sequence of (int or None), optional
            For each channel here its index in the montage of the weights, None for one that is not in it. Without
            it, all learned positions stay as they are here.

        Returns
        -------
        list of str
            Learned positions that `rows` asks for and the weights do not have, in words; they stay as they are.

        Raises
        ------
        NeuriptError
            If weights are missing, left over, or of another shape.
        """
        prefix = "encoder."
        if any(key.startswith(prefix) for key in state_dict):
            state_dict = {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}
        given = {k: v for k, v in state_dict.items() if not k.startswith(POSITION_KEYS)}
        has_bias = any(k.startswith(BIAS_KEYS) for k in given)
        left = POSITION_KEYS if has_bias else (*POSITION_KEYS, *BIAS_KEYS)
        own = {k: v for k, v in self.encoder.state_dict().items() if not k.startswith(left)}
        _check_match(given, own)
        tables, new = carried(state_dict, self.encoder.state_dict(), rows) if rows is not None else ({}, [])
        self.encoder.load_state_dict({**given, **tables}, strict=False)
        return new

    @property
    def pooled_scales(self) -> tuple[int, ...]:
        """Which scales are pooled: 0 is the embedding, l the output of block l."""
        depth = self.config.depth
        blocks = range(depth + 1 - (self.config.class_layers or depth), depth + 1)
        return (0, *blocks) if self.config.pool_embedding else tuple(blocks)

    def _selected(self, scales: Sequence[Any]) -> list[Any]:
        return [scales[i] for i in self.pooled_scales]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the last loss out of copies: it hangs on a graph, which cannot be copied."""
        return {**self.__dict__, "_aux_loss": None}


def _head(config: NetworkConfig, n_features: int) -> nn.Module:
    head: nn.Module
    if config.head == "linear":
        head = nn.Linear(n_features, config.n_logits)
    else:
        head = nn.Sequential(
            nn.Linear(n_features, config.d_model),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.d_model, config.n_logits),
        )
    init_modules(head, config)
    return head


def _check_match(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    if missing := sorted(set(own) - set(given)):
        raise NeuriptError(
            f"the encoder weights lack {_some(missing)}; they are of a model with other blocks, "
            "merges or experts than this one"
        )
    if extra := sorted(set(given) - set(own)):
        raise NeuriptError(
            f"the encoder weights hold {_some(extra)}, which this model does not have; check "
            "merges, experts, activation and spatial_bias"
        )
    for key, weight in own.items():
        if given[key].shape != weight.shape:
            raise NeuriptError(
                f"the encoder weight {key} has shape {tuple(given[key].shape)}; this model needs "
                f"{tuple(weight.shape)}; check d_model and the hidden widths"
            )


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"
