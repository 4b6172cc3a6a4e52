"""Pretraining model: what a masked value can reach, decoder, loss, counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from complexity import block_flops, count_parameters, decoder_flops
from torch import nn

from neuript.errors import NeuriptError
from neuript.network.companding import compand_volts
from neuript.network.config import NetworkConfig, preset
from neuript.network.encoder import Encoder
from neuript.network.network import NeurIPTNetwork
from neuript.network.pretext.masking import Corruption
from neuript.network.pretext.pretrainer import MaskedPretrainer, PretrainSpec
from neuript.network.pretext.reconstructor import CrossAttention, Reconstructor, ReconstructorLayer

N_CHANS, N_TIMES = 3, 16
POS_M = np.array([[0.0, 0.09, 0.0], [-0.06, 0.0, 0.06], [0.06, -0.01, 0.06], [0.0, -0.1, 0.01]])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny_config(**overrides):
    values = {
        "n_outputs": 2,
        "n_times": N_TIMES,
        "d_model": 12,
        "n_heads": 2,
        "d_ff": 8,
        "d_expert": 4,
        "d_shared": 4,
        "merges": (1, 4, 1),
        "experts": (0, 2, 2),
        "companding": "none",
        "dropout": 0.0,
    }
    return NetworkConfig(**{**values, **overrides})


def build(config=None, seed=0, **spec):
    torch.manual_seed(seed)
    model = MaskedPretrainer(config or tiny_config(), POS_M[:N_CHANS], PretrainSpec(**spec))
    return woken(model).double().eval()


def woken(module):
    """Give prediction layers, which start at zero, weights: what reaches them is seen in the output."""
    for layer in module.modules():
        if isinstance(layer, ReconstructorLayer):
            layer.predict.reset_parameters()
    return module


def points(*times):
    mask = torch.zeros(1, N_CHANS, N_TIMES, dtype=torch.bool)
    mask[..., list(times)] = True
    return mask


def by_hand(replaced=(), random=(), kept=(), source=0):
    """Give all channels the same masked times."""
    index = torch.arange(N_TIMES).repeat(1, N_CHANS, 1)
    index[..., list(random)] = source
    return Corruption(points(*replaced, *random, *kept), points(*replaced), points(*random), index)


def outputs(model, x, corruption):
    """Return scales and the prediction at every time."""
    scales, _ = model.encoder(x, corruption, model.mask_token, model.spec.key_mask)
    return [*scales, model._reconstruct(x, corruption, None)[0]]


def reach(model, corruption, d, t):
    """Return for every output which of its tokens change, in any bit, with the value at (d, t)."""
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(3))
    y = x.clone()
    y[0, d, t] += 1
    with torch.no_grad():
        pairs = zip(outputs(model, x, corruption), outputs(model, y, corruption), strict=True)
    found = [(a != b)[0] for a, b in pairs]
    return [f.any(dim=-1) if f.dim() == 3 else f for f in found]


def gradients(model, corruption):
    """Return for every output which values have a gradient to a random mixture of its entries."""
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(3)).requires_grad_()
    found = []
    for output in outputs(model, x, corruption):
        weights = torch.randn(output.shape, dtype=torch.float64, generator=rng(4))
        found.append(torch.autograd.grad((output * weights).sum(), x, retain_graph=True)[0][0] != 0)
    return found


def only(shape, *index):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[index] = True
    return mask


MERGES = [((1, 4, 1), (0, 2, 2)), ((4, 1, 2), (0, 2, 0))]


@pytest.mark.parametrize(("merges", "experts"), MERGES)
@pytest.mark.parametrize("decoder_input", ["positions", "values"])
def test_replaced_and_random_points_show_nothing_of_their_values(merges, experts, decoder_input):
    config = tiny_config(merges=merges, experts=experts)
    model = build(config, decoder_input=decoder_input)
    corruption = by_hand(replaced=(1, 4, 5, 6, 7, 9), random=(2, 8), kept=(12,), source=3)
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(1))
    hidden = corruption.replaced | corruption.random
    other = torch.where(hidden, torch.full_like(x, torch.nan), x)
    for a, b in zip(outputs(model, x, corruption), outputs(model, other, corruption), strict=True):
        assert a.isfinite().all()
        assert torch.equal(a, b)
    for found in gradients(model, corruption):
        assert torch.equal(found, ~hidden[0])
    seen = torch.where(hidden, x, x + 1)
    assert not torch.equal(outputs(model, seen, corruption)[-1], outputs(model, x, corruption)[-1])


def test_replaced_value_of_nan_leaves_gradients_finite():
    model = build().train()
    corruption = by_hand(replaced=(1, 2), kept=(5,))
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(1))
    scales, _ = model.encoder(x.masked_fill(corruption.replaced, torch.nan), corruption, model.mask_token)
    sum(s.sum() for s in scales).backward()
    assert all(p.grad.isfinite().all() for p in model.encoder.parameters() if p.grad is not None)


def test_kept_value_reaches_only_its_token_until_a_merge_joins_it_with_a_visible_one():
    model = build()
    # Times 4..6 are masked, 7 is visible: token 1 of the merged scale is visible.
    h0, h1, h2, h3, x_hat = reach(model, by_hand(replaced=(4, 5), kept=(6,)), d=1, t=6)
    assert torch.equal(h0, only((N_CHANS, 16), 1, 6))
    assert torch.equal(h1, only((N_CHANS, 16), 1, 6))
    # Time stage: every token of the channel; space stage: every channel.
    assert h2.all()
    assert h3.all()
    assert x_hat.all()


def test_kept_value_stays_in_its_merged_token_where_all_children_are_masked():
    model = build()
    h0, h1, h2, h3, x_hat = reach(model, by_hand(replaced=(4, 5, 7), kept=(6,)), d=1, t=6)
    assert torch.equal(h0, only((N_CHANS, 16), 1, 6))
    assert torch.equal(h1, only((N_CHANS, 16), 1, 6))
    assert torch.equal(h2, only((N_CHANS, 4), 1, 1))
    assert torch.equal(h3, only((N_CHANS, 4), 1, 1))
    assert x_hat.all()  # the decoder reads the stored tokens of kept points


def test_a_merge_at_the_start_joins_at_once():
    model = build(tiny_config(merges=(4, 1, 1), experts=(0, 0, 0)))
    h0, h1, *_ = reach(model, by_hand(replaced=(4, 5), kept=(6,)), d=0, t=6)
    assert torch.equal(h0, only((N_CHANS, 16), 0, 6))
    assert h1.all()
    h0, h1, *_ = reach(model, by_hand(replaced=(4, 5, 7), kept=(6,)), d=0, t=6)
    assert torch.equal(h1, only((N_CHANS, 4), 0, 1))


def test_visible_value_reaches_all_and_its_copy_does_too():
    model = build()
    h0, h1, h2, *_ = reach(model, by_hand(replaced=(4,), random=(9,), source=2), d=1, t=2)
    assert torch.equal(h0, only((N_CHANS, 16), 1, [2, 9]))
    assert h1[:, [2]].all()
    # A masked token of the same channel sees it in the time stage, one of another channel does not
    # see channel 1's masked token at its own time.
    assert torch.equal(h1[1], ~points(4)[0, 1])
    assert not h1[0, [4, 9]].any()
    assert h1[0, [0, 5]].all()
    assert h2.all()


def test_masks_of_the_published_code_leak_kept_values():
    model = build(key_mask="source")
    _, h1, *_ = reach(model, by_hand(replaced=(4, 5), kept=(6,)), d=1, t=6)
    visible = ~points(4, 5, 6)[0]
    assert h1[1][visible[1]].all()
    assert torch.equal(h1[:, 6], torch.tensor([False, True, False]))


def test_stored_outputs_are_the_mask_token_where_all_children_are_replaced():
    model = build()
    corruption = by_hand(replaced=(4, 5, 6, 7, 8, 9, 10), kept=(11,))
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(1))
    scales, _ = model.encoder(x, corruption, model.mask_token)
    token = model.mask_token.expand(1, N_CHANS, -1)
    for scale, replaced in zip(scales, ([4, 8, 10], [4, 8, 10], [1], [1]), strict=True):
        for i in replaced:
            assert torch.equal(scale[:, :, i], token)
    assert not (scales[0][:, :, [3, 11]] == model.mask_token).all(dim=-1).any()
    assert not (scales[2][:, :, [0, 2, 3]] == model.mask_token).all(dim=-1).any()


def test_embedding_of_corrupted_points():
    model = build()
    corruption = by_hand(replaced=(1, 2), random=(7,), kept=(9,), source=4)
    x = torch.randn(2, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(1))
    corruption = Corruption(*(t.expand(2, -1, -1) for t in vars(corruption).values()))
    found = model.encoder._embed_corrupted(x, corruption, model.mask_token)
    expected = model.encoder.embed(x.unsqueeze(-1))
    expected[:, :, [1, 2]] = model.mask_token
    expected[:, :, 7] = expected[:, :, 4]
    torch.testing.assert_close(found, expected)


def test_encoder_without_points_masked_is_the_plain_encoder():
    torch.manual_seed(0)
    encoder = Encoder(tiny_config(), POS_M[:N_CHANS]).double().eval()
    x = torch.randn(2, N_CHANS, N_TIMES, dtype=torch.float64)
    nothing = torch.zeros(2, N_CHANS, N_TIMES, dtype=torch.bool)
    own = torch.arange(N_TIMES).expand(2, N_CHANS, -1)
    masked, _ = encoder(x, Corruption(nothing, nothing, nothing, own), torch.zeros(12))
    for a, b in zip(masked, encoder(x)[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="mask token"):
        encoder(x, Corruption(nothing, nothing, nothing, own))


def reference_attention(attention):
    """Build PyTorch's own multi-head attention with the same weights."""
    width = attention.query.in_features
    found = nn.MultiheadAttention(width, attention.n_heads, batch_first=True).double()
    with torch.no_grad():
        found.in_proj_weight.copy_(torch.cat([attention.query.weight, attention.key_value.weight]))
        found.in_proj_bias.copy_(torch.cat([attention.query.bias, attention.key_value.bias]))
        found.out_proj.weight.copy_(attention.out.weight)
        found.out_proj.bias.copy_(attention.out.bias)
    return found


