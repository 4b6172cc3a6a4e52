"""NeurIPT encoder: point embedding, positions, and two-stage attention blocks that shrink time.

Shape suffixes: B batch, D channels, T samples, L time tokens, C model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neuript.network.config import NetworkConfig
from neuript.network.connectivity import SpatialBias
from neuript.network.experts import PMoE
from neuript.network.layers import Attention, Dropout, FeedForward, TimeMerge, init_linear
from neuript.network.position_tables import ChannelPositions, TimePositions
from neuript.network.positions import check_positions
from neuript.network.pretext.masking import Corruption, coarsen

KeyMask = Literal["keys", "source"]
"""How masked tokens are kept out of attention; see `Encoder.forward`."""


class EncoderBlock(nn.Module):
    """Merge, then attention over time within each channel, then over channels at each time.

    Pre-norm residual stages with separate feed-forward layers F1 and F2, which are dense or, with
    experts, each a mixture with its own router.

    Parameters
    ----------
    config : NetworkConfig
        Widths and switches of the encoder.
    merge : int
        Number of time tokens merged into one at the entry; 1 merges none.
    n_experts : int
        Number of routed experts of F1 and of F2; 0 makes dense layers.
    """

    def __init__(self, config: NetworkConfig, merge: int, n_experts: int) -> None:
        super().__init__()
        width = config.d_model
        drop = config.dropout if config.attention_dropout is None else config.attention_dropout
        self.merge = TimeMerge(width, merge) if merge > 1 else None
        self.norm_time = nn.LayerNorm(width)
        self.time = Attention(width, config.n_heads, drop)
        self.norm_ffn_time = nn.LayerNorm(width)
        self.ffn_time = _feed_forward(config, n_experts)
        self.norm_space = nn.LayerNorm(width)
        self.space = Attention(width, config.n_heads, drop)
        self.norm_ffn_space = nn.LayerNorm(width)
        self.ffn_space = _feed_forward(config, n_experts)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        h_BDLC: Tensor,
        length: int,
        pe_space_DC: Tensor | None = None,
        masked_BDL: Tensor | None = None,
        key_mask: KeyMask = "keys",
        bias_BHDD: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Encode one scale further.

        Parameters
        ----------
        h_BDLC : Tensor, shape (B, D, L, C)
            Tokens of the scale below.
        length : int
            Number of these tokens in time, L (a plain number also in an export).
        pe_space_DC : Tensor, shape (D, C), optional
            Encoded channel positions, added between the two stages of the first block; None adds nothing.
        masked_BDL : Tensor of bool, shape (B, D, L after the merge), optional
            Masked tokens of this scale, in pretraining; None masks nothing.
        key_mask : {'keys', 'source'}
            Which tokens the masked ones are hidden from; see `Encoder.forward`.
        bias_BHDD : Tensor, shape (B or 1, H, D, D), optional
            Numbers added to the scores of the spatial attention, the same at every time; None adds nothing.

        Returns
        -------
        tuple of Tensor, and Tensor or None
            Tokens of this scale, shape (B, D, L after the merge, C), and in training the auxiliary loss of its
            experts, a scalar, if it has any.
        """
        h = h_BDLC if self.merge is None else self.merge(h_BDLC, length)
        sizes = h.shape
        see_time = _visible(masked_BDL, key_mask)
        a = self.time(self.norm_time(h).flatten(0, 1), see_time).view(sizes)
        h = h + self.dropout(a)
        f, aux_time = _apply(self.ffn_time, self.norm_ffn_time(h))
        h = h + self.dropout(f)
        if pe_space_DC is not None:
            h = h + pe_space_DC[:, None, :]
        h_BLDC = h.transpose(1, 2).contiguous()
        see_space = _visible(None if masked_BDL is None else masked_BDL.transpose(1, 2), key_mask)
        bias = None if bias_BHDD is None else _at_all_times(bias_BHDD, h_BLDC)
        c = self.space(self.norm_space(h_BLDC).flatten(0, 1), see_space, bias=bias)
        c = c.view(h_BLDC.shape)
        h = h + self.dropout(c).transpose(1, 2)
        f, aux_space = _apply(self.ffn_space, self.norm_ffn_space(h))
        h = h + self.dropout(f)
        if aux_time is None or aux_space is None:
            return h, None
        return h, aux_time + aux_space


