"""Settings of a pretraining: checked, JSON-safe, from a table and from options."""

from __future__ import annotations

import json

import pytest

from neuript.cli import main
from neuript.cli.train.pretrain import build_parser, read_settings
from neuript.errors import NeuriptError
from neuript.training.pretrain.run_settings import PretrainRun, differences


def test_defaults_are_the_papers():
    run = PretrainRun(epochs=40, batch_size=480)
    assert (run.max_lr, run.max_lr / run.div, run.max_lr / run.div / run.final_div) == (
        3e-4,
        pytest.approx(1.2e-5),
        pytest.approx(1.2e-9),
    )
    assert (run.betas, run.weight_decay, run.warmup, run.max_grad_norm, run.seed) == (
        (0.9, 0.98),
        5e-3,
        0.15,
        100.0,
        520,
    )
    assert run.precision == "bf16"
    assert run.n_steps(2_219_455) == 184_960  # section 15, reading 19: 185K steps


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({}, "steps or as epochs"),
        ({"steps": 5, "epochs": 1}, "steps or as epochs"),
        ({"steps": 0}, "steps=0 must be a whole number larger than 0"),
        ({"steps": 5, "micro_batch": 5}, "divisor of batch_size=32"),
        ({"steps": 5, "val_fraction": 1.0}, "val_fraction=1.0"),
        ({"steps": 5, "precision": "fp16"}, "bf16 or fp32"),
        ({"steps": 5, "betas": (0.9,)}, "two finite numbers"),
        ({"steps": 5, "max_lr": float("nan")}, "max_lr=nan"),
        ({"steps": 5, "max_channels": 1}, "2 or more"),
        ({"steps": 5, "speed": 1}, "the pretraining settings: unknown field speed"),
        ({"steps": "many"}, "steps='many'"),
        ({"steps": 5, "batch_size": "many"}, "batch_size='many'"),
        ({"steps": 5, "warmup": "x"}, "warmup='x'"),
    ],
)
def test_what_is_not_allowed_is_named(given, match):
    with pytest.raises(NeuriptError, match=match):
        PretrainRun.from_dict(given)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"overrides": {"d_model": 7}}, "d_model"),
        ({"overrides": {"width": 7}}, "width"),
        ({"overrides": {"n_times": 128}}, "n_times=128"),
    ],
)
def test_model_of_a_run_is_checked(given, match):
    with pytest.raises(NeuriptError, match=match):
        PretrainRun(steps=1, **given).model_config(256)


def test_objective_of_a_run_is_checked():
    with pytest.raises(NeuriptError, match="unknown field colour"):
        PretrainRun(steps=1, spec={"colour": 1}).pretrain_spec()
    spec = PretrainRun(steps=1, spec={"masking": "spans", "ratios": [0.5]}).pretrain_spec()
    assert (spec.masking, spec.ratios) == ("spans", (0.5,))


def test_json_and_back():
    run = PretrainRun(steps=5, overrides={"merges": (4, 1), "experts": (0, 2)}, spec={"span": 4})
    assert PretrainRun.from_dict(json.loads(json.dumps(run.to_dict()))).to_dict() == run.to_dict()


def test_differences_are_named_with_both_values():
    before = {"a": 1, "run": {"lr": 0.1, "same": [1]}}
    now = {"run": {"lr": 0.2, "same": [1]}, "b": "x"}
    assert differences(before, now) == [
        "a: 1 before, nothing now",
        "b: nothing before, x now",
        "run.lr: 0.1 before, 0.2 now",
    ]
    assert differences(before, before) == []


def test_options_count_more_than_the_table(tmp_path):
    table = tmp_path / "run.yaml"
    table.write_text("epochs: 3\nmax_lr: 0.001\nspec: {span: 4, masking: spans}\n")
    argv = ["corpus", "--out", "o", "--config", str(table), "--steps", "7", "--span", "8"]
    argv += ["--model", "merges=4,1", "experts=0,2", "dropout=0", "--objective", "loss-p=1"]
    settings = read_settings(build_parser().parse_args([*argv, "--no-tensorboard", "--shard"]))
    assert settings == {
        "steps": 7,
        "max_lr": 0.001,
        "spec": {"span": 8, "masking": "spans", "loss_p": 1},
        "overrides": {"merges": [4, 1], "experts": [0, 2], "dropout": 0},
        "tensorboard": False,
        "shard": True,
    }


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--config", "nothing.yaml"], "cannot be read"),
        (["--steps", "1", "--model", "d_model"], "FIELD=VALUE"),
        (["--steps", "1", "--model", "d_model=[1"], "not valid YAML"),
        ([], "steps or as epochs"),
        (["--steps", "1"], "corpus"),
    ],
)
def test_bad_commands_are_one_sentence(tmp_path, capsys, arguments, match):
    argv = ["train", "pretrain", str(tmp_path), "--out", str(tmp_path / "run"), *arguments]
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("neuript train: ")
    assert match in err
    assert not (tmp_path / "run").exists()


def test_export_without_a_checkpoint_is_refused(tmp_path, capsys):
    assert main(["train", "export", str(tmp_path), "--out", str(tmp_path / "e.safetensors")]) == 2
    assert "no checkpoints" in capsys.readouterr().err
