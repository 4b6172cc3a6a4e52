from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import make_manifest

from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.deployable import open_model
from neuript.montages import load_montage
from neuript.network.config import NetworkConfig
from neuript.training.evaluate.evaluation import (
    RESULTS,
    EvaluateSpec,
    ResultStore,
    draw_fraction,
    evaluate,
    fingerprint,
    plan,
)
from neuript.training.evaluate.finetuned_file import finetune_to_file
from neuript.training.evaluate.leaks import check_leak
from neuript.training.evaluate.methods import METHODS, MethodSpec, Pretrained, build_classifier, saturated
from neuript.training.evaluate.protocols.eval_data import EvalData
from neuript.training.evaluate.result_tables import rows, table
from neuript.training.evaluate.settings import method_spec
from neuript.training.evaluate.svm_probe import ProbeSpec
from neuript.training.fitting import plain
from neuript.training.fitting.forward import predict
from neuript.training.fitting.supervised import SupervisedSpec
from neuript.training.fitting.training_loop import Fitted

MICRO = {"d_model": 12, "n_heads": 2, "merges": [4, 2], "experts": [0, 2]}
BRIEF = SupervisedSpec(n_epochs=2, batch_size=16, max_lr=1e-3)
SPEC = MethodSpec(
    size="micro",
    model=MICRO,
    scratch=BRIEF,
    finetune=BRIEF,
    nets={"eegnet": replace(BRIEF, loss="ce"), "shallow": replace(BRIEF, loss="ce")},
    probe=ProbeSpec(kernels=("linear",), C=(0.1,), tol=(1e-3,), n_folds=2),
)


