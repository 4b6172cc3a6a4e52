"""Electrode layouts: names, positions, lobes, bipolar derivations, and matching them to a stream."""

from __future__ import annotations

from neuript.montages.from_channels import montage_of
from neuript.montages.loader import available_montages, load_montage, parse_montage
from neuript.montages.matching import draft_plan, fit_montage, plan_channels
from neuript.montages.montage import Montage
from neuript.montages.names import canonical_name
from neuript.montages.plan import ChannelPlan, PlanEntry

__all__ = [
    "ChannelPlan",
    "Montage",
    "PlanEntry",
    "available_montages",
    "canonical_name",
    "draft_plan",
    "fit_montage",
    "load_montage",
    "montage_of",
    "parse_montage",
    "plan_channels",
]
