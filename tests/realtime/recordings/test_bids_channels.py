"""Tables of a BIDS data set beside a recording: found from any folder, in any encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edf_plus import write_edf_plus

from neuript.errors import NeuriptError
from neuript.realtime.recordings.bids_channels import find_channels
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.tsv_table import read_tsv

CHANNELS = "name\ttype\tunits\tstatus\nC3\tEEG\tuV\tgood\nC4\tEEG\tuV\tbad\n"


@pytest.fixture
def folder(tmp_path, rng):
    """Folder of the recording of a data set whose channel table lies at the root."""
    (tmp_path / "dataset_description.json").write_text("{}")
    (tmp_path / "task-rest_channels.tsv").write_text(CHANNELS)
    folder = tmp_path / "sub-01" / "eeg"
    folder.mkdir(parents=True)
    x = np.round(20 * rng.standard_normal((1000, 2)), 1)
    write_edf_plus(folder / "sub-01_task-rest_eeg.edf", x, n_per_record=100)
    return folder


@pytest.mark.parametrize(
    ("here", "given"),
    [
        (".", "sub-01_task-rest_eeg.edf"),
        (".", "./sub-01_task-rest_eeg.edf"),
        (".", "../eeg/sub-01_task-rest_eeg.edf"),
        ("..", "eeg/sub-01_task-rest_eeg.edf"),
        ("../..", "sub-01/eeg/sub-01_task-rest_eeg.edf"),
    ],
)
def test_an_inherited_table_is_found_from_any_folder(folder, monkeypatch, here, given):
    monkeypatch.chdir(folder / here)
    assert find_channels(Path(given)) == folder.parents[1] / "task-rest_channels.tsv"
    assert read_recording(given).eeg.info.bads == ("C4",)


def test_a_recording_that_is_a_link_out_of_the_data_set_belongs_to_it(folder, tmp_path_factory, monkeypatch):
    path = folder / "sub-01_task-rest_eeg.edf"
    away = tmp_path_factory.mktemp("annex") / "MD5E-s1.edf"
    path.rename(away)
    path.symlink_to(away)
    monkeypatch.chdir(folder)
    assert read_recording(path.name).eeg.info.bads == ("C4",)


@pytest.mark.parametrize("encode", [str.encode, lambda t: t.encode("latin-1"), lambda t: twice(t).encode()])
def test_tables_follow_the_rule_for_text(folder, encode):
    table = folder / "sub-01_task-rest_events.tsv"
    table.write_bytes(b"\xef\xbb\xbf" + encode("onset\tduration\ttrial_type\n1.0\t0\tdébut\n2.0\n3.0\t0\tfin\n"))
    (folder.parents[1] / "task-rest_channels.tsv").write_bytes(encode(CHANNELS + "µ\tMISC\tµV\tbad\n"))
    recording = read_recording(folder / "sub-01_task-rest_eeg.edf")
    assert [(event.label, event.time_s) for event in events_of(recording)] == [("début", 1.0), ("fin", 3.0)]
    assert read_tsv(folder.parents[1] / "task-rest_channels.tsv")[2] == dict(
        zip(("name", "type", "units", "status"), ("µ", "MISC", "µV", "bad"), strict=True)
    )


def test_a_table_of_two_bytes_a_character_is_refused(folder):
    (folder / "sub-01_task-rest_events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t0\ta\n", encoding="utf-16")
    with pytest.raises(NeuriptError, match=r"events\.tsv is no text in UTF-8"):
        read_recording(folder / "sub-01_task-rest_eeg.edf")


def twice(text: str) -> str:
    """Return a text whose UTF-8 was taken for Latin-1."""
    return text.encode().decode("latin-1")
