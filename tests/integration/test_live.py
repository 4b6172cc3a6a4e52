"""`neuript live` end to end: an amplifier in another process, the command line here, an independent client."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xdf_writer
from amplifier import plugged_in
from amplifier import signal as made_signal
from builders import save_power_model
from processes import finished, neuript, running
from waiting import wait_for

from neuript import cli

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(90)]

NAMES = ("C3", "Cz", "C4", "Pz")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A real model file of a small network, trusted in a configuration folder of its own."""
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder / "config"))
        yield save_power_model(folder / "power.ts", task="testing")


@contextmanager
def amplifier(*options, **how):
    with plugged_in(*options, **how) as (source_id, _):
        yield source_id


def live(model, source_id, *options):
    return cli.main(["live", "--model", str(model), "--source-id", source_id, "--headless", *options])


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def order(rows):
    states = [r["state"] for r in rows]
    return [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]]


# -- the same decisions --------------------------------------------------------------------------


def test_live_over_lsl_and_direct_replay_agree_bit_for_bit(model, tmp_path, capsys):
    """The stamp of a row is that of the newest sample; replay repeats the live decisions exactly."""
    sfreq, seconds = 250.0, 6.0
    data = made_signal(7, round(seconds * sfreq), 4, sfreq)
    stamps = 100.0 + np.arange(len(data)) / sfreq
    stamps[900:] += 0.4  # a gap of 100 samples after 3.6 s
    source_id = f"test-{uuid.uuid4().hex[:10]}"
    path = xdf_writer.session(
        data, stamps, [(101.0, "x")], sfreq=sfreq, labels=list(NAMES), source_id=source_id,
        n_per_chunk=13,
    ).save(tmp_path / "session.xdf")  # fmt: skip
    code = cli.main(["live", "--model", str(model), "--replay", str(path), "--json"])
    assert code == 0
    direct = rows_of(capsys.readouterr().out)

    command = neuript("replay", path, "--wait-for-consumers", "--quiet", "--json", "--linger", "10")
    with running(command) as replay:
        code = live(model, source_id, "--json", "--wait", "20", "--duration", "5.9", "--max-age", "30")
        started = json.loads(replay.wait_until_it_says("started"))
    assert code == 0
    heard = rows_of(capsys.readouterr().out)
    n = len(heard)
    assert n >= len(direct) - 2
    assert n > 40
    for a, b in zip(heard, direct[:n], strict=True):
        assert (a["state"], a["proba"], a["decision"], a["confidence"]) == (
            b["state"], b["proba"], b["decision"], b["confidence"],
        )  # fmt: skip
    assert order(direct) == ["WARMUP", "OK", "GAP", "OK"]
    assert sum(r["proba"] is not None for r in heard) > 12
    # followed through replay: the newest sample of window k, counted in samples up to the gap
    shift = started["lsl_start"] - started["recorded_start"]
    for k, row in enumerate(heard):
        newest = math.floor(((k + 1) * 8 - 1) * sfreq / 64)
        if newest < 900:
            assert abs(row["t"] - shift - stamps[newest]) <= 0.5 / sfreq
            assert direct[k]["rec_t"] == pytest.approx(stamps[newest] - 100.0, abs=0.002)
        elif row["state"] == "OK":
            assert np.abs(row["t"] - shift - stamps).min() < 0.1 / sfreq


# -- faults --------------------------------------------------------------------------------------


def test_every_fault_shows_its_state_and_commands_nothing(model, tmp_path, capsys):
    """One sitting with everything that can happen to a stream; at its end it stays away."""
    report = tmp_path / "report.json"
    faults = {
        "6:gap:0.16": ["GAP", "OK"],
        "9:step:100": ["CLOCK", "OK"],
        "12:flat:1.2": ["BAD_SIGNAL", "OK"],
        "16:nan:0.3": ["GAP", "BAD_SIGNAL", "OK"],  # seen at its first samples, and then judged
        "19:silence:1": ["STALE", "RECOVERED", "OK"],
        "22:unplug:1": ["LOST", "RECOVERED", "OK"],
        "30:end:0": ["LOST"],
    }
    with amplifier("--fault", ",".join(faults)) as source_id:
        code = live(model, source_id, "--json", "--give-up", "3", "--report", str(report))
    out, err = capsys.readouterr()
    assert code == 4
    assert "did not come back" in err
    rows = rows_of(out)
    assert order(rows) == ["WARMUP", "OK", *(s for states in faults.values() for s in states)]
    for row in rows:
        if row["state"] != "OK":
            assert row["decision"] is None
    assert any(r["decision"] for r in rows)
    written = json.loads(report.read_text())
    assert written["ended"].startswith("StreamLostError")
    assert written["states"].keys() == set(order(rows))
    assert (written["gaps"], written["clock_steps"]) == (1, 1)
    assert written["latency_ms"]["infer"]["n"] > 50
    assert written["latency_ms"]["total"]["p99"] >= written["latency_ms"]["total"]["p50"] > 0
    assert written["cost"]["rss_mb_max"] > 10