@pytest.mark.parametrize("training", [False, True])
def test_cross_attention_equals_that_of_pytorch(training):
    torch.manual_seed(1)
    ours = CrossAttention(12, 2, 0.0).double().train(training)
    q = torch.randn(5, 3, 7, 12, dtype=torch.float64)
    k = torch.randn(5, 3, 4, 12, dtype=torch.float64)
    flat_k = k.flatten(0, 1)
    expected, _ = reference_attention(ours)(q.flatten(0, 1), flat_k, flat_k)
    torch.testing.assert_close(ours(q, k), expected.view(q.shape))
    shared = ours(q[:1].expand(5, -1, -1, -1), k)
    torch.testing.assert_close(ours(q[:1], k), shared)


def test_decoder_layer_follows_the_equations():
    torch.manual_seed(2)
    layer = ReconstructorLayer(tiny_config(experts=(0, 2, 2)), 1).double().eval()
    q_in = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    h = torch.randn(2, 3, 4, 12, dtype=torch.float64)
    s, aux = layer.block(q_in, 8)
    assert aux is None
    q = layer.norm_query(s)
    k = layer.norm_key(h).flatten(0, 1)
    a, _ = reference_attention(layer.cross)(q.flatten(0, 1), k, k)
    u = layer.norm_ffn(q + a.view(q.shape))
    gate, value = layer.ffn.up(u).chunk(2, dim=-1)
    expected = u + layer.ffn.down(nn.functional.silu(gate) * value)
    found, prediction = layer(q_in, h)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(prediction, layer.predict(expected))


