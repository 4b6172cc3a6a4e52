"""Channel plans for streams whose labels say little or nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import draft_plan, load_montage, plan_channels

TEN_TWENTY = load_montage("10-20")


@pytest.mark.parametrize("labels", [[""] * 8, [str(i) for i in range(8)], [f"Ch {i}" for i in range(8)]])
def test_labels_from_the_cap(labels: list[str]) -> None:
    cap = load_montage("openbci-8")
    plan = plan_channels(labels, cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(8))
    assert "named in the order of montage openbci-8" in plan.notes[0]


def test_labels_from_the_cap_beside_auxiliary_channels() -> None:
    cap = load_montage("openbci-8")
    plan = plan_channels([*[""] * 8, "AUX 1", "TRG"], cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(8, 10))
    types = [*["EEG"] * 8, "ACC", "ACC"]
    plan = plan_channels([""] * 10, cap, cap, ch_types=types)
    np.testing.assert_array_equal(plan.matrix, np.eye(8, 10))


def test_no_labels_and_no_cap() -> None:
    with pytest.raises(NeuriptError, match=r"no labels; say .* --montage \(.*openbci-8"):
        plan_channels([""] * 8, load_montage("openbci-8"))
    with pytest.raises(NeuriptError, match="none that comes with neuript has 11 channels"):
        plan_channels([""] * 11, TEN_TWENTY)


def test_no_labels_and_a_cap_of_another_size() -> None:
    with pytest.raises(NeuriptError, match=r"16 EEG channels have no labels, but .* openbci-8 has 8"):
        plan_channels([""] * 16, TEN_TWENTY, load_montage("openbci-8"))


def test_half_named_streams_must_agree_with_the_cap() -> None:
    cap = load_montage("bcic-iv-2a-22")
    named = {0: "EEG-Fz", 7: "EEG-C3", 9: "EEG-Cz", 11: "EEG-C4", 19: "EEG-Pz"}
    labels = [named.get(i, f"EEG-{i}") for i in range(22)] + ["EOG-left", "EOG-central", "EOG-right"]
    plan = plan_channels(labels, cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(22, 25))
    labels[7], labels[9] = labels[9], labels[7]
    with pytest.raises(NeuriptError, match=r"channel 8 is called EEG-Cz, but .* would be C3"):
        plan_channels(labels, cap, cap)


def test_aliases_of_a_cap() -> None:
    unicorn = load_montage("unicorn-8")
    labels = [f"EEG {i}" for i in range(1, 9)] + ["Accelerometer X", "Battery Level", "Counter"]
    for cap in (unicorn, None):  # every alias of the model occurs: it is this cap
        plan = plan_channels(labels, unicorn, cap)
        np.testing.assert_array_equal(plan.matrix, np.eye(8, 11))
    biosemi = load_montage("biosemi-32")
    labels = [f"A{i}" for i in range(1, 33)] + ["EXG1", "Status"]
    plan = plan_channels(labels, TEN_TWENTY, biosemi)
    assert plan.matrix[TEN_TWENTY.ch_names.index("Cz"), 31] == 1.0
    with pytest.raises(NeuriptError, match=r"name no electrode .*biosemi-32"):
        plan_channels(labels, TEN_TWENTY)


def test_labels_win_over_the_order_of_the_cap() -> None:
    cap = load_montage("openbci-8")
    plan = plan_channels(list(reversed(cap.ch_names)), cap, cap)
    np.testing.assert_array_equal(plan.matrix, np.eye(8)[::-1])


def test_a_stream_of_pairs_for_a_referential_model_is_refused() -> None:
    with pytest.raises(NeuriptError, match=r"carries bipolar pairs .* needs single electrodes"):
        plan_channels(load_montage("double-banana").ch_names, TEN_TWENTY)


def test_a_stream_with_nothing_useful_is_refused() -> None:
    for labels in ([], ["ECG", "EOG"], ["FC9"]):
        with pytest.raises(NeuriptError, match="electrode"):
            plan_channels(labels, TEN_TWENTY)


def test_types_outside_eeg_are_ignored_even_with_electrode_names() -> None:
    labels = [*TEN_TWENTY.ch_names, "C3"]
    types = [*["eeg"] * 8, "MISC", *["EEG"] * 11]
    plan = plan_channels(labels, TEN_TWENTY, ch_types=types)
    assert plan.matrix[8, 19] == 1.0
    with pytest.raises(ValueError, match="types for"):
        plan_channels(labels, TEN_TWENTY, ch_types=["EEG"])


def test_planning_256_channels_is_quick() -> None:
    big = load_montage("10-05")
    labels = big.ch_names[:256]
    plan_channels(labels, TEN_TWENTY, max_interpolated=1.0)
    start = time.process_time()
    draft_plan(labels, load_montage("double-banana"))
    assert time.process_time() - start < 2.0
