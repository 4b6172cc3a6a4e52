"""A population from recordings to a file and back: who and what is refused, and what the file decodes by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import twin_people
from cue_sessions import as_cue_session
from made_up_people import QUICK
from twin_people import CLASSES, NAMES, population_spec, session, write, write_people

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.deployable import open_model
from neuript.modelfile.manifest import POPULATION_KIND, Manifest
from neuript.network.config import NetworkConfig
from neuript.network.stack import PRIOR_PREFIX
from neuript.realtime.recordings.recording import events_of
from neuript.training.population import population_file
from neuript.training.population.learning import Learning
from neuript.training.population.population_file import Population, datasets_of, learn_population, load_population
from neuript.training.population.population_spec import PopulationSpec
from neuript.training.windows.dataset import build_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def recorded(folder: Path) -> dict[str, list[Path]]:
    return write_people(folder)


@pytest.fixture(scope="module")
def population(recorded: dict[str, list[Path]]) -> Population:
    return learn_population(recorded, population_spec(table=True))


@pytest.fixture(scope="module")
def with_network(recorded: dict[str, list[Path]]) -> Population:
    """Learnt in two steps: the network is as good as random, and there all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(population_file, "Learning", lambda data, config, **how: Learning(data, config, QUICK, **how))
        return learn_population(recorded, population_spec(network=True))


def same_opinion(a, b) -> bool:
    return list(a.nll) == list(b.nll) and all(np.array_equal(a.nll[k], b.nll[k]) for k in a.nll)


def assert_same(a: Population, b: Population) -> None:
    for one, two in ((a.learnt.tangent, b.learnt.tangent), (a.learnt.features, b.learnt.features)):
        assert (one is None) == (two is None)
        if one is not None:
            np.testing.assert_array_equal(one.readout.weight, two.readout.weight)
            np.testing.assert_array_equal(one.readout.bias, two.readout.bias)
            assert same_opinion(one.opinion, two.opinion)
            assert one.variance == two.variance
    assert same_opinion(a.learnt.stack, b.learnt.stack)
    assert a.learnt.scale == b.learnt.scale
    assert a.learnt.commands is not None
    assert b.learnt.commands is not None
    assert a.learnt.commands.to_dict() == b.learnt.commands.to_dict()
    if a.learnt.network is not None:
        for name, values in a.learnt.network.state_dict().items():
            assert torch.equal(values, b.learnt.network.state_dict()[name]), name


def test_people_windows_and_channels_are_in_the_manifest(
    population: Population, recorded: dict[str, list[Path]]
) -> None:
    manifest = population.manifest
    assert population.people == ("01", "02", "03")
    assert set(population.montage.ch_names) == set(NAMES)
    assert (manifest.classes, manifest.window_s, manifest.hop_s) == (("left_hand", "right_hand"), 2.0, 0.5)
    assert manifest.preprocess["alignment"]["signal_band_hz"] == [8.0, 30.0]
    assert manifest.simulated
    assert not manifest.calibrated
    told = manifest.provenance
    assert (told["kind"], told["counts"]) == (POPULATION_KIND, {"people": 3, "trials": 48})
    assert len(told["file_hashes"]) == 3
    text = json.dumps(manifest.to_dict())
    assert not any(str(path) in text for paths in recorded.values() for path in paths)
    left_out = manifest.metrics["left_out"]
    assert set(left_out["Riemannian branch"]["0"]["people"]) == {"01", "02", "03"}
    assert left_out["Stack (published)"]["0"]["mean"] > 0.7


