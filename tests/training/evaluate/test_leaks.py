"""One person under two names: patients of the Temple sets, and nobody else."""

from __future__ import annotations

import pytest

from neuript.training.evaluate.leaks import overlap


@pytest.mark.parametrize("corpus", ["tusz", "tuep", "TUAR", "tueg_v2.0.1", "tuh_eeg_seizure"])
def test_a_patient_of_one_temple_set_is_found_in_another(corpus):
    assert overlap({"tuab/aaaaaaaq", "tuab/aaaaaaar"}, set(), {f"{corpus}/aaaaaaaq"}, set()) == (
        ["tuab/aaaaaaaq"],
        False,
    )
    assert overlap({"tuab/00002355"}, set(), {f"{corpus}/00002355"}, set())[0] == ["tuab/00002355"]


def test_equal_names_in_other_sets_are_other_people():
    people = {"tuab/aaaaaaaq", "tuebingen/S01", "siena/aaaaaaaq"}
    assert overlap(people, set(), {"tusz/aaaaaaar", "tuebingen2/S01", "chb/aaaaaaaq"}, set()) == ([], False)