def test_decoder_sums_the_predictions_of_all_layers():
    torch.manual_seed(3)
    decoder = woken(Reconstructor(tiny_config(), dropout=0.5)).double().eval()
    scales = [torch.randn(2, 3, n, 12, dtype=torch.float64) for n in (16, 16, 4, 4)]
    q = torch.randn(1, 3, 16, 12, dtype=torch.float64)
    total, state = 0, q.expand(2, -1, -1, -1)
    for layer, scale in zip(decoder.layers, scales, strict=True):
        state, p = layer(state, scale)
        total = total + p.squeeze(-1)
    torch.testing.assert_close(decoder(q, scales), total)
    chosen = torch.tensor([[0, 5], [3, 15], [7, 8]]).expand(2, -1, -1)
    torch.testing.assert_close(decoder(q, scales, chosen), total.gather(-1, chosen))


def test_decoder_dropout_differs_between_windows_and_is_its_own():
    torch.manual_seed(4)
    scales = [torch.randn(1, 3, n, 12).expand(2, -1, -1, -1) for n in (16, 16, 4, 4)]
    q = torch.randn(1, 3, 16, 12)
    config = tiny_config(dropout=0.3)
    same = woken(Reconstructor(config, dropout=0.0)).train()(q, scales)
    drawn = woken(Reconstructor(config)).train()(q, scales)
    assert torch.equal(same[0], same[1])
    assert not torch.allclose(drawn[0], drawn[1])


