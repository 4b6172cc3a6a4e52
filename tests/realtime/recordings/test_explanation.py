"""What a recorder adds to the header of an EEG stream, and how reading puts both together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.explanation import explained, explanation_in, explanation_xml, with_explanation
from neuript.realtime.recordings.header import DESCRIPTION_TYPE, header_xml
from neuript.realtime.recordings.read import read_recording

CAP = load_montage("openbci-8")
BARE = SignalInfo(
    name="obci", sfreq=250.0, ch_names=("",) * 8, units=("",) * 8, ch_types=("",) * 8, source_id="amp", uid="u1"
)

UID = "</desc><uid>u-ours</uid><desc>"  # beside the `desc` in which the writer puts it


def carrier(info: SignalInfo):
    """The header of the stream that explains `info`."""
    root = header_xml(replace(BARE, name="about", stype=DESCRIPTION_TYPE, source_id="x", uid="u2"))
    root.find("desc").append(explanation_xml(info))
    return root


def add(session: xdf_writer.XdfWriter, explanation: Element) -> None:
    session.stream(9, "about", DESCRIPTION_TYPE, fmt="string", desc=tostring(explanation).decode())


def test_a_stream_of_bare_numbers_gets_the_names_and_places_of_its_cap() -> None:
    full = explained(BARE, CAP, "microvolts")
    assert full.ch_names == CAP.ch_names
    assert set(full.units) == {"microvolts"}
    assert set(full.positions_m) == set(CAP.ch_names)
    assert (full.name, full.uid, full.sfreq) == (BARE.name, BARE.uid, BARE.sfreq)


def test_labels_in_old_spellings_are_kept_as_electrodes_and_what_is_no_electrode_keeps_its_label() -> None:
    info = replace(BARE, ch_names=("EEG Fp1-REF", "Fp2", "C3", "C4", "T5", "T6", "O1", "AUX 1"))
    assert explained(info, CAP, None).ch_names == ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "AUX 1")


def test_a_cap_of_another_size_is_refused() -> None:
    with pytest.raises(NeuriptError, match="8 EEG channels have no labels, but montage openbci-16 has 16"):
        explained(BARE, load_montage("openbci-16"), None)


def test_without_a_cap_or_unit_nothing_is_made_up() -> None:
    assert explained(BARE, None, None) == BARE


def test_it_comes_back_from_the_header() -> None:
    full = explained(BARE, CAP, "microvolts")
    found = explanation_in(carrier(full))
    assert found is not None
    assert with_explanation(BARE, [found]).ch_names == CAP.ch_names
    for name, place in found.positions_m.items():
        np.testing.assert_allclose(place, full.positions_m[name], atol=1e-9)
    assert explanation_in(header_xml(BARE)) is None


@pytest.mark.parametrize(
    "other", [{"uid": "u9"}, {"name": "another"}, {"ch_names": ("a",) * 4, "units": ("",) * 4, "ch_types": ("",) * 4}]
)
def test_only_the_stream_that_is_meant_is_explained(other) -> None:
    stranger = replace(BARE, **other)
    assert with_explanation(stranger, [explained(BARE, CAP, None)]) == stranger


def test_of_two_recorders_the_one_who_knows_is_believed() -> None:
    told, bare = explained(BARE, CAP, "microvolts"), explained(BARE, None, None)
    for both in ([told, bare], [bare, told]):
        assert with_explanation(BARE, both).ch_names == CAP.ch_names
        assert set(with_explanation(BARE, both).units) == {"microvolts"}


def test_the_unit_is_that_of_the_eeg_and_not_of_what_is_beside_it() -> None:
    info = replace(BARE, ch_types=("EEG",) * 7 + ("ACC",), units=("",) * 7 + ("g",))
    assert explained(info, None, "microvolts").units == ("microvolts",) * 7 + ("g",)


def test_after_a_restart_of_the_sender_the_source_id_still_tells() -> None:
    again = replace(BARE, uid="")
    assert with_explanation(again, [explained(BARE, CAP, None)]).ch_names == CAP.ch_names


def test_a_recording_explains_itself(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.normal(scale=10, size=(1000, 8)).astype(np.float32)
    session = xdf_writer.session(x, np.arange(1000) / 250.0, [(1.0, "cue")], labels=[""] * 8, unit="")
    bare = read_recording(session.save(tmp_path / "bare.xdf"))
    assert set(bare.eeg.info.ch_names) == {""}
    add(session, explanation_xml(explained(bare.eeg.info, CAP, "microvolts")))
    recording = read_recording(session.save(tmp_path / "told.xdf"))
    assert recording.eeg.info.ch_names == CAP.ch_names
    assert set(recording.eeg.info.units) == {"microvolts"}
    np.testing.assert_array_equal(recording.eeg.data, bare.eeg.data)


def test_an_explanation_that_cannot_be_read_is_a_warning(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.normal(scale=10, size=(500, 4)).astype(np.float32)
    session = xdf_writer.session(x, np.arange(500) / 250.0, [], labels=["C3", "Cz", "C4", "Pz"])
    broken = explanation_xml(explained(BARE, CAP, None))
    broken.find("info/channel_count").text = "-3"
    add(session, broken)
    recording = read_recording(session.save(tmp_path / "broken.xdf"))
    assert any("cannot be read" in warning for warning in recording.warnings)
    assert recording.eeg.info.ch_names == ("C3", "Cz", "C4", "Pz")


def test_of_two_amplifiers_the_one_that_the_recorder_meant_is_the_eeg(tmp_path: Path, rng: np.random.Generator) -> None:
    """Without an explanation neither is taken, though the other one has more samples."""
    x, other = (rng.normal(scale=10, size=(n, 8)).astype(np.float32) for n in (500, 2000))
    session = xdf_writer.session(x, np.arange(500) / 250.0, [], labels=[""] * 8, unit="", name="ours", desc=UID)
    session.stream(7, "theirs", "EEG", 8, 1000.0, source_id="other", desc=xdf_writer.channels_xml(CAP.ch_names))
    session.samples(7, (np.arange(2000) / 1000.0).tolist(), other)
    with pytest.raises(NeuriptError, match="--eeg amp-1 or --eeg other"):
        read_recording(session.save(tmp_path / "plain.xdf"))
    plain = read_recording(tmp_path / "plain.xdf", require_eeg=False)
    ours = next(s.info for s in plain.streams if s.info.name == "ours")
    assert ours.uid == "u-ours"
    add(session, explanation_xml(explained(ours, CAP, None)))
    told = read_recording(session.save(tmp_path / "told.xdf"))
    assert told.eeg.info.name == "ours"
    assert told.eeg.info.ch_names == CAP.ch_names
    assert read_recording(tmp_path / "told.xdf", eeg="theirs").eeg.info.name == "theirs"
