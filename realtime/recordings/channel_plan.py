"""From what a stream or a recording says about itself to a channel plan: one way, live and in training.

The labels, the types of the channels and the reference all count; a caller that forgot one of them would hand the
model other channels than its training saw.
"""

from __future__ import annotations

from collections.abc import Collection

from neuript.errors import NeuriptError
from neuript.montages import ChannelPlan, Montage, draft_plan
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