@pytest.mark.parametrize("which", ["population", "with_network"])
def test_a_file_gives_back_what_was_learnt_to_the_bit(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    learnt: Population = request.getfixturevalue(which)
    written = learnt.save(tmp_path / "lab.safetensors")
    found = load_population(tmp_path / "lab.safetensors")
    assert found.manifest == written
    assert_same(found, learnt)
    assert found.nobody().weights == learnt.nobody().weights
    found.save(tmp_path / "again.safetensors")
    assert_same(load_population(tmp_path / "again.safetensors"), learnt)


@pytest.mark.parametrize("which", ["population", "with_network"])
def test_as_it_is_it_decodes_somebody_who_gave_no_trial(
    which: str, tmp_path: Path, rng: np.random.Generator, request: pytest.FixtureRequest
) -> None:
    learnt: Population = request.getfixturevalue(which)
    learnt.save(tmp_path / "lab.safetensors")
    engine = open_model(tmp_path / "lab.safetensors")
    manifest, fit = engine.manifest, learnt.nobody()
    assert not engine.reference
    for _ in range(3):
        signal = (2e-6 * rng.normal(size=(manifest.n_times, manifest.n_chans))).astype(np.float32)
        tangent = rng.normal(size=manifest.n_tangent).astype(np.float32)
        features = None
        if learnt.learnt.network is not None:
            raw = learnt.learnt.network.features(torch.tensor(signal.T[None])).detach().double().numpy()
            features = learnt.learnt.scale * raw
        found = torch.log_softmax(torch.tensor(engine.infer(signal, tangent)), 0).numpy()
        np.testing.assert_allclose(found, fit.log_proba(tangent[None], features)[0], atol=1e-3)
        module = learnt.module(fit)
        with torch.no_grad():
            by_module = module(torch.tensor(signal.T[None]), torch.tensor(tangent[None]))[0].numpy()
        np.testing.assert_allclose(engine.infer(signal, tangent), by_module, atol=1e-5)


def test_a_network_with_a_say_is_part_of_the_decoder(with_network: Population) -> None:
    """A stack that wants the network alone: the read-out of its features is the network's head."""
    learnt = replace(with_network.learnt, tangent=replace(with_network.learnt.tangent))
    fit = replace(Population(learnt, with_network.manifest).nobody(), weights=(1.0, 0.0))
    module = with_network.module(fit)
    assert module.tangent is None
    x = torch.tensor(np.random.default_rng(0).normal(size=(2, 8, 128)).astype(np.float32) * 1e-5)
    assert learnt.network is not None
    raw = learnt.network.features(x).detach().double().numpy()
    assert fit.features is not None
    expected = fit.log_proba(np.zeros((2, with_network.manifest.n_tangent)), learnt.scale * raw)
    with torch.no_grad():
        found = torch.log_softmax(module(x), 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_person_like_the_others_is_decoded_without_a_trial(population: Population) -> None:
    """0.75 of 16 trials is what guessing reaches once in 26 times; this person is skilled."""
    spec = population_spec()
    data = build_dataset([session(7)], spec, population.montage)
    proba = np.exp(population.nobody().log_proba(data.tangent, None))
    by_trial = np.stack([proba[data.trial == i].mean(0) for i in range(len(data.trials))])
    assert (by_trial.argmax(1) == data.trial_labels).mean() >= 0.75


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_people_are_refused(recorded: dict[str, list[Path]], count: int) -> None:
    few = {alias: recorded[alias] for alias in list(recorded)[:count]}
    words = "1 person is" if count == 1 else f"{count} people are"
    with pytest.raises(NeuriptError, match=rf"{words} too few to say anything of another; .* at least 3"):
        learn_population(few, population_spec())


def test_a_recording_that_is_there_twice_is_refused(recorded: dict[str, list[Path]], tmp_path: Path) -> None:
    """Also under another name: the contents count."""
    copy = tmp_path / "other.xdf"
    copy.write_bytes(recorded["02"][0].read_bytes())
    with pytest.raises(NeuriptError, match=r"other\.xdf of 04 is there twice \(the other one is of 02\)"):
        learn_population({**recorded, "04": [copy]}, population_spec())
    with pytest.raises(NeuriptError, match=r"other\.xdf of 02 is there twice \(the other one is of 02\)"):
        learn_population({**recorded, "02": [*recorded["02"], copy]}, population_spec())


def test_a_class_that_somebody_lacks_is_refused_with_their_alias(
    recorded: dict[str, list[Path]], tmp_path: Path
) -> None:
    lazy = write(tmp_path / "one.xdf", session(8, classes=("left_hand",)))
    with pytest.raises(NeuriptError, match=r"^04: .*right_hand"):
        learn_population({**recorded, "04": [lazy]}, population_spec())


def test_people_who_were_cued_by_neuript_say_their_classes_themselves() -> None:
    """Also where their files hold a practised, a rejected and a repeated trial."""
    mine = session(1, trials=5)
    cued = as_cue_session(mine, {name: name for name in CLASSES})
    said: list[str] = []
    data = datasets_of({"a": [cued]}, population_spec(event_map={}), said.append)["a"]
    assert said[0].startswith("the recordings say their classes themselves: ")
    assert sorted(data.classes) == sorted(CLASSES)
    expected = {(event.label, event.time_s) for event in events_of(mine) if event.label in CLASSES}
    assert {(trial.label, trial.onset_s) for trial in data.trials} <= expected
    assert len(data.trials) >= len(expected) - 1  # the first one may come before there is a whole window
    with pytest.raises(NeuriptError, match="not made with neuript's own cues, so name the marker of each class"):
        datasets_of({"a": [mine]}, population_spec(event_map={}), said.append)


def test_somebody_with_another_cap_shares_channels_with_the_others(
    recorded: dict[str, list[Path]], tmp_path: Path
) -> None:
    told: list[str] = []
    small = write(tmp_path / "small.xdf", session(8, names=("C3", "Cz", "C4", "Pz")))
    found = learn_population({**recorded, "04": [small]}, population_spec(), say=told.append)
    assert set(found.montage.ch_names) == {"C3", "Cz", "C4", "Pz"}
    assert any("F3 is left out" in sentence for sentence in told)
    assert any(sentence.startswith("04: 8 left_hand, 8 right_hand trials") for sentence in told)


def test_the_network_is_that_of_the_spec(with_network: Population) -> None:
    assert with_network.learnt.network is not None
    config = population_spec(network=True).network_config(2)
    assert with_network.learnt.network.config == config
    assert NetworkConfig.from_dict(with_network.manifest.metrics["opinions"]["network"]) == config
    assert "left_out" not in with_network.manifest.metrics


def changed(path: Path, out: Path, edit) -> Path:
    """The same file with another manifest, sealed again."""
    manifest, state = load_checkpoint(path)
    save_checkpoint(out, *edit(state, manifest))
    return out


def with_metrics(**values):
    def edit(state, manifest: Manifest):
        opinions = {**manifest.metrics["opinions"], **values}
        opinions = {k: v for k, v in opinions.items() if v is not None}
        return state, replace(manifest, metrics={**manifest.metrics, "opinions": opinions})

    return edit


def test_a_damaged_file_is_refused(population: Population, tmp_path: Path) -> None:
    path = tmp_path / "lab.safetensors"
    population.save(path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"no model"):
        path.write_bytes(damaged)
        with pytest.raises(ModelRefusedError) as refusal:
            load_population(path)
        assert refusal.value.exit_code == 5


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (with_metrics(candidates=[[0.0, 1.0]]), "its candidates are not those of this version of neuript"),
        (with_metrics(stacks=[[0.0, 1.0]]), "its stacks are not those of this version of neuript"),
        (with_metrics(tangent=None), "it has no prior of the Riemannian branch"),
        (with_metrics(stack=None), "cannot be used: KeyError: 'stack'"),
        (with_metrics(network={"n_outputs": 2}), "cannot be used: "),
        (lambda s, m: ({k: v for k, v in s.items() if k != f"{PRIOR_PREFIX}tangent.bias"}, m), "cannot be used: "),
        (lambda s, m: (s, replace(m, metrics={})), "cannot be used: KeyError: 'opinions'"),
        (lambda s, m: (s, replace(m, provenance={"simulated": True})), "is no population of earlier people"),
    ],
    ids=["candidates", "stacks", "no prior", "no stack", "network", "no weights", "no metrics", "another checkpoint"],
)
def test_what_is_no_population_of_this_version_is_refused(
    population: Population, tmp_path: Path, edit, words: str
) -> None:
    population.save(tmp_path / "lab.safetensors")
    path = changed(tmp_path / "lab.safetensors", tmp_path / "other.safetensors", edit)
    with pytest.raises(ModelRefusedError, match=words) as refusal:
        load_population(path)
    assert (refusal.value.exit_code, str(refusal.value).count("\n")) == (5, 0)


