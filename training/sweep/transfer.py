"""Change of the channel set: train on set A, test on set B, before and after training on B.

Conditions, each with a result of its own:

    A on A           trained and tested on A (how much there is to lose)
    A on B           the same network on B as it is, each channel at the index of its neighbour in A
    A on B, renamed  the same, with B's channels in alphabetical order
    A then B         trained further on B (alphabetical) for a few epochs
    B alone          as many epochs on B from scratch

Positions that belong to an index (learned_1d) go to the channel of B with that index; positions
that are computed, or learned for a place (learned_2d), follow the place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from neuript.network.network import NeurIPTNetwork
from neuript.specs import changed
from neuript.training.fitting.forward import predict
from neuript.training.sweep.channel_sets import pick_pair
from neuript.training.sweep.measure import Network, Say, fit, outcome, spec_of, training_of, with_channels

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols import EvalData


def transfer(data: EvalData, network: Network, settings: Mapping[str, Any], say: Say) -> Iterator[dict[str, Any]]:
    """Measure a change of the channel set.

    Parameters
    ----------
    data : EvalData
        Windows with all channels; see `channel_sets.pick_pair` for the two sets, A and B.
    network : Network
        Shape and weights that each training starts from; its `encoder` (pretrained) may be None.
    settings : mapping of str to Any
        `source`: fields of `SupervisedSpec` for A. `target`: what differs for B.
    say : callable
        Called with each line of the log.

    Yields
    ------
    dict
        What `measure.outcome` returns, with "condition".
    """
    source = spec_of(settings.get("source", {}), network.seed)
    target = changed(source, {**settings.get("target", {}), "seed": network.seed}, "the target of the transfer")
    (montage_a, channels_a), (montage_b, channels_b) = pick_pair(data.montage)
    _, (renamed, channels_r) = pick_pair(data.montage, "names")
    on_a = with_channels(data, montage_a, channels_a)
    on_b = with_channels(data, montage_b, channels_b)
    on_r = with_channels(data, renamed, channels_r)

    began = time.monotonic()
    fitted = fit(network.build(on_a), on_a, source, say)
    model = fitted.model
    assert isinstance(model, NeurIPTNetwork)
    yield {**_test(model, on_a, source), **training_of(fitted), "condition": "A on A"}
    yield {**_test(move(model, network, on_b), on_b, source), "condition": "A on B"}
    moved = move(model, network, on_r)
    yield {**_test(moved, on_r, source), "condition": "A on B, renamed"}
    say(f"  trained on A in {time.monotonic() - began:.0f} s; now on B")
    kept_head = replace(target, head_start="random")  # as it is; the default would reset it
    for name, start, spec in (("A then B", moved, kept_head), ("B alone", network.build(on_r), target)):
        fitted = fit(start, on_r, spec, say)
        yield {**_test(fitted.model, on_r, target), **training_of(fitted), "condition": name}


def move(model: NeurIPTNetwork, network: Network, data: EvalData) -> NeurIPTNetwork:
    """Return a trained classifier for the channels of other data: encoder, positions and head.

    Parameters
    ----------
    model : NeurIPTNetwork
        Classifier trained on as many channels and lobes as `data` has.
    network : Network
        Builder of the classifier for `data`; its initial weights are overwritten.
    data : EvalData
        Windows of the new channels.
    """
    moved = network.build(data)
    with torch.no_grad():
        moved.load_state_dict(model.state_dict())
    return moved


def _test(model: Any, data: EvalData, spec: Any) -> dict[str, Any]:
    return outcome(data, predict(model, data.of("test").x, precision=spec.precision))
