"""Names of channels as amplifiers write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuript.montages import canonical_name, load_montage
from neuript.montages.names import is_auxiliary, is_generic


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG Fp1-REF", "Fp1"),
        ("EEG FP1-LE", "Fp1"),
        ("Fc5.", "FC5"),
        ("Iz..", "Iz"),
        ("Fcz.", "FCz"),
        ("t3", "T7"),
        ("T4", "T8"),
        ("T5", "P7"),
        ("EEG T6-REF", "P8"),
        ("FZ", "Fz"),
        ("  cz ", "Cz"),
        ("EEG-C3", "C3"),
        ("EEG_C3", "C3"),
        ("EEGC3", "C3"),
        ("POL C3", "C3"),
        ("C3 (uV)", "C3"),
        ("C3 [µV]", "C3"),
        ("Fp1-Avg", "Fp1"),
        ("Fp1 - Ref", "Fp1"),
        ("Fp1_REF", "Fp1"),
        ("C3-A1A2", "C3"),
        ("EEG C3-(A1+A2)/2", "C3"),
        ("C3-M1M2", "C3"),
        ("C3-0", "C3"),
        ("EEG C3-REF-1", "EEG C3-REF-1"),
        ("AFF5H", "AFF5h"),
        ("afp1", "AFp1"),
        ("cpp1h", "CPP1h"),
        ("nz", "Nz"),
        ("a1", "A1"),
        ("M2", "M2"),
        ("EEG FP1 - F7", "Fp1-F7"),
        ("FP1-T3", "Fp1-T7"),
        ("T3-T5", "T7-P7"),
        ("Fp1–F7", "Fp1-F7"),
        ("Fp1/F7", "Fp1-F7"),
        ("EEG Fpz-Cz", "Fpz-Cz"),
        ("EEG A2-A1", "A2-A1"),
        ("C3-A2", "C3-A2"),
        ("C3-C3", "C3-C3"),
        ("EEG 1", "EEG 1"),
        ("Ch 3", "Ch 3"),
        ("", ""),
        ("S2", "S2"),
        ("ECG", "ECG"),
        ("EOG left", "EOG left"),
        ("C11", "C11"),
        ("C0", "C0"),
        ("E12", "E12"),
    ],
)
def test_canonical_name(label: str, name: str) -> None:
    assert canonical_name(label) == name


def test_canonical_name_knows_the_whole_10_5_system_in_any_case() -> None:
    for name in load_montage("10-05").electrodes:
        for written in (name, name.upper(), name.lower(), f"EEG {name}-REF", f"{name}."):
            assert canonical_name(written) == name


def test_canonical_name_is_idempotent() -> None:
    for label in ["EEG Fp1-REF", "t3", "FP1 - F7", "EEG 1", "C3-0", " x "]:
        assert canonical_name(canonical_name(label)) == canonical_name(label)


@given(st.text() | st.from_regex(r"(EEG )?[A-Za-z]{1,4}[0-9zZ]{0,2}h?[-_ .:/A-Za-z0-9]{0,8}"))
def test_canonical_name_takes_any_text_and_settles_at_once(label: str) -> None:
    name = canonical_name(label)
    assert canonical_name(name) == name


def test_absurd_labels_cost_nothing() -> None:
    start = time.process_time()
    for label in ("-" * 200_000, " " * 200_000 + "x", "EEG " * 50_000, "E" * 200_000 + "1"):
        canonical_name(label)
        is_auxiliary(label)
        is_generic(label)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    "label",
    [
        *["EOG", "HEOG", "VEOG", "EOG1", "EOG-left", "EOG:ch01", "ECG", "EKG1", "EMG chin", "EXG1"],
        *["TRG", "Trigger", "TRIG1", "STI 014", "STIM", "Status", "DIN1", "Marker", "COUNTER"],
        *["INTERPOLATED", "GYROX", "ACC X", "Accelerometer X", "AUX_1", "Right AUX", "BATTERY"],
        *["Timestamp", "CQ_AF3", "Battery Level", "Validation Indicator", "LOC", "ROC", "Photic"],
        *["EEG ECG", "Packet Index", "SampleCounter", "EDF Annotations", "GSR", "Temp"],
    ],
)
def test_auxiliary_labels(label: str) -> None:
    assert is_auxiliary(label)


@pytest.mark.parametrize("label", ["C3", "EEG C3", "M1", "CP5", "Ch1", "EEG 1", "", "A2-A1", "S1"])
def test_eeg_labels_are_not_auxiliary(label: str) -> None:
    assert not is_auxiliary(label)


@pytest.mark.parametrize(
    ("label", "generic"),
    [
        *[(label, True) for label in ("", "7", "EEG 7", "EEG-0", "ch:00", "Ch07")],
        *[(label, False) for label in ("C3", "EEG C3", "S2", "EOG1")],
    ],
)
def test_generic_labels(label: str, generic: bool) -> None:
    assert is_generic(label) is generic