@pytest.fixture
def data(rng):
    """Ten people, 12 windows each, whose classes differ in the power of two channels."""
    montage = load_montage("double-banana").pick(["Fp1-F7", "F7-T3", "C3-Cz", "Cz-C4"])
    n_each, people = 12, [f"set/p{i}" for i in range(10)]
    subject = np.repeat(people, n_each)
    y = np.tile([0, 0, 1], len(subject) // 3)
    x = rng.normal(size=(len(y), 4, 96)) * 8e-6
    x[:, :2] *= 1 + 2 * y[:, None, None]
    split = np.repeat(["train"] * 6 + ["val"] * 2 + ["test"] * 2, n_each)
    return EvalData(
        x=x.astype(np.float32),
        y=y.astype(np.int64),
        subject=subject,
        recording=subject,
        start_s=np.arange(len(y), dtype=float),
        split=split,
        montage=montage,
        classes=("rest", "arithmetic"),
        sfreq=64.0,
        protocol="mental-arithmetic",
        hashes_of_split={"train": {"aa" * 32}, "val": {"bb" * 32}, "test": {"cc" * 32}},
    )


def encoder_manifest(data, model, **provenance):
    return make_manifest(
        task="pretraining",
        classes=(),
        model=model.config,
        montage=data.montage,
        window_s=1.5,
        hop_s=1.5,
        provenance={"simulated": False, **provenance},
    )


@pytest.fixture
def checkpoint(data, tmp_path):
    model = build_classifier(data, SPEC, None, 5)
    path = tmp_path / "encoder.safetensors"
    corpus = {"subjects": ["set/p0", "other/p9"], "file_hashes": ["aa" * 32], "hours": 1.0}
    state = {f"encoder.{k}": v for k, v in model.encoder.state_dict().items()}
    save_checkpoint(path, state, encoder_manifest(data, model, corpus=corpus))
    return path


def test_all_methods_beside_each_other_and_again_without_work(data, checkpoint, tmp_path, monkeypatch):
    methods = tuple(m for m in METHODS if m not in ("reinit", "eegnet", "shallow"))
    spec = EvaluateSpec(methods=methods, seeds=(0, 1), method=SPEC)
    monkeypatch.setattr(plain, "BANDS", {"8-30": ((8.0, 30.0),)})
    said: list[str] = []
    results = evaluate(data, spec, tmp_path / "out", checkpoint=checkpoint, say=said.append)
    assert not [r for r in results if "error" in r]
    assert [r["seed"] for r in results if r["method"] == "ts-lr"] == [0]
    by_method = {r["method"]: r for r in results}
    for name in ("ts-lr", "csp-lda", "band-power"):
        assert by_method[name]["test"]["balanced_accuracy"] > 0.9
    assert set(by_method["finetune"]["test_by_subject"]) == {"set/p8", "set/p9"}
    lines = (tmp_path / "out" / RESULTS).read_text().splitlines()
    assert len(lines) == len(results) == 3 + 2 * 4
    said.clear()
    again = evaluate(data, spec, tmp_path / "out", checkpoint=checkpoint, say=said.append)
    assert all(text.endswith(": known") for text in said)
    assert [r["id"] for r in again] == [r["id"] for r in results]
    text = table(tmp_path / "out")
    assert "| ts-lr | 72 (1) | 1 |" in text
    assert "86.46 ± 1.07" in text  # the paper, pretrained
    assert "75.69" in text  # the paper, from scratch
    assert "Test: 2 subjects" in text
    found = {row.method: row for row in rows(tmp_path / "out")}
    mean = np.mean([r["test"]["balanced_accuracy"] for r in results if r["method"] == "scratch"])
    assert found["scratch"].test["balanced_accuracy"].value == pytest.approx(mean)
    assert "BA at base rate" in text
    assert found["ts-lr"].at_rate.value > 0.9


def test_base_rate_threshold_comes_from_validation_people_alone(data, tmp_path, monkeypatch):
    spec = EvaluateSpec(methods=("band-power",), seeds=(0,), method=SPEC)
    (result,) = evaluate(data, spec, tmp_path)
    path = ResultStore(tmp_path).predictions_path(result["id"])
    y_val = data.y[data.split == "val"]
    order = np.random.default_rng(0).permutation(len(y_val))
    score = np.empty(len(y_val))
    score[order] = np.linspace(0.01, 0.2, len(y_val))  # all below one half
    n_positive = int(y_val.sum())
    threshold = np.sort(score)[::-1][n_positive - 1 : n_positive + 1].mean()
    y_test = data.y[data.split == "test"]
    test = np.where(y_test == 1, threshold + 1e-3, threshold - 1e-3)
    test[0] = threshold + 1e-3  # one rest window of 16 too many
    np.savez(path, val=np.stack([1 - score, score], 1), test=np.stack([1 - test, test], 1))
    (row,) = rows(tmp_path)
    assert row.test["balanced_accuracy"].value == 0.5
    assert row.at_rate.value == pytest.approx((1 + 15 / 16) / 2)


def test_a_killed_evaluation_goes_on_behind_the_last_whole_line(data, tmp_path):
    spec = EvaluateSpec(methods=("band-power", "probe-random"), seeds=(0, 1), method=SPEC)
    full = evaluate(data, spec, tmp_path / "a")
    evaluate(data, replace(spec, methods=("band-power",)), tmp_path / "b")
    with (tmp_path / "b" / RESULTS).open("a") as file:
        file.write('{"id": "half a li')
    resumed = evaluate(data, spec, tmp_path / "b")
    for one, other in zip(full, resumed, strict=True):
        assert one["test"] == other["test"]
    assert len(list(ResultStore(tmp_path / "b"))) == 3
    next((tmp_path / "b" / "predictions").iterdir()).unlink()
    with pytest.raises(NeuriptError, match="is missing, so the result of"):
        table(tmp_path / "b")
    said: list[str] = []
    evaluate(data, spec, tmp_path / "b", say=said.append)
    assert sum(text.endswith(": known") for text in said) == 2


def test_what_decides_a_result_decides_its_id(data, tmp_path):
    spec = EvaluateSpec(methods=("scratch",), seeds=(0,), method=SPEC)
    ids = [evaluate(data, spec, tmp_path)[0]["id"]]
    ids.append(evaluate(data, replace(spec, seeds=(1,)), tmp_path)[0]["id"])
    longer = replace(SPEC, scratch=replace(BRIEF, n_epochs=3))
    ids.append(evaluate(data, replace(spec, method=longer), tmp_path)[0]["id"])
    other = replace(data, y=1 - data.y)
    ids.append(evaluate(other, spec, tmp_path)[0]["id"])
    assert len(set(ids)) == 4
    with pytest.raises(NeuriptError, match="different windows"):
        rows(tmp_path)


def test_nothing_of_validation_or_test_reaches_training(data, tmp_path):
    """Other validation and test windows leave the fitted network of a last-epoch run as it is."""
    spec = replace(SPEC, scratch=replace(BRIEF, select="last", patience=None))
    held = data.split != "train"
    changed = data.x.copy()
    changed[held] = changed[held][::-1] * 3
    probe_spec = EvaluateSpec(methods=("scratch",), seeds=(0,), method=spec)
    one = evaluate(data, probe_spec, tmp_path / "a")[0]
    two = evaluate(replace(data, x=changed), probe_spec, tmp_path / "b")[0]
    train = [r["about"]["history"][-1]["train_loss"] for r in (one, two)]
    assert train[0] == train[1]
    assert one["test"] != two["test"]


def test_selection_never_looks_at_the_test_people(data, tmp_path):
    flipped = replace(data, y=np.where(data.split == "test", 1 - data.y, data.y))
    spec = EvaluateSpec(methods=("band-power", "scratch", "probe-random"), seeds=(0,), method=SPEC)
    for one, two in zip(evaluate(data, spec, tmp_path / "a"), evaluate(flipped, spec, tmp_path / "b"), strict=True):
        strip = [{k: v for k, v in r["about"].items() if k != "history"} for r in (one, two)]
        assert strip[0] == strip[1]
        assert one["val"] == two["val"]
        total = one["test"]["balanced_accuracy"] + two["test"]["balanced_accuracy"]
        assert total == pytest.approx(1)


def test_shares_are_by_class_nested_and_seeded(data):
    train = data.where("train")
    small, large = (draw_fraction(train, data.y, f, 3) for f in (0.1, 0.5))
    assert set(small) < set(large) < set(train)
    assert np.bincount(data.y[large]).tolist() == [24, 12]
    assert len(draw_fraction(train, data.y, 1e-6, 0)) == 2
    assert set(small) != set(draw_fraction(train, data.y, 0.1, 4))
    np.testing.assert_array_equal(draw_fraction(train, data.y, 1.0, 0), train)


def test_low_data_table_is_relative_to_all_data(data, tmp_path):
    spec = EvaluateSpec(methods=("band-power",), seeds=(0, 1), fractions=(0.1, 1.0), method=SPEC)
    assert len(plan(spec)) == 3
    evaluate(data, spec, tmp_path)
    low, full = (next(r for r in rows(tmp_path) if r.fraction == f) for f in (0.1, 1.0))
    share = 100 * low.test["auroc"].value / full.test["auroc"].value
    assert f"{share:.1f} |" in table(tmp_path).split("Per cent of the same")[1]


def test_people_of_the_evaluation_in_the_corpus_are_refused(data, checkpoint, tmp_path):
    model = build_classifier(data, SPEC, None, 0)
    check_leak(load_checkpoint(checkpoint)[0], data)

    def refused(match, **provenance):
        with pytest.raises(NeuriptError, match=match):
            check_leak(encoder_manifest(data, model, **provenance), data)

    refused("set/p9", corpus={"subjects": ["set/p9"], "file_hashes": []})
    refused("set/p6", corpus={"subjects": ["set/p6"], "file_hashes": []})  # validation
    refused("same hash", corpus={"subjects": ["x/1"], "file_hashes": ["cc" * 32]})
    refused("same hash", corpus={"subjects": ["x/1"], "file_hashes": ["bb" * 8, "dd" * 8]})
    refused("does not list")
    check_leak(encoder_manifest(data, model, simulated=True), data)
    leaky = tmp_path / "leaky.safetensors"
    state = model.state_dict()
    corpus = {"subjects": ["set/p8"], "file_hashes": []}
    save_checkpoint(leaky, state, encoder_manifest(data, model, corpus=corpus))
    spec = EvaluateSpec(methods=("finetune",), method=SPEC)
    with pytest.raises(NeuriptError, match=r"leaky\.safetensors was trained on set/p8"):
        evaluate(data, spec, tmp_path, checkpoint=leaky)
    with pytest.raises(NeuriptError, match="--checkpoint"):
        evaluate(data, spec, tmp_path)


def test_pretrained_weights_arrive_and_scratch_does_not_have_them(data, checkpoint):
    start = Pretrained.load(checkpoint)
    loaded = build_classifier(data, MethodSpec(model={"dropout": 0.3}), start, 0)
    assert loaded.config.dropout == 0.3
    assert loaded.config.binary_single_logit
    for key, value in loaded.encoder.state_dict().items():
        assert value.equal(start.state[f"encoder.{key}"])
    fresh = build_classifier(data, SPEC, None, 0)
    assert not fresh.encoder.embed.weight.equal(loaded.encoder.embed.weight)
    with pytest.raises(NeuriptError, match="d_model"):
        build_classifier(data, MethodSpec(model={"d_model": 24}), start, 0)


def test_pretrained_and_scratch_differ_in_nothing_but_the_weights(data, checkpoint, tmp_path):
    """The shape is the encoder's, the dropout that of the evaluation, and a size that says otherwise is refused."""
    start = Pretrained.load(checkpoint)
    unlike = replace(start.manifest, model=start.manifest.model | {"dropout": 0.4})
    start = replace(start, manifest=unlike)
    plain = MethodSpec()
    pretrained = build_classifier(data, plain, start, 0)
    fresh = build_classifier(data, plain, start, 0, pretrained=False)
    assert fresh.config == pretrained.config
    assert fresh.config.d_model == start.manifest.model["d_model"] != 128
    assert fresh.config.dropout == NetworkConfig(n_outputs=2).dropout
    assert not fresh.encoder.embed.weight.equal(pretrained.encoder.embed.weight)
    for method in ("finetune", "scratch"):
        spec = EvaluateSpec(methods=(method,), method=MethodSpec(size="small"))
        with pytest.raises(NeuriptError, match=r"has d_model 12.*--size small means d_model 256"):
            evaluate(data, spec, tmp_path, checkpoint=checkpoint)


def test_early_saturation_starts_again_from_random_weights(data, checkpoint, tmp_path):
    assert saturated(Fitted(None, [], best_epoch=3), SupervisedSpec(n_epochs=30))
    assert not saturated(Fitted(None, [], best_epoch=4), SupervisedSpec(n_epochs=30))
    stuck = replace(SPEC, finetune=replace(BRIEF, n_epochs=1))
    spec = EvaluateSpec(methods=("finetune",), seeds=(0,), method=stuck, reinit=True)
    results = evaluate(data, spec, tmp_path, checkpoint=checkpoint)
    assert [r["method"] for r in results] == ["finetune", "reinit"]
    assert results[0]["test"] != results[1]["test"]


def test_a_method_that_cannot_run_does_not_stop_the_others(data, tmp_path, monkeypatch):
    from neuript.training.evaluate import nets

    def missing():
        raise NeuriptError("braindecode is not there")

    monkeypatch.setattr(nets, "import_braindecode", missing)
    spec = EvaluateSpec(methods=("eegnet", "band-power"), seeds=(0,), method=SPEC)
    first, second = evaluate(data, spec, tmp_path)
    assert "braindecode" in first["error"]
    assert "test" in second
    assert len(rows(tmp_path)) == 1


def test_settings_are_read_from_texts():
    spec = method_spec(
        ["max_lr=1e-3", "finetune.head_start=probe", "eegnet.n_epochs=7", "model.dropout=0.2",
         "probe.C=1,10", "probe.gamma=scale", "patience=none", "scratch.augment=true"],
        size="micro",
    )  # fmt: skip
    assert (spec.scratch.max_lr, spec.finetune.max_lr) == (1e-3, 1e-3)
    assert (spec.scratch.head_start, spec.finetune.head_start) == (None, "probe")
    assert spec.scratch.patience is None
    assert spec.scratch.augment is not None
    assert spec.finetune.augment is None
    assert spec.nets["eegnet"].n_epochs == 7
    assert spec.probe.C == (1, 10)
    assert spec.probe.gamma == ("scale",)
    assert spec.model == {"dropout": 0.2}
    for bad in ("max_lr", "nets.max_lr=1", "max_rl=1", "seed=1", "max_lr=fast", "loss=mse"):
        with pytest.raises(NeuriptError):
            method_spec([bad])
    with pytest.raises(NeuriptError, match="fraction"):
        EvaluateSpec(methods=("scratch",), fractions=(0.0,))
    with pytest.raises(NeuriptError, match="no method svm"):
        EvaluateSpec(methods=("svm",))


def test_a_fine_tuned_file_says_whom_it_has_seen_and_decodes(data, checkpoint, tmp_path):
    path, deployable = tmp_path / "model.safetensors", tmp_path / "model.ts"
    manifest = finetune_to_file(data, SPEC, path, checkpoint=checkpoint, hop_s=0.25)
    # before a model is opened, which sets the threads of the process
    finetune_to_file(data, SPEC, deployable, checkpoint=checkpoint, hop_s=0.25)
    assert not any(row.astype(np.float32).tobytes() in deployable.read_bytes() for row in data.x[:, 0, :64])
    seen = manifest.provenance["corpus"]
    assert {"other/p9", "set/p0", "set/p5", "set/p7"} <= set(seen["subjects"])
    assert not set(seen["subjects"]) & data.subjects_of("test")
    assert set(seen["file_hashes"]) == {"aa" * 32, "bb" * 32}
    assert manifest.metrics["test"].keys() >= {"balanced_accuracy", "auroc"}
    with pytest.raises(NeuriptError, match="set/p6"):  # val people are seen now
        check_leak(manifest, data)
    logits = open_model(path).infer(data.x[0].T)
    model = build_classifier(data, SPEC, None, 0)
    model.load_state_dict(load_checkpoint(path)[1])
    proba = predict(model, data.x[:1])
    assert logits[1] - logits[0] == pytest.approx(np.log(proba[0, 1] / proba[0, 0]), abs=1e-4)
    np.testing.assert_allclose(open_model(deployable).infer(data.x[0].T), logits, atol=1e-4)


def test_fingerprint_sees_every_change(data):
    other = data.x.copy()
    other[-1, -1, -1] += 1e-6
    assert fingerprint(data) != fingerprint(replace(data, x=other))
    assert fingerprint(data) != fingerprint(replace(data, split=data.split[::-1].copy()))
    assert fingerprint(data) != fingerprint(replace(data, y=1 - data.y))
    assert fingerprint(data) == fingerprint(replace(data, notes=["a note"]))


def test_results_are_plain_json(data, tmp_path):
    one = data.select(data.subject != "set/p8")
    all_rest = one.select(~((one.split == "test") & (one.y == 1)))
    spec = EvaluateSpec(methods=("band-power",), seeds=(0,), method=SPEC)
    result = evaluate(all_rest, spec, tmp_path)[0]
    assert np.isnan(result["test"]["auroc"])
    line = json.loads((tmp_path / RESULTS).read_text(), parse_constant=pytest.fail)
    assert line["test"]["auroc"] is None
    assert "| 0 (" not in table(tmp_path)
