"""The whole model: published sizes, pooling, independence of the batch, export, loading."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from complexity import count_parameters

from neuript.errors import NeuriptError
from neuript.network.config import preset
from neuript.network.encoder import Encoder
from neuript.network.network import NeurIPTNetwork
from neuript.network.pooling import Flatten, GroupPool, pooling_groups

PAIRS_LOBES = (
    (0, 4, 12, 16), (8, 9, 10, 11, 13, 14, 17, 18), (3, 7, 15, 19), (1, 2, 8), (5, 6, 11),
)  # fmt: skip


def head(n_chans, seed=0):
    """Positions on an upper half sphere of 9 cm, and lobes front, back and a mixed one."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n_chans, 3))
    direction[:, 2] = abs(direction[:, 2])
    pos = 0.09 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    order = np.argsort(pos[:, 1])
    half = max(1, n_chans // 2)
    return pos, [order[:half].tolist(), order[-half:].tolist(), [0]]


def make(n_chans=6, seed=0, *, size="micro", **overrides):
    torch.manual_seed(seed)
    options = {"n_outputs": 3, "n_times": 64} | overrides
    return NeurIPTNetwork(preset(size, **options), *head(n_chans)).eval()


def eeg(batch, n_chans=6, n_times=64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 2e-5 * torch.randn(batch, n_chans, n_times, generator=generator)


# Sizes -------------------------------------------------------------------------------------------


def published(size, **overrides):
    with torch.device("meta"):
        config = preset(size, n_outputs=6, **overrides)
        return NeurIPTNetwork(config, head(20)[0], PAIRS_LOBES)


def test_published_size_of_the_tuev_model():
    model = published("base", n_times=320)
    count = count_parameters(model)
    assert (count.activated, count.total) == (73_470_246, 92_373_286)
    assert model.n_features == 26_880
    encoder = count_parameters(model.encoder)
    assert (encoder.activated, encoder.total) == (73_308_960, 92_212_000)


def test_published_size_of_each_block():
    encoder = published("base").encoder
    activated = [8_274_432, 10_640_640, 10_640_388, 14_189_832, 13_006_344, 16_555_788]
    total = [8_274_432, 10_640_640, 13_003_268, 18_915_592, 17_732_104, 23_644_428]
    counts = [count_parameters(block) for block in encoder.blocks]
    assert [c.activated for c in counts] == activated
    assert [c.total for c in counts] == total
    assert count_parameters(encoder.embed).total == 1_536
    assert count_parameters(encoder.blocks[0].time).total == 2_362_368
    assert count_parameters(encoder.blocks[0].ffn_time).total == 1_771_776
    assert count_parameters(encoder.blocks[1].merge).total == 2_366_208
    assert count_parameters(encoder.blocks[3].merge).total == 1_183_488


def test_published_size_of_the_small_model():
    count = count_parameters(published("small").encoder)
    assert (count.activated, count.total) == (9_234_720, 10_815_776)


def test_size_of_two_matrix_feed_forward_layers():
    assert round(count_parameters(published("base", activation="gelu")).activated / 1e6, 1) == 60.1


# Shapes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_times", "merges"),
    [(64, (1, 4, 1, 2, 1, 2)), (50, (1, 4, 1, 2, 1, 2)), (33, (4, 1, 1, 2, 1, 2)),
     (64, (1, 1, 8, 1, 2, 1)), (5, (1, 2, 1, 2, 1, 2)), (1, (1, 4, 1, 2, 1, 2))],
)  # fmt: skip
def test_scales_have_the_configured_lengths(n_times, merges):
    model = make(merges=merges)
    with torch.no_grad():
        scales, aux = model.encoder(eeg(2, n_times=n_times))
    assert aux is None
    assert [s.shape for s in scales] == [(2, 6, length, 64) for length in model.config.lengths(n_times)]


@pytest.mark.parametrize("n_chans", [1, 2, 8, 20, 33])
@pytest.mark.parametrize("n_times", [40, 64, 100])
def test_any_montage_and_window_length(n_chans, n_times):
    model = make(n_chans)
    with torch.no_grad():
        logits = model(eeg(2, n_chans, n_times))
    assert logits.shape == (2, 3)
    assert torch.isfinite(logits).all()


def test_other_window_length_equals_a_model_built_for_it():
    model, longer = make(n_times=64), make(n_times=100)
    longer.load_state_dict(model.state_dict())
    with torch.no_grad():
        for n_times in (40, 64, 100):
            x = eeg(2, n_times=n_times)
            torch.testing.assert_close(model(x), longer(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 5, 64), (6, 64), (2, 6, 0), (2, 64, 6)])
def test_input_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="6 channels"):
        make()(torch.zeros(shape))


