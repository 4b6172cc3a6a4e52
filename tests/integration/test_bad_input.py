"""What a user can get wrong, through the real commands: the sentence, the exit code, nothing lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from processes import finished, neuript

from neuript import cli
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import check_writable
from neuript.realtime.live.options import LiveOptions

MODEL = Path(cli.__file__).parents[1] / "weights" / "demo.ts"
NAMES = ["C3", "Cz", "C4", "Pz"]


def write_edf(path, data, unit, labels):
    """An EDF file with whole numbers, one record a second, and what it says about their unit."""
    n_records, sfreq, n_chans = data.shape

    def column(values, width):
        return b"".join(str(v).ljust(width).encode() for v in values)

    head = column(["0"], 8) + column(["", ""], 80) + b"01.01.2601.00.00"
    head += column([256 * (n_chans + 1)], 8) + column([""], 44) + column([n_records, 1], 8)
    head += column([n_chans], 4) + column(labels, 16) + column([""] * n_chans, 80)
    head += column([unit] * n_chans, 8)
    for limit in (-32768, 32767) * 2:
        head += column([limit] * n_chans, 8)
    head += column([""] * n_chans, 80) + column([sfreq] * n_chans, 8) + column([""] * n_chans, 32)
    path.write_bytes(head + data.transpose(0, 2, 1).astype("<i2").tobytes())
    return path


# -- units -------------------------------------------------------------------------------------


def test_microvolts_called_volts_in_a_file_are_refused_with_a_fix_that_works(tmp_path, capsys, rng):
    """The sentence names the unit of the file, and `--unit` speaks of the numbers in the file."""
    from neuript.realtime.chain.units import band_rms, resolve_scale
    from neuript.realtime.recordings.read import read_recording

    microvolts = rng.normal(scale=20, size=(30, 100, 4)).round()
    path = write_edf(tmp_path / "v.edf", microvolts, "V", NAMES)
    event = ["--event", "a=1", "--event", "b=2"]
    stream = read_recording(path).eeg
    data, units = stream.data, stream.info.units
    with pytest.raises(NeuriptError, match=r"numbers are volts, .* say so with --unit microvolts"):
        resolve_scale(units, band_rms(data, 100.0))
    np.testing.assert_array_equal(data, microvolts.reshape(-1, 4))
    found = resolve_scale(units, band_rms(data, 100.0), "microvolts")
    assert (found.scale == 1e-6).all()
    assert found.note == ""
    assert cli.main(["inspect", str(path)]) == 0
    assert "--unit microvolts" in " ".join(capsys.readouterr().out.split())
    out = tmp_path / "mi.ts"
    assert cli.main(["calibrate", "--from", str(path), *event, "--out", str(out)]) == 2
    assert not out.exists()


# -- files that a command must not replace -----------------------------------------------------


def test_a_report_never_replaces_the_model_or_a_recording(tmp_path, capsys):
    model, recording = tmp_path / "mi.ts", tmp_path / "run.xdf"
    model.write_bytes(b"precious")
    recording.write_bytes(b"dear")
    (tmp_path / "link.json").symlink_to(model)
    (page := tmp_path / "page.html").symlink_to(recording)
    shared = ["calibrate", "--event", "a=1", "--event", "b=2", "--from", str(recording)]
    for arguments in (
        [*shared, "--out", str(tmp_path / "new.ts"), "--report", str(page)],
        ["live", "--model", str(model), "--report", str(model)],
        ["live", "--model", str(model), "--report", str(tmp_path / "link.json")],
        ["live", "--model", str(model), "--replay", str(recording), "--report", str(recording)],
    ):
        assert cli.main(arguments) == 2
        assert "would replace another file of this command" in capsys.readouterr().err
    assert (model.read_bytes(), recording.read_bytes()) == (b"precious", b"dear")
    assert check_writable(tmp_path / "r.json", keep=(model, None)) == tmp_path / "r.json"


# -- predicates, rivals ------------------------------------------------------------------------


@pytest.mark.parametrize("predicate", ["name=", "name='My", "contains(name,'a'"])
def test_a_predicate_that_can_match_nothing_is_refused_at_once(predicate):
    with pytest.raises(NeuriptError, match="not complete"):
        LiveOptions(model="mi.ts", stream=predicate)


@pytest.mark.lsl
def test_a_rival_that_answers_late_is_still_seen(monkeypatch):
    """Where multicast is lossy the second stream answers only liblsl's next query."""
    from neuript.realtime.lsl import discovery
    from neuript.realtime.lsl.library import pylsl

    infos = [pylsl.StreamInfo("amp", "EEG", 2, 250.0, source_id=f"late-{i}") for i in (1, 2)]
    outlets = [pylsl.StreamOutlet(info) for info in infos]
    seen = [outlet.get_info() for outlet in outlets]

    def resolve(predicate, minimum, timeout):
        return seen[: 2 if timeout >= 1.5 else 1]

    monkeypatch.setattr(discovery.pylsl, "resolve_bypred", resolve)
    with pytest.raises(NeuriptError, match="2 streams match"):
        discovery.find_stream(discovery.ANY_EEG, wait_s=1.0)
    assert discovery.find_stream("source_id='late-1'", wait_s=1.0).source_id() == "late-1"


