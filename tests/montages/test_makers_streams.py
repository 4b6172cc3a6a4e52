"""Streams as makers' programs send them (docs/amplifiers.md): the electrodes are found, the rest is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage, plan_channels

EIGHT = range(1, 9)
MOTION = ["accelX", "accelY", "accelZ", "gyroX", "gyroY", "gyroZ", "battery", "counter"]
MOTION_TYPES = [*["ACCEL"] * 3, *["GYRO"] * 3, "BATTERY", "COUNTER"]
SUITE = "Accelerometer X,Accelerometer Y,Accelerometer Z,Gyroscope X,Gyroscope Y,Gyroscope Z,Battery Level,Counter"
EPOC = "Timestamp,Counter,Interpolate,AF3,F7,F3,FC5,T7,P7,O1,O2,P8,T8,FC6,F4,F8,AF4,HardwareMarker,Markers"
BIOSEMI = ["Trig1", *(f"A{i}" for i in range(1, 33)), *(f"EX{i}" for i in EIGHT)]
STREAMS = {
    "OpenBCI GUI": ("openbci-8", [""] * 8, [], 0),
    "unicorn2lsl": ("unicorn-8", [f"eeg{i}" for i in EIGHT] + MOTION, ["EEG"] * 8 + MOTION_TYPES, 0),
    "Unicorn Suite": ("unicorn-8", [f"EEG {i}" for i in EIGHT] + [*SUITE.split(","), "Validation Indicator"], [], 0),
    "EmotivPRO": ("epoc-14", EPOC.split(","), [], 3),
    "muselsl": ("muse-4", ["TP9", "AF7", "AF8", "TP10", "Right AUX"], ["EEG"] * 5, 0),
    "App-BioSemi": ("biosemi-32", BIOSEMI, ["Trigger", *["EEG"] * 40], 1),
}


@pytest.mark.parametrize("sender", STREAMS)
def test_the_cap_names_the_channels_of_its_sender(sender: str) -> None:
    montage, labels, types, first = STREAMS[sender]
    cap = load_montage(montage)
    plan = plan_channels(labels, cap, cap, ch_types=types)
    np.testing.assert_array_equal(plan.matrix, np.eye(len(cap.ch_names), len(labels), first))


def test_a_unicorn_without_names_is_not_guessed() -> None:
    cap = load_montage("unicorn-8")
    with pytest.raises(NeuriptError, match=r"17 EEG channels have no labels.*--channels"):
        plan_channels([""] * 17, cap, cap)
