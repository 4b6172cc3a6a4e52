"""The figures of a calibration are plain JSON, and the model file holds them with where it comes from."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_windows import dataset, fitted

from neuript.errors import NeuriptError
from neuript.modelfile.deployable import open_model
from neuript.modelfile.describe import describe_model
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.calibration.held_out import NETWORK, TANGENT
from neuript.training.calibration.to_model import decoder_figures, to_model

SPEC = CalibrationSpec(event_map={"left": "769", "right": "770"}, subject="S07")
RUNS = [Recording(Path("/far/away/day1/eeg.edf"), [], "EDF"), Recording(Path("run3.xdf"), [], "XDF")]


def test_figures_are_plain_json(rng):
    result = fitted(dataset(rng, 3))
    figures = decoder_figures(result)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    mine = figures["decoders"][STACK]
    assert mine["accuracy"] == round(result.scores[STACK].accuracy, 4)
    assert set(mine) >= {"interval_95", "n_trials", "chance_bound_5", "nll_per_trial"}
    assert set(figures["decoders"]) == {"CSP+LDA", "TS+LR", NETWORK, TANGENT, STACK}


def test_a_saved_result_tells_figures_and_provenance_and_decodes(rng, tmp_path):
    data = dataset(rng)
    result = to_model(
        data, fitted(data, alone=True), None, (), replace(SPEC, config_file_sha256="ab" * 32), RUNS, 12.34
    )
    written = result.save(tmp_path / "mi.ts")
    assert re.search(f"^--config SHA-256 +{'ab' * 32}$", describe_model(tmp_path / "mi.ts"), re.MULTILINE)
    engine = open_model(tmp_path / "mi.ts")
    assert engine.manifest == written
    assert engine.manifest.metrics == result.figures
    assert result.figures["trials"] == result.counts == {"left": 12, "right": 12}
    assert (result.figures["windows"], result.figures["seconds"], result.n_trials) == (48, 12.3, 24)
    told = engine.manifest.provenance
    assert (told["data"], told["subject"]) == (["recording 1 (EDF)", "recording 2 (XDF)"], "S07")
    assert result.published is result.scores[STACK]
    logits = engine.infer(data.signal[0].T, data.tangent[0])
    assert logits.argmax() == data.y[0]
    np.testing.assert_array_equal(Reference.of(engine.reference).mean, data.reference.mean)


def test_a_model_keeps_no_folder_or_file_name_of_the_person(rng, tmp_path):
    runs = [Recording(Path("/lab/Jane Doe 1980-02-03/run1.edf"), [], "EDF")]
    data = dataset(rng)
    data = replace(data, notes=("Jane Doe 1980-02-03/run1.edf: 2 of 9 trials have no clean window",))
    result = to_model(data, fitted(data, alone=True), None, (), SPEC, runs, 1.0)
    result.save(tmp_path / "mi.ts")
    assert result.notes == ("recording 1: 2 of 9 trials have no clean window",)
    held = (tmp_path / "mi.ts").read_bytes()
    assert not any(name in held for name in (b"Jane", b"1980", b"run1.edf"))
    assert (tmp_path / "mi.ts").stat().st_mode & 0o777 == 0o600


def test_a_population_is_known_by_its_hash_and_not_by_its_name(rng, tmp_path):
    population = tmp_path / "Jane Doe.safetensors"
    population.write_bytes(b"what earlier people say")
    data = dataset(rng)
    spec = replace(SPEC, population=str(population))
    result = to_model(data, fitted(data, alone=True), None, (), spec, RUNS, 1.0)
    told = result.save(tmp_path / "mi.ts").provenance
    assert told["population"] == hashlib.sha256(b"what earlier people say").hexdigest()
    assert b"Jane" not in (tmp_path / "mi.ts").read_bytes()
    population.unlink()
    gone = to_model(data, fitted(data, alone=True), None, (), spec, RUNS, 1.0)
    assert gone.manifest.provenance["population"] == "unknown"
    assert gone.manifest.calibrated


def test_a_result_is_not_saved_under_another_kind_of_name(rng, tmp_path):
    data = dataset(rng)
    result = to_model(data, fitted(data, alone=True), None, (), SPEC, RUNS, 1.0)
    with pytest.raises(NeuriptError, match=r"must end in \.ts"):
        result.save(tmp_path / "mi.model")