def test_one_or_two_logits_for_two_classes():
    assert make(n_outputs=2)(eeg(3)).shape == (3, 2)
    assert make(n_outputs=2, binary_single_logit=True)(eeg(3)).shape == (3, 1)


# What the model must not depend on -----------------------------------------------------------------


@pytest.mark.parametrize("gating", ["paper", "source"])
def test_batch_order_and_company_do_not_change_an_output(gating):
    model = make(gating=gating).double()
    x = eeg(12).double()
    x[7] *= 40  # a window of artefacts among the others
    with torch.no_grad():
        whole = model(x)
        order = torch.randperm(12)
        torch.testing.assert_close(model(x[order]), whole[order], rtol=1e-9, atol=1e-10)
        for i in range(12):
            torch.testing.assert_close(model(x[i : i + 1]), whole[i : i + 1], rtol=1e-9, atol=1e-10)
        many = torch.cat([x[:1], x[7:8].expand(40, -1, -1)])
        torch.testing.assert_close(model(many)[:1], whole[:1], rtol=1e-9, atol=1e-10)


def test_renumbering_the_channels_changes_nothing():
    """Channels are known by their place on the head only, not by their index."""
    pos, lobes = head(6)
    config = preset("micro", n_outputs=3, n_times=64)
    order = [3, 1, 5, 0, 2, 4]
    model = NeurIPTNetwork(config, pos, lobes).double().eval()
    other = NeurIPTNetwork(config, pos[order], [[order.index(c) for c in g] for g in lobes])
    other.double().eval().load_state_dict(model.state_dict())
    x = eeg(3).double()
    with torch.no_grad():
        torch.testing.assert_close(other(x[:, order]), model(x), rtol=1e-9, atol=1e-10)


def test_positions_matter():
    """Swapping two channels changes the output with positions and not without."""
    x = eeg(2).double()
    swapped = x[:, [1, 0, 2, 3, 4, 5]]
    for kind, differs in (("3d", True), ("3d_shared", True), ("trigonometric", True),
                          ("learned_1d", True), ("learned_2d", True), ("none", False)):  # fmt: skip
        model = make(spatial_pe=kind, pooling="mean").double()
        with torch.no_grad():
            change = (model(x) - model(swapped)).abs().max().item()
        assert (change > 1e-6) == differs, kind
    reversed_x = x.flip(-1)
    for kind, differs in (("sinusoid", True), ("learned", True), ("none", False)):
        model = make(temporal_pe=kind, merges=(1,), experts=(0,)).double()
        with torch.no_grad():
            change = (model(x) - model(reversed_x)).abs().max().item()
        assert (change > 1e-6) == differs, kind


def test_learned_positions_in_time_end_where_they_end():
    model = make(temporal_pe="learned")
    model(eeg(1, n_times=64))
    with pytest.raises(ValueError, match="64 learned positions"):
        model(eeg(1, n_times=65))


def test_companding_is_part_of_the_graph():
    x = eeg(2)
    volts, companded = make(companding="alaw"), make(companding="none")
    companded.load_state_dict(volts.state_dict())
    from neuript.network.companding import compand_volts, scale_volts

    with torch.no_grad():
        torch.testing.assert_close(volts(x), companded(compand_volts(x)))
        linear = make(companding="linear")
        torch.testing.assert_close(linear(x), companded(scale_volts(x)))
        assert (linear(x) - volts(x)).abs().max() > 1e-3


# Pooling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pooling", "class_layers", "pool_embedding"),
    [("iilp", None, True), ("iilp", 2, True), ("iilp", 1, False), ("mean", None, True),
     ("hemispheres", 3, False), ("coronal", None, True), ("sagittal", 6, True)],
)  # fmt: skip
def test_pooling_equals_the_loop(pooling, class_layers, pool_embedding):
    model = make(pooling=pooling, class_layers=class_layers, pool_embedding=pool_embedding)
    groups = pooling_groups(pooling, *head(6))
    with torch.no_grad():
        x = eeg(2)
        got = model.features(x)
        from neuript.network.companding import compand_volts

        scales, _ = model.encoder(compand_volts(x))
    chosen = scales[-(class_layers or 6) :]
    if pool_embedding:
        chosen = [scales[0], *chosen]
    for b in range(2):
        expected = []
        for h in chosen:
            for group in groups:
                tokens = [h[b, d, t] for d in group for t in range(h.shape[2])]
                expected.append(torch.stack(tokens).mean(dim=0))
        torch.testing.assert_close(got[b], torch.cat(expected), rtol=1e-5, atol=1e-5)
    assert model.n_features == got.shape[1]


