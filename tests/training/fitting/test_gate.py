"""The gate: what parts tasks from rest on command and from pauses."""

from __future__ import annotations

from dataclasses import replace

import made_up_people
import numpy as np
import pytest
import torch

from neuript.network.stack import HybridClassifier
from neuript.training.calibration.fitted_decoder import fit_decoder
from neuript.training.calibration.held_out import blocks_of
from neuript.training.fitting.gate import NOTHING, TASK, Gate, GateWindows, fit_gate, fit_people_gate, with_gate
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.windows.around_trials import Pauses
from neuript.training.windows.dataset import Dataset


def with_rest(rng: np.random.Generator, *, n_pauses: int = 60, n_classes: int = 3) -> Dataset:
    """A person with a class of no command, the last one, and pauses that look like neither."""
    data = made_up_people.person(rng, n_trials=24, n_classes=n_classes)
    names = data.classes
    width = data.tangent.shape[1]
    tangent = data.tangent.copy()
    idle = data.y == len(names) - 1
    tangent[~idle, 0] += 3.0
    tangent[:, 1] -= 1.5
    pauses = rng.normal(size=(n_pauses, width)).astype(np.float32)
    pauses[:, 1] += 3.0
    trial = np.arange(n_pauses) * len(data.trials) // n_pauses
    manifest = replace(data.manifest, idle_class=names[-1])
    signal = np.zeros((n_pauses, *data.x.shape[1:]), dtype=np.float32)
    found = Pauses(signal, pauses, np.arange(n_pauses, dtype=float), trial)
    return replace(data, tangent=tangent, manifest=manifest, pauses=found)


def test_tasks_weigh_as_much_as_rest_and_pauses_together(rng: np.random.Generator) -> None:
    data = with_rest(rng)
    found = GateWindows.of(data)
    assert found is not None
    tasks = found.y == TASK
    resting = data.y == 2
    assert found.weight[tasks].sum() == pytest.approx(16)  # trials of two classes
    assert found.weight[: len(data.x)][resting].sum() == pytest.approx(8)
    assert found.weight[len(data.x) :].sum() == pytest.approx(8)
    np.testing.assert_array_equal(found.y[: len(data.x)] == NOTHING, resting)
    assert (found.y[len(data.x) :] == NOTHING).all()


def test_a_block_has_the_pauses_around_its_trials(rng: np.random.Generator) -> None:
    data = with_rest(rng)
    found = GateWindows.of(data)
    assert found is not None
    assert data.pauses is not None
    part = found.of_trials(np.arange(6, 12))
    assert set(part.trial) == set(range(6, 12))
    expected = np.concatenate([data.tangent[np.isin(data.trial, range(6, 12))], data.pauses.tangent[15:30]])
    np.testing.assert_array_equal(part.x, expected)


def test_without_rest_pauses_or_tangent_vectors_there_is_no_gate(rng: np.random.Generator) -> None:
    data = with_rest(rng)
    assert data.pauses is not None
    nothing = data.pauses.of_trials(np.zeros(24, dtype=bool), np.arange(24))
    flat = np.empty((len(data.x), 0), dtype=np.float32)
    for other in (
        replace(data, manifest=replace(data.manifest, idle_class=None)),
        replace(data, pauses=None),
        replace(data, pauses=nothing),
        replace(data, tangent=flat),
        data.select(data.y != 2),
        data.select(data.y == 2),
    ):
        assert GateWindows.of(other) is None
        assert fit_gate(GateWindows.of(other), []) is None


def test_it_parts_tasks_from_pauses_which_the_classes_do_not(rng: np.random.Generator) -> None:
    """Pauses lie on the far side of rest in one direction and of nothing in the other: only the gate has seen them."""
    data, later = with_rest(rng), with_rest(rng)
    gate = fit_gate(GateWindows.of(data), [])
    assert gate is not None
    assert later.pauses is not None
    tasks = later.tangent[later.y != 2]
    assert (gate.log_odds(tasks) > 0).mean() > 0.9
    assert (gate.log_odds(later.tangent[later.y == 2]) < 0).mean() > 0.9
    assert (gate.log_odds(later.pauses.tangent) < 0).mean() > 0.9


