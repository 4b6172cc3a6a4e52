"""What a certification is asked for; checked when built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuript import specs
from neuript.errors import NeuriptError
from neuript.limits import SFREQ_MAX
from neuript.realtime.certify.injected import STAGES_TO_DELAY

MIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class CertifySpec:
    """Settings of `neuript certify`.

    Raises
    ------
    NeuriptError
        If a number or name cannot be.
    """

    model: str
    """Model file (.ts)."""
    out: str
    """Folder for `certificate.json`, `stages.png`, and what the decoder said."""
    montage: str | None = None
    """Cap of the simulated amplifier, a name or a YAML file; None takes the electrodes of the model."""
    sfreq: float = 250.0
    """Its rate in Hz."""
    hop_s: float | None = None
    """Seconds between decisions; None as in the model."""
    engine: str = "auto"
    """What computes the network; `auto` measures all that are installed and takes the fastest."""
    device: str = "cpu"
    """`cpu`, or `cuda` to test all that runs on a GPU, too."""
    seconds: float = 60.0
    """Seconds of decisions."""
    budget_ms: float = 60.0
    """Milliseconds from the newest sample of a window to its published decision that 99 in 100 decisions may take."""
    threads: int | None = None
    """CPU threads of the network; None by its size."""
    inject: tuple[str, float] | None = None
    """A stage and milliseconds by which it is delayed, to see that the certificate shows it."""

    def __post_init__(self) -> None:
        """Check what can be checked before anything is started."""
        specs.check_types(self)
        if not 100 <= self.sfreq <= SFREQ_MAX:
            raise NeuriptError(f"--sfreq {self.sfreq:g} must be from 100 to {SFREQ_MAX:g} Hz")
        if not self.seconds >= MIN_SECONDS:
            raise NeuriptError(f"--seconds {self.seconds:g} must be {MIN_SECONDS:g} or more, else there is no p99")
        if not self.budget_ms > 0:
            raise NeuriptError(f"--budget-ms {self.budget_ms:g} must be above 0")
        if self.inject is not None and (self.inject[0] not in STAGES_TO_DELAY or not 0 < self.inject[1] <= 10_000):
            raise NeuriptError(
                f"--inject {self.inject[0]}={self.inject[1]:g} must be STAGE=MS, a stage out of "
                f"{', '.join(STAGES_TO_DELAY)} and milliseconds above 0"
            )
        if self.device not in ("cpu", "cuda"):
            raise NeuriptError(f"--device {self.device} must be cpu or cuda")
        if not Path(self.model).exists():
            raise NeuriptError(f"there is no model file {self.model}")
