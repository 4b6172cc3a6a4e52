"""How a recording becomes windows: a named set of choices that is written into every shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.chain.preprocess import PreprocessSpec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done to every recording of a corpus (NeurIPT, arXiv 2510.16548, appendix on data)."""

    name: str
    sfreq: float = 64.0
    """Sampling rate of the windows in Hz."""
    highpass_hz: float = 0.1
    """Lower edge of the band in Hz."""
    stop_hz: float = 34.0
    """Upper edge: from here on at least 40 dB are gone; 34 Hz keeps what is below 30 Hz."""
    window_s: float = 4.0
    """Length of a window in seconds; windows do not overlap."""
    trim_s: float = 60.0
    """Seconds that are cut off at the beginning and at the end of each recording."""
    min_length_s: float = 300.0
    """Least duration in seconds; shorter recordings are left out."""
    reject_uv: float | None = 100.0
    """Largest amplitude in microvolts: a window is left out if any channel exceeds it; None keeps it."""
    flat_uv: float | None = 3.0
    """A window is left out if any channel never leaves this band around zero (flat), or lies wholly above
    or wholly below it (offset); None keeps it."""
    max_interpolated: float = 0.15
    """The largest share of electrodes that may be estimated from the others."""
    min_chans: int = 2
    """Least number of usable channels; recordings with fewer are left out."""

    def __post_init__(self) -> None:
        specs.check_types(self, ValueError)
        if not self.window_s > 0 or abs(self.window_s * self.sfreq - self.n_times) > 1e-6:
            raise ValueError(
                f"window_s={self.window_s} must be a positive whole number of samples at {self.sfreq:g} Hz"
            )
        if self.trim_s < 0 or self.min_length_s < 0 or self.min_chans < 1:
            raise ValueError("trim_s and min_length_s must not be negative, min_chans at least 1")
        for name in ("reject_uv", "flat_uv"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be positive, or None for no such rule")
        _ = self.preprocess

    @property
    def n_times(self) -> int:
        """Number of samples of a window."""
        return round(self.window_s * self.sfreq)

    @property
    def preprocess(self) -> PreprocessSpec:
        """The causal chain, without a notch; each recording's mains are measured."""
        return PreprocessSpec(sfreq=self.sfreq, highpass_hz=self.highpass_hz, stop_hz=self.stop_hz, mains_hz=None)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary."""
        return specs.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe; ValueError where a field is unknown or missing, or its value is not allowed."""
        return specs.from_dict(cls, data, "the recipe", error=ValueError, complete=True)

    def differences(self, other: Recipe) -> list[str]:
        """Return `name: ours, theirs` for each field that differs."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{k}: {mine[k]}, {theirs[k]}" for k in mine if mine[k] != theirs[k]]


RECIPES: dict[str, Recipe] = {
    "paper": Recipe(name="paper"),
    "short": Recipe(name="short", trim_s=0.0, min_length_s=0.0),
    "lenient": Recipe(name="lenient", trim_s=0.0, min_length_s=0.0, reject_uv=400.0),
}
"""`paper` is the published one; `short` differs only in keeping short recordings whole; `lenient` also keeps
blinks, for small sets where 100 uV would leave out whole people. Companding tames such amplitudes."""


def get_recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises
    ------
    NeuriptError
        If there is none of that name.
    """
    if name not in RECIPES:
        raise NeuriptError(f"there is no recipe {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]