def test_what_is_held_out_was_not_learnt_from(rng: np.random.Generator) -> None:
    """Turning the held-out trials and pauses round changes nothing but the gate of everything."""
    data = with_rest(rng)
    windows = GateWindows.of(data)
    assert windows is not None
    kept = np.arange(12, 24)
    out = ~np.isin(windows.trial, kept)
    other = GateWindows(np.where(out[:, None], -windows.x, windows.x), windows.y, windows.weight, windows.trial)
    first, second = (fit_gate(w, [kept]) for w in (windows, other))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.of_block[0].weight, second.of_block[0].weight)
    assert not np.allclose(first.readout.weight, second.readout.weight)


def test_it_begins_with_that_of_earlier_people(rng: np.random.Generator) -> None:
    people = [GateWindows.of(with_rest(rng)) for _ in range(3)]
    prior = fit_people_gate(people)
    assert prior is not None
    nobody = fit_gate(None, [np.arange(3)], prior)
    assert nobody is not None
    assert nobody.readout is nobody.of_block[0] is prior
    few = GateWindows.of(with_rest(rng))
    assert few is not None
    own = fit_gate(few.of_trials(np.arange(3)), [], prior)
    assert own is not None
    apart = np.linalg.norm(own.readout.weight - prior.weight)
    assert 0 < apart < np.linalg.norm(prior.weight)
    one_without = fit_people_gate([*people, None])  # somebody who never paused takes nobody else's gate away
    assert one_without is not None
    np.testing.assert_array_equal(one_without.weight, prior.weight)
    assert fit_people_gate([]) is None


def test_everybody_counts_the_same_in_the_gate_of_the_people(rng: np.random.Generator) -> None:
    """Somebody who gave every trial twice says no more."""
    people = [GateWindows.of(with_rest(rng)) for _ in range(3)]
    first = people[0]
    assert first is not None
    twice = GateWindows(*(np.concatenate([part, part]) for part in (first.x, first.y, first.weight, first.trial)))
    once, again = fit_people_gate(people), fit_people_gate([twice, *people[1:]])
    assert once is not None
    assert again is not None
    scale = np.abs(once.weight).max()
    assert np.abs(once.weight - again.weight).max() < 0.2 * scale


def test_the_module_gives_what_the_calibration_judged(rng: np.random.Generator) -> None:
    """The last output is the gate's; the classes are those of a decoder that knows no pause."""
    data = with_rest(rng)
    decoder = fit_decoder(data, None)
    without = fit_decoder(replace(data, pauses=None), None)
    assert (decoder.n_outputs, without.n_outputs) == (4, 3)
    assert decoder.policy(data.manifest.policy | {"idle_class": data.classes[2]}).gate
    assert not without.policy(data.manifest.policy).gate
    signal, tangent = torch.from_numpy(data.signal), torch.from_numpy(data.tangent)
    assert isinstance(decoder.module, HybridClassifier)
    with torch.inference_mode():
        found, plain = decoder.module(signal, tangent), without.module(signal, tangent)
    torch.testing.assert_close(found[:, :3], plain)
    gate = fit_gate(GateWindows.of(data), [])
    assert gate is not None
    np.testing.assert_allclose(found[:, 3], gate.log_odds(data.tangent), rtol=1e-4, atol=1e-4)
    for block, (train, test) in enumerate(blocks_of(data, 4)):
        own = GateWindows.of(data)
        assert own is not None
        expected = fit_gate(own.of_trials(np.unique(data.trial[train])), [])
        assert expected is not None
        said = decoder.without_block[block](data.signal[test], data.tangent[test])
        np.testing.assert_allclose(said[:, 3], expected.log_odds(data.tangent[test]), rtol=1e-6, atol=1e-6)


def test_without_a_gate_logits_stay_as_they_are(rng: np.random.Generator) -> None:
    logits, tangent = rng.normal(size=(5, 2)), rng.normal(size=(5, 4))
    assert with_gate(logits, None, tangent) is logits
    readout = Readout(rng.normal(size=(2, 4)), np.array([0.5, 0.0]))
    found = with_gate(logits, Gate(readout, ()), tangent)
    np.testing.assert_allclose(found[:, 2], tangent @ (readout.weight[1] - readout.weight[0]) - 0.5)
