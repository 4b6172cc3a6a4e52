"""Channel plans: which channels of a stream a model gets, and what is estimated for those that are not there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import canonical_name, draft_plan, fit_montage, load_montage, parse_montage, plan_channels

TEN_TWENTY = load_montage("10-20")


def apply(plan_matrix: NDArray[np.float64], signal: dict[str, float], labels: list[str]) -> NDArray:
    return plan_matrix @ np.array([signal[label] for label in labels])


def test_plan_exact_in_any_order() -> None:
    labels = list(reversed(TEN_TWENTY.ch_names))
    plan = plan_channels(labels, TEN_TWENTY)
    np.testing.assert_array_equal(plan.matrix, np.eye(19)[::-1])
    assert {entry.status for entry in plan.entries} == {"exact"}
    assert not plan.expected_error.any()
    assert plan.summary() == "19 electrodes: 19 exact"


def test_plan_renames_and_ignores() -> None:
    labels = "EEG Fp1-REF,FP2,f7,F3.,Fz,F4,F8,T3,C3,CZ,C4,T4,T5,P3,Pz,P4,T6,O1,O2,ECG,TRIG,X1"
    plan = plan_channels(labels.split(","), TEN_TWENTY)
    np.testing.assert_array_equal(plan.matrix, np.eye(19, 22))
    assert plan.names_with("ignored") == ("ECG", "TRIG", "X1")
    assert "T7" in plan.names_with("renamed")
    assert "F8" in plan.names_with("exact")
    table = plan.text()
    assert len(table.splitlines()) == 1 + 1 + 22
    assert all(label in table for label in labels.split(","))
    assert plan.used == tuple(range(19))
    json.dumps(plan.to_dict())


def test_eegmmidb_labels_all_match() -> None:
    montage = load_montage("eegmmidb-64")
    labels = [name.capitalize().ljust(4, ".") for name in montage.ch_names]
    assert labels[:2] == ["Fc5.", "Fc3."]
    np.testing.assert_array_equal(plan_channels(labels, montage).matrix, np.eye(64))


def test_bipolar_model_from_referential_stream(rng: np.random.Generator) -> None:
    model = load_montage("double-banana")
    labels = [*rng.permutation(TEN_TWENTY.ch_names), "EOG"]
    at = dict(zip(labels, rng.normal(size=20), strict=True))
    plan = plan_channels(labels, model)
    expected = [at[a] - at[b] for a, b in (name.split("-") for name in model.ch_names)]
    np.testing.assert_allclose(apply(plan.matrix, at, labels), expected, atol=1e-12)
    assert set(plan.names_with("ignored")) == {"Fz", "Pz", "EOG"}


def test_stream_that_already_carries_the_pairs() -> None:
    model = load_montage("double-banana")
    labels = [f"EEG {name.replace('T7', 'T3').upper()}" for name in model.ch_names]
    plan = plan_channels(labels, model)
    np.testing.assert_array_equal(plan.matrix, np.eye(20))
    assert [entry.name for entry in plan.entries] == list(model.ch_names)


def test_pairs_reversed_and_summed(rng: np.random.Generator) -> None:
    model = parse_montage("electrodes: [F7, Fp1, O1, C3, Cz]\nchannels: [Fp1-F7, F7-O1, C3-Cz]\n")
    labels = ["F7-Fp1", "F7-T3", "T3-T5", "T5-O1", "C3-Cz"]
    at = dict(zip(["Fp1", "F7", "T3", "T5", "O1", "C3", "Cz"], rng.normal(size=7), strict=True))
    stream = {label: at[label.split("-")[0]] - at[label.split("-")[1]] for label in labels}
    plan = plan_channels(labels, model)
    expected = [at["Fp1"] - at["F7"], at["F7"] - at["O1"], at["C3"] - at["Cz"]]
    np.testing.assert_allclose(apply(plan.matrix, stream, labels), expected, atol=1e-12)
    first, second, third = plan.entries
    assert (first.status, first.label) == ("renamed", "F7-Fp1")
    assert "sign" in first.note
    assert second.label == "F7-T3 + T3-T5 + T5-O1"
    assert (third.status, third.label) == ("exact", "C3-Cz")


def test_sleep_edf_labels() -> None:
    labels = ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal", "Resp oro-nasal", "EMG submental"]
    plan = plan_channels(labels, load_montage("sleep-edfx"))
    np.testing.assert_array_equal(plan.matrix, np.eye(2, 5))
    assert len(plan.names_with("ignored")) == 3


def test_average_model_from_a_stream_of_pairs(rng: np.random.Generator) -> None:
    model = TEN_TWENTY.pick(["F3", "C3", "P3", "O1"]).with_reference("average")
    at = dict(zip(["F3", "C3", "P3", "O1"], rng.normal(size=4), strict=True))
    labels = ["F3-C3", "C3-P3", "P3-O1"]
    stream = {label: at[label[:2]] - at[label[3:]] for label in labels}
    plan = plan_channels(labels, model)
    expected = np.array(list(at.values())) - np.mean(list(at.values()))
    np.testing.assert_allclose(apply(plan.matrix, stream, labels), expected, atol=1e-12)


def test_common_reference_written_into_every_label() -> None:
    for suffix in ("Cz", "A1", "TP9"):
        chosen = [n for n in TEN_TWENTY.ch_names if n != suffix]
        plan = plan_channels([f"{n}-{suffix}" for n in chosen], TEN_TWENTY.pick(chosen))
        np.testing.assert_array_equal(plan.matrix, np.eye(len(chosen)))
        assert suffix in plan.notes[0]


def test_ears_as_references_of_their_own_side() -> None:
    labels = ["F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1"]
    model = TEN_TWENTY.pick(["F3", "C3", "O1", "F4", "C4", "O2"])
    np.testing.assert_array_equal(plan_channels(labels, model).matrix, np.eye(6))


def test_reference_electrode_is_zero_where_that_helps() -> None:
    labels = [n for n in TEN_TWENTY.ch_names if n != "Cz"]
    average = TEN_TWENTY.with_reference("average")
    plan = plan_channels(labels, average, reference="CZ")
    x = np.arange(18.0)
    full = np.insert(x, TEN_TWENTY.ch_names.index("Cz"), 0.0)
    np.testing.assert_allclose(plan.matrix @ x, full - full.mean(), atol=1e-12)
    assert "Cz" in plan.names_with("exact")
    # as recorded, a channel that is always zero says nothing: estimated like any other
    plan = plan_channels(labels, TEN_TWENTY, reference="Cz")
    assert plan.names_with("interpolated") == ("Cz",)
    assert plan.matrix[TEN_TWENTY.ch_names.index("Cz")].any()


def test_missing_electrode_is_interpolated_with_its_price() -> None:
    labels = [n for n in load_montage("eegmmidb-64").ch_names if n != "C3"]
    plan = plan_channels(labels, TEN_TWENTY)
    row = plan.matrix[TEN_TWENTY.ch_names.index("C3")]
    assert row.sum() == pytest.approx(1.0)
    nearest = {labels[i] for i in np.argsort(-row)[:4]}
    assert nearest <= {"C1", "C5", "FC3", "CP3", "FC1", "FC5", "CP1", "CP5"}
    entry = next(e for e in plan.entries if e.name == "C3")
    assert entry.status == "interpolated"
    assert 0.2 < entry.expected_error < 0.45
    assert f"{entry.expected_error:.0%}" in entry.note
    sparse = plan_channels([n for n in TEN_TWENTY.ch_names if n != "C3"], TEN_TWENTY)
    assert sparse.expected_error.max() > 1.4 * entry.expected_error


def test_interpolation_is_reference_free(rng: np.random.Generator) -> None:
    labels = [n for n in TEN_TWENTY.ch_names if n not in ("F3", "P4")]
    plan = plan_channels(labels, load_montage("double-banana"))
    x = rng.normal(size=len(labels))
    np.testing.assert_allclose(plan.matrix @ (x + 17.0), plan.matrix @ x, atol=1e-11)
    touched = [any(e in n.split("-") for e in ("F3", "P4")) for n in plan.model.ch_names]
    np.testing.assert_array_equal(plan.expected_error > 0, touched)


def test_missing_pair_is_estimated_from_the_other_pairs(rng: np.random.Generator) -> None:
    model = load_montage("double-banana")
    labels = [n for n in model.ch_names if "O2" not in n]
    at = dict(zip(model.electrodes, rng.normal(size=17), strict=True))
    stream = {n: at[n.split("-")[0]] - at[n.split("-")[1]] for n in labels}
    plan = draft_plan(labels, model)
    referential = draft_plan([e for e in model.electrodes if e != "O2"], model)
    potentials = [at[e] for e in model.electrodes if e != "O2"]
    np.testing.assert_allclose(apply(plan.matrix, stream, labels), referential.matrix @ potentials, atol=1e-10)
    assert plan.names_with("interpolated") == ("P8-O2", "P4-O2")


def test_bad_channels_are_replaced() -> None:
    labels = [f"EEG {n}-REF" for n in TEN_TWENTY.ch_names]
    for bads in (["EEG C3-REF"], ["C3"], ["c3"]):
        plan = plan_channels(labels, TEN_TWENTY, bads=bads)
        assert plan.names_with("interpolated") == ("C3",)
        assert labels.index("EEG C3-REF") not in plan.used
    with pytest.raises(NeuriptError, match="bad channel 'FC9' is not in the stream"):
        plan_channels(labels, TEN_TWENTY, bads=["FC9"])


def test_bad_channels_stay_out_of_the_average() -> None:
    average = TEN_TWENTY.with_reference("average")
    plan = plan_channels(TEN_TWENTY.ch_names, average, bads=["Pz"])
    assert not plan.matrix[:, TEN_TWENTY.ch_names.index("Pz")].any()
    np.testing.assert_allclose(plan.matrix.sum(axis=1), 0.0, atol=1e-12)


def test_duplicates_use_the_first_good_one() -> None:
    labels = [*TEN_TWENTY.ch_names, "EEG C3", "T3"]
    plan = plan_channels(labels, TEN_TWENTY)
    np.testing.assert_array_equal(plan.matrix, np.eye(19, 21))
    ignored = [e for e in plan.entries if e.status == "ignored"]
    assert [e.label for e in ignored] == ["EEG C3", "T3"]
    assert "C3 again" in ignored[0].note
    plan = plan_channels(["C3", *labels], TEN_TWENTY, bads=[])
    assert plan.used[0] == 0


def test_seven_of_nineteen_is_refused_in_one_sentence() -> None:
    with pytest.raises(NeuriptError) as caught:
        plan_channels(["F3", "F4", "C3", "C4", "P3", "Pz", "P4"], TEN_TWENTY)
    message = str(caught.value)
    assert "7 of the 19 electrodes" in message
    assert "Fp1" in message
    assert "temporal-left" in message
    assert "calibrate" in message
    assert "\n" not in message
    draft = draft_plan(["F3", "F4", "C3", "C4", "P3", "Pz", "P4"], TEN_TWENTY)
    assert len(draft.problems) == 2
    assert "25%" in draft.problems[1]


def test_an_empty_lobe_is_refused_even_when_few_are_missing() -> None:
    labels = [n for n in TEN_TWENTY.ch_names if n not in ("O1", "O2")]
    with pytest.raises(NeuriptError, match="nothing measured remains for the lobe occipital"):
        plan_channels(labels, TEN_TWENTY)
    average = TEN_TWENTY.with_reference("average")
    with pytest.raises(NeuriptError, match="occipital"):
        plan_channels(labels, average)


def test_the_share_of_interpolated_electrodes_is_the_users_choice() -> None:
    model = load_montage("eegmmidb-64")
    labels = [name for i, name in enumerate(model.ch_names) if i % 3]
    with pytest.raises(NeuriptError, match="at most 25% may be interpolated"):
        plan_channels(labels, model)
    assert len(plan_channels(labels, model, max_interpolated=0.5).names_with("interpolated")) == 22


def test_fit_montage_keeps_what_the_stream_measures() -> None:
    labels = ["Pz", "Cz", "T6", "T4", "F8", "P4", "C4", "F4", "Fz", "T5", "T3", "F7", "P3", "C3"]
    fitted = fit_montage([*labels, "ECG"], TEN_TWENTY)
    assert set(fitted.ch_names) == {canonical_name(label) for label in labels}
    assert [n for n in TEN_TWENTY.ch_names if n in fitted.ch_names] == list(fitted.ch_names)
    assert "occipital" not in fitted.lobes
    assert {e.status for e in plan_channels(labels, fitted).entries} == {"exact", "renamed"}
    average = fit_montage(labels, TEN_TWENTY.with_reference("average"))
    assert average.reference == "average"
    assert average.ch_names == fitted.ch_names
    pairs = fit_montage(labels, load_montage("double-banana"))
    ours = {canonical_name(label) for label in labels}
    assert pairs.ch_names == tuple(
        name for name in load_montage("double-banana").ch_names if set(name.split("-")) <= ours
    )
    assert len(pairs.ch_names) == 11
    assert fit_montage(TEN_TWENTY.ch_names, TEN_TWENTY) is TEN_TWENTY
    with pytest.raises(NeuriptError, match="electrode"):
        fit_montage(["ECG", "FC9"], TEN_TWENTY)
    with pytest.raises(NeuriptError, match="no labels"):
        fit_montage([""] * 4, TEN_TWENTY)


def test_many_channels_that_are_ignored_for_one_reason_share_a_line_of_the_table():
    names = [name for name in load_montage("10-05").ch_names if name not in ("A1", "A2", "M1", "M2")][:64]
    model = load_montage("10-05").pick(names[:8])
    plan = plan_channels([*names, "ECG"], model)
    assert plan.names_with("ignored") == (*names[8:], "ECG")
    (line,) = [line for line in plan.text().splitlines() if "56 channels" in line]
    assert line.startswith("-")
    assert f"not needed by the model: {', '.join(names[8:])}" in line
    assert len(plan.text().splitlines()) == 2 + 8 + 2
    assert "57 stream channels ignored" in plan.summary()
