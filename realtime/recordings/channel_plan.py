"""From what a stream or a recording says about itself to a channel plan: one way, live and in training.

The labels, the types of the channels and the reference all count; a caller that forgot one of them would hand the
model other channels than its training saw.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from neuript.errors import NeuriptError
from neuript.montages import ChannelPlan, Montage, draft_plan
from neuript.montages.names import is_auxiliary, is_generic
from neuript.realtime.chain.chunk import SignalInfo


def draft_signal_plan(
    info: SignalInfo,
    model: Montage,
    cap: Montage | None = None,
    *,
    bads: Collection[str] = (),
    max_interpolated: float = 0.25,
) -> ChannelPlan:
    """Return how the model's channels are made from a signal; what stands against it is in the plan's `problems`.

    Parameters
    ----------
    info : SignalInfo
        The signal's labels, types and reference.
    model : Montage
        The channels that are wanted.
    cap : Montage, optional
        Montage of what is on the head; None where the labels say it.
    bads : collection of str
        Labels or electrodes to treat as absent.
    max_interpolated : float
        Largest share of the model's electrodes that may be interpolated.
    """
    return draft_plan(
        info.ch_names,
        model,
        cap,
        bads=bads,
        max_interpolated=max_interpolated,
        ch_types=info.ch_types,
        reference=info.reference,
    )


def assumed_cap(info: SignalInfo, model: Montage) -> Montage | None:
    """Return a model's own montage as what is on the head, where a signal has no labels and as many EEG channels.

    Whoever calibrated on a stream without labels will decode one; the plan says in one line which order was assumed.
    """
    bare = all(is_generic(label) or is_auxiliary(label) for label in info.ch_names)
    if model.reference == "bipolar" or not bare:
        return None
    if draft_plan(info.ch_names, model, model, ch_types=info.ch_types).problems:
        return None
    return replace(model, name=f"{model.name} of the model")


MOST_ESTIMATED = 0.5
"""Largest share of the electrodes of other people's caps that may be estimated from the rest."""


def with_estimated(wanted: Montage, absent: Collection[str], what: str) -> Montage:
    """Return the channels of a model for other caps, with the electrodes that this one lacks named as `estimated`.

    Parameters
    ----------
    wanted : Montage
        Channels of the model.
    absent : collection of str
        Electrodes that are not on the head, or are bad.
    what : str
        What wants the channels, for the sentence of a refusal.

    Raises
    ------
    NeuriptError
        If too few electrodes are shared.
    """
    names = tuple(electrode for electrode in wanted.electrodes if electrode in absent)
    n_all = len(wanted.electrodes)
    if len(names) > MOST_ESTIMATED * n_all:
        raise NeuriptError(
            f"{what} needs the electrodes {', '.join(wanted.electrodes)}; {n_all - len(names)} of these {n_all} are "
            f"here and good, at least {math.ceil((1 - MOST_ESTIMATED) * n_all)} are needed: use a cap that has them, "
            "or name the cap with --montage"
        )
    return replace(wanted, estimated=names) if names else wanted


def absent_electrodes(
    info: SignalInfo, wanted: Montage, cap: Montage | None = None, *, bads: Collection[str] = ()
) -> set[str]:
    """Return the electrodes of a model that a signal does not have, or has in bad order."""
    plan = draft_signal_plan(info, wanted, cap, bads=bads, max_interpolated=1.0)
    return set(plan.names_with("interpolated")) | set(plan.names_with("missing"))


def plan_signal(
    info: SignalInfo,
    model: Montage,
    cap: Montage | None = None,
    *,
    bads: Collection[str] = (),
    max_interpolated: float = 0.25,
) -> ChannelPlan:
    """Return `draft_signal_plan`, whose parameters these are, or refuse.

    Raises
    ------
    NeuriptError
        If the signal cannot give the model's channels; the sentence says why and what to do.
    """
    plan = draft_signal_plan(info, model, cap, bads=bads, max_interpolated=max_interpolated)
    if plan.problems:
        raise NeuriptError(plan.problems[0])
    return plan
