"""Calibration with earlier people: who and what is refused, and what few trials, or none, give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_people import QUICK
from twin_people import EVENTS, NAMES, calibration_spec, population_spec, session, write, write_people

from neuript import calibrate, cli
from neuript.errors import NeuriptError
from neuript.files import file_sha256
from neuript.modelfile.deployable import open_model
from neuript.montages import Montage
from neuript.network.stack import reference_of
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.calibration.from_people import fit_from_people, spec_like
from neuript.training.calibration.held_out import NETWORK, TANGENT
from neuript.training.fitting.plain import BASELINES
from neuript.training.population import population_file
from neuript.training.population.learning import Learning
from neuript.training.population.population_file import Population, learn_population, load_population
from neuript.training.windows.dataset import build_dataset

SMALL = tuple(name for name in NAMES if name not in ("F3", "P4"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, and the file of what they say."""
    folder = tmp_path_factory.mktemp("lab")
    learn_population(write_people(folder / "bids"), population_spec()).save(folder / "lab.safetensors")
    return folder


@pytest.fixture(scope="module")
def population(lab: Path) -> Population:
    return load_population(lab / "lab.safetensors")


@pytest.fixture(scope="module")
def newcomer() -> Recording:
    return session(9)


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


def calibrated(lab: Path, *recordings, **options):
    told: list[str] = []
    spec = calibration_spec(**{"population": str(lab / "lab.safetensors"), **options})
    return calibrate([*recordings], spec, say=told.append), told


def cut(recording: Recording, n_trials: int) -> Recording:
    """The same session with its first trials alone; the signal goes on."""
    cues = recording.streams[1]
    kept = []
    for i, row in enumerate(cues.values):
        kept += [i] if row[0] in EVENTS and len(kept) < n_trials else []
    some = replace(
        cues,
        values=[cues.values[i] for i in kept],
        timestamps=cues.timestamps[kept],
        raw_timestamps=cues.raw_timestamps[kept],
    )
    return replace(recording, streams=[recording.streams[0], some])


def test_a_new_person_begins_with_the_people_and_is_scored(lab: Path, newcomer: Recording) -> None:
    result, told = calibrated(lab, newcomer)
    assert set(result.scores) == {*BASELINES, TANGENT, STACK}
    assert {card.n_trials for card in result.scores.values()} == {16}
    assert result.published is result.scores[STACK]
    assert result.published.accuracy >= 0.75
    assert result.decoder.people == ("01", "02", "03")
    manifest = result.manifest
    assert manifest.calibrated
    assert manifest.provenance["people"] == ["01", "02", "03"]
    assert manifest.provenance["population"] == file_sha256(lab / "lab.safetensors")
    assert (manifest.provenance["simulated"], manifest.classes) == (True, ("left_hand", "right_hand"))
    assert result.operating_point is not None
    assert result.controls
    assert any("8 left_hand, 8 right_hand trials" in sentence for sentence in told)


def test_windows_are_cut_and_aligned_as_those_of_the_people(
    lab: Path, population: Population, newcomer: Recording
) -> None:
    result, _ = calibrated(lab, newcomer, alignment=None, task="other", idle_class=None)
    assert result.manifest.preprocess["alignment"] == population.manifest.preprocess["alignment"]
    assert result.manifest.task == population.manifest.task
    kept = Reference.of({k: v.numpy() for k, v in reference_of(result.decoder.module.state_dict()).items()})
    assert kept is not None
    assert kept.seconds >= 30
    assert result.manifest.montage["ch_names"] == population.manifest.montage["ch_names"]


@pytest.mark.parametrize("order", [("left_hand", "right_hand"), ("right_hand", "left_hand")])
def test_classes_may_come_in_any_order(lab: Path, newcomer: Recording, order: tuple[str, str]) -> None:
    result, _ = calibrated(lab, newcomer, event_map={name: (name,) for name in order})
    assert result.manifest.classes == ("left_hand", "right_hand")
    assert result.published is not None
    assert result.published.accuracy >= 0.75


