"""What a pretraining run is: one checked, JSON-safe object, and which of its fields a resume may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.network.config import NetworkConfig, Precision, PresetName, preset
from neuript.specs import require

if TYPE_CHECKING:
    from neuript.network.pretext.pretrainer import PretrainSpec

Device = Literal["auto", "cpu", "cuda"]

MAY_CHANGE = frozenset(
    {
        "checkpoint_every",
        "keep",
        "log_every",
        "validate_every",
        "tensorboard",
        "timeout_s",
        "shard",
        "collapse_share",
        "collapse_steps",
    }
)
"""Fields that do not touch the numbers: another value may continue an interrupted run."""

NOT_IN_SETTINGS = MAY_CHANGE | {"size", "overrides", "spec", "steps", "epochs", "device"}
"""Fields that a checkpoint does not compare: those above, and those that it has worked out."""

_POSITIVE = ("max_lr", "div", "final_div", "max_grad_norm", "timeout_s")
_COUNTS = ("batch_size", "checkpoint_every", "keep", "log_every", "collapse_steps", "val_windows")
_SHARES = ("val_fraction", "collapse_share")


@dataclass(frozen=True, kw_only=True)
class PretrainRun:
    """Settings of one pretraining; the defaults are the paper's, except for batch and length.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    size: PresetName = "tiny"
    """Preset of widths: "base" (the paper's), "small", "tiny" or "micro"."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `NetworkConfig` that differ from the preset."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `PretrainSpec` that differ from its defaults: masking, span, ratios and so on."""

    steps: int | None = None
    """Optimiser steps; exclusive with `epochs`."""
    epochs: float | None = None
    """Passes over the training windows (the paper's run: 40)."""
    batch_size: int = 32
    """Windows per optimiser step over all processes (the paper's run: 480)."""
    micro_batch: int | None = None
    """Windows per forward pass; gradients are summed over the passes of a step. None: 8, or the most
    below that divide the share of a process. The figures are the same at any number of processes
    with which this number is the same."""

    max_lr: float = 3e-4
    div: float = 25.0
    """The learning rate starts at max_lr / div."""
    final_div: float = 1e4
    """It ends at max_lr / div / final_div."""
    warmup: float = 0.15
    """Share of the steps in which it rises."""
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 5e-3
    max_grad_norm: float = 100.0
    precision: Precision = "bf16"
    """Arithmetic of the forward pass; weights and optimiser are float32 in both."""
    seed: int = 520

    max_channels: int | None = None
    """Draw so many channels anew for each batch where a montage has more; None takes all."""
    val_fraction: float = 0.05
    """Share of the subjects held out for validation (at least one, unless 0)."""
    val_windows: int = 256
    """Validation windows, at most, spread over the held-out subjects' groups."""
    validate_every: int | None = None
    """Steps between validations; None: with every checkpoint."""

    checkpoint_every: int = 500
    keep: int = 2
    """Number of checkpoints kept; older ones are removed."""
    log_every: int = 10
    tensorboard: bool = True
    collapse_share: float = 0.1
    """An expert with less than this share of its even part (k/E of the tokens) counts as unused."""
    collapse_steps: int = 200
    """The alarm is raised when it stays so for this many steps."""

    device: Device = "auto"
    shard: bool = False
    """Shard weights and optimiser over the processes (FSDP2) instead of copying them (DDP)."""
    timeout_s: float = 300.0
    """A process that hears nothing from the others for so long gives up."""

    def __post_init__(self) -> None:
        specs.check_types(self)
        if (self.steps is None) == (self.epochs is None):
            raise NeuriptError("give the length of the run as steps or as epochs, one of the two")
        for name in ("steps", "micro_batch", "validate_every", "max_channels"):
            value = getattr(self, name)
            require(value is None or value > 0, self, name, "a whole number larger than 0")
        require(self.epochs is None or self.epochs > 0, self, "epochs", "larger than 0")
        for name in _POSITIVE:
            require(getattr(self, name) > 0, self, name, "larger than 0")
        for name in _COUNTS:
            require(getattr(self, name) > 0, self, name, "a whole number of 1 or more")
        for name in _SHARES:
            require(0 <= getattr(self, name) < 1, self, name, "in [0, 1)")
        require(0 < self.warmup < 1, self, "warmup", "between 0 and 1")
        require(self.weight_decay >= 0, self, "weight_decay", "0 or more")
        require(all(0 <= b < 1 for b in self.betas), self, "betas", "two numbers in [0, 1)")
        micro = self.micro_batch
        require(
            micro is None or self.batch_size % micro == 0,
            self,
            "micro_batch",
            f"a divisor of batch_size={self.batch_size}",
        )
        require(self.max_channels is None or self.max_channels >= 2, self, "max_channels", "2 or more")

    def model_config(self, n_times: int) -> NetworkConfig:
        """Return the encoder's configuration for windows of `n_times` samples.

        Raises
        ------
        NeuriptError
            If an override is unknown, not allowed, or contradicts the corpus.
        """
        overrides = dict(self.overrides)
        if overrides.setdefault("n_times", n_times) != n_times:
            raise NeuriptError(
                f"n_times={overrides['n_times']} is not the corpus' {n_times} samples per window; leave it out"
            )
        n_outputs = overrides.pop("n_outputs", 2)  # no head is trained here
        return preset(self.size, n_outputs=n_outputs, **overrides)

    def pretrain_spec(self) -> PretrainSpec:
        """Return the objective.

        Raises
        ------
        NeuriptError
            If a field is unknown or not allowed.
        """
        from neuript.network.pretext.pretrainer import PretrainSpec

        return PretrainSpec.from_dict(self.spec)

    def n_steps(self, n_windows: int) -> int:
        """Number of optimiser steps on `n_windows` training windows."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, round(self.epochs * max(1, round(n_windows / self.batch_size))))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; `from_dict` is the inverse."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PretrainRun:
        """Build from `to_dict()`, or from the table of a YAML file.

        Raises
        ------
        NeuriptError
            If a key is unknown or a value is not allowed.
        """
        return specs.from_dict(cls, values, "the pretraining settings")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two nested tables, as "key: 1 before, 2 now"."""
    found = []
    for key in sorted({*before, *now}):
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key}.{line}" for line in differences(a, b)]
        elif a != b:
            found.append(f"{key}: {_short(a)} before, {_short(b)} now")
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
