"""Sensorimotor rhythms and how imagining a movement changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuript.realtime.twin.background import Rhythms, SlowNoise, place, scaled_patch
from neuript.realtime.twin.headmodel import unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from neuript.realtime.twin.cues import Intent
    from neuript.realtime.twin.subject import SessionConditions, Subject

RISE_S = 0.3
"""Seconds over which the desynchronisation grows, half of them before `Intent.erd_onset_s`."""
RECOVERY_S = 0.7
"""Seconds over which the desynchronisation goes back after the end of the intent."""
MEMORY_S = 3.5
"""Seconds after its end for which an intent still matters (recovery and rebound)."""


@dataclass(frozen=True)
class Area:
    """A patch of motor cortex: where it lies (direction from the centre of the head) and how strong its rhythm is."""

    name: str
    direction: tuple[float, float, float]
    eccentricity: float
    strength: float


AREAS = (
    Area("hand_lh", (-0.72, 0.04, 0.69), 0.80, 1.0),
    Area("hand_rh", (0.72, 0.04, 0.69), 0.80, 1.0),
    Area("foot", (0.0, 0.0, 1.0), 0.72, 0.36),
    Area("tongue_lh", (-0.93, 0.15, 0.33), 0.80, 0.28),
    Area("tongue_rh", (0.93, 0.15, 0.33), 0.80, 0.28),
)
"""lh, rh: left and right hemisphere. The right hand is moved by the left hemisphere."""
DIPOLES_PER_AREA = 4
COMMON, OWN = 0.25, 0.1
"""Slow waxing and waning: standard deviation of the log amplitude that all areas share, and of that of each alone."""


def effects(label: str, ipsilateral: float) -> dict[str, float]:
    """Share of the depth by which each area's power falls when `label` is imagined; negative: it rises."""
    return {
        "left_hand": {"hand_rh": 1.0, "hand_lh": ipsilateral},
        "right_hand": {"hand_lh": 1.0, "hand_rh": ipsilateral},
        "both_hands": {"hand_lh": 0.95, "hand_rh": 0.95},
        "feet": {"foot": 1.0, "hand_lh": -0.2, "hand_rh": -0.2},
        "tongue": {"tongue_lh": 1.0, "tongue_rh": 1.0, "hand_lh": -0.1, "hand_rh": -0.1},
        "rest": {},
    }[label]


def smoothstep(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, smooth between."""
    y = np.clip(x, 0.0, 1.0)
    return np.asarray(y * y * (3.0 - 2.0 * y))


def course(intent: Intent, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time course of the desynchronisation, 0 to 1."""
    on = smoothstep((t - intent.erd_onset_s) / RISE_S + 0.5)
    off = smoothstep((t - intent.offset_s) / RECOVERY_S)
    return on * (1.0 - off)


def rebound_course(intent: Intent, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time course of the beta rebound after the intent, 0 to 1: half a second late, about a second long."""
    return np.asarray(np.exp(-0.5 * ((t - intent.offset_s - 1.1) / 0.4) ** 2))


class Motor:
    """Mu and beta rhythms of the motor areas in microvolts at the electrodes."""

    def __init__(
        self,
        subject: Subject,
        conditions: SessionConditions,
        electrodes_m: NDArray[np.float64],
        sfreq: float,
        rng: np.random.Generator,
    ) -> None:
        anatomy = np.random.default_rng([subject.seed, 23])
        self._subject = subject
        n = DIPOLES_PER_AREA
        mixes = []
        for area in AREAS:
            middle = unit(np.array(area.direction) + 0.035 * anatomy.standard_normal(3))
            tilt = 0.35 * anatomy.standard_normal(3)
            spread = 0.06 * anatomy.standard_normal((n, 3))
            directions = unit(middle + spread)
            moments = unit(directions + tilt + 0.15 * anatomy.standard_normal((n, 3)))
            dipoles = place(directions, np.full(n, area.eccentricity))
            mixes.append(area.strength * scaled_patch(electrodes_m, dipoles, moments))
        self._mix = np.concatenate(mixes, axis=1)
        n_all = n * len(AREAS)
        mu_hz = subject.mu_hz + conditions.mu_shift_hz + 0.3 * anatomy.standard_normal(n_all)
        beta_hz = subject.beta_hz + 0.8 * anatomy.standard_normal(n_all)
        self._mu_uv = subject.mu_uv * conditions.mu_gain
        self._mu = Rhythms(mu_hz, subject.mu_bandwidth_hz, sfreq, rng)
        self._beta = Rhythms(beta_hz, subject.beta_bandwidth_hz, sfreq, rng)
        self._waxing = SlowNoise(1 + len(AREAS), 0.15, sfreq, rng)

    def block(self, t: NDArray[np.float64], intents: Iterable[Intent]) -> NDArray[np.float64]:
        """Return the next samples at times `t`, shape (n_chans, n_times), microvolts."""
        mu_gain, beta_gain = self.gains(t, intents)
        waxing = self._waxing.block(len(t))
        level = np.exp(COMMON * waxing[0] + OWN * waxing[1:] - 0.06)
        mu_gain, beta_gain = (np.repeat(level * np.sqrt(g), DIPOLES_PER_AREA, axis=0) for g in (mu_gain, beta_gain))
        z = self._mu.block(t)
        harmonic = self._subject.mu_harmonic * (z * z).real / (np.abs(z) + 1e-12)
        sources = self._mu_uv * mu_gain * (z.real + harmonic)
        sources += self._subject.beta_uv * beta_gain * self._beta.block(t).real
        return np.asarray(self._mix @ sources)

    def gains(
        self, t: NDArray[np.float64], intents: Iterable[Intent]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Power of mu and of beta in each area relative to rest, each of shape (n_areas, n_times)."""
        mu = np.ones((len(AREAS), len(t)))
        beta = np.ones((len(AREAS), len(t)))
        for intent in intents:
            if intent.depth == 0.0 or not t[0] - MEMORY_S < intent.offset_s:
                continue
            if intent.erd_onset_s - RISE_S > t[-1]:
                continue
            now, later = course(intent, t), rebound_course(intent, t)
            for row, area in enumerate(AREAS):
                share = effects(intent.label, self._subject.ipsilateral).get(area.name, 0.0)
                if share == 0.0:
                    continue
                mu[row] *= 1.0 - intent.depth * share * now
                beta[row] *= 1.0 - 0.7 * intent.depth * share * now
                if share > 0.0:
                    beta[row] *= 1.0 + self._subject.rebound * intent.depth * share * later
        return mu, beta
