"""`neuript-train evaluate --pseudo-online` on a simulated person, against the live decoder; and on real people."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from cue_sessions import write_cue_session
from twin_recordings import write_run

from neuript import cli
from neuript.realtime.decoding.decision_log import read_decisions
from neuript.realtime.decoding.scoring import score_trials
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.training.evaluate.pseudo_online.online_figures import task_at
from neuript.training.fitting.metrics import confusion
from neuript.training.windows.events import trials_of

pytestmark = pytest.mark.timeout(300)  # well below a minute each on a machine that is not busy

CLASSES = ("right_hand", "rest")
EVENTS = ("--event", "right_hand=right_hand", "--event", "rest=rest")
SHORT = ("--window", "2", "--epoch", "0", "4", "--hop", "0.5")
FAST = (*SHORT, "--network", "none")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs of a skilled simulated person, each 12 trials of the right hand and 12 of rest."""
    folder = tmp_path_factory.mktemp("runs")
    return [str(write_run(folder / f"run{k}.xdf", k, classes=CLASSES, lead_in_s=20.0)) for k in (3, 4, 5)]


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """What three other simulated people say."""
    folder = tmp_path_factory.mktemp("people")
    people = [f"P{k}={write_run(folder / f'p{k}.xdf', k, classes=CLASSES)}" for k in (11, 12, 13)]
    out = folder / "people.safetensors"
    options = (*SHORT, "--network", "none", "--no-table")
    assert cli.main(["train", "population", *people, *EVENTS, "--out", str(out), *options]) == 0
    return str(out)


@pytest.fixture(autouse=True)
def own_configuration(tmp_path, monkeypatch):
    """The list of trusted models is that of the test, and tables are as wide as a terminal."""
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")


def evaluate(*options):
    return cli.main(["train", "evaluate", "--pseudo-online", *options])


def test_figures_are_those_of_the_live_decoder(runs, tmp_path, capsys):
    """Calibrated and replayed by the commands that users run: the same policy, commands and probabilities."""
    out, model = tmp_path / "online.json", tmp_path / "mi.ts"
    options = ("--calibrate", runs[0], "--test", runs[1], *EVENTS, *FAST, "--trials", "6")
    assert evaluate(*options, "--max-false-per-minute", "6", "--out", str(out)) == 0
    printed = capsys.readouterr()
    for word in ("Commands", "false/min (95 %)", "Windows and trials", "CSP+LDA", "TS+LR", "By calibration trials"):
        assert word in printed.out
    found = json.loads(out.read_text())
    assert found["people"]["person"]["decoders"] == {
        name: {count: {k: v for k, v in figures.items() if k != "people"} for count, figures in counts.items()}
        for name, counts in found["over_all"].items()
    }
    person = found["people"]["person"]
    assert person["calibration_trials"] == {"right_hand": 12, "rest": 12}
    assert person["protocol"]["cs_mode"] is None
    assert person["protocol"]["calibration_size"] == 0.5
    assert set(person["decoders"]) == {"Stack (published)", "CSP+LDA", "TS+LR"}
    assert all(set(counts) == {"6", "all"} for counts in person["decoders"].values())
    mine = person["decoders"]["Stack (published)"]["all"]

    calibrate = ["calibrate", "--from", runs[0], *EVENTS, *FAST, "--max-false-per-minute", "6", "--out", str(model)]
    assert cli.main(calibrate) == 0
    capsys.readouterr()
    assert cli.main(["live", "--replay", runs[1], "--model", str(model), "--speed", "max", "--headless", "--json"]) == 0
    lines = tmp_path / "run4.jsonl"
    lines.write_text(capsys.readouterr().out)
    from neuript.modelfile.describe import read_manifest

    assert read_manifest(model).policy == person["policies"]["Stack (published), all"]
    recording = read_recording(runs[1])
    start = float(recording.eeg.timestamps[0])
    markers = {name: (name,) for name in CLASSES}
    trials = [trial.shifted(-start) for trial in trials_of(events_of(recording), markers)]
    rows = read_decisions(lines).rows
    card = score_trials(rows, trials, CLASSES, window_end_s=tuple(found["window_end_s"]))
    assert mine["by_trial"]["balanced_accuracy"] == card.balanced_accuracy
    assert card.above_chance
    ok = [row for row in rows if row.state == "OK" and row.proba is not None]
    asked = task_at(np.array([row.t for row in ok]), trials, CLASSES, 1, 4.0)
    held = np.array([CLASSES.index(row.decision or "rest") for row in ok])
    assert mine["windows"]["confusion"] == confusion(asked, held, 2).astype(int).tolist()
    began = [b.decision for a, b in itertools.pairwise(rows) if b.decision and b.decision != a.decision]
    assert mine["hits"] + mine["wrong"] > 0
    assert mine["hits"] + mine["false_activations"] <= len(began)
    assert mine["hits"] + mine["missed"] + mine["wrong"] == mine["events"] == 12
    assert mine["rest_minutes"] > 1
    curve = mine["operating_curve"]
    assert curve[0]["hits"] >= curve[-1]["hits"]
    policy = person["policies"]["Stack (published), all"]
    (same,) = [point for point in curve if point["threshold"] == policy["threshold"]]
    assert policy["release"] == pytest.approx(0.8 * policy["threshold"])
    assert same == {name: policy["threshold"] if name == "threshold" else mine[name] for name in same}


