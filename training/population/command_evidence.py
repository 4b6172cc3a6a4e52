"""What earlier people's rest and tasks say of when to command: false activations and hits at every setting.

Each person, left out, is decoded hop by hop by what the others say, with so many trials of their own, over recordings
that nothing was learnt from. A new person's few minutes of rest cannot promise a bound except at thresholds that hardly
command at all; the people's can, as far as people are alike.

A person's rate at a setting is taken as the people's mean times a factor that differs from person to person: a Gamma
distribution, whose squared coefficient of variation is what the people show beyond chance (negative binomial, Greenwood
& Yule 1920, J. R. Stat. Soc. 83:255), but no less than `LEAST_SPREAD`. To it the person's own rest is added as it
comes, so with much of it the person decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

from neuript.errors import NeuriptError
from neuript.realtime.decoding.event_scoring import EventCard
from neuript.training.fitting.policy_scan import DWELLS_S, THRESHOLDS

F64 = NDArray[np.float64]

LEAST_SPREAD = 0.3
"""Squared coefficient of variation of people's rates that is assumed at the least: six people showed .09 to .33, and
so few say little of it."""
HIT_TRIALS = 40.0
"""The people's share of hits at a setting counts as much as so many tasks of the person."""
UNSEEN = 0.5
"""Added to the people's false activations at a setting, so that none seen does not mean that there never is one."""
COMPARED_PER_MINUTE = (0.1, 2.0)
"""Settings with rates between these say how much people differ: with fewer all are alike, more nobody wants."""


@dataclass(frozen=True, slots=True)
class SettingPrior:
    """What earlier people say of one setting.

    Attributes
    ----------
    n_false, minutes : float
        Their rest counts as so many false activations in so many minutes of the person's own.
    hit_share : float
        Share of their tasks that were commanded, less wrong commands.
    """

    n_false: float
    minutes: float
    hit_share: float

    def upper(self, n_false: int, minutes: float, level: float) -> float:
        """False activations per minute that are not exceeded with this confidence, the person's own rest included."""
        return float(gamma.ppf(level, self.n_false + n_false)) / (self.minutes + minutes)

    def hits(self, card: EventCard) -> float:
        """Share of tasks to expect, less wrong commands, the person's own tasks included."""
        own = card.n_hits - card.n_wrong
        return (own + HIT_TRIALS * self.hit_share) / (len(card.events) + HIT_TRIALS)


@dataclass(frozen=True, eq=False, slots=True)
class CommandPrior:
    """What earlier people say of every setting: dwells in rows, thresholds in columns, as in `SettingPrior`."""

    n_false: F64
    minutes: F64
    hit_share: F64

    def of(self, dwell: int, threshold: int) -> SettingPrior:
        """Return what they say of the setting with these places in `DWELLS_S` and `THRESHOLDS`."""
        at = dwell, threshold
        return SettingPrior(float(self.n_false[at]), float(self.minutes[at]), float(self.hit_share[at]))


