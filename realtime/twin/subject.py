"""Who is simulated (`Subject`) and how the day went (`SessionConditions`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A simulated person. Amplitudes are rms microvolts on the scalp where the rhythm is largest.

    Typical values follow Pfurtscheller and Lopes da Silva 1999 (doi:10.1016/S1388-2457(99)00141-8), Blankertz et al.
    2010 (doi:10.1016/j.neuroimage.2010.03.022) and the ranges of PySimMIBCI.
    """

    skill: float = 0.8
    """0: imagining changes nothing; 1: strong and reliable desynchronisation."""
    seed: int = 0
    """Anatomy: where exactly the sources lie and how they point."""
    mu_hz: float = 10.8
    mu_bandwidth_hz: float = 2.0
    mu_uv: float = 7.0
    mu_harmonic: float = 0.3
    """Amplitude of the second harmonic that makes the mu wave arched, relative to mu."""
    beta_hz: float = 20.5
    beta_bandwidth_hz: float = 3.0
    beta_uv: float = 2.5
    alpha_hz: float = 10.1
    alpha_bandwidth_hz: float = 1.2
    alpha_uv: float = 9.0
    background_uv: float = 6.7
    """1/f background, 1 to 40 Hz."""
    background_slope: float = 1.4
    """Exponent of the power spectrum, power proportional to 1 / f ** slope."""
    ipsilateral: float = 0.15
    """Desynchronisation of the ipsilateral hand area, as a fraction of the contralateral one."""
    onset_delay_s: float = 0.45
    """Seconds from intent to half of the desynchronisation, median over trials."""
    onset_spread_s: float = 0.12
    """Standard deviation of that delay over trials, in seconds."""
    rebound: float = 0.9
    """Beta power after the end of imagery rises by this times the depth."""
    depth_spread: float = 0.2
    """Standard deviation of the logarithm of the depth over trials."""
    visual_uv: float = 4.0
    """Occipital response to a cue, the same for every class."""
    blinks_per_min: float = 12.0
    blink_uv: float = 130.0
    """Height of a typical blink above the eyes, in microvolts."""
    saccades_per_min: float = 12.0
    saccade_uv: float = 22.0
    muscle_bursts_per_min: float = 1.5
    muscle_uv: float = 14.0

    def __post_init__(self) -> None:
        """Check the ranges that matter."""
        if not 0.0 <= self.skill <= 1.0:
            raise NeuriptError(f"skill is {self.skill:g}; use a number from 0 (none) to 1 (expert)")
        for name in ("mu_hz", "beta_hz", "alpha_hz", "background_uv", "background_slope"):
            if not getattr(self, name) > 0.0:
                raise NeuriptError(f"{name} is {getattr(self, name):g}; it must be above zero")

    @property
    def erd_depth(self) -> float:
        """Median fall of contralateral mu power in a good trial, 0 to 1."""
        return self.skill

    @property
    def failure_rate(self) -> float:
        """Share of trials in which nothing happens in the brain."""
        return 0.25 * (1.0 - self.skill)

    @classmethod
    def sample(cls, rng: np.random.Generator, *, skill: float | None = None) -> Subject:
        """Draw a person from the population, with the given skill or a random one.

        Skill follows a Beta(2.2, 1.6) law: median about 0.58, one person in six below 0.3.
        """
        drawn = float(rng.beta(2.2, 1.6))
        mu_hz = float(rng.uniform(9.0, 13.0))
        return cls(
            skill=drawn if skill is None else skill,
            seed=int(rng.integers(2**31)),
            mu_hz=mu_hz,
            mu_bandwidth_hz=float(rng.uniform(1.5, 2.5)),
            mu_uv=float(7.0 * rng.lognormal(0.0, 0.2)),
            mu_harmonic=float(rng.uniform(0.15, 0.45)),
            beta_hz=float(rng.uniform(17.0, 25.0)),
            beta_bandwidth_hz=float(rng.uniform(2.0, 4.5)),
            beta_uv=float(2.5 * rng.lognormal(0.0, 0.25)),
            alpha_hz=float(min(max(mu_hz + rng.normal(-0.7, 0.5), 8.0), 12.5)),
            alpha_bandwidth_hz=float(rng.uniform(0.8, 1.8)),
            alpha_uv=float(9.0 * rng.lognormal(0.0, 0.4)),
            background_uv=float(6.7 * rng.lognormal(0.0, 0.2)),
            background_slope=float(rng.uniform(1.1, 1.6)),
            ipsilateral=float(rng.uniform(0.05, 0.35)),
            onset_delay_s=float(rng.uniform(0.3, 0.6)),
            onset_spread_s=float(rng.uniform(0.08, 0.2)),
            rebound=float(rng.uniform(0.4, 1.4)),
            visual_uv=float(rng.uniform(1.0, 7.0)),
            blinks_per_min=float(rng.uniform(5.0, 20.0)),
            blink_uv=float(rng.uniform(90.0, 200.0)),
            saccades_per_min=float(rng.uniform(4.0, 20.0)),
            muscle_bursts_per_min=float(rng.uniform(0.3, 3.0)),
            muscle_uv=float(14.0 * rng.lognormal(0.0, 0.4)),
        )


