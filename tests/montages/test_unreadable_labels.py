"""Labels in forms that recorders really write: the name that stands in them is read, or the stream is refused."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import canonical_name, draft_plan, load_montage, plan_channels
from neuript.montages.names import is_auxiliary, is_count, names_electrode

CAP = load_montage("10-20")
CLINICAL = tuple(
    name for row in ("Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2", "F7 F8 T3 T4 T5 T6 Fz Cz Pz") for name in row.split(" ")
)
"""The usual order of clinical files, which is not that of the montage."""


@pytest.mark.parametrize(
    "form",
    [
        *["EEG {}-AA", "{}_EEG", "{}-EEG", "{} EEG", "{}-ref", "EEG {}-LE", "EEG {}-AVG", "EEG {}-Org", "EEG {}-Ref"],
        *["EEG_{}_AA", "EEG:{}:AA", "EEG {} - Linked Ears", "EEG.{}", "{}.", "{}..", "[{}]", "EEG {} (uV)"],
        *["{}-G2", "{}-LM", "{}-A12", "{}-REF2", "Ch_{}", "POL {}-Ref"],
    ],
)
def test_the_name_that_stands_in_a_label_is_read(form):
    labels = [form.format(name) for name in CLINICAL]
    expected = plan_channels(CLINICAL, CAP, CAP).matrix
    for written in (labels, [label.upper() for label in labels], [label.lower() for label in labels]):
        np.testing.assert_array_equal(plan_channels(written, CAP, CAP).matrix, expected)


@pytest.mark.parametrize("form", ["{i}-{name}", "Ch {i}: {name}", "EEG{i} ({name})", "{i:02d} {name}"])
def test_a_number_before_the_name_is_no_name(form):
    labels = [form.format(i=i, name=name) for i, name in enumerate(CLINICAL, start=1)]
    np.testing.assert_array_equal(plan_channels(labels, CAP, CAP).matrix, plan_channels(CLINICAL, CAP, CAP).matrix)


@pytest.mark.parametrize(
    "label",
    [
        *["C3-theta", "C3 imp", "EEG C3 imp", "AF3-CQ", "CQ_AF3", "C3-EMG", "EEG T3 Chin", "AF3-power", "EEG C3 alpha"],
        *["Fp1-F77", "EEG C3P-REF", "AA-C3", "EEG left C3", "P3 event"],
    ],
)
def test_what_is_not_the_eeg_of_one_electrode_is_not_read_as_that(label):
    assert not names_electrode(label)
    assert canonical_name(label) == label


@pytest.mark.parametrize("form", ["{}?x?", "lead({})", "x{}y", "{} theta", "pos={}"])
def test_labels_that_cannot_be_read_are_never_replaced_by_the_order_of_the_montage(form):
    labels = [form.format(name) for name in CLINICAL]
    plan = draft_plan(labels, CAP, CAP)
    assert not plan.matrix.any()
    with pytest.raises(NeuriptError, match=r"cannot read .*order of montage 10-20 says nothing.*--channels Fz,C3,-"):
        plan_channels(labels, CAP, CAP)


def test_makers_names_of_places_are_no_count():
    for letter in "ABE":
        labels = [f"{letter}{i}" for i in range(3, 22)]
        with pytest.raises(NeuriptError, match="do not just count up"):
            plan_channels(labels, CAP, CAP)
    assert plan_channels([f"A{i}" for i in range(1, 33)], CAP, load_montage("biosemi-32")).matrix.any()


@pytest.mark.parametrize(
    "labels",
    [
        [f"EXG Channel {i}" for i in range(8)],
        [f"EXG{i}" for i in range(1, 9)],
        [f"EEG {i}-REF" for i in range(1, 9)],
        [f"EEG Channel {i}" for i in range(8)],
        [f"unit-7 in {i}" for i in range(8)],
        [f"Input{i}" for i in range(8)],
    ],
)
def test_what_only_counts_is_named_in_the_order_of_the_cap_and_that_is_said(labels):
    cap = load_montage("openbci-8")
    plan = plan_channels(labels, cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(8))
    assert "named in the order of montage openbci-8: 1 Fp1, 2 Fp2" in plan.notes[0]
    assert plan.label_notes() == []  # once is enough


def test_numbers_that_do_not_go_up_contradict_the_order():
    cap = load_montage("openbci-8")
    with pytest.raises(NeuriptError, match="do not just count up"):
        plan_channels([f"Ch {i}" for i in (3, 1, 2, 4, 5, 6, 7, 8)], cap, cap)
    assert is_count(["Ch 1", "", "Ch 3"])
    assert not is_count(["Ch 1", "Ch 1"])


def test_all_columns_of_an_openbci_recorder():
    columns = [
        "Sample Index", *[f"EXG Channel {i}" for i in range(8)], *[f"Accel Channel {i}" for i in range(3)], "Not Used",
        "Digital Channel 0 (D11)", "Analog Channel 0", "Timestamp", "Other", "Timestamp (Formatted)", "Marker Channel",
    ]  # fmt: skip
    cap = load_montage("openbci-8")
    plan = plan_channels(columns, cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(8, len(columns), k=1))


def test_external_inputs_beside_named_electrodes_stay_out():
    labels = [*CLINICAL, *[f"EXG{i}" for i in range(1, 9)]]
    assert is_auxiliary("EXG1")
    assert plan_channels(labels, CAP, CAP).used == tuple(range(19))


def test_what_a_label_was_taken_for_is_said():
    plan = plan_channels([f"EEG {name}-AA" for name in CLINICAL] + ["Kopf"], CAP, CAP)
    read, unread = plan.label_notes()
    assert read.startswith("read as electrodes: Fp1 (EEG Fp1-AA), Fp2 (EEG Fp2-AA)")
    assert "T7 (EEG T3-AA)" in read
    assert unread == "not used, for they name no electrode: Kopf"
    assert plan_channels([f"{name.upper()}." for name in CAP.ch_names], CAP, CAP).label_notes() == []


def test_a_word_behind_some_names_only_is_no_reference():
    """What is measured of an electrode beside its EEG: however it is called, it must not be decoded in its place."""
    labels = ["C3-SQI", "C4-SQI", *CLINICAL]
    assert plan_channels(labels, CAP, CAP).used == tuple(range(2, len(labels)))
    mixed = [f"{name}-{'AA' if i else 'conf'}" for i, name in enumerate(CLINICAL)]
    assert 0 not in draft_plan(mixed, CAP, CAP).used