@dataclass(frozen=True, eq=False, slots=True)
class CommandCounts:
    """What some people were commanded at one number of trials.

    Attributes
    ----------
    rate : ndarray, shape (n_dwells, n_thresholds)
        False activations per minute of all people together.
    hit_share : ndarray, shape (n_dwells, n_thresholds)
        Mean over people of the share of tasks that were commanded, less wrong commands.
    minutes : float
        Minutes of rest of all people together.
    n_people : int
        Number of people.
    spread : float
        Squared coefficient of variation of their rates, beyond what chance brings about.
    """

    rate: F64
    hit_share: F64
    minutes: float
    n_people: int
    spread: float

    @classmethod
    def of(cls, people: Sequence[Sequence[Sequence[EventCard]]]) -> CommandCounts | None:
        """Return them for the cards of each person at every dwell and threshold; None without rest or tasks."""
        known = [cards for cards in people if cards[0][0].rest_s > 0 and cards[0][0].events]
        if len(known) < 2:
            return None
        n_false = np.array([[[card.n_false for card in row] for row in cards] for cards in known], dtype=np.float64)
        net = [[[card.n_hits - card.n_wrong for card in row] for row in cards] for cards in known]
        n_events = np.array([len(cards[0][0].events) for cards in known])
        minutes = np.array([cards[0][0].rest_s / 60.0 for cards in known])
        return cls(
            n_false.sum(axis=0) / minutes.sum(),
            np.mean(np.array(net) / n_events[:, None, None], axis=0),
            float(minutes.sum()),
            len(known),
            spread_of(n_false, minutes),
        )

    def prior(self) -> CommandPrior:
        """Return what they say of the next person."""
        mean = self.rate + UNSEEN / self.minutes
        spread = max(self.spread, LEAST_SPREAD) * (1 + 1 / self.n_people)
        n_false = 1.0 / (spread + 1.0 / (mean * self.minutes))
        return CommandPrior(n_false, n_false / mean, self.hit_share)


def spread_of(n_false: F64, minutes: F64) -> float:
    """Return the squared coefficient of variation of people's rates beyond chance, over all settings.

    Parameters
    ----------
    n_false : ndarray, shape (n_people, n_dwells, n_thresholds)
        False activations of each person.
    minutes : ndarray, shape (n_people,)
        Minutes of rest of each.
    """
    rate = n_false / minutes[:, None, None]
    mean = rate.mean(axis=0)
    by_chance = (mean / minutes[:, None, None]).mean(axis=0)
    low, high = COMPARED_PER_MINUTE
    compared = (mean > low) & (mean < high)
    if not compared.any():
        return 0.0
    beyond = rate.var(axis=0, ddof=1) - by_chance
    return max(0.0, float(beyond[compared].sum() / (mean[compared] ** 2).sum()))


@dataclass(frozen=True, eq=False, slots=True)
class CommandEvidence:
    """What earlier people say of when to command, keyed by the number of trials per class that they had given."""

    counts: Mapping[int, CommandCounts]

    def at(self, n_per_class: float) -> CommandPrior:
        """Return it for a number of trials per class, between the nearest that were asked."""
        asked = sorted(self.counts)
        place = float(np.interp(n_per_class, asked, np.arange(len(asked))))
        low = self.counts[asked[int(place)]].prior()
        high = self.counts[asked[min(int(place) + 1, len(asked) - 1)]].prior()
        share = place - int(place)
        return CommandPrior(
            *((1 - share) * getattr(low, name) + share * getattr(high, name) for name in CommandPrior.__slots__)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a manifest."""
        return {
            "dwells_s": list(DWELLS_S),
            "thresholds": list(THRESHOLDS),
            "counts": {
                str(count): {
                    "false_per_minute": np.round(found.rate, 4).tolist(),
                    "hit_share": np.round(found.hit_share, 4).tolist(),
                    "minutes": round(found.minutes, 3),
                    "people": found.n_people,
                    "spread": round(found.spread, 4),
                }
                for count, found in self.counts.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CommandEvidence:
        """Build from `to_dict`; NeuriptError where its settings are others than those of this version."""
        if values["dwells_s"] != list(DWELLS_S) or values["thresholds"] != list(THRESHOLDS):
            raise NeuriptError("its thresholds and dwells are not those of this version of neuript; learn it again")
        shape = len(DWELLS_S), len(THRESHOLDS)

        def table(found: Mapping[str, Any], name: str) -> F64:
            return np.array(found[name], dtype=np.float64).reshape(shape)

        return cls(
            {
                int(count): CommandCounts(
                    table(found, "false_per_minute"),
                    table(found, "hit_share"),
                    float(found["minutes"]),
                    int(found["people"]),
                    float(found["spread"]),
                )
                for count, found in values["counts"].items()
            }
        )
