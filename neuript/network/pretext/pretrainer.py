"""Pretraining model: masked encoder, decoder and the loss on the masked points.

Shape suffixes: B batch, D channels, T samples, C model width, n masked points of a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neuript import specs
from neuript.network.companding import compand_volts, scale_volts
from neuript.network.config import NetworkConfig
from neuript.network.encoder import Encoder, KeyMask
from neuript.network.pretext.masking import Corruption, Draws, Share, amplitude_mask, corrupt, span_mask
from neuript.network.pretext.reconstructor import Reconstructor
from neuript.specs import require

Masking = Literal["amplitude", "absolute", "spans"]
DecoderInput = Literal["positions", "values"]


@dataclass(frozen=True, kw_only=True)
class PretrainSpec:
    """What is masked and how it is reconstructed; the defaults are the paper's.

    Raises
    ------
    NeuriptError
        If a value is out of its range, naming the field, the value and what is allowed.
    """

    masking: Masking = "amplitude"
    """A band of signed amplitudes (AAMP), of absolute ones, or random spans in time."""
    span: int = 16
    """Samples of a random span (reading: 250 ms; not given by the paper)."""
    ratios: tuple[float, ...] = (0.20, 0.35, 0.50)
    """Shares of masked points; one is drawn for each batch (reading of "dynamic")."""
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of the masked points that become the mask token, get a random value, and keep their own value."""
    loss_p: float = 2.0
    """Power of the absolute error (reading: not given; 2 as in Crossformer)."""
    aux_weight: float = 0.8
    """Weight of the experts' balance loss."""
    key_mask: KeyMask = "keys"
    """"keys": masked tokens are hidden from others. "source": as the published code, leaks."""
    decoder_input: DecoderInput = "positions"
    """"values" adds the embedded visible signal to the queries (Eq. 6 of the paper)."""
    decoder_scales: tuple[int, ...] | None = None
    """Encoder scales the decoder reads, one layer each; None for all N + 1."""
    decoder_step: int = 1
    """Samples predicted by one decoder token; above 1 a lighter decoder than the paper's."""
    decoder_dropout: float | None = None
    """Dropout in the decoder; None for the encoder's."""

    def __post_init__(self) -> None:
        specs.check_types(self)
        require(self.span >= 1, self, "span", "at least 1 sample")
        require(
            len(self.ratios) > 0 and all(0 < r < 1 for r in self.ratios),
            self,
            "ratios",
            "one or more numbers between 0 and 1",
        )
        require(
            all(s >= 0 for s in self.shares) and abs(sum(self.shares) - 1) < 1e-6,
            self,
            "shares",
            "three shares that sum to 1",
        )
        require(self.loss_p > 0, self, "loss_p", "above 0")
        require(self.aux_weight >= 0, self, "aux_weight", "0 or more")
        require(self.decoder_step >= 1, self, "decoder_step", "at least 1 sample")
        drop = self.decoder_dropout
        require(drop is None or 0 <= drop < 1, self, "decoder_dropout", "in [0, 1)")

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as JSON-safe values; `from_dict` is the inverse."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PretrainSpec:
        """Build from `to_dict`'s values; NeuriptError where a field is unknown or its value is not allowed."""
        return specs.from_dict(cls, values, "the pretraining objective")


class PretrainOutput(NamedTuple):
    """Losses and reconstruction of one batch; a tuple, so that parallel wrappers see its tensors."""

    loss: Tensor
    """rec_loss + aux_weight * aux_loss, a scalar."""
    rec_loss: Tensor
    """Mean of |prediction - target|^p over all masked points."""
    aux_loss: Tensor
    """Balance loss of the experts; 0 in evaluation or without experts."""
    masked: Tensor
    """The masked points M, bool, shape (batch, n_chans, n_times)."""
    prediction: Tensor
    """The reconstructed companded signal, float32, shape (batch, n_chans, n_times); from `forward` 0 where nothing was
    masked."""
    target: Tensor
    """The companded input, shape (batch, n_chans, n_times)."""