def test_a_stream_that_comes_back_different_ends_the_session(model, capsys):
    with amplifier("--fault", "2.5:rate:0") as source_id:
        code = live(model, source_id, "--duration", "30", "--give-up", "5")
    assert code == 4
    assert "250 Hz -> 500 Hz" in capsys.readouterr().err


# -- bad input -----------------------------------------------------------------------------------


def test_no_stream_lists_what_is_visible(model, capsys):
    with amplifier(name="somebody else") as source_id:
        code = live(model, "no-such-source", "--wait", "1")
        err = capsys.readouterr().err
    assert code == 3
    assert "looking for a stream with the source id 'no-such-source'\n" in err
    assert source_id in err
    assert "somebody else" in err


def test_two_matching_streams_are_not_guessed(model, capsys):
    name = f"twins-{uuid.uuid4().hex[:8]}"
    with amplifier(name=name) as one, amplifier(name=name) as two:
        code = cli.main(["live", "--model", str(model), "--headless", "--stream", f"name='{name}'"])
        err = capsys.readouterr().err
    assert code == 2
    assert "2 streams match" in err
    assert one in err
    assert two in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--labels", "", "--n-chans", "5"], "label"),
        (["--unit", "volts"], "--unit microvolts"),
        (["--sfreq", "0"], "irregular"),
        (["--sfreq", "64"], "64 Hz"),
        (["--format", "string", "--type", "Markers"], "text"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_with_a_sentence(model, capsys, options, sentence):
    with amplifier(*options) as source_id:
        assert live(model, source_id, "--duration", "2") == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--montage", "no-such-cap"], 2, "no-such-cap"),
        (["--classes", "yes,no"], 5, "left_hand"),
        (["--hop", "0.1"], 2, "multiple of"),
        (["--report", "/no/such/folder/r.json"], 2, "folder"),
        (["--report", "/"], 2, "folder"),
    ],
)
def test_what_can_be_refused_is_refused_before_looking_for_a_stream(model, capsys, options, code, sentence):
    began = time.monotonic()
    assert live(model, "no-such-source", "--wait", "60", *options) == code
    assert time.monotonic() - began < 30
    assert sentence in capsys.readouterr().err


def test_other_formats_rates_and_spellings_are_decoded(model, capsys):
    options = ["--sfreq", "128", "--labels", "EEG C3-REF,Cz.,c4,PZ", "--unit", "-6"]
    with amplifier(*options, "--format", "double64") as source_id:
        code = live(model, source_id, "--json", "--duration", "6")
    out, err = capsys.readouterr()
    assert code == 0, err
    assert rows_of(out)[-1]["state"] == "OK"


# -- Ctrl-C, closed pipes ------------------------------------------------------------------------


def live_command(model, source_id, *options):
    return neuript("live", "--model", model, "--source-id", source_id, "--headless", "--json", *options)


@pytest.mark.parametrize("moment", ["importing", "looking", "decoding"])
def test_ctrl_c_is_clean_at_any_moment(model, tmp_path, moment):
    report = tmp_path / "report.json"
    said = {"PYTHONPROFILEIMPORTTIME": "1"} if moment == "importing" else {}  # it names each module that it has read
    with amplifier() as source_id, running(live_command(model, source_id, "--report", str(report)), env=said) as child:
        if moment == "decoding":
            wait_for(lambda: len(child.lines) >= 20, 60, lambda: f"20 decisions; it said {child.err}")
        else:
            child.wait_until_it_says("torch" if moment == "importing" else "looking")
        child.interrupt()
        assert child.wait(30) == 130, child.err
        assert "Traceback" not in child.err
        rows = rows_of(child.out)
    if moment == "decoding":
        assert len(rows) >= 20
        assert json.loads(report.read_text())["ended"] == "interrupted"


def test_a_reader_that_goes_away_ends_the_session_quietly(model):
    with amplifier() as source_id, running(live_command(model, source_id), stdout=subprocess.PIPE) as child:
        child.process.stdout.readline()
        child.process.stdout.close()
        assert child.wait(30) == 0, child.err
        assert "Traceback" not in child.err
        assert "Exception" not in child.err


