"""The loop in one process: it learns, resumes to the same curve, refuses what does not fit, and keeps what it had."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import fake_corpus
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint
from neuript.network.companding import compand_volts
from neuript.network.config import NetworkConfig
from neuript.network.experts import PMoE
from neuript.network.network import NeurIPTNetwork
from neuript.training.corpus.recipe import RECIPES
from neuript.training.pretrain import PretrainRun, export_encoder, load_pretrainer, pretrain, read_log
from neuript.training.pretrain import snapshots as checkpoints
from neuript.training.pretrain.batches import validation_batches
from neuript.training.pretrain.card import Origin, write_card
from neuript.training.pretrain.distributed import World
from neuript.training.pretrain.logbook import LOG, Logbook
from neuript.training.pretrain.loop import Trainer
from neuript.training.pretrain.monitor import ExpertMonitor, ExpertUse, count_choices
from neuript.training.pretrain.optimiser import learning_rate

ALONE = World(0, 1, torch.device("cpu"))
CURVE = ("loss", "rec", "aux", "lr", "grad_norm", "experts")


def curve(out) -> list:
    return [[e["step"], *(e[k] for k in CURVE)] for e in read_log(out, "train")]


def stop_at(step: int):
    """A progress that presses Ctrl-C once."""

    def progress(status):
        if status.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run() -> PretrainRun:
    return PretrainRun(**fake_corpus.TINY, steps=7)


@pytest.fixture
def corpus():
    return fake_corpus.make_corpus()


def test_interrupted_twice_is_the_same_run(run, corpus, tmp_path):
    state = torch.get_rng_state()
    whole = pretrain(run, corpus, tmp_path / "whole")
    assert torch.equal(torch.get_rng_state(), state)
    parts = tmp_path / "parts"
    for step in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            pretrain(run, corpus, parts, progress=stop_at(step))
        assert checkpoints.latest(parts)[1]["step"] == step + 1
        assert not (parts / "encoder.safetensors").exists()
    end = pretrain(replace(run, keep=9, collapse_steps=9), corpus, parts, resume="must")
    assert curve(parts) == curve(tmp_path / "whole")
    assert [e[0] for e in curve(parts)] == list(range(1, 8))
    a, b = load_checkpoint(whole), load_checkpoint(end)
    assert a[0].weights_sha256 == b[0].weights_sha256
    # Finished: nothing is done again.
    when = end.stat().st_mtime_ns
    assert pretrain(run, corpus, parts) == end
    assert end.stat().st_mtime_ns == when


def test_it_learns(corpus, tmp_path):
    settings = fake_corpus.TINY | {
        "steps": 60,
        "max_lr": 3e-2,
        "log_every": 20,
        "checkpoint_every": 60,
        "validate_every": 20,
        "overrides": fake_corpus.TINY["overrides"] | {"dropout": 0.0},
    }
    untrained = Trainer(PretrainRun(**settings), [corpus], tmp_path / "untrained", ALONE).validate()["r2"]
    pretrain(PretrainRun(**settings), corpus, tmp_path)
    losses = [e["rec"] for e in read_log(tmp_path, "train")]
    assert losses[-1] < 0.5 * losses[0]  # 0.16 ± 0.08 over 14 seeds
    scores = [e["r2"] for e in read_log(tmp_path, "validation")]
    assert [e["step"] for e in read_log(tmp_path, "validation")] == [20, 40, 60]
    assert untrained <= 0  # a new decoder predicts nothing
    assert scores[-1] > 0.3


def test_step_is_adamw_on_the_mean_over_the_batch(run, corpus, tmp_path):
    """Micro-batches, clipping and learning rate against one plain step on the whole batch."""
    overrides = {**run.overrides, "dropout": 0.0, "experts": (0, 0, 0)}
    whole = replace(run, overrides=overrides, micro_batch=None, max_grad_norm=1.0)
    trainers = [Trainer(replace(whole, micro_batch=m), [corpus], tmp_path, ALONE) for m in (None, 2, 8)]
    batch = trainers[0].loader.load(0)
    model = trainers[2].model
    model.load_state_dict(trainers[0].model.state_dict())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for trainer in trainers[:2]:
        norm = trainer.step(trainer.loader.load(0))
    model.train()
    model.set_montage(batch.pos_m)
    model(batch.micro[0].x, torch.Generator().manual_seed(batch.seed)).loss.backward()
    expected = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert float(expected) > 1
    torch.testing.assert_close(norm, expected, rtol=1e-4, atol=0)
    lr = learning_rate(0, 7, run)
    torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=5e-3).step()
    for trainer in trainers[:2]:
        found = dict(trainer.model.named_parameters())
        for name, value in model.named_parameters():
            real = value.grad.abs() > 1e-6  # elsewhere (biases of keys) the sign is rounding
            torch.testing.assert_close(found[name][real], value[real], rtol=0, atol=0.02 * lr)
            assert ((value - before[name]).abs()[real] > 0.9 * lr).all()


def test_validation_is_the_loss_on_held_out_people(run, corpus, tmp_path):
    trainer = Trainer(run, [corpus], tmp_path, ALONE)
    found = trainer.validate()
    assert found == trainer.validate()
    held = set(trainer.data.corpus["held_out"])
    assert held
    assert not {s for p in trainer.loader.plan.parts for s in p.group.subjects[p.indices]} & held
    targets, errors, spread = [], [], 0.0
    for part, windows, seed in validation_batches(trainer.val_parts, 8, 4, run.seed):
        assert set(part.group.subjects[windows]) <= held
        x = torch.from_numpy(part.group.x[windows])
        trainer.model.eval().set_montage(part.group.montage.pos_m)
        out = trainer.model.reconstruct(x, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(out.target, compand_volts(x))
        targets.append(out.target[out.masked])
        errors.append((out.prediction - out.target)[out.masked])
        for b, d in np.ndindex(*x.shape[:2]):
            hidden = out.target[b, d][out.masked[b, d]].double()
            spread += float((hidden - hidden.mean()).square().sum())
    t, e = torch.cat(targets).double(), torch.cat(errors).double()
    assert found["rec"] == pytest.approx(float(e.square().mean()), rel=1e-5)
    r2 = 1 - float(e.square().sum() / (t - t.mean()).square().sum())
    assert found["r2"] == pytest.approx(r2, rel=1e-5)
    assert found["r2_within"] == pytest.approx(1 - float(e.square().sum()) / spread, rel=1e-5)


@pytest.mark.parametrize("simulated", [False, True])
def test_an_encoder_of_simulated_people_says_so(run, corpus, tmp_path, monkeypatch, simulated):
    monkeypatch.setattr(type(corpus), "simulated", simulated, raising=False)
    assert Trainer(run, [corpus], tmp_path, ALONE).manifest.simulated is simulated


def test_the_card_states_data_licence_and_result(run, corpus, tmp_path):
    path = pretrain(run, corpus, tmp_path)
    people = sorted(corpus.subjects)
    known = SimpleNamespace(
        recipe=RECIPES["short"],
        entries=[SimpleNamespace(dataset=s.split("/")[0], subject=s, n_windows=45) for s in people],
    )
    sets = {entry.dataset for entry in known.entries}
    origins = {name: Origin("fingers", "Ada 1843", "CC0") for name in sets}
    card = write_card(path, known, origins, limits=["Never met a cat."]).read_text()
    held = load_checkpoint(path)[0].provenance["corpus"]["held_out"]
    assert f"{len(people)} people (recorded), {len(held)} of them held out" in card
    for name in sets:
        own = [s for s in people if s.startswith(f"{name}/")]
        n_held = len(set(own) & set(held))
        hours = len(own) * 45 * 4 / 3600
        line = f"`{name}`: fingers | {hours:.2f} | {len(own)} ({n_held}) | CC0 | Ada 1843 |"
        assert line in card
    found = read_log(tmp_path, "validation")[-1]
    assert f"held-out people: {100 * found['r2']:.0f} % of the variance" in card
    assert "- Never met a cat." in card
    with pytest.raises(NeuriptError, match="origin and licence are not stated"):
        write_card(path, known, {})
    known.entries.pop()
    with pytest.raises(NeuriptError, match="is in one of them only"):
        write_card(path, known, origins)


def test_encoder_file_loads_into_a_classifier_and_says_what_it_saw(run, corpus, tmp_path):
    path = pretrain(run, corpus, tmp_path)
    manifest, state = load_checkpoint(path)
    about = manifest.provenance["corpus"]
    assert set(about["subjects"]) == corpus.subjects
    assert set(about["file_hashes"]) == corpus.file_hashes
    assert set(about["held_out"]) < corpus.subjects
    assert about["hours"] == 0.1
    assert manifest.provenance["step"] == 7
    assert manifest.metrics["validation"]["step"] == 7
    assert manifest.ch_names == ("C3", "Cz", "C4")
    config = replace(NetworkConfig.from_dict(manifest.model), n_outputs=3)
    classifier = NeurIPTNetwork(config, corpus.groups[1].montage.pos_m, [[0], [1]])
    classifier.load_encoder(state)
    model = load_pretrainer(tmp_path, corpus.groups[1].montage.pos_m)
    assert not model.training
    assert model.spec == run.pretrain_spec()
    x = torch.from_numpy(corpus.groups[1].x[:2])
    for a, b in zip(classifier.eval().encoder(compand_volts(x))[0], model.encoder(model.compand(x))[0], strict=True):
        torch.testing.assert_close(a, b)
    exported = export_encoder(checkpoints.find_checkpoints(tmp_path)[1], tmp_path / "e.safetensors")
    assert exported.provenance["step"] == 6
    assert exported.weights_sha256 != manifest.weights_sha256


def test_other_settings_are_refused_by_name(run, corpus, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        pretrain(run, corpus, tmp_path, progress=stop_at(1))
    refused = [
        (replace(run, max_lr=1e-3), corpus, "run.max_lr: 0.0003 before, 0.001 now"),
        (replace(run, steps=8), corpus, "steps: 7 before, 8 now"),
        (replace(run, spec={"span": 3}), corpus, "objective.span: 16 before, 3 now"),
        (replace(run, overrides={**run.overrides, "d_ff": 9}), corpus, "model.d_ff: 8 before, 9"),
        (run, replace(corpus, groups=corpus.groups[:1]), "data.windows: 37 before, 24 now"),
    ]
    elsewhere = Trainer(run, [corpus], tmp_path, replace(ALONE, device=torch.device("cpu"))).settings
    with pytest.raises(NeuriptError, match="device: cpu before, cuda now"):  # which draws other masks
        checkpoints.check_settings(tmp_path, elsewhere, elsewhere | {"device": "cuda"})
    for other, data, match in refused:
        with pytest.raises(NeuriptError, match=match):
            pretrain(other, data, tmp_path)
    before = checkpoints.latest(tmp_path)[1]["settings"]
    for table in ("run", "model", "objective"):  # as of a version that had fewer fields
        before[table].pop({"run": "val_windows", "model": "load_weight"}.get(table, "span"))
    before.pop("device")
    defaults = Trainer(replace(run, val_windows=256), [corpus], tmp_path, ALONE).settings
    checkpoints.check_settings(tmp_path, before, defaults)
    with pytest.raises(NeuriptError, match="already"):
        pretrain(run, corpus, tmp_path, resume="never")
    with pytest.raises(NeuriptError, match="no checkpoint"):
        pretrain(run, corpus, tmp_path / "new", resume="must")
    assert not (tmp_path / "new").exists()


def test_a_damaged_checkpoint_is_passed_over(run, corpus, tmp_path, caplog):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(run, corpus, whole)
    with pytest.raises(KeyboardInterrupt):
        pretrain(run, corpus, parts, progress=stop_at(5))
    newest, older = checkpoints.find_checkpoints(parts)
    newest.write_bytes(newest.read_bytes()[:-10])
    pretrain(run, corpus, parts)
    assert "trying the one before" in caplog.text
    assert curve(parts) == curve(whole)
    older = checkpoints.find_checkpoints(parts)
    for path in older:
        path.write_bytes(b"x")
    with pytest.raises(ModelRefusedError, match="damaged"):
        pretrain(run, corpus, parts)


def test_full_disk_keeps_the_last_checkpoint_and_resumes(run, corpus, tmp_path):
    resource = pytest.importorskip("resource")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(run, corpus, whole)
    with pytest.raises(KeyboardInterrupt):
        pretrain(run, corpus, parts, progress=stop_at(1))
    kept = {p.name: p.read_bytes() for p in (parts / "checkpoints").iterdir()}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # a checkpoint has 340 kB
    try:
        with pytest.raises(NeuriptError, match=r"checkpoint of step 3 cannot be written.*make room"):
            pretrain(run, corpus, parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {p.name: p.read_bytes() for p in (parts / "checkpoints").iterdir()} == kept
    pretrain(run, corpus, parts)
    assert curve(parts) == curve(whole)


def test_a_full_disk_under_the_log_is_said(tmp_path, monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Logbook(tmp_path, 0, tensorboard=False) as log:
        with monkeypatch.context() as patch:
            patch.setattr(log, "_file", Full())
            with pytest.raises(NeuriptError, match=f"cannot write .*{os.strerror(errno.ENOSPC)}"):
                log.write("train", 1, loss=1.0)
        log.write("train", 2, loss=1.0)
    assert [e["step"] for e in read_log(tmp_path)] == [2]


def test_only_the_newest_checkpoints_are_kept(run, corpus, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".step-00000003.safetensors.abc.tmp").write_text("left by a killed run")
    pretrain(replace(run, checkpoint_every=1, keep=3), corpus, tmp_path)
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == [f"step-{s:08d}.safetensors" for s in (5, 6, 7)]


def test_a_loss_that_is_no_number_stops_the_run(run, corpus, tmp_path):
    with pytest.raises(NeuriptError, match="no longer a number at step"):
        pretrain(replace(run, max_lr=1e30, max_grad_norm=1e30), corpus, tmp_path)
    for path in checkpoints.find_checkpoints(tmp_path):
        for value in checkpoints.read_weights(path).values():
            assert torch.isfinite(value).all()


def test_random_channels_are_refused_with_positions_by_index(run, corpus, tmp_path):
    overrides = {**run.overrides, "spatial_pe": "learned_1d"}
    pretrain(replace(run, overrides=overrides, steps=1), corpus, tmp_path)
    with pytest.raises(NeuriptError, match="max_channels"):
        pretrain(replace(run, overrides=overrides, max_channels=2), corpus, tmp_path / "b")


def test_log_drops_what_came_after_the_checkpoint_and_half_a_line(tmp_path):
    with Logbook(tmp_path, 0, tensorboard=False) as log:
        for step in range(1, 6):
            log.write("train", step, loss=step / 2)
    with open(tmp_path / LOG, "a") as file:
        file.write('{"kind": "train", "st')
    assert len(read_log(tmp_path)) == 5
    with Logbook(tmp_path, 3, tensorboard=False) as log:
        log.write("train", 4, loss=9.0)
    assert [(e["step"], e["loss"]) for e in read_log(tmp_path, "train")] == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 9.0)]


def test_choices_are_counted_as_the_layer_makes_them():
    config = NetworkConfig(n_outputs=2, d_model=12, n_heads=2, d_expert=4, d_shared=8)
    layer = PMoE(config, 5)
    torch.nn.init.normal_(layer.router.weight)
    z = torch.randn(3, 7, 12, generator=torch.Generator().manual_seed(0))
    *used, entropy, n = count_choices(layer, z).tolist()
    logits = layer.router(z).flatten(0, 1).detach().numpy()
    expected = np.zeros(5)
    for row in logits:
        expected[np.argsort(row)[-3:]] += 1
    assert used == expected.tolist()
    p = F.softmax(torch.tensor(logits), dim=-1).numpy()
    assert entropy == pytest.approx(float(-(p * np.log(p)).sum()), rel=1e-5)
    assert n == 21


def test_monitor_sees_a_collapsed_expert_and_says_it_once(caplog):
    config = NetworkConfig(n_outputs=2, d_model=12, n_heads=2, d_expert=4, d_shared=8)
    model = torch.nn.ModuleDict({"a": PMoE(config, 4)})
    torch.nn.init.zeros_(model["a"].router.weight)
    model["a"].router.bias.data = torch.tensor([5.0, 1.0, 0.0, 9.0])
    monitor = ExpertMonitor(model, share=0.1, steps=10)
    z = torch.randn(2, 3, 12)
    model["a"](z)
    assert monitor.collect(ALONE) == {}  # not watching
    monitor.watching = True
    model["a"](z)
    model["a"](z)
    (use,) = monitor.collect(ALONE).values()
    assert use.use == (1.0, 0.0, 0.0, 1.0)
    p = F.softmax(model["a"].router.bias.detach(), dim=0)
    assert use.entropy == pytest.approx(float(-(p * p.log()).sum() / np.log(4)), rel=1e-5)
    assert use.even == 0.5
    told = [monitor.alarms(step, {"a": use}) for step in (100, 105, 110, 120)]
    assert [len(t) for t in told] == [0, 0, 2, 0]
    assert "expert 1 of a is used by 0 %" in told[2][0]
    assert "since step 100" in told[2][0]
    again = ExpertMonitor(model, share=0.1, steps=10)  # a resumed run does not say it again
    again.load_state(json.loads(json.dumps(monitor.state())))
    assert again.alarms(130, {"a": use}) == []
    fine = ExpertUse((0.5, 0.5, 0.06, 0.94), 0.9, 0.5)
    assert again.alarms(140, {"a": fine}) == []
    assert [len(again.alarms(s, {"a": use})) for s in (150, 160)] == [0, 2]


def test_alarm_reaches_the_log(run, corpus, tmp_path, caplog, monkeypatch):
    plain = ExpertMonitor.collect

    def collect(self, world):
        uses = plain(self, world)
        return {n: replace(u, use=(0.0, *u.use[1:])) for n, u in uses.items()}

    monkeypatch.setattr(ExpertMonitor, "collect", collect)
    pretrain(replace(run, collapse_steps=4), corpus, tmp_path)
    alarms = read_log(tmp_path, "alarm")
    assert [a["step"] for a in alarms] == [5] * 4  # two layers of two blocks
    assert "is used by 0 %" in caplog.text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_the_same_numbers(run, corpus, tmp_path):
    pytest.importorskip("tensorboard")
    pretrain(replace(run, steps=3, tensorboard=True), corpus, tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    for name in ("loss", "lr", "grad_norm"):
        values = [(e.step, e.value) for e in board.Scalars(f"train/{name}")]
        expected = [(e["step"], e[name]) for e in read_log(tmp_path, "train")]
        assert values == [(s, pytest.approx(v, rel=1e-6)) for s, v in expected]
    tags = board.Tags()["scalars"]
    assert "train/experts/encoder.blocks.2.ffn_time/use/3" in tags
    assert "train/experts/encoder.blocks.2.ffn_time/entropy" in tags
    assert "validation/r2" in tags
