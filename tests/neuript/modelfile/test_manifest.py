from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuript.errors import ModelRefusedError
from neuript.modelfile.manifest import Manifest, provenance


def make(**changes: object) -> Manifest:
    values = {
        "task": "motor-imagery",
        "classes": ("left_hand", "rest"),
        "model": {"d_model": 64, "merges": (1, 4)},
        "montage": {"ch_names": ["C3", "C4"], "lobes": {"central": (0, 1)}},
        "preprocess": {"sfreq": 64.0, "alignment": {"bands_hz": ((8.0, 12.0), (12.0, 16.0), (16.0, 20.0))}},
        "window_s": 4.0,
        "hop_s": 0.125,
    }
    return Manifest(**(values | changes))


def test_json_round_trip_and_sizes() -> None:
    manifest = make(idle_class="rest", mains_hz=50.0, metrics={"µ": {"é": [1, None, True]}})
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(manifest.to_json(indent=1).encode()) == manifest
    assert (manifest.n_chans, manifest.n_times, manifest.n_outputs) == (2, 256, 2)
    assert manifest.n_tangent == 3 * 3
    assert make(preprocess={"sfreq": 64.0, "alignment": None}).n_tangent == 0
    assert set(json.loads(manifest.to_json())) == {f.name for f in fields(Manifest)}


def test_later_changes_of_the_arguments_do_not_reach_it() -> None:
    model = {"merges": [1, 4]}
    manifest = make(model=model)
    model["merges"].append(2)
    assert manifest.model == {"merges": [1, 4]}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"task": "Motor imagery!"}, "task="),
        ({"task": ""}, "task="),
        ({"classes": ("a",)}, "at least two"),
        ({"classes": ("a", "a")}, "at least two different"),
        ({"classes": ["a", "b"]}, "tuple of"),
        ({"classes": ("a", "b\n")}, "tuple of"),
        ({"idle_class": "feet"}, "idle_class='feet'"),
        ({"montage": {}}, "ch_names"),
        ({"montage": {"ch_names": []}}, "ch_names"),
        ({"montage": {"ch_names": ["C3", 4]}}, "ch_names"),
        ({"preprocess": {}}, r"preprocess\['sfreq'\]=None"),
        ({"preprocess": {"sfreq": -64}}, "positive"),
        ({"preprocess": {"sfreq": 64.0, "alignment": [[1.0, 0.0], [0.0, 1.0]]}}, r"preprocess\['alignment'\]="),
        ({"preprocess": {"sfreq": 64.0, "alignment": {}}}, r"preprocess\['alignment'\]="),
        ({"preprocess": {"sfreq": 64.0, "alignment": {"bands_hz": [[8.0]]}}}, r"preprocess\['alignment'\]="),
        ({"preprocess": {"sfreq": 64.0, "alignment": {"bands_hz": [[8.0, "12"]]}}}, r"preprocess\['alignment'\]="),
        ({"preprocess": {"sfreq": True}}, "positive"),
        ({"window_s": 0.3}, "whole number of samples"),
        ({"window_s": 1e9}, "whole number of samples"),
        ({"hop_s": 0}, "hop_s=0"),
        ({"model": {"x": float("nan")}}, "model.x is nan"),
        ({"provenance": {}}, "simulated"),
        ({"units": {"input": "microvolts"}}, "models take volts"),
        ({"weights_sha256": "xyz"}, "SHA-256"),
        ({"mains_hz": "50"}, "mains_hz='50'"),
        ({"format": 2}, "format=2"),
    ],
)
def test_values_out_of_range(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make(**changes)


@pytest.mark.parametrize("value", [{1: 2}, {"x": object()}, {"x": b"bytes"}])
def test_values_that_json_cannot_hold(value: object) -> None:
    with pytest.raises(TypeError, match=r"model"):
        make(model=value)


def test_an_encoder_has_no_classes() -> None:
    assert Manifest.from_json(make(classes=()).to_json()).n_outputs == 0


@pytest.mark.parametrize("name", ["task", "classes", "model", "montage", "preprocess", "hop_s"])
def test_missing_fields_are_named(name: str) -> None:
    values = make().to_dict()
    del values[name]
    with pytest.raises(ModelRefusedError, match=f"the manifest lacks the field {name}"):
        Manifest.from_dict(values)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from([f.name for f in fields(Manifest)]), json_values)
def test_any_value_in_any_field_is_taken_or_refused(name: str, value: object) -> None:
    values = make(idle_class="rest").to_dict() | {name: value}
    try:
        manifest = Manifest.from_dict(values)
    except ModelRefusedError:
        return
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_provenance_is_json_and_says_the_versions() -> None:
    about = provenance(data=["a.xdf"], simulated=False, counts={"left": 3}, epochs=12)
    manifest = replace(make(), provenance=about)
    assert Manifest.from_json(manifest.to_json()).provenance == about
    assert set(about["versions"]) == {"neuript", "torch", "numpy", "python"}
    assert about["epochs"] == 12


@pytest.mark.parametrize(
    ("about", "calibrated"),
    [
        ({}, True),
        ({"counts": {"left_hand": 20, "rest": 20}}, True),
        ({"kind": "population", "counts": {"people": 6, "trials": 400}}, False),
        ({"population": "lab.safetensors", "counts": {"left_hand": 0, "rest": 0}}, False),
        ({"population": "lab.safetensors", "counts": {}}, False),
        ({"population": "lab.safetensors"}, False),
        ({"population": "lab.safetensors", "counts": {"left_hand": 1, "rest": 0}}, True),
    ],
)
def test_who_gave_no_trial_is_not_calibrated(about: dict[str, object], calibrated: bool) -> None:
    assert make(provenance={"simulated": False, **about}).calibrated is calibrated