def test_streams_lists_and_shows_the_plan(model, capsys):
    with amplifier(name="to be listed") as source_id:
        assert cli.main(["streams", "--model", str(model)]) == 0
        text = capsys.readouterr().out
        assert cli.main(["streams", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
    line = next(row for row in text.splitlines() if source_id in row)
    assert "to be listed" in line
    plan = text[text.index(line) :]
    assert "4 electrodes: 4 exact" in plan
    assert source_id in {s["source_id"] for s in listed}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(model):
    with amplifier() as source_id, open("/dev/full", "w") as full:
        done = finished(live_command(model, source_id), stdout=full)
    assert done.returncode == 2
    assert "cannot be written: No space left" in done.stderr


def test_the_demo_says_that_it_is_simulated_and_scores_itself(model, tmp_path, capsys):
    report = tmp_path / "report.json"
    options = ["--headless", "--json", "--duration", "24", "--report", str(report)]
    assert cli.main(["live", "--demo", "--model", str(model), *options]) == 0
    out, err = capsys.readouterr()
    assert rows_of(out)[-1]["state"] == "OK"
    assert "SIMULATED" in err
    assert "demo (SIMULATED): " in err
    written = json.loads(report.read_text())
    assert written["simulated"] is True
    assert written["stream"]["name"].endswith("(simulated)")
    assert written["demo"]["trials"] >= 1
    assert 0 <= written["demo"]["accuracy"] <= 1


# -- damaged files -------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncated", "one byte", "pickle", "empty", "missing"])
def test_a_damaged_model_is_refused(model, tmp_path, capsys, damage):
    data = bytearray(model.read_bytes())
    path = tmp_path / "m.ts"
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "one byte":
        data[len(data) // 3] ^= 1
    elif damage == "pickle":
        data = bytearray(pickle.dumps({"a": 1}))
    elif damage == "empty":
        data = bytearray()
    if damage != "missing":
        path.write_bytes(data)
    code = live(path, "no-such-source", "--wait", "60")
    assert code == (2 if damage == "missing" else 5)
    assert "m.ts" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"XDF:", b"no recording at all"])
def test_a_file_that_is_no_recording_is_refused(model, tmp_path, capsys, content):
    path = tmp_path / "r.xdf"
    path.write_bytes(content)
    assert cli.main(["live", "--model", str(model), "--replay", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("neuript live: ")
    assert "internal error" not in err


def test_replay_at_the_recorded_pace(model, tmp_path, capsys):
    data = made_signal(3, 750, 4, 250.0)
    path = xdf_writer.session(data, np.arange(750) / 250.0, [(1.0, "x")], labels=list(NAMES)).save(
        tmp_path / "session.xdf"
    )
    arguments = ["live", "--model", str(model), "--replay", str(path), "--json"]
    began = time.monotonic()
    assert cli.main([*arguments, "--speed", "2"]) == 0
    assert time.monotonic() - began >= 1.4
    paced = rows_of(capsys.readouterr().out)
    assert cli.main(arguments) == 0
    fast = rows_of(capsys.readouterr().out)
    assert [(r["rec_t"], r["proba"]) for r in paced] == [(r["rec_t"], r["proba"]) for r in fast]


# -- recording -----------------------------------------------------------------------------------


def test_a_session_is_recorded_with_eeg_markers_and_predictions(model, tmp_path, capsys):
    import pyxdf

    from neuript.realtime.decoding.decoder_header import DecoderHeader
    from neuript.realtime.lsl.outlet import decoder_source_id
    from neuript.realtime.recordings.read import read_recording

    path = tmp_path / "session.xdf"
    with amplifier("--labels", "," * (len(NAMES) - 1)) as source_id:  # bare numbers, in the order of the model
        code = live(model, source_id, "--json", "--duration", "8", "--record", str(path))
        out, err = capsys.readouterr()
        assert code == 0, err
        recorded = path.read_bytes()
        assert live(model, source_id, "--record", str(path)) == 2  # never written over
        assert "never overwritten" in capsys.readouterr().err
    assert path.read_bytes() == recorded
    rows = rows_of(out)
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False)
    by_id = {s["info"]["source_id"][0]: s for s in streams}  # markers of other decoders are recorded as well
    header = DecoderHeader(task="testing", classes=("a", "b"), eeg_source_id=source_id)
    proba, events = (by_id[decoder_source_id(header, stream)] for stream in ("proba", "events"))
    eeg = by_id[source_id]
    # LabRecorder joins a second or two after the first rows; from then on it misses nothing
    n = len(proba["time_stamps"])
    assert n > 20
    stamps = np.array([row["t"] for row in rows])
    np.testing.assert_allclose(proba["time_stamps"], stamps[-n:], rtol=0, atol=1e-6)
    for told, row in zip(proba["time_series"], rows[-n:], strict=True):
        if row["proba"] is not None:
            np.testing.assert_allclose(told[:2], list(row["proba"].values()), atol=1e-6)
            assert max(told[-2:]) == pytest.approx(row["confidence"], abs=1e-6)  # the evidence per class
    assert np.all(np.diff(eeg["time_stamps"]) > 0)
    assert eeg["time_stamps"][-1] >= rows[-1]["t"]
    for stamp in events["time_stamps"]:
        assert np.abs(stamps - stamp).min() < 1e-6
    # and neuript itself reads it, with the names that were assumed
    recording = read_recording(path)
    assert recording.eeg.info.source_id == source_id
    assert recording.eeg.info.ch_names == NAMES