@pytest.mark.parametrize("init", ["kaiming", "default"])
def test_a_new_decoder_predicts_nothing_and_learns_from_there(init):
    torch.manual_seed(0)
    model = MaskedPretrainer(tiny_config(init=init), POS_M[:N_CHANS], PretrainSpec(ratios=(0.5,)))
    x = torch.randn(4, N_CHANS, N_TIMES, generator=rng(5))
    out = model(x, rng(6))
    assert not out.prediction.any()
    torch.testing.assert_close(out.rec_loss, x[out.masked].square().mean())
    out.rec_loss.backward()
    assert all(layer.predict.weight.grad.any() for layer in model.decoder.layers)


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("masking", ["amplitude", "absolute", "spans"])
def test_loss_is_the_mean_over_masked_points(p, masking):
    model = build(loss_p=p, masking=masking, span=3, ratios=(0.4,), aux_weight=0.5).train()
    x = torch.randn(4, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(5))
    torch.manual_seed(0)
    out = model(x, rng(6))
    assert (out.masked.sum(dim=-1) == 6).all()
    torch.manual_seed(0)
    everywhere = model.reconstruct(x, rng(6))
    assert torch.equal(out.masked, everywhere.masked)
    out = out._replace(loss=out.loss.detach(), rec_loss=out.rec_loss.detach(), aux_loss=out.aux_loss.detach())
    expected = 0.0
    for b, d, t in out.masked.nonzero().tolist():
        expected += abs(float(everywhere.prediction[b, d, t] - x[b, d, t])) ** p
    assert float(out.rec_loss) == pytest.approx(expected / int(out.masked.sum()), rel=1e-5)
    assert float(everywhere.rec_loss) == pytest.approx(float(out.rec_loss), rel=1e-5)
    assert float(out.aux_loss) > 0
    assert float(out.loss) == pytest.approx(float(out.rec_loss) + 0.5 * float(out.aux_loss))
    shown = everywhere.prediction.masked_fill(~out.masked, 0.0)
    torch.testing.assert_close(out.prediction, shown, check_dtype=False, rtol=1e-5, atol=1e-5)


def test_input_in_volts_is_companded_and_aux_is_zero_in_evaluation():
    torch.manual_seed(0)
    model = MaskedPretrainer(tiny_config(companding="alaw"), POS_M[:N_CHANS]).eval()
    x = 20e-6 * torch.randn(2, N_CHANS, N_TIMES)
    out = model(x, rng(1))
    torch.testing.assert_close(out.target, compand_volts(x))
    assert float(out.aux_loss) == 0.0
    assert out.loss == out.rec_loss
    with pytest.raises(ValueError, match="generator"):
        model(x)


def test_ratio_is_drawn_once_for_a_batch():
    model = MaskedPretrainer(tiny_config(n_times=100), POS_M[:N_CHANS])
    draws = rng(2)
    x = torch.randn(3, N_CHANS, 100)
    counts = [model.corrupt(x, draws).masked.sum(dim=-1).unique().tolist() for _ in range(40)]
    assert {tuple(c) for c in counts} == {(20,), (35,), (50,)}


@pytest.mark.parametrize("loss_of", ["all", "lighter"])
def test_every_parameter_learns(loss_of):
    spec = {} if loss_of == "all" else {"decoder_scales": (0, 3), "decoder_step": 4}
    # With two experts a token uses one, whose gate is 1 whatever the router says.
    model = build(tiny_config(experts=(0, 4, 3)), **spec).train()
    x = torch.randn(4, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(5))
    model(x, rng(6)).loss.backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == set()
    assert model.reconstruct(x, rng(6)).prediction.shape == x.shape


def test_wider_tokens_also_serve_lengths_they_do_not_divide():
    model = build(decoder_step=3)
    x = torch.randn(2, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(5))
    out, everywhere = model(x, rng(6)), model.reconstruct(x, rng(6))
    torch.testing.assert_close(out.rec_loss, everywhere.rec_loss)
    shown = everywhere.prediction.masked_fill(~out.masked, 0.0)
    torch.testing.assert_close(out.prediction, shown)


def test_queries_with_values_hold_the_visible_signal_only():
    model = build(decoder_input="values")
    corruption = by_hand(replaced=(2, 3), kept=(9,))
    x = torch.randn(1, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(5))
    plain = build()._queries(x, corruption.masked)
    added = model._queries(x, corruption.masked) - plain
    bias = model.encoder.embed.bias
    weight = model.encoder.embed.weight[:, 0]
    expected = (x * ~corruption.masked)[..., None] * weight + bias
    torch.testing.assert_close(added, expected)


@pytest.mark.parametrize("spatial_pe", ["3d", "3d_shared", "trigonometric", "learned_2d", "none"])
def test_other_montages_use_the_same_weights(spatial_pe):
    config = tiny_config(spatial_pe=spatial_pe)
    model = build(config)
    fresh = MaskedPretrainer(config, POS_M).double().eval()
    fresh.load_state_dict(model.state_dict())
    model.set_montage(POS_M)
    x = torch.randn(2, 4, N_TIMES, dtype=torch.float64, generator=rng(5))
    assert torch.equal(model(x, rng(6)).loss, fresh(x, rng(6)).loss)
    with pytest.raises(ValueError, match="4 channels"):
        model(x[:, :2], rng(6))