# -- models ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [1, 40, 78])
def test_a_model_without_its_last_bytes_is_called_cut_short(missing):
    from neuript.modelfile.container import parse

    with pytest.raises(ModelRefusedError, match="cut short or damaged: its seal does not match"):
        parse(MODEL.read_bytes()[:-missing], "mi.ts")


# -- stdout that goes away or is full ----------------------------------------------------------

LISTINGS = [["--help"], ["montages"], ["xdf", "--help"], ["inspect", str(MODEL)]]


@pytest.mark.parametrize("arguments", LISTINGS, ids=lambda a: a[0])
def test_a_reader_that_is_gone_is_no_fault(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = finished(neuript(*arguments), stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [a for a in LISTINGS if a[0] != "xdf"], ids=lambda a: a[0]
)  # argparse swallows it
def test_a_full_disk_is_said_and_is_no_fault_of_neuript(arguments):
    with open("/dev/full", "w") as full:
        done = finished(neuript(*arguments), stdout=full)
    assert done.returncode == 2
    assert "the output cannot be written: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# -- decisions, XDF ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xdf\xff", "no text"),
        (b"[1, 2]\n", "is not a decision of neuript-live --json"),
        (json.dumps({"t": 1.0}).encode()[:-3], "or not a whole one"),
    ],
)
def test_what_is_no_list_of_decisions_is_not_scored(tmp_path, capsys, content, words):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    events = ["--event", "a=1", "--event", "b=2"]
    assert cli.main(["score", str(path), "--recording", "none.xdf", *events]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "hint"), [("out", "give a file name in it or elsewhere"), ("out.xdf", "such as {}/new.xdf")]
)
def test_a_folder_in_the_place_of_a_file_is_answered_with_a_name_that_fits(tmp_path, folder, hint):
    (tmp_path / folder).mkdir()
    with pytest.raises(NeuriptError) as refused:
        check_writable(tmp_path / folder)
    assert str(refused.value).endswith(hint.format(tmp_path / folder))


def test_an_xdf_file_without_a_stream_is_not_whole(tmp_path, capsys):
    path = tmp_path / "a.xdf"
    path.write_bytes(b"XDF:")
    assert cli.main(["xdf", "check", str(path)]) == 2
    assert "no whole stream header" in capsys.readouterr().err


# -- stderr that is no terminal ----------------------------------------------------------------


def test_an_error_of_a_calibration_follows_no_empty_line(tmp_path):
    options = ["--out", tmp_path / "h.ts", "--event", "a=1", "--event", "b=2"]
    done = finished(neuript("calibrate", "--from", "nosuch.edf", *options), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "reading 1 recording\nneuript calibrate: there is no file nosuch.edf\n"