@dataclass(frozen=True, kw_only=True)
class SessionConditions:
    """What differs from one session of the same person to the next."""

    cap_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far the cap sits too far right, too far forward, and turned anticlockwise, in mm on the scalp."""
    electrode_jitter_mm: float = 2.0
    """Scatter of single electrodes around their place, in millimetres."""
    gain_spread: float = 0.03
    """Standard deviation of the channels' gains around 1."""
    reference: str = "ears"
    """`ears` (linked), `average`, or `infinity`."""
    mains_hz: float = 50.0
    mains_uv: float = 2.5
    """Rms of the mains hum on a typical channel, in microvolts."""
    sensor_nv_per_rthz: float = 90.0
    """White noise of each channel in nanovolts per root hertz (1 microvolt rms at 250 Hz)."""
    drift_uv: float = 12.0
    """Rms of the slow electrode drift (below about 0.1 Hz), in microvolts."""
    offset_uv: float = 100.0
    """Standard deviation of the electrodes' constant offsets, in microvolts."""
    pops_per_min: float = 0.2
    """Electrode pops, all channels together."""
    alpha_gain: float = 1.0
    """Occipital alpha today, relative to this person's usual."""
    mu_gain: float = 1.0
    mu_shift_hz: float = 0.0

    def __post_init__(self) -> None:
        """Check the reference and the mains."""
        if self.reference not in ("ears", "average", "infinity"):
            raise NeuriptError(f"reference is {self.reference!r}; use 'ears', 'average' or 'infinity'")
        if self.mains_hz not in (50.0, 60.0):
            raise NeuriptError(f"mains_hz is {self.mains_hz:g}; use 50 or 60")

    @classmethod
    def sample(cls, rng: np.random.Generator, *, cap_shift_mm: float = 5.0) -> SessionConditions:
        """Draw a day: `cap_shift_mm` is the standard deviation of each of the three shifts."""
        shift = rng.normal(0.0, cap_shift_mm, size=3)
        return cls(
            cap_shift_mm=(float(shift[0]), float(shift[1]), float(shift[2])),
            electrode_jitter_mm=float(rng.uniform(1.0, 3.0)),
            gain_spread=float(rng.uniform(0.0, 0.06)),
            mains_hz=50.0 if rng.random() < 0.6 else 60.0,
            mains_uv=float(2.5 * rng.lognormal(0.0, 0.8)),
            sensor_nv_per_rthz=float(90.0 * rng.lognormal(0.0, 0.3)),
            drift_uv=float(12.0 * rng.lognormal(0.0, 0.4)),
            pops_per_min=float(rng.uniform(0.0, 0.6)),
            alpha_gain=float(rng.lognormal(0.0, 0.2)),
            mu_gain=float(rng.lognormal(0.0, 0.1)),
            mu_shift_hz=float(rng.normal(0.0, 0.2)),
        )