def test_many_people_and_what_others_say(runs, population, tmp_path):
    out = tmp_path / "online.json"
    people = ("--people", f"S1={runs[0]},{runs[1]}", "--population", population, *EVENTS, *SHORT)
    assert evaluate(*people, "--trials", "0,5", "--out", str(out)) == 0
    found = json.loads(out.read_text())
    counts = found["people"]["S1"]["decoders"]
    assert set(counts["Stack (published)"]) == {"0", "5", "all"}
    assert set(counts["CSP+LDA"]) == {"5", "all"}
    terms = found["people"]["S1"]["protocol"]
    assert terms["cs_mode"] == "TRAIN_AND_TARGET_LABELED_50P"
    assert terms["source_subjects"] == 3

    assert evaluate(*people, "--cs-mode", "TRAIN_AND_TARGET_UNLABELED_50P", "--out", str(out)) == 0
    unlabelled = json.loads(out.read_text())
    assert unlabelled["main"] == "0"
    same = unlabelled["people"]["S1"]["decoders"]
    assert set(same) == {"Stack (published)"}
    beside, inside = counts["Stack (published)"]["0"], same["Stack (published)"]["0"]
    for figure in ("windows", "hits", "false_activations", "rest_minutes", "time_to_detect_median_s", "kappa_course"):
        assert beside[figure] == inside[figure]  # the same decoder, in batches and inside the live one
    assert beside["by_trial"]["brier"] == pytest.approx(inside["by_trial"]["brier"], abs=1e-5)

    assert evaluate(*people, "--cs-mode", "TRAIN_AND_TARGET_LABELED_20P", "--trials", "3", "--out", str(out)) == 0
    share = json.loads(out.read_text())["people"]["S1"]
    assert sum(share["calibration_trials"].values()) == 9  # a fifth of 48 trials, rounded down
    assert share["protocol"]["calibration_size"] == pytest.approx(9 / 48)

    assert evaluate(*people, "--cs-mode", "TRAIN_TRIALWISE", "--out", str(out)) == 0
    nothing = json.loads(out.read_text())["people"]["S1"]
    assert nothing["calibrate"] == []
    assert nothing["protocol"]["calibration_size"] == 0
    decoded = nothing["decoders"]["Stack (published)"]["0"]["decoded_share"]
    assert decoded < same["Stack (published)"]["0"]["decoded_share"]  # it has to learn its reference first