def test_learned_index_positions_serve_smaller_montages_only():
    model = build(tiny_config(spatial_pe="learned_1d"))
    model.set_montage(POS_M[:2])
    x = torch.randn(2, 2, N_TIMES, dtype=torch.float64, generator=rng(5))
    assert model(x, rng(6)).loss.isfinite()
    assert torch.equal(model.encoder.pe_space(), model.encoder.pe_space.table[:2])
    with pytest.raises(ValueError, match=r"4 channels.*learned 3"):
        model.set_montage(POS_M)


def test_classifier_takes_the_encoder():
    model = build()
    classifier = NeurIPTNetwork(tiny_config(), POS_M[:N_CHANS], [[0], [1, 2]])
    classifier.load_encoder(model.state_dict())
    x = torch.randn(2, N_CHANS, N_TIMES, dtype=torch.float64, generator=rng(5))
    for a, b in zip(model.encoder(x)[0], classifier.double().eval().encoder(x)[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_few_steps_read_the_level_of_a_window_from_what_is_visible():
    torch.manual_seed(0)
    spec = PretrainSpec(masking="spans", span=4, decoder_scales=(0, 1), ratios=(0.25,))
    model = MaskedPretrainer(tiny_config(experts=(0, 0, 0)), POS_M[:N_CHANS], spec)
    sign = torch.tensor([-1.0, 1.0]).repeat(6)[:, None, None]
    x = sign.expand(-1, N_CHANS, N_TIMES)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-2)
    draws = rng(3)
    for _ in range(40):
        optimizer.zero_grad()
        model(x, draws).loss.backward()
        optimizer.step()
    assert float(model.eval().reconstruct(x, rng(2)).rec_loss) < 0.3  # 1 without looking; 0.01 ± 0.01 over 4 seeds


@pytest.mark.parametrize(
    ("name", "total", "activated"), [("base", 179_110_439, 160_207_399), ("small", 28_793_383, 27_212_327)]
)
def test_parameters_of_the_published_models(name, total, activated):
    with torch.device("meta"):
        model = MaskedPretrainer(preset(name, n_outputs=2), np.random.default_rng(0).normal(size=(20, 3)))
    count = count_parameters(model)
    assert (count.total, count.activated) == (total, activated)
    if name == "base":
        each = [sum(p.numel() for p in layer.parameters()) for layer in model.decoder.layers]
        assert each == [12_413_953] * 7


def test_operations_of_the_published_models():
    base, small = preset("base", n_outputs=2), preset("small", n_outputs=2)
    layers = [round(f / 1e9, 2) for f in decoder_flops(base, 20)]
    assert layers == [135.21, 135.21, 123.13, 123.13, 121.12, 121.12, 120.11]
    assert round(sum(decoder_flops(base, 20)) / 1e9, 1) == 879.0
    assert round((sum(decoder_flops(base, 20)) + sum(block_flops(base, 20))) / 1e9, 1) == 1068.5
    assert round(sum(decoder_flops(small, 20)) / 1e9, 1) == 191.5
    light = decoder_flops(base, 20, scales=(0, 6), step=4)
    assert len(light) == 2
    assert light[1] < 0.26 * decoder_flops(base, 20)[6]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("masking", "blocks"),
        ("span", 0),
        ("ratios", ()),
        ("ratios", (0.2, 1.0)),
        ("shares", (0.8, 0.1, 0.2)),
        ("loss_p", 0.0),
        ("aux_weight", -1.0),
        ("key_mask", "queries"),
        ("decoder_input", "signal"),
        ("decoder_step", 0),
        ("decoder_dropout", 1.0),
    ],
)
def test_specification_refuses_what_cannot_be(field, value):
    with pytest.raises(NeuriptError, match=f"{field}="):
        PretrainSpec(**{field: value})


def test_specification_goes_through_json_values():
    spec = PretrainSpec(ratios=(0.5,), decoder_scales=(0, 2))
    assert PretrainSpec.from_dict(spec.to_dict()) == spec
    assert spec.to_dict()["decoder_scales"] == [0, 2]
    with pytest.raises(NeuriptError, match="unknown field mask"):
        PretrainSpec.from_dict({"mask": 1})
    with pytest.raises(NeuriptError, match=r"decoder_scales=\(0, 9\)"):
        build(decoder_scales=(0, 9))