def test_markers_may_be_others_than_those_of_the_people(lab: Path, tmp_path: Path, newcomer: Recording) -> None:
    cues = newcomer.streams[1]
    numbers = {"left_hand": "769", "right_hand": "770"}
    renamed = replace(cues, values=[(numbers.get(row[0], row[0]),) for row in cues.values])
    other = replace(newcomer, streams=[newcomer.streams[0], renamed])
    result, _ = calibrated(lab, other, event_map={"right_hand": (770,), "left_hand": ("769",)})
    assert result.counts == {"left_hand": 8, "right_hand": 8}
    assert result.published is not None
    assert result.published.accuracy >= 0.75


def test_one_of_the_people_is_refused(lab: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.xdf"
    copy.write_bytes((lab / "bids" / "sub-02" / "eeg" / "sub-02_eeg.xdf").read_bytes())
    with pytest.raises(NeuriptError, match=r"mine\.xdf is one of the recordings that the population was learnt from"):
        calibrated(lab, copy)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"event_map": {"left_hand": ("left_hand",), "feet": ("right_hand",)}}, "tells left_hand, right_hand apart"),
        ({"window_s": 1.5}, r"windows are 2 s at 64 Hz, not 1.5 s at 64 Hz; leave out --window"),
        ({"sfreq": 128.0}, r"windows are 2 s at 64 Hz, not 2 s at 128 Hz"),
        ({"reference": "average"}, r"reference is 'as recorded', not 'average'; leave out --reference"),
    ],
    ids=["classes", "window", "rate", "reference"],
)
def test_another_task_or_window_is_refused_in_one_sentence(
    lab: Path, newcomer: Recording, options: dict, words: str
) -> None:
    with pytest.raises(NeuriptError, match=words) as refusal:
        calibrated(lab, newcomer, **options)
    assert "\n" not in str(refusal.value)


def test_too_few_shared_electrodes_are_refused_in_one_sentence(lab: Path) -> None:
    with pytest.raises(NeuriptError, match=r"the population needs the electrodes .*; 3 of these 8 are here and good, "):
        calibrated(lab, session(9, names=("C3", "Cz", "C4")))


def test_too_short_a_recording_is_refused_in_one_sentence(lab: Path) -> None:
    with pytest.raises(NeuriptError, match=r"not half a minute of clean signal without a break"):
        calibrated(lab, session(9, trials=2), event_map={})