def test_without_rest_false_activations_are_unknown(runs, tmp_path, capsys):
    """Two classes that command, and no second between their trials."""
    out = tmp_path / "online.json"
    busy = str(write_run(tmp_path / "busy.xdf", 6, classes=CLASSES, lead_in_s=0.0))
    classes = ("--event", "right_hand=right_hand", "--event", "left_hand=rest")
    options = ("--window", "2", "--hop", "0.5", "--epoch", "0", "5", "--network", "none", "--trials", "5")
    assert evaluate("--calibrate", runs[0], "--test", busy, *classes, *options, "--out", str(out)) == 0
    figures = json.loads(out.read_text())["over_all"]["TS+LR"]["all"]
    assert figures["rest_minutes"] == 0
    assert figures["false_per_minute"] is None
    assert figures["windows"]["classes"] == ["right_hand", "left_hand", "no command"]
    printed = capsys.readouterr().out
    assert "their false activations are unknown, not 0" in printed
    assert "no class means no command" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--calibrate", "A", "--test", "B", "A"), "both a calibration and a test recording"),
        (("--calibrate", "A", "--test", "B", "B"), "is given twice"),
        (("--calibrate", "A"), "--test FILE ... is missing"),
        (("--test", "A"), "no recording to calibrate on"),
        (("--calibrate", "A", "--test", "nowhere.xdf"), "there is no file nowhere.xdf"),
        (("--calibrate", "A", "--test", "B", "--people", "X=A"), "two ways to name the recordings"),
        (("--people", "X=A"), "X has one recording only"),
        (("--calibrate", "A", "--test", "B", "--methods", "ts-lr"), "--pseudo-online does not use --methods"),
        (("--calibrate", "A", "--test", "B", "--seeds", "0,1,2"), "--pseudo-online does not use --seeds"),
        (("mumtaz", "--calibrate", "A", "--test", "B"), "--pseudo-online does not use PROTOCOL"),
        (("--calibrate", "A", "--test", "B", "--trials", "0,5"), "--trials 0 needs --population"),
        (("--calibrate", "A", "--test", "B", "--trials", "5,5"), "give different whole numbers"),
        (("--calibrate", "A", "--test", "B", "--trials", "five"), "must be whole numbers"),
        (("--calibrate", "A", "--test", "B", "--cs-mode", "TRAIN"), "see all test trials at once"),
        (("--calibrate", "A", "--test", "B", "--cs-mode", "HALF"), "--cs-mode HALF is none of TRAIN_TRIALWISE,"),
        (("--calibrate", "A", "--test", "B", "--cs-mode", "TRAIN_TRIALWISE"), "needs other people"),
        (("--calibrate", "A", "--test", "B", "--out", "x.txt"), "does not end in .json"),
        (("--calibrate", "A", "--test", "B", "--window-end", "4", "3"), "window_end_s"),
        (("--calibrate", "A", "--test", "B", "--population", "none.safetensors"), "is no file"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(runs, options, message, capsys):
    names = {"A": runs[0], "B": runs[1], "X=A": f"X={runs[0]}"}
    usual = SHORT if "--population" in options else FAST
    assert evaluate(*(names.get(word, word) for word in options), *EVENTS, *usual) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert "internal error" not in said[-1]


def test_events_that_are_not_there_and_other_tasks_are_refused(runs, population, capsys):
    there = ("--calibrate", runs[0], "--test", runs[1])
    other = ("--event", "a=769", "--event", "b=770")
    assert evaluate(*there, *other, *FAST) == 2
    assert "the marker '769' of class 'a' does not occur" in capsys.readouterr().err
    classes = ("--event", "feet=right_hand", "--event", "rest=rest")
    assert evaluate(*there, *classes, *SHORT, "--population", population) == 2
    assert "the population tells right_hand, rest apart" in capsys.readouterr().err
    assert evaluate(*there, *EVENTS, *SHORT, "--population", population, "--network", "none") == 2
    assert "with --population --network is not used" in capsys.readouterr().err
    options = ("--cs-mode", "TRAIN_AND_TARGET_LABELED_50P", "--population", population)
    assert evaluate("--calibrate", runs[0], "--test", *runs[1:], *EVENTS, *SHORT, *options) == 2
    assert "50% of 72 trials are 36, but the calibration recordings hold 24" in capsys.readouterr().err


def test_sessions_that_neuript_cued_say_their_classes_themselves(tmp_path, capsys):
    cued = [str(write_cue_session(tmp_path / f"cued{k}.xdf", k)) for k in (1, 2)]
    out = tmp_path / "online.json"
    options = ("--window", "2", "--epoch", "0", "3", "--hop", "0.5", "--network", "none", "--trials", "5")
    assert evaluate("--calibrate", cued[0], "--test", cued[1], *options, "--out", str(out)) == 0
    assert "the recordings say their classes themselves: left_hand, right_hand" in capsys.readouterr().err
    figures = json.loads(out.read_text())
    assert figures["classes"] == ["left_hand", "right_hand"]
    assert figures["people"]["person"]["calibration_trials"] == {"left_hand": 5, "right_hand": 5}
    assert figures["settings"]["event_map"]["left_hand"] == ["cue/left_hand"]


def test_options_of_this_mode_are_refused_without_it(runs, capsys):
    assert cli.main(["train", "evaluate", "mumtaz", "--calibrate", runs[0], "--out", "x"]) == 2
    assert "--calibrate is for --pseudo-online" in capsys.readouterr().err


@pytest.mark.recordings
def test_a_real_person_commands_more_than_at_rest(data_dir, tmp_path):
    """Peterson et al. 2022: calibrated on one run, and a later one decoded hop by hop."""
    person = data_dir / "peterson2022-mi-rest" / "edf04"
    if not person.is_dir():
        pytest.skip("the Peterson recordings are not among the data")
    runs = [str(person / run / "eeg.edf") for run in ("003", "004")]
    events = ("--event", "right_hand=OVTK_GDF_Right", "--event", "rest=OVTK_GDF_Tongue", "--unit", "microvolts")
    options = ("--network", "none", "--hop", "0.5", "--trials", "20", "--max-false-per-minute", "3")
    out = tmp_path / "online.json"
    assert evaluate("--calibrate", runs[0], "--test", runs[1], *events, *options, "--out", str(out)) == 0
    figures = json.loads(out.read_text())["over_all"]["Stack (published)"]["all"]
    assert figures["events"] == 20
    assert figures["by_trial"]["n_trials"] == 40
    assert figures["by_trial"]["above_chance"], figures["by_trial"]
    assert figures["kappa_course"]["max"] > 0.3
    before = [p["kappa"] for p in figures["kappa_course"]["points"] if p["t"] <= -0.5]
    assert max(before) < 0.3  # what comes before the cue tells nothing
    task_minutes = 20 * 5.25 / 60
    assert figures["hits"] / task_minutes > figures["false_per_minute"]
