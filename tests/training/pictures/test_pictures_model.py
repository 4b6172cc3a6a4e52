"""Pictures of real (small) models: what hooks see, loading, figures, report, command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import builders
import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from neuript.cli import main
from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import save_checkpoint
from neuript.montages import load_montage
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.network.pretext.pretrainer import MaskedPretrainer, PretrainSpec
from neuript.training.pictures import draw_attention, head, style
from neuript.training.pictures import windows_source as source
from neuript.training.pictures.load import fit_probe, load_learned, training_subjects
from neuript.training.pictures.make import MASKINGS, PicturesSpec, make_pictures
from neuript.training.pictures.observe import attention_weights, expert_gates, observe
from neuript.training.pictures.page import write_report
from neuript.training.pictures.perturbation import channel_effects
from neuript.training.pictures.reconstruction import reconstruct
from neuript.training.pictures.samples import PictureWindows

MONTAGE = load_montage("unicorn-8")
N_TIMES = 64
TINY = {
    "n_times": N_TIMES,
    "d_model": 12,
    "n_heads": 2,
    "d_ff": 12,
    "d_expert": 6,
    "d_shared": 12,
    "merges": (1, 4),
    "experts": (0, 4),
    "dropout": 0.0,
}


def make_model(**changes):
    torch.manual_seed(3)
    config = NetworkConfig(**{"n_outputs": 2, **TINY, **changes})
    return NeurIPTNetwork(config, MONTAGE.pos_m, MONTAGE.lobe_groups()).eval()


def make_windows(rng, n=18, *, montage=MONTAGE, classes=("rest", "task")):
    person = np.arange(n) % 3
    y = np.arange(n) // 3 % max(len(classes), 1)
    return PictureWindows(
        x=(1e-5 * rng.standard_normal((n, montage.n_chans, N_TIMES))).astype(np.float32),
        y=y,
        subject=np.array([f"set/p{p}" for p in person]),
        recording=np.array([f"p{p}-{c}" for p, c in zip(person, y, strict=True)]),
        montage=montage,
        sfreq=64.0,
        classes=classes,
        name="made up",
    )


def make_manifest(model, classes=("rest", "task"), **changes):
    corpus = {"subjects": ["set/p0", "set/p1"], "held_out": ["set/p1"], "hours": 1.5}
    values = {
        "classes": classes,
        "model": model.config,
        "montage": MONTAGE,
        "window_s": N_TIMES / 64.0,
        "hop_s": 0.25,
        "provenance": {"simulated": False, "data": ["set"], "corpus": corpus},
    }
    return builders.make_manifest(**{**values, **changes})


@pytest.fixture
def quick(monkeypatch):
    """Figures of few dots."""
    monkeypatch.setattr(style, "DPI", 30)
    monkeypatch.setattr(head, "_GRID", 20)


# --- what the hooks see --------------------------------------------------------------------------


def test_attention_weights_are_those_the_layer_uses(rng):
    layer = make_model().encoder.blocks[0].space
    x = torch.randn(5, 8, 12)
    value = layer.qkv(x).unflatten(-1, (3, 2, 6))[:, :, 2].transpose(1, 2)
    by_hand = (attention_weights(layer, x) @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer.out(by_hand), layer(x))
    bias = torch.randn(5, 2, 8, 8)
    by_hand = (attention_weights(layer, x, bias) @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer.out(by_hand), layer(x, bias=bias))


@pytest.mark.parametrize("gating", ["paper", "source"])
def test_gates_mix_the_experts_as_the_layer_does(gating):
    layer = make_model(gating=gating).encoder.blocks[1].ffn_space
    z = torch.randn(7, 12)
    gates = expert_gates(layer, z)
    assert ((gates > 0).sum(-1) == 2).all()
    if gating == "paper":
        torch.testing.assert_close(gates.sum(-1), torch.ones(7))
    hidden = 6
    gate_rows, value_rows = layer.up.weight.unflatten(0, (2, 4, hidden))
    gate_bias, value_bias = layer.up.bias.unflatten(0, (2, 4, hidden))
    slow = layer.shared(z)
    for e in range(4):
        inner = torch.nn.functional.silu(z @ gate_rows[e].T + gate_bias[e])
        inner = inner * (z @ value_rows[e].T + value_bias[e])
        out = inner @ layer.down.weight[:, e * hidden : (e + 1) * hidden].T + layer.down_bias[e]
        slow = slow + gates[:, e : e + 1] * out
    torch.testing.assert_close(slow, layer(z)[0])


def test_observation_averages_windows_of_a_class_over_uneven_batches(rng):
    model, windows = make_model(), make_windows(rng, 7)
    before = model(torch.as_tensor(windows.x))
    seen = observe(model, windows, batch_size=3)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(model(torch.as_tensor(windows.x)), before)
    np.testing.assert_allclose(seen.logits, before.detach(), atol=1e-5)
    assert seen.attention.shape == (2, 2, 2, 8, 8)
    np.testing.assert_allclose(seen.attention.sum(-1), 1.0, atol=1e-6)
    inputs = []
    handle = model.encoder.blocks[1].space.register_forward_pre_hook(lambda layer, args: inputs.append(args[0]))
    alone = []
    with torch.no_grad():
        for x in windows.x:
            model(torch.as_tensor(x[None]))
            alone.append(attention_weights(model.encoder.blocks[1].space, inputs[-1]).mean(0))
    handle.remove()
    for c in (0, 1):
        slow = torch.stack([w for w, y in zip(alone, windows.y, strict=True) if y == c]).mean(0)
        np.testing.assert_allclose(seen.attention[c, 1], slow, atol=1e-6)
    assert sorted(seen.gates) == ["block 2 space", "block 2 time"]
    np.testing.assert_allclose(seen.gates["block 2 time"].sum(axis=1), 1.0, atol=1e-6)
    assert seen.gates["block 2 time"].shape == (7, 4)


def test_observation_sees_the_bias_of_attention(rng):
    windows = make_windows(rng, 4)
    model = make_model(spatial_bias=True)
    plain_attention = observe(model, windows, batch_size=3).attention
    with torch.no_grad():
        for parameter in model.encoder.spatial_bias.parameters():
            parameter.normal_(std=3.0)
    biased = observe(model, windows, batch_size=3).attention
    np.testing.assert_allclose(biased.sum(-1), 1.0, atol=1e-5)
    assert np.abs(biased - plain_attention).max() > 0.01
    np.testing.assert_allclose(observe(model, windows, batch_size=1).attention, biased, atol=1e-5)


def test_a_model_in_training_is_refused(rng):
    with pytest.raises(ValueError, match="eval"):
        observe(make_model().train(), make_windows(rng, 2))


def test_a_channel_that_the_head_ignores_contributes_nothing(rng):
    model, windows = make_model(pooling="channels", class_layers=1), make_windows(rng, 6)
    ignored = 5
    with torch.no_grad():
        for block in model.encoder.blocks:  # no mixing of channels
            block.space.out.weight.zero_()
            block.space.out.bias.zero_()
        weight = model.head.weight.view(2, -1, 8, 12)
        weight[:, :, ignored] = 0
    for kind in ("swap", "zero"):
        effects = channel_effects(lambda x: model(torch.as_tensor(x)).detach().numpy(), windows.x, kind, seed=0)
        np.testing.assert_allclose(effects[:, ignored], 0, atol=1e-5)
        others = np.delete(effects, ignored, axis=1)
        assert (np.abs(others).max(axis=(0, 2)) > 1e-3).all()


# --- reconstruction ------------------------------------------------------------------------------


def make_pretrainer(**changes):
    torch.manual_seed(4)
    config = NetworkConfig(n_outputs=2, **TINY)
    return MaskedPretrainer(config, MONTAGE.pos_m, PretrainSpec(**changes)).eval()


def test_reconstruction_masks_the_share_asked_for_and_repeats_with_its_seed(rng):
    pretrainer, windows = make_pretrainer(ratios=(0.25,)), make_windows(rng, 5)
    found = reconstruct(pretrainer, windows, seed=1, batch_size=2)
    assert (found.masked.sum(axis=-1) == N_TIMES // 4).all()
    with torch.no_grad():
        target = pretrainer.compand(torch.as_tensor(windows.x))
    np.testing.assert_array_equal(found.target, target)
    again = reconstruct(pretrainer, windows, seed=1, batch_size=2)
    np.testing.assert_array_equal(found.prediction, again.prediction)
    assert not np.array_equal(found.masked, reconstruct(pretrainer, windows, seed=2, batch_size=2).masked)


# --- loading -------------------------------------------------------------------------------------


def test_an_encoder_sees_another_montage_and_window(rng, tmp_path):
    model, other = make_model(), load_montage("double-banana")
    path = tmp_path / "encoder.safetensors"
    state = {f"encoder.{k}": v for k, v in model.encoder.state_dict().items()}
    save_checkpoint(path, state, make_manifest(model, classes=()))
    windows = make_windows(rng, montage=other, classes=("a", "b", "c"))
    learned, same = load_learned(path, windows)
    assert same is windows
    assert learned.head == "none"
    assert learned.trained_on == {"set/p0"} == training_subjects(path)
    assert learned.model(torch.as_tensor(windows.x)).shape == (18, 3)
    assert learned.model.n_features == 3 * len(other.lobes) * 12  # embedding and two blocks
    for name, weight in model.encoder.state_dict().items():
        assert torch.equal(learned.model.encoder.state_dict()[name], weight)


def test_learned_positions_stay_with_their_channels(rng, tmp_path):
    model = make_model(spatial_pe="learned_1d", temporal_pe="learned")
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, model, make_manifest(model, classes=()))
    learned, _ = load_learned(path, make_windows(rng))
    table = learned.model.encoder.pe_space.table
    assert torch.equal(table, model.encoder.pe_space.table)
    with pytest.raises(NeuriptError, match="learned positions of the channels Fz"):
        load_learned(path, make_windows(rng, montage=load_montage("double-banana")))


def test_a_classifier_keeps_its_head_and_takes_its_own_channels(rng, tmp_path):
    model = make_model()
    path = tmp_path / "mi.safetensors"
    save_checkpoint(path, model, make_manifest(model))
    more = load_montage("openbci-16")
    names = [*MONTAGE.ch_names, *[c for c in more.ch_names if c not in MONTAGE.ch_names]]
    wide = load_montage("10-10").pick(names[::-1])
    windows = make_windows(rng, montage=wide)
    learned, taken = load_learned(path, windows)
    assert learned.head == "own"
    assert taken.montage.ch_names == MONTAGE.ch_names
    order = [wide.ch_names.index(c) for c in MONTAGE.ch_names]
    np.testing.assert_array_equal(taken.x, windows.x[:, order])
    x = torch.as_tensor(taken.x)
    assert torch.equal(learned.model(x), model(x))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classes": ("left", "right")}, "tells rest, task apart; made up has left, right"),
        ({"montage": "double-banana"}, r"trained on the channels Fz, C3.*made up has Fp1-F7"),
        ({"sfreq": 128.0}, "takes 64 Hz; the windows of made up have 128 Hz"),
        ({"n_times": 40}, "windows of 64 samples; those of made up have 40"),
    ],
)
def test_a_classifier_that_does_not_fit_is_refused(rng, tmp_path, change, sentence):
    model = make_model()
    path = tmp_path / "mi.safetensors"
    save_checkpoint(path, model, make_manifest(model))
    montage = load_montage(change.pop("montage", "unicorn-8"))
    windows = make_windows(rng, montage=montage)
    if n_times := change.pop("n_times", 0):
        change["x"] = np.zeros((18, 8, n_times), dtype=np.float32)
    with pytest.raises(NeuriptError, match=sentence):
        load_learned(path, replace(windows, **change))


def test_what_is_no_checkpoint_is_refused(rng, tmp_path):
    windows = make_windows(rng, 3)
    with pytest.raises(NeuriptError, match="there is no checkpoint"):
        load_learned(tmp_path / "none.safetensors", windows)
    with pytest.raises(NeuriptError, match="no checkpoints of a pretraining"):
        load_learned(tmp_path, windows)
    other = tmp_path / "model.ts"
    other.write_bytes(b"x")
    with pytest.raises(NeuriptError, match=r"model\.ts is no checkpoint; .* \.safetensors"):
        load_learned(other, windows)


def save_pretraining(folder, pretrainer):
    from neuript.training.pretrain import snapshots

    tensors = {f"model.{k}": v for k, v in pretrainer.named_parameters()}
    about = {
        "settings": {"model": pretrainer.config.to_dict(), "objective": pretrainer.spec.to_dict()},
        "pos_m": MONTAGE.pos_m.tolist(),
    }
    return snapshots.save(folder, 7, tensors, about)


def test_the_folder_of_a_pretraining_gives_encoder_and_decoder(rng, tmp_path):
    pretrainer = make_pretrainer()
    file = save_pretraining(tmp_path, pretrainer)
    windows = make_windows(rng)
    for path in (tmp_path, file):
        learned, _ = load_learned(path, windows)
        assert learned.pretrainer is not None
        assert learned.about["step"] == 7
        found = reconstruct(learned.pretrainer, windows, seed=1)
        np.testing.assert_allclose(found.prediction, reconstruct(pretrainer, windows, seed=1).prediction, atol=1e-6)
        for name, weight in pretrainer.encoder.named_parameters():
            assert torch.equal(learned.model.encoder.get_parameter(name), weight)
        assert training_subjects(path) == frozenset()
    manifest = make_manifest(make_model(), classes=())
    save_checkpoint(tmp_path / "encoder.safetensors", pretrainer.encoder, manifest)
    assert training_subjects(tmp_path) == training_subjects(file) == {"set/p0"}


def test_the_probe_learns_what_the_features_hold(rng, tmp_path):
    model = make_model()
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, model, make_manifest(model, classes=()))
    windows = make_windows(rng, 60)
    windows.x[windows.y == 1] *= 3.0
    learned, _ = load_learned(path, windows)
    encoder = {k: v.clone() for k, v in learned.model.encoder.state_dict().items()}
    probed = fit_probe(learned, windows, batch_size=7)
    assert probed.head == "probe"
    fresh = make_windows(rng, 60)
    fresh.x[fresh.y == 1] *= 3.0
    with torch.no_grad():
        guess = probed.model(torch.as_tensor(fresh.x)).argmax(dim=1).numpy()
    assert balanced_accuracy_score(fresh.y, guess) > 0.9
    for name, weight in probed.model.encoder.state_dict().items():
        assert torch.equal(weight, encoder[name])


# --- head ----------------------------------------------------------------------------------------


def test_projection_and_its_inverse(rng):
    pos = load_montage("10-05").electrode_pos_m
    on_sphere = head.unproject(head.project(pos))
    from neuript.montages.interpolation import directions

    np.testing.assert_allclose(directions(on_sphere), directions(pos), atol=1e-9)
    cz = load_montage("10-05").pick(["Cz"]).pos_m
    assert np.hypot(*head.project(cz).T) < 0.1


def test_a_map_of_equal_values_has_one_colour(quick):
    with style.looks():
        axes = style.new_figure(2.0).subplots()
        head.draw_map(axes, load_montage("double-banana"), np.full(20, 0.3), limit=1.0)
        np.testing.assert_allclose(axes.get_images()[0].get_array(), 0.3, atol=1e-9)


def test_channels_in_the_order_of_lobes():
    montage = load_montage("double-banana")
    order, edges = draw_attention.lobe_order(montage)
    assert sorted(order) == list(range(20))
    assert order[:4] == [0, 4, 12, 16]
    assert edges[0] == 4
    assert len(edges) == len(montage.lobes) - 1


# --- all of it -----------------------------------------------------------------------------------


def test_every_picture_is_made_with_its_numbers(rng, tmp_path, quick):
    save_pretraining(tmp_path, make_pretrainer())
    windows = make_windows(rng)
    learned, windows = load_learned(tmp_path, windows)
    spec = PicturesSpec(n_perturbed=9, n_examples=1)
    sections = make_pictures(fit_probe(learned, windows), windows, spec)
    assert [s.name for s in sections] == [*("experts", "attention", "perturbation", "reconstruction", "latent")]
    assert not any(s.skipped for s in sections)
    names = [p.name for s in sections for p in s.pictures]
    assert names == [
        *("experts", "attention", "attention-heads", "perturbation"),
        *("reconstruction-1", "reconstruction-errors", "latent"),
    ]
    for section in sections:
        for picture in section.pictures:
            assert picture.png.startswith(b"\x89PNG")
    page = write_report(tmp_path / "r", sections, title="<a>", facts={"model": "x & y"})
    text = page.read_text()
    assert "<title>&lt;a&gt;</title>" in text
    assert "x &amp; y" in text
    assert text.count("data:image/png;base64,") == len(names)
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)
    numbers = json.loads((tmp_path / "r" / "numbers.json").read_text())
    assert np.shape(numbers["perturbation"]["swap"]["effect"]) == (2, 8)
    assert np.shape(numbers["attention"]["weights"]) == (2, 8, 8)
    assert set(numbers["reconstruction"]) == set(MASKINGS)


def test_what_cannot_be_shown_is_said(rng, tmp_path, quick):
    model = make_model(experts=(0, 0))
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, model, make_manifest(model, classes=()))
    windows = make_windows(rng, 8, classes=())
    learned, windows = load_learned(path, windows)
    spec = PicturesSpec(only=("experts", "perturbation", "reconstruction", "latent"))
    sections = make_pictures(learned, windows, spec)
    assert [s.skipped for s in sections] == [
        "this model has no experts",
        "the windows have no labels",
        "this needs the decoder; give the folder of the pretraining as --checkpoint",
        "8 windows are too few for a map",
    ]


def test_windows_of_a_corpus_are_of_new_people_and_spread_over_them(rng):
    subjects = np.array(["s/old"] * 50 + ["s/a"] * 30 + ["s/b"] * 5)
    signal = rng.normal(size=(85, 8, 16)).astype(np.float32)
    group = SimpleNamespace(
        name="unicorn-8",
        montage=MONTAGE,
        n_windows=85,
        subjects=subjects,
        recordings=subjects,
        read=lambda index: signal[index],
    )
    small = SimpleNamespace(**{**vars(group), "name": "other", "n_windows": 2})
    corpus = SimpleNamespace(groups=[small, group], sfreq=64.0)
    found = source.of_corpus(corpus, 12, 1, avoid=frozenset({"s/old"}))
    assert found.montage is MONTAGE
    assert found.classes == ()
    assert sorted(found.subject.tolist()).count("s/b") == 5
    assert len(found) == 12
    for x, who in zip(found.x, found.subject, strict=True):
        at = np.flatnonzero((signal == x).all(axis=(1, 2)))
        assert subjects[at] == [who]
    everybody = frozenset(subjects.tolist())
    assert len(source.of_corpus(corpus, 12, 1, avoid=everybody)) == 12
    with pytest.raises(NeuriptError, match=r"no montage 'x'; it has other, unicorn-8"):
        source.of_corpus(corpus, 12, 1, group="x")


def test_command(rng, tmp_path, quick, monkeypatch, capsys):
    from neuript.training.evaluate.protocols.eval_data import EvalData

    windows = make_windows(rng, 36)
    split = np.where(np.arange(36) % 3 == 2, "val", "train")
    data = EvalData(
        **{k: getattr(windows, k) for k in ("x", "y", "subject", "recording", "montage")},
        start_s=np.zeros(36),
        split=split,
        classes=windows.classes,
        sfreq=64.0,
    )
    monkeypatch.setattr(source, "load_protocol", lambda argument, cache: ("mine", data))
    model = make_model()
    checkpoint = tmp_path / "encoder.safetensors"
    save_checkpoint(checkpoint, model, make_manifest(model, classes=()))
    command = ["train", "pictures", "--checkpoint", str(checkpoint), "--data", "mine=x"]
    out = tmp_path / "report"
    options = ["--out", str(out), "--perturb", "zero", "--split", "all", "--pdf"]
    options += ["--only", "perturbation,reconstruction"]
    assert main([*command, *options]) == 0
    printed = capsys.readouterr().out
    assert "reconstruction: left out" in printed
    assert "a linear one was fitted on 24 windows of the training split" in printed
    assert "trained on recordings of 1 of these people (set/p0)" in printed
    assert printed.splitlines()[-1] == str(out / "report.html")
    numbers = json.loads((out / "numbers.json").read_text())
    assert "swap" not in numbers["perturbation"]
    assert (out / "perturbation.pdf").read_bytes().startswith(b"%PDF")
    assert main([*command, "--out", str(out), "--split", "test"]) == 2
    assert "mine has no test windows here" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--only", "faces"]) == 2
    assert "--only 'faces' must be some of experts" in capsys.readouterr().err


def test_matplotlib_missing_is_said(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NeuriptError, match=r'pip install "neuript\[train\]"'):
        style.require_matplotlib()