def test_it_is_not_saved_under_another_kind_of_name(population: Population, tmp_path: Path) -> None:
    with pytest.raises(NeuriptError, match=r"lab\.ts must end in \.safetensors"):
        population.save(tmp_path / "lab.ts")
    assert not list(tmp_path.iterdir())


def test_one_of_the_people_is_known_by_their_recordings(
    population: Population, recorded: dict[str, list[Path]], tmp_path: Path
) -> None:
    copy = tmp_path / "renamed.xdf"
    copy.write_bytes(recorded["03"][0].read_bytes())
    with pytest.raises(NeuriptError, match=r"renamed\.xdf is one of the recordings that the population was"):
        population.check_recordings([tmp_path / "nowhere.xdf", copy])
    population.check_recordings([write(tmp_path / "new.xdf", session(7))])


def test_the_classes_may_be_named_in_any_order(population: Population) -> None:
    population.check_classes(("right_hand", "left_hand"))
    for classes in (("left_hand", "feet"), ("left_hand",), ("left_hand", "right_hand", "rest")):
        with pytest.raises(NeuriptError, match=r"the population tells left_hand, right_hand apart, not left_hand"):
            population.check_classes(classes)


@pytest.mark.parametrize(
    ("wrong", "words"), [({"alignment": None}, "alignment"), ({"seed": -1}, "seed"), ({"seed": 2**63}, "seed")]
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict, words: str) -> None:
    with pytest.raises(NeuriptError, match=words):
        PopulationSpec(event_map=twin_people.EVENTS, **wrong)


def test_the_network_fits_the_windows_of_the_spec() -> None:
    config = population_spec(network=True).network_config(2)
    assert config is not None
    assert (config.n_outputs, config.n_times, config.pooling) == (2, 128, "covariance")
    assert population_spec(network=False).network_config(2) is None