class Encoder(nn.Module):
    """NeurIPT encoder for one montage.

    Parameters
    ----------
    config : NetworkConfig
        Widths and switches; the part that describes the output is not used here.
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres; the midpoint for a bipolar channel.

    Notes
    -----
    Position tables that are computed and not learned are no part of the state dict: the same
    weights serve every montage and window length.
    """

    def __init__(self, config: NetworkConfig, pos_m: ArrayLike) -> None:
        super().__init__()
        self.config = config
        self.n_chans = len(check_positions(pos_m))
        self.embed = nn.Linear(1, config.d_model)
        self.pe_time = TimePositions(config)
        self.pe_space = ChannelPositions(config, pos_m)
        self.blocks = nn.ModuleList(
            EncoderBlock(config, m, e) for m, e in zip(config.merges, config.experts, strict=True)
        )
        self.spatial_bias = SpatialBias(config, pos_m) if config.spatial_bias else None
        init_modules(self, config)

    def set_montage(self, pos_m: ArrayLike) -> None:
        """Encode windows of another set of channels from now on, with the same weights.

        Parameters
        ----------
        pos_m : array_like, shape (n_chans, 3)
            Channel positions in metres.

        Raises
        ------
        ValueError
            If positions are learned by index ("learned_1d") and there are fewer than channels;
            a smaller montage uses the first ones.
        """
        self.pe_space.set_montage(pos_m)
        self.n_chans = self.pe_space.n_chans
        if self.spatial_bias is not None:
            self.spatial_bias.set_montage(pos_m)

    def forward(
        self,
        x_BDT: Tensor,
        corruption: Corruption | None = None,
        mask_token: Tensor | None = None,
        key_mask: KeyMask = "keys",
    ) -> tuple[list[Tensor], Tensor | None]:
        """Encode companded windows.

        Parameters
        ----------
        x_BDT : Tensor, shape (batch, n_chans, n_times)
            Companded signal.
        corruption : Corruption, optional
            Masked points of the pretraining; None for the plain encoder. See Notes.
        mask_token : Tensor, shape (d_model,), optional
            The learned vector that replaces points; needed with `corruption`, and not used without.
        key_mask : {'keys', 'source'}
            "keys": no token sees a masked one, except each itself. "source": as the published
            code, where masked tokens see only themselves and others see everything, which leaks
            masked values that were not replaced.

        Returns
        -------
        scales : list of Tensor, each of shape (batch, n_chans, L_l, d_model)
            H_0 (embedding with positions in time) and the output of every block.
        aux : Tensor or None
            The auxiliary loss summed over all expert layers, a scalar, in training; None in evaluation or
            without experts.

        Raises
        ------
        ValueError
            If the windows have another number of channels than the montage, or `mask_token` is missing.

        Notes
        -----
        Replaced points (R) are the mask token from the embedding on, so their values influence
        nothing at all. In every returned scale the tokens of R are the mask token again; inside,
        the stream goes on with what it computed there.

        The value of any other masked point (a random value or its own; "keys") influences only
        its own token, up to the first merge. A merged token is masked, and in R, where all its
        children are. So such a value reaches its merged token, and where that has an unmasked
        child, from this scale on every token of every channel, as any visible value does; where
        all children are masked it stays inside this token, and so on at the next merge. The
        random value is an unmasked one, so what leaks are the values of the kept points alone
        (a tenth of M), of which the loss asks no more than to be copied.
        """
        return self._run(x_BDT, corruption, mask_token, key_mask)

    def _run(
        self,
        x_BDT: Tensor,
        corruption: Corruption | None = None,
        mask_token: Tensor | None = None,
        key_mask: KeyMask = "keys",
    ) -> tuple[list[Tensor], Tensor | None]:
        n_times = self._check(x_BDT)
        bias = None
        if self.spatial_bias is not None:  # coherence is made of all samples, masked ones as well
            bias = self.spatial_bias(x_BDT, masked=corruption is not None)
        # Positions are added before a merge in block 1, where the samples still exist (reading:
        # the published block 1 does not merge).
        if corruption is None:
            h = self.embed(x_BDT.unsqueeze(-1))
        elif mask_token is None:
            raise ValueError("a corruption needs the mask token that replaces its points")
        else:
            h = self._embed_corrupted(x_BDT, corruption, mask_token)
        pe_time = self.pe_time(n_times)
        if pe_time is not None:
            h = h + pe_time
        lengths, pe_space = self.config.lengths(n_times), self.pe_space()
        if corruption is None or mask_token is None:
            scales, aux = self._run_blocks(h, lengths, pe_space, bias=bias)
            return [h, *scales], aux
        masks = self._coarser(corruption.masked)
        scales, aux = self._run_blocks(h, lengths, pe_space, masks[1:], key_mask, bias)
        stored = zip([h, *scales], self._coarser(corruption.replaced), strict=False)
        return [_overwrite(s, replaced, mask_token) for s, replaced in stored], aux

    def _embed_corrupted(self, x_BDT: Tensor, corruption: Corruption, mask_token: Tensor) -> Tensor:
        """Embed what is left of the signal: one product of (value, 1, 0) or, replaced, (0, 0, 1)."""
        x = x_BDT.gather(-1, corruption.random_source)
        # Filled, not multiplied: a NaN that is replaced must have no gradient either.
        parts = [x.masked_fill(corruption.replaced, 0.0), ~corruption.replaced, corruption.replaced]
        weight_C3 = torch.cat([self.embed.weight, self.embed.bias[:, None], mask_token[:, None]], dim=1)
        return F.linear(torch.stack([p.to(x.dtype) for p in parts], dim=-1), weight_C3)

    def _coarser(self, mask_BDT: Tensor) -> list[Tensor]:
        """Masks of H_0 and of every block."""
        masks = [mask_BDT]
        for merge in self.config.merges:
            masks.append(coarsen(masks[-1], merge))
        return masks

    def _run_blocks(
        self,
        h: Tensor,
        lengths: Sequence[int],
        pe_space: Tensor | None,
        masks: Sequence[Tensor] | None = None,
        key_mask: KeyMask = "keys",
        bias: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor | None]:
        scales = []
        losses = []
        for i, block in enumerate(self.blocks):
            masked = None if masks is None else masks[i]
            bias_BHDD = None if bias is None else bias[i]
            h, aux = block(h, lengths[i], pe_space, masked, key_mask, bias_BHDD)
            pe_space = None
            scales.append(h)
            if aux is not None:
                losses.append(aux)
        return scales, torch.stack(losses).sum() if losses else None

    def _check(self, x_BDT: Tensor) -> int:
        if x_BDT.dim() != 3 or x_BDT.shape[1] != self.n_chans or x_BDT.shape[2] < 1:
            raise ValueError(f"the model takes (batch, {self.n_chans} channels, samples), not {tuple(x_BDT.shape)}")
        return x_BDT.shape[2]


