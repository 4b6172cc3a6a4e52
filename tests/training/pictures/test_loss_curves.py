"""Curves of pretrainings out of their logs, and the command that draws them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuript.__main__ import main
from neuript.errors import NeuriptError
from neuript.training.pictures.loss_curves import last_scores, read_curves, smoothed
from neuript.training.pretrain.logbook import Logbook
from neuript.training.sweep.jobs import make_plan
from neuript.training.sweep.request import write_request
from neuript.training.sweep.sweep_tables import load_sweep


def write_log(folder, steps, validated=(10, 20), scale=1.0, within=True):
    folder.mkdir(parents=True)
    with Logbook(folder, 0, tensorboard=False) as log:
        for step in steps:
            log.write("train", step, loss=9.0, rec=scale / step)
            if step in validated:
                log.write("validation", step, rec=0.5, r2=step / 100, **({"r2_within": -step / 100} if within else {}))
    return folder


def test_runs_of_a_setting_are_read_where_all_have_an_entry(tmp_path):
    one = write_log(tmp_path / "one", [5, 10, 15, 20])
    two = write_log(tmp_path / "two", [5, 10, 20, 25], validated=(20, 25), scale=3.0, within=False)
    (curve,) = read_curves({"both": [one, two]})
    assert curve.step.tolist() == [5, 10, 20]
    np.testing.assert_allclose(curve.rec, [[0.2, 0.1, 0.05], [0.6, 0.3, 0.15]])
    assert curve.val_step.tolist() == [20]
    np.testing.assert_array_equal(curve.r2_within, [[-0.2], [np.nan]])
    line = last_scores(read_curves({"one": [one]})).splitlines()[-1]
    assert line == f"| one | 1 | 20 | {np.mean([0.2, 0.1, 1 / 15, 0.05]):.3f} | 0.200 | -0.200 |"


def test_the_running_mean_is_that_of_a_convolution_and_shorter_at_the_ends():
    x = np.random.default_rng(0).normal(size=30)
    inside = np.convolve(x, np.ones(9) / 9, "valid")
    np.testing.assert_allclose(smoothed(x)[4:-4], inside)
    assert smoothed(x)[0] == pytest.approx(x[:5].mean())
    assert smoothed(x)[-1] == pytest.approx(x[-5:].mean())


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(NeuriptError, match=r"has no log\.jsonl; give the folder of a pretraining"):
        read_curves({"a": [tmp_path]})
    with pytest.raises(NeuriptError, match="no step was logged"):
        read_curves({"a": [write_log(tmp_path / "new", [])]})


def test_command(tmp_path, capsys):
    one = write_log(tmp_path / "one", [5, 10, 15, 20])
    out = tmp_path / "curves.png"
    assert main(["train", "curves", f"amplitudes={one}", "--out", str(out)]) == 0
    assert "| amplitudes | 1 | 20 |" in capsys.readouterr().out
    assert out.read_bytes().startswith(b"\x89PNG")
    plan = make_plan(load_sweep("masking"), data=["a"], seeds=[0, 1], corpus="c")
    write_request(tmp_path, "masking", plan, data=["a"], seeds=[0, 1], corpus="c")
    spans = [j.id for j in plan.jobs if j.kind == "pretrain" and "span 4 " in j.label]
    command = ["train", "curves", "--sweep", str(tmp_path), "--table", "masking", "--out", str(tmp_path / "c.pdf")]
    assert main(command) == 2
    assert "no pretraining of the sweep 'masking' has begun" in capsys.readouterr().err
    for job in spans:
        write_log(tmp_path / job / "pretrain", [5, 10])
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "| span 4 | 2 | 10 |" in table
    assert "amplitude" not in table
    assert main(["train", "curves", "--out", str(out)]) == 2
    assert main(["train", "curves", f"a={one}", "--out", str(tmp_path / "c.jpg")]) == 2
    assert "must end in .png or .pdf" in capsys.readouterr().err
    assert json.loads((tmp_path / "masking.json").read_text())["seeds"] == [0, 1]