class MaskedPretrainer(nn.Module):
    """Masked reconstruction of EEG windows.

    Parameters
    ----------
    config : NetworkConfig
        Configuration of the encoder; `companding` holds, the output part is not used.
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres; with "learned_1d" those of the largest montage.
    spec : PretrainSpec, optional
        Masking, decoder and loss; None means the defaults of `PretrainSpec`.

    Attributes
    ----------
    encoder : Encoder
        What is kept after pretraining: `NeurIPTNetwork.load_encoder` takes this module's state
        dict.
    decoder : Reconstructor
        Reconstructs the signal from the encoder's scales.
    mask_token : Parameter, shape (d_model,)
        The vector that stands for a replaced point.
    """

    def __init__(self, config: NetworkConfig, pos_m: ArrayLike, spec: PretrainSpec | None = None) -> None:
        super().__init__()
        self.config = config
        self.spec = spec = PretrainSpec() if spec is None else spec
        scales = range(config.depth + 1)
        if spec.decoder_scales is not None:
            given = spec.decoder_scales
            ok = len(given) > 0 and set(given) <= set(scales) and sorted(set(given)) == list(given)
            require(ok, spec, "decoder_scales", f"increasing numbers of 0 to {config.depth}")
        self.encoder = Encoder(config, pos_m)
        self.decoder = Reconstructor(config, spec.decoder_scales, spec.decoder_step, spec.decoder_dropout)
        self.mask_token = nn.Parameter(torch.empty(config.d_model))
        nn.init.normal_(self.mask_token)

    def set_montage(self, pos_m: ArrayLike) -> None:
        """Take windows of another set of channels from now on; see `Encoder.set_montage`."""
        self.encoder.set_montage(pos_m)

    def compand(self, x_BDT: Tensor) -> Tensor:
        """Map volts to what is encoded and reconstructed."""
        if self.config.companding == "alaw":
            return compand_volts(x_BDT)
        return scale_volts(x_BDT) if self.config.companding == "linear" else x_BDT

    def corrupt(self, x_BDT: Tensor, generator: Draws) -> Corruption:
        """Draw the masked points of a batch.

        Parameters
        ----------
        x_BDT : Tensor, shape (batch, n_chans, n_times)
            Signal in volts (or companded: only its order counts).
        generator : Draws
            Source of the random numbers; a `Share` for one process's part of a batch.
        """
        spec, n_times = self.spec, x_BDT.shape[-1]
        rng = generator.generator if isinstance(generator, Share) else generator
        which = torch.randint(len(spec.ratios), (), generator=rng, device=rng.device)
        n_masked = int(spec.ratios[int(which)] * n_times + 1e-9)
        if spec.masking == "spans":
            shape = (x_BDT.shape[0], x_BDT.shape[1], n_times)
            masked = span_mask(shape, n_masked, spec.span, generator, x_BDT.device)
        else:
            absolute = spec.masking == "absolute"
            masked = amplitude_mask(x_BDT, n_masked, generator, absolute=absolute)
        return corrupt(masked, generator, spec.shares)

    def forward(
        self, x_BDT: Tensor, generator: Draws | None = None, corruption: Corruption | None = None
    ) -> PretrainOutput:
        """Mask, encode, reconstruct, and compare at the masked points.

        Parameters
        ----------
        x_BDT : Tensor, shape (batch, n_chans, n_times)
            Signal in volts.
        generator : Draws, optional
            Source of the random numbers of the masks, needed where `corruption` is not given.
        corruption : Corruption, optional
            Masks drawn before, by `corrupt`, with the same count in every sample and channel; None draws
            them here.

        Raises
        ------
        ValueError
            If neither `generator` nor `corruption` is given.
        """
        target = self.compand(x_BDT)
        corruption = self._drawn(target, generator, corruption)
        masked = corruption.masked
        points = _points(masked) if self.decoder.step == 1 else None
        found, aux = self._reconstruct(target, corruption, points)
        if points is None:
            prediction = found.masked_fill(~masked, 0.0)
            error = (found - target)[masked]
        else:
            prediction = torch.zeros_like(target).scatter(-1, points, found.detach())
            error = found - target.gather(-1, points)
        p = self.spec.loss_p
        rec = (error.square() if p == 2 else error.abs().pow(p)).mean()
        loss = rec + self.spec.aux_weight * aux
        return PretrainOutput(loss, rec, aux, masked, prediction, target)

    @torch.no_grad()
    def reconstruct(
        self, x_BDT: Tensor, generator: Draws | None = None, corruption: Corruption | None = None
    ) -> PretrainOutput:
        """As `forward`, with predictions at every point and without gradients, for pictures."""
        target = self.compand(x_BDT)
        corruption = self._drawn(target, generator, corruption)
        prediction, aux = self._reconstruct(target, corruption, None)
        error = (prediction - target)[corruption.masked].abs()
        rec = error.pow(self.spec.loss_p).mean()
        loss = rec + self.spec.aux_weight * aux
        return PretrainOutput(loss, rec, aux, corruption.masked, prediction, target)

    def _drawn(self, x_BDT: Tensor, generator: Draws | None, corruption: Corruption | None) -> Corruption:
        if corruption is not None:
            return corruption
        if generator is None:
            raise ValueError("give a generator to draw masks with, or a corruption")
        return self.corrupt(x_BDT, generator)

    def _reconstruct(self, x_BDT: Tensor, corruption: Corruption, points_BDn: Tensor | None) -> tuple[Tensor, Tensor]:
        n_times, key_mask = x_BDT.shape[-1], self.spec.key_mask
        scales, aux = self.encoder(x_BDT, corruption, self.mask_token, key_mask)
        if aux is None:
            aux = x_BDT.new_zeros(())
        queries = self._queries(x_BDT, corruption.masked)
        return self.decoder(queries, scales, points_BDn)[..., :n_times], aux

    def _queries(self, x_BDT: Tensor, masked: Tensor) -> Tensor:
        """Positions of the decoder's tokens: of their first sample, and of the channel."""
        encoder, step = self.encoder, self.decoder.step
        n_chans, n_times = x_BDT.shape[1:]
        q = x_BDT.new_zeros(1, n_chans, -(-n_times // step), self.config.d_model)
        pe_time, pe_space = encoder.pe_time(n_times), encoder.pe_space()
        if pe_time is not None:
            q = q + pe_time[::step]
        if pe_space is not None:
            q = q + pe_space[:, None, :]
        if self.spec.decoder_input == "values":
            seen = x_BDT.masked_fill(masked, 0.0).unsqueeze(-1)
            q = q + encoder.embed(seen)[:, :, ::step]
        return q


def _points(masked: Tensor) -> Tensor:
    """Times of the masked points, (B, D, n), in order; all channels have the same count."""
    n_masked = int(masked[0, 0].sum())
    order = masked.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)
    return order[..., :n_masked]