def init_modules(root: nn.Module, config: NetworkConfig) -> None:
    """Initialise every linear map below `root` as `config.init` says."""
    for module in root.modules():
        if isinstance(module, nn.Linear):
            init_linear(module.weight, module.bias, module.in_features, config.init)
    for module in root.modules():
        if isinstance(module, PMoE):
            module.init_down()


def _at_all_times(bias_BHDD: Tensor, h_BLDC: Tensor) -> Tensor:
    """Repeat the bias of each window for its L tokens in time, (B * L, H, D, D)."""
    n_windows, length = h_BLDC.shape[:2]
    return bias_BHDD.unsqueeze(1).expand(n_windows, length, -1, -1, -1).flatten(0, 1)


def _visible(masked_BDL: Tensor | None, key_mask: KeyMask) -> Tensor | None:
    """Which key (last axis) a query may see, (B * D, 1, L, L); for space with D and L swapped."""
    if masked_BDL is None:
        return None
    visible_NL = ~masked_BDL.flatten(0, 1)
    visible = visible_NL[:, None, :] if key_mask == "keys" else visible_NL[:, :, None]
    itself = torch.eye(visible_NL.shape[1], dtype=torch.bool, device=visible_NL.device)
    return (visible | itself).unsqueeze(1)


def _overwrite(h_BDLC: Tensor, replaced_BDL: Tensor, mask_token: Tensor) -> Tensor:
    return torch.where(replaced_BDL.unsqueeze(-1), mask_token, h_BDLC)


def _feed_forward(config: NetworkConfig, n_experts: int) -> nn.Module:
    if n_experts:
        return PMoE(config, n_experts)
    return FeedForward(config.d_model, config.d_ff, config.activation)


def _apply(layer: nn.Module, z: Tensor) -> tuple[Tensor, Tensor | None]:
    if isinstance(layer, PMoE):
        y, aux = layer(z)
        return y, aux
    return layer(z), None