def test_too_few_trials_to_hold_out_give_a_model_without_an_accuracy(
    lab: Path, newcomer: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from neuript.cli.show_calibration import print_calibration

    result, _ = calibrated(lab, cut(newcomer, 6))
    assert 0 < min(result.counts.values()) < 5
    assert (result.scores, result.published, result.operating_point, result.controls) == ({}, None, None, ())
    assert result.manifest.calibrated  # a few trials are trials
    print_calibration(result)
    said = " ".join(capsys.readouterr().out.split())
    assert "The decoder began with what 3 earlier people say." in said
    assert "6 trials are too few to hold some out, so no accuracy can be said" in said
    result.save(tmp_path / "mi.ts")
    data = build_dataset([newcomer], spec_like(calibration_spec(), load_population(lab / "lab.safetensors")))
    engine = open_model(tmp_path / "mi.ts")
    said_of = [engine.infer(s.T, t).argmax() for s, t in zip(data.signal, data.tangent, strict=True)]
    assert np.mean(said_of == data.y) > 0.7


def test_no_trial_at_all_gives_a_model_with_a_reference(
    lab: Path, population: Population, newcomer: Recording, tmp_path: Path
) -> None:
    result, _ = calibrated(lab, newcomer, event_map={})
    assert (result.n_trials, result.published) == (0, None)
    assert not result.manifest.calibrated
    assert result.manifest.classes == ("left_hand", "right_hand")
    result.save(tmp_path / "mi.ts")
    engine = open_model(tmp_path / "mi.ts")
    assert set(engine.reference) == {"mean", "distance", "seconds"}
    draw = np.random.default_rng(2)
    signal = (1e-6 * draw.normal(size=(128, 8))).astype(np.float32)
    tangent = draw.normal(size=engine.manifest.n_tangent).astype(np.float32)
    nobody = population.nobody().log_proba(tangent[None], None)[0]
    found = torch.log_softmax(torch.tensor(engine.infer(signal, tangent)), 0).numpy()
    np.testing.assert_allclose(found, nobody, atol=1e-4)


def test_each_trial_moves_the_decoder_from_the_people_to_ones_own(
    lab: Path, population: Population, newcomer: Recording
) -> None:
    weights = [population.nobody().tangent.readout.weight]
    for n_trials in (4, 16):
        data = build_dataset([cut(newcomer, n_trials)], spec_like(calibration_spec(), population), population.montage)
        branch = fit_from_people(data, population).module.tangent
        assert branch is not None
        weights.append(branch.state_dict()["weight"].numpy())
    moved = [np.linalg.norm(w - weights[0]) for w in weights[1:]]
    assert 0 < moved[0] < moved[1]


def test_electrodes_that_are_not_there_are_estimated_and_said(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = session(9, names=SMALL)
    result, told = calibrated(lab, small)
    note = "estimated from the other electrodes: F3, P4"
    assert note in told
    assert note in result.notes
    assert set(Montage.from_dict(result.manifest.montage).estimated) == {"F3", "P4"}
    assert set(result.manifest.ch_names) == set(NAMES)
    assert result.published is not None
    assert result.published.accuracy > 0.6

    model, replayed = tmp_path / "mi.ts", write(tmp_path / "later.xdf", session(9, 1, names=SMALL, trials=4))
    result.save(model)
    command = ["live", "--model", str(model), "--replay", str(replayed), "--mains", "0", "--headless", "--json"]
    assert cli.main(command) == 0
    rows = capsys.readouterr().out.splitlines()
    assert sum('"OK"' in row for row in rows) > 30


def test_a_channel_that_is_flat_counts_as_not_there(lab: Path) -> None:
    whole = session(9)
    eeg = whole.streams[0]
    values = eeg.values.copy()
    values[:, eeg.info.ch_names.index("Pz")] = 0.0
    result, told = calibrated(lab, replace(whole, streams=[replace(eeg, values=values), whole.streams[1]]))
    assert "estimated from the other electrodes: Pz" in told
    assert Montage.from_dict(result.manifest.montage).estimated == ("Pz",)


def test_a_stretch_is_decoded_without_its_block(population: Population, newcomer: Recording) -> None:
    data = build_dataset([newcomer], spec_like(calibration_spec(), population), population.montage)
    decoder = fit_from_people(data, population, n_folds=3)
    assert len(decoder.blocks) == len(decoder.without_block) == 3
    said = np.zeros((len(data.x), 2))
    for (_, test), without in zip(decoder.blocks, decoder.without_block, strict=True):
        said[test] = without(data.signal[test], data.tangent[test])
    right = [said[data.trial == i].mean(0).argmax() == label for i, label in enumerate(data.trial_labels)]
    assert np.mean(right) == pytest.approx(decoder.scores[STACK].accuracy, abs=1.01 / 16)
    whole = decoder.module(torch.tensor(data.signal), torch.tensor(data.tangent)).detach().numpy()
    assert not np.allclose(said, whole)


def test_with_a_network_it_is_the_peoples(lab: Path, newcomer: Recording, tmp_path: Path) -> None:
    people = {f"0{k}": [lab / "bids" / f"sub-0{k}" / "eeg" / f"sub-0{k}_eeg.xdf"] for k in (1, 2, 3)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(population_file, "Learning", lambda data, config, **how: Learning(data, config, QUICK, **how))
        learn_population(people, population_spec(network=True)).save(tmp_path / "lab.safetensors")
    result, _ = calibrated(tmp_path, newcomer)
    assert set(result.scores) == {*BASELINES, NETWORK, TANGENT, STACK}
    assert set(result.decoder.nll) == {NETWORK, TANGENT, STACK}
    network = result.decoder.module.network
    assert (network is None) == (result.weights[0] == 0)
    if network is not None:
        theirs = load_population(tmp_path / "lab.safetensors").learnt.network
        assert theirs is not None
        for name, values in theirs.encoder.state_dict().items():
            assert torch.equal(values, network.encoder.state_dict()[name])
    result.save(tmp_path / "mi.ts")
