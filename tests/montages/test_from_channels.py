from __future__ import annotations

import mne
import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage, montage_of


def test_pairs_sit_as_in_the_double_banana_whatever_they_are_called():
    published = load_montage("double-banana")
    own = montage_of([f"EEG {name.upper().replace('T7', 'T3')}" for name in published.ch_names])
    assert own.ch_names == published.ch_names
    np.testing.assert_allclose(own.pos_m, published.pos_m)
    assert own.lobes == published.lobes
    assert own.reference == "bipolar"


def test_channels_of_mne_by_name():
    info = mne.create_info(["Fz", "C3", "Cz", "C4", "T3"], 128.0, "eeg")
    own = montage_of(info["chs"])
    template = load_montage("10-05").pick(["Fz", "C3", "Cz", "C4", "T7"])
    assert own.ch_names == template.ch_names
    np.testing.assert_array_equal(own.pos_m, template.pos_m)
    assert own.lobes == {"frontal": (0,), "central-parietal": (1, 2, 3), "temporal-left": (4,)}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["C3", "E12", "EOG1"], "'E12', 'EOG1' are no place of the 10-5 system"),
        (["C3-E12"], "'C3-E12' is no place"),
        (["C3", "c3."], "C3 twice"),
        (["C3", "Fp1-F7"], "mixes pairs and single electrodes"),
        ([], "empty"),
    ],
)
def test_channels_without_a_place_are_refused(names, message):
    with pytest.raises(NeuriptError, match=message):
        montage_of(names)
