from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from processes import finished, python

from neuript.cli.train import evaluate as train_evaluate
from neuript.cli.train import finetune as train_finetune
from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.training.evaluate import protocols
from neuript.training.evaluate.nets import NETS, build_net, import_braindecode
from neuript.training.evaluate.protocols.eval_data import EvalData

SHAPE = [
    "--size", "micro", "--set", "model.d_model=12", "--set", "model.n_heads=2",
    "--set", "model.merges=4,2", "--set", "model.experts=0,2", "--set", "n_epochs=1",
]  # fmt: skip


class FakeProtocol:
    """Six people, two for each split, whose classes differ in power."""

    name = "mental-arithmetic"
    layout, how_to_get, fetch = "files", "Ask for them.", None

    def load(self, folder, **options):
        rng = np.random.default_rng(0)
        if not Path(folder).is_dir():
            raise NeuriptError(f"there is no folder {folder}")
        y = np.tile([0, 1], 36)
        x = rng.normal(size=(72, 3, 80)) * 8e-6 * (1 + 2 * y[:, None, None])
        people = np.repeat([f"set/p{i}" for i in range(6)], 12)
        return EvalData(
            x=x.astype(np.float32),
            y=y,
            subject=people,
            recording=people,
            start_s=np.arange(72.0),
            split=np.repeat(["train", "val", "test"], 24),
            montage=load_montage("double-banana").pick(["C3-Cz", "Cz-C4", "Fp1-F7"]),
            classes=("rest", "arithmetic"),
            sfreq=64.0,
            protocol=self.name,
        )


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.setattr(protocols, "get_protocol", lambda _name: FakeProtocol())
    return ["mental-arithmetic", "--data", str(tmp_path), "--out", str(tmp_path / "out")]


def test_evaluate_prints_the_table_and_goes_on(fake, capsys):
    options = ["--methods", "band-power,scratch", "--seeds", "0,1", *SHAPE]
    assert train_evaluate.run([*fake, *options]) == 0
    printed = capsys.readouterr()
    assert "| scratch | 24 (1) | 2 |" in printed.out
    assert "epoch 1/1" in printed.err
    assert train_evaluate.run([*fake, *options]) == 0
    again = capsys.readouterr()
    assert again.out == printed.out
    assert again.err.count(": known") == 3
    assert train_evaluate.run([*fake[:1], *fake[3:], "--table"]) == 0
    assert capsys.readouterr().out == printed.out


def test_finetune_writes_a_checkpoint(fake, capsys, tmp_path):
    fake[-1] = str(tmp_path / "model.safetensors")
    assert train_finetune.run([*fake, *SHAPE]) == 0
    assert "balanced_accuracy" in capsys.readouterr().out
    assert (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "cache").is_dir()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--methods", "finetune"], "--checkpoint"),
        (["--methods", "lda"], "no method lda"),
        (["--seeds", "a"], "--seeds 'a'"),
        (["--fractions", "2"], "fraction 2"),
        (["--device", "tpu"], "cpu or cuda"),
        (["--threads", "0"], "--threads 0"),
        (["--set", "warmth=1"], "unknown field warmth; known are n_epochs,"),
        (["--set", "scratch.loss=mse"], "loss='mse'"),
        (["--size", "giant", "--methods", "scratch"], "no model size 'giant'"),
        (["--checkpoint", "none.safetensors"], r"none\.safetensors"),
        (["--fetch"], "cannot be downloaded"),
        (["--table"], "no folder"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(fake, options, match):
    with pytest.raises(NeuriptError, match=match):
        train_evaluate.run([*fake, *options])


def test_missing_folders_and_names_are_refused(fake):
    with pytest.raises(NeuriptError, match=r"--out DIR"):
        train_evaluate.run(fake[:3])
    with pytest.raises(NeuriptError, match=r"--data DIR is missing.*Ask for them"):
        train_evaluate.run([*fake[:1], *fake[3:]])
    with pytest.raises(NeuriptError, match=r"\.safetensors or \.ts"):
        train_finetune.run([*fake[:3], "--out", "model.pt"])


def test_protocols_are_listed(capsys):
    assert train_evaluate.run([]) == 0
    assert "mental-arithmetic" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["evaluate", "finetune"])
def test_help_needs_no_torch(verb, tmp_path):
    program = (
        "import sys; from neuript.cli import main; code = main(['train', sys.argv[1], '--help']);"
        "assert not {'torch', 'scipy', 'mne', 'sklearn'} & set(sys.modules); sys.exit(code)"
    )
    done = finished(python(program, verb), cwd=tmp_path, ok=True)
    assert "examples:" in done.stdout


@pytest.mark.parametrize("name", NETS)
def test_braindecodes_networks_take_volts(rng, name):
    if importlib.util.find_spec("braindecode") is None:
        pytest.skip("braindecode is not installed")
    import torch

    x = (rng.normal(size=(6, 5, 128)) * 1e-5).astype(np.float32)
    net = build_net(name, x, n_outputs=3, sfreq=64.0, seed=0)
    again = build_net(name, x, n_outputs=3, sfreq=64.0, seed=0)
    assert type(net.net) is getattr(import_braindecode(), NETS[name])
    logits = net.eval()(torch.tensor(x))
    assert logits.shape == (6, 3)
    torch.testing.assert_close(logits, again.eval()(torch.tensor(x)))
    torch.testing.assert_close(logits, net.net(torch.tensor(x / np.sqrt((x**2).mean()))))
    with pytest.raises(NeuriptError, match="too short"):
        build_net(name, x[..., :32], n_outputs=3, sfreq=64.0, seed=0)
    with pytest.raises(NeuriptError, match="no network"):
        build_net("resnet", x, n_outputs=3, sfreq=64.0, seed=0)
