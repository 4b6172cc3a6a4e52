"""Layers and one whole block against slow loops in float64."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional

from neuript.network import layers
from neuript.network.config import preset
from neuript.network.encoder import EncoderBlock, init_modules
from neuript.network.layers import (
    FLOAT_UP_TO,
    FUSED_FROM,
    FUSED_FROM_BFLOAT16,
    Attention,
    Dropout,
    FeedForward,
    TimeMerge,
)


def naive_attention(attention, x):
    """Attend in one sequence (S, C), head by head and query by query."""
    s, c = x.shape
    e = c // attention.n_heads
    wq, wk, wv = attention.qkv.weight.split(c)
    bq, bk, bv = attention.qkv.bias.split(c)
    q, k, v = x @ wq.T + bq, x @ wk.T + bk, x @ wv.T + bv
    y = torch.zeros_like(x)
    for head in range(attention.n_heads):
        cut = slice(head * e, (head + 1) * e)
        for i in range(s):
            scores = torch.stack([q[i, cut] @ k[j, cut] / math.sqrt(e) for j in range(s)])
            weights = scores.exp() / scores.exp().sum()
            y[i, cut] = sum(weights[j] * v[j, cut] for j in range(s))
    return y @ attention.out.weight.T + attention.out.bias


def naive_norm(norm, x):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (var + norm.eps).sqrt() * norm.weight + norm.bias


def naive_ffn(layer, z):
    a, b = (layer.up.weight @ z + layer.up.bias).chunk(2)
    return layer.down.weight @ (a / (1 + (-a).exp()) * b) + layer.down.bias


@pytest.mark.parametrize("length", [1, 3, 9])
@pytest.mark.parametrize("training", [False, True])
def test_attention_equals_the_loop(length, training):
    torch.manual_seed(0)
    attention = Attention(24, 3, 0.0).double().train(training)
    x = torch.randn(4, length, 24, dtype=torch.float64)
    expected = torch.stack([naive_attention(attention, s) for s in x])
    torch.testing.assert_close(attention(x), expected, rtol=1e-9, atol=1e-11)


LENGTHS = [5, FLOAT_UP_TO + 1, FUSED_FROM + 1, FUSED_FROM_BFLOAT16 + 1]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask_of", ["none", "all", "each"])
@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_attention_of_training_and_inference_agree_with_masks_and_gradients(length, mask_of, kind, monkeypatch):
    monkeypatch.setattr(layers, "PIECE", 2 * 2 * length**2)  # two of the three sequences at once
    torch.manual_seed(1)
    exact = Attention(16, 2, 0.0).double().eval()
    x = torch.randn(3, length, 16, dtype=torch.float64)
    count = {"none": 0, "all": 1, "each": 3}[mask_of]
    mask = (torch.rand(count, 1, length, length) < 0.6) | torch.eye(length, dtype=torch.bool)
    mask = mask if count else None
    outcomes = []
    for attention in (exact, copy.deepcopy(exact).to(kind).train()):
        given = x.to(attention.out.weight.dtype).detach().clone().requires_grad_()
        y = attention(given, mask)
        y.double().square().sum().backward()
        outcomes.append((y.double(), given.grad.double(), attention.qkv.weight.grad.double()))
    for expected, got in zip(*outcomes, strict=True):
        error = (got - expected).norm() / expected.norm()
        assert error < (1e-9 if kind == torch.float64 else 0.02)


def test_attention_dropout_is_unbiased():
    torch.manual_seed(2)
    attention = Attention(16, 2, 0.3)
    x = torch.randn(1, 6, 16)
    with torch.no_grad():
        exact = attention.eval()(x)
        attention.train()
        drawn = attention(x.expand(4000, -1, -1))
    assert drawn.std(dim=0).max() > 0.01
    torch.testing.assert_close(drawn.mean(dim=0), exact[0], rtol=0, atol=0.02)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout(p):
    torch.manual_seed(3)
    dropout = Dropout(p)
    x = torch.ones(1001, 999, requires_grad=True)
    y = dropout(x)
    kept = y != 0
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.002)
    assert y.detach()[kept].unique().tolist() == pytest.approx([1 / (1 - p)])
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())
    by_lane = kept.flatten()[: 4 * 249_000].view(-1, 4).float().mean(dim=0)
    assert by_lane.tolist() == pytest.approx([1 - p] * 4, abs=0.005)
    assert dropout.eval()(x) is x


def test_dropout_follows_the_seed():
    dropout, x = Dropout(0.4), torch.ones(7, 5)
    torch.manual_seed(5)
    first = dropout(x)
    torch.manual_seed(5)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(dropout(x), first)


def test_swiglu_equals_three_matrices():
    torch.manual_seed(0)
    layer = FeedForward(8, 12, "swiglu").double()
    z = torch.randn(5, 8, dtype=torch.float64)
    expected = torch.stack([naive_ffn(layer, t) for t in z])
    torch.testing.assert_close(layer(z), expected, rtol=1e-10, atol=1e-12)
    assert sum(p.numel() for p in layer.parameters()) == 3 * 8 * 12 + 2 * 12 + 8


@pytest.mark.parametrize(("activation", "act"), [("gelu", functional.gelu), ("relu", torch.relu)])
def test_two_matrix_activations(activation, act):
    layer = FeedForward(8, 12, activation)
    z = torch.randn(5, 8)
    expected = act(z @ layer.up.weight.T + layer.up.bias) @ layer.down.weight.T + layer.down.bias
    torch.testing.assert_close(layer(z), expected)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 8 * 12 + 12 + 8


@pytest.mark.parametrize(("length", "factor"), [(8, 4), (9, 4), (10, 4), (3, 4), (7, 2), (1, 4), (5, 8)])
def test_merge_joins_in_time_order_and_appends_the_last_tokens_again(length, factor):
    torch.manual_seed(0)
    merge = TimeMerge(6, factor).double()
    torch.nn.init.normal_(merge.norm.weight)
    torch.nn.init.normal_(merge.norm.bias)
    h = torch.randn(2, 3, length, 6, dtype=torch.float64)
    got = merge(h, length)
    assert got.shape == (2, 3, -(-length // factor), 6)
    order = list(range(length))
    while len(order) % factor:  # as Crossformer: x = cat(x, x[-pad:])
        order = [*order, *order[length - (-len(order) % factor) : length]] if length > 1 else [*order, 0]
    for b in range(2):
        for d in range(3):
            for i in range(got.shape[2]):
                tokens = [h[b, d, order[i * factor + j]] for j in range(factor)]
                joined = naive_norm(merge.norm, torch.cat(tokens))
                expected = merge.linear.weight @ joined + merge.linear.bias
                torch.testing.assert_close(got[b, d, i], expected, rtol=1e-9, atol=1e-11)


def naive_block(block, h, pe_space):
    """Walk through one block token by token (dense feed-forward layers, no merge)."""
    h = h.clone()
    n_chans, length, _ = h.shape
    a = naive_norm(block.norm_time, h)
    h = h + torch.stack([naive_attention(block.time, a[d]) for d in range(n_chans)])
    f = naive_norm(block.norm_ffn_time, h)
    for d in range(n_chans):
        for t in range(length):
            h[d, t] = h[d, t] + naive_ffn(block.ffn_time, f[d, t]) + pe_space[d]
    c = naive_norm(block.norm_space, h)
    h = h + torch.stack([naive_attention(block.space, c[:, t]) for t in range(length)], dim=1)
    f = naive_norm(block.norm_ffn_space, h)
    for d in range(n_chans):
        for t in range(length):
            h[d, t] = h[d, t] + naive_ffn(block.ffn_space, f[d, t])
    return h


@pytest.mark.parametrize("training", [False, True])
def test_block_equals_the_loop(training):
    torch.manual_seed(0)
    config = preset("micro", n_outputs=2, d_model=24, d_ff=20, dropout=0.0, init="default")
    block = EncoderBlock(config, merge=1, n_experts=0)
    init_modules(block, config)
    block = block.double().train(training)
    for module in block.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    h = torch.randn(2, 5, 7, 24, dtype=torch.float64)
    pe_space = torch.randn(5, 24, dtype=torch.float64)
    with torch.no_grad():
        got, aux = block(h, 7, pe_space)
        expected = torch.stack([naive_block(block, sample, pe_space) for sample in h])
    assert aux is None
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-11)