def test_no_pooling_keeps_every_token():
    model = make(pooling="none", class_layers=2, pool_embedding=False)
    with torch.no_grad():
        scales, _ = model.encoder(eeg(2))
        assert torch.equal(Flatten()(scales[-2:]), torch.cat([s.reshape(2, -1) for s in scales[-2:]], 1))
        assert model(eeg(2)).shape == (2, 3)
    assert model.n_features == 6 * (8 + 4) * 64


def test_groups_of_the_published_pairs():
    from neuript.montages import load_montage

    pos = load_montage("double-banana").pos_m
    chains = (0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15), (16, 17, 18, 19)
    assert pooling_groups("sagittal", pos, PAIRS_LOBES) == chains
    assert pooling_groups("hemispheres", pos, PAIRS_LOBES) == (
        (0, 1, 2, 3, 8, 9, 12, 13, 14, 15), (4, 5, 6, 7, 10, 11, 16, 17, 18, 19),
    )  # fmt: skip
    assert pooling_groups("coronal", pos, PAIRS_LOBES) == (
        (0, 4, 12, 16), (1, 5, 13, 17), (2, 6, 14, 18), (3, 7, 15, 19), (8, 9, 10, 11),
    )  # fmt: skip
    assert pooling_groups("iilp", pos, PAIRS_LOBES) == PAIRS_LOBES
    assert pooling_groups("mean", pos, PAIRS_LOBES) == (tuple(range(20)),)


def test_groups_of_other_montages_follow_the_positions():
    pos = np.array([[-5, 8, 0], [5, 8, 0], [-7, 0, 0], [0, 0, 9], [7, 0, 0], [0, -8, 0]]) * 0.01
    assert pooling_groups("hemispheres", pos, []) == ((0, 2, 3, 5), (1, 3, 4, 5))
    assert pooling_groups("sagittal", pos, []) == ((0, 2), (3, 5), (1, 4))
    assert pooling_groups("coronal", pos, []) == ((0, 1), (2, 3, 4), (5,))
    assert pooling_groups("none", pos, []) == tuple((i,) for i in range(6))
    assert pooling_groups("coronal", [[0.01, 0.02, 0.03]], []) == ((0,),)


@pytest.mark.parametrize(
    ("lobes", "words"),
    [([], "no lobe"), ([[0], []], "lobe 1 is empty"), ([[0, 6]], "lobe 0"), ([[1, 1]], "lobe 0"),
     ([[-1]], "lobe 0")],
)  # fmt: skip
def test_bad_lobes_are_refused(lobes, words):
    with pytest.raises(ValueError, match=words):
        NeurIPTNetwork(preset("micro", n_outputs=2), head(6)[0], lobes)


def test_overlapping_lobes_count_a_channel_in_both():
    pool = GroupPool([[0, 1], [1]], 2)
    h = torch.tensor([2.0, 6.0]).view(1, 2, 1, 1)
    assert pool([h]).tolist() == [[4.0, 6.0]]


# Training ------------------------------------------------------------------------------------------


def test_auxiliary_loss_is_of_training_only():
    model = make()
    assert model.aux_loss.item() == 0
    model.train()(eeg(4))
    loss = model.aux_loss
    assert loss.item() > 0
    loss.backward()
    assert all(b.ffn_time.router.weight.grad is not None for b in model.encoder.blocks[2:])
    copied = copy.deepcopy(model)  # although a graph hangs on the last loss
    assert copied.aux_loss.item() == 0
    model.eval()(eeg(4))
    assert model.aux_loss.item() == 0
    dense = make(experts=(0,) * 6).train()
    dense(eeg(2))
    assert dense.aux_loss.item() == 0


def test_auxiliary_loss_is_the_sum_of_eight_modules():
    model = make(router_noise=0.0).train()
    single = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: single.append(out[1].item()))
        for block in model.encoder.blocks[2:]
        for module in (block.ffn_time, block.ffn_space)
    ]
    model(eeg(4))
    for hook in hooks:
        hook.remove()
    assert len(single) == 8
    assert model.aux_loss.item() == pytest.approx(sum(single), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "gelu", "spatial_pe": "learned_2d", "head": "mlp"},
     {"spatial_pe": "learned_1d", "temporal_pe": "learned", "gating": "source",
      "balance": "source"}],
)  # fmt: skip
def test_every_parameter_learns(options):
    model = make(**options, init="default").train()
    x = eeg(32)
    (model(x).square().sum() + model.aux_loss).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.startswith("encoder.pe_"):  # of the 2-D tables only the montage's rows are used
            assert parameter.grad.abs().max() > 0, name


def test_a_tiny_problem_is_learned():
    """Two classes that differ in which channel carries a 10 Hz rhythm."""
    model = make(n_outputs=2, dropout=0.0, init="default", **SHALLOW).train()
    generator = torch.Generator().manual_seed(0)
    x = 1e-5 * torch.randn(48, 6, 64, generator=generator)
    y = torch.arange(48) % 2
    phase = 6.28 * torch.rand(48, 1, generator=generator)
    wave = 1.5e-5 * torch.sin(6.2832 * 10 * torch.arange(64) / 64 + phase)
    x[torch.arange(48), y] += wave
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        for part in (slice(0, 16), slice(16, 32)):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[part]), y[part]) + model.aux_loss
            loss.backward()
            optimiser.step()
        if loss < 0.02:
            break
    with torch.no_grad():
        accuracy = (model.eval()(x[32:]).argmax(dim=1) == y[32:]).float().mean().item()
    assert accuracy >= 0.75  # 0.97 ± 0.04 over 4 seeds, of 16 windows


def test_initialisation():
    kaiming, default = make(size="tiny"), make(size="tiny", init="default")
    weight = kaiming.encoder.blocks[0].time.qkv.weight
    assert weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert kaiming.encoder.blocks[0].time.qkv.bias.abs().max() == 0
    weight = default.encoder.blocks[0].time.qkv.weight
    assert weight.abs().max().item() == pytest.approx(128**-0.5, rel=0.01)
    assert default.encoder.blocks[0].time.qkv.bias.abs().max() > 0
    with torch.no_grad():
        for model in (kaiming, default):
            assert 1e-3 < model(eeg(8)).std().item() < 30


# Export --------------------------------------------------------------------------------------------

SHALLOW = {"merges": (4, 1, 2), "experts": (0, 2, 6)}
EXPORTED = [
    {},
    {"pooling": "none", "n_outputs": 2, "binary_single_logit": True, **SHALLOW},
    {"n_times": 50, "gating": "source", "activation": "gelu", "head": "mlp", "pooling": "coronal",
     "spatial_pe": "learned_2d", "temporal_pe": "none", **SHALLOW},
]  # fmt: skip


@pytest.mark.parametrize("options", [SHALLOW, *EXPORTED[1:]])  # all six blocks take three times as long
def test_export_equals_eager_and_has_no_data_dependent_shape(options):
    model = make(**options)
    n_times = model.config.n_times
    batch_dim = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(model, (eeg(2, n_times=n_times),), dynamic_shapes=({0: batch_dim},))
    assert len(program.range_constraints) == 1  # the batch is the only size that is not a constant
    names = {str(node.target) for node in program.graph.nodes}
    assert not [n for n in names if any(w in n for w in ("nonzero", ".item", "_local_scalar_dense", "masked_select"))]
    with torch.no_grad():
        for batch in (1, 2, 7):
            x = eeg(batch, n_times=n_times, seed=batch)
            torch.testing.assert_close(program.module()(x), model(x), rtol=1e-5, atol=1e-5)


# Loading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spatial_pe", ["3d", "learned_1d", "learned_2d"])
def test_encoder_weights_move_to_another_montage_window_and_task(spatial_pe):
    options = {"spatial_pe": spatial_pe, "temporal_pe": "learned"}
    source = make(6, seed=1, **options)
    target = make(9, seed=2, n_times=100, n_outputs=2, **options)
    before = {k: v.clone() for k, v in target.state_dict().items()}
    target.load_encoder(source.state_dict())
    weights = source.state_dict()
    for key, value in target.state_dict().items():
        own = key.startswith(("head.", "encoder.pe_"))
        assert torch.equal(value, before[key] if own else weights[key]), key
    target.load_encoder(source.encoder.state_dict())  # an encoder's own names do as well
    assert target(eeg(2, 9, 100)).shape == (2, 2)


def test_position_tables_are_not_saved():
    assert not [k for k in make().state_dict() if "table" in k or k.startswith("encoder.pe_")]


def test_encoder_weights_must_match_exactly():
    source = make().state_dict()
    short = {k: v for k, v in source.items() if ".blocks.5." not in k}
    with pytest.raises(NeuriptError, match=r"lack blocks\.5\."):
        make().load_encoder(short)
    with pytest.raises(NeuriptError, match=r"hold blocks\.9\.x"):
        make().load_encoder({**source, "encoder.blocks.9.x": torch.zeros(1)})
    with pytest.raises(NeuriptError, match="d_model"):
        make().load_encoder(make(size="tiny").state_dict())
    with pytest.raises(NeuriptError, match="experts"):
        make().load_encoder(make(experts=(0,) * 6).state_dict())
    untouched = make()
    with pytest.raises(NeuriptError):
        untouched.load_encoder({k: v + 1 for k, v in short.items()})
    for key, value in untouched.state_dict().items():
        assert torch.equal(value, source[key])


def test_encoder_alone_has_the_classifiers_names():
    encoder = Encoder(preset("micro", n_outputs=3), head(4)[0])
    assert set(encoder.state_dict()) == set(make().encoder.state_dict())
