"""Mixture of experts against one token at a time, and its balance loss against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from neuript.network.config import preset
from neuript.network.encoder import init_modules
from neuript.network.experts import PMoE, load_estimate


def make(n_experts, **overrides):
    torch.manual_seed(n_experts)
    config = preset("micro", n_outputs=2, init="default", **overrides)
    moe = PMoE(config, n_experts)
    init_modules(moe, config)
    return moe.double().eval()


def ffn(z, wa, ba, wb, bb, w2, b2, activation="swiglu"):
    if activation != "swiglu":
        act = {"relu": functional.relu, "gelu": functional.gelu}[activation]
        return w2 @ act(wa @ z + ba) + b2
    a = wa @ z + ba
    return w2 @ (a * torch.sigmoid(a) * (wb @ z + bb)) + b2


def expert(moe, e):
    """Matrices of expert e, cut out of the joint ones."""
    h, n = moe.config.d_expert, moe.n_experts
    gate = slice(e * h, (e + 1) * h)
    value = slice((n + e) * h, (n + e + 1) * h)
    weight, bias = moe.up.weight, moe.up.bias
    down = moe.down.weight[:, gate], moe.down_bias[e]
    return weight[gate], bias[gate], weight[value], bias[value], *down


def one_token(moe, z):
    """The obvious computation: sort the logits, run the chosen experts, add the shared one."""
    config = moe.config
    logits = (moe.router.weight @ z + moe.router.bias).tolist()
    order = sorted(range(moe.n_experts), key=lambda e: -logits[e])[: math.ceil(moe.n_experts / 2)]
    among = order if config.gating == "paper" else range(moe.n_experts)
    total = sum(math.exp(logits[e]) for e in among)
    y = torch.zeros_like(z)
    for e in order:
        y += math.exp(logits[e]) / total * ffn(z, *expert(moe, e), config.activation)
    h, up, down = config.d_shared, moe.shared.up, moe.shared.down
    shared = up.weight[:h], up.bias[:h], up.weight[h:], up.bias[h:], down.weight, down.bias
    return y + ffn(z, *shared, config.activation)


@pytest.mark.parametrize("n_experts", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("gating", ["paper", "source"])
@pytest.mark.parametrize("activation", ["swiglu", "relu", "gelu"])
def test_equals_one_token_at_a_time(n_experts, gating, activation):
    moe = make(n_experts, gating=gating, activation=activation)
    z = torch.randn(3, 5, 64, dtype=torch.float64)
    with torch.no_grad():
        y, aux = moe(z)
        expected = torch.stack([one_token(moe, t) for t in z.reshape(-1, 64)]).view_as(z)
    assert aux is None
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-12)


def test_tokens_do_not_influence_each_other():
    moe = make(6)
    z = torch.randn(40, 64, dtype=torch.float64)
    order = torch.randperm(40)
    with torch.no_grad():
        whole = moe(z)[0]
        torch.testing.assert_close(moe(z[order])[0], whole[order], rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(moe(z[:1])[0], whole[:1], rtol=1e-12, atol=1e-13)
        crowded = torch.cat([z[:1], z[1:2].expand(500, -1)])  # all of them to the same experts
        torch.testing.assert_close(moe(crowded)[0][:2], whole[:2], rtol=1e-12, atol=1e-13)


def test_experts_not_chosen_get_no_gradient():
    moe = make(4)
    z = torch.randn(1, 64, dtype=torch.float64)
    moe(z)[0].sum().backward()
    logits = moe.router(z)[0]
    chosen = set(logits.topk(2).indices.tolist())
    used = {e for e in range(4) if moe.down_bias.grad[e].abs().sum() > 0}
    assert used == chosen


def cv2(values):
    return np.var(values) / (np.mean(values) ** 2 + 1e-8)


def slow_load(logits, noisy, k, sigma):
    """Load of each expert with loops and math.erf."""
    n_tokens, n_experts = logits.shape
    load = np.zeros(n_experts)
    for t in range(n_tokens):
        for e in range(n_experts):
            others = sorted((noisy[t, o] for o in range(n_experts) if o != e), reverse=True)
            load[e] += 0.5 * (1 + math.erf((logits[t, e] - others[k - 1]) / sigma / math.sqrt(2)))
    return load


@pytest.mark.parametrize("n_experts", [2, 3, 4, 6])
def test_load_equals_the_loop_and_the_true_probability(n_experts, rng):
    k, sigma = math.ceil(n_experts / 2), 0.1
    logits = 0.1 * rng.normal(size=(200, n_experts))
    noisy = logits + sigma * rng.normal(size=logits.shape)
    got = load_estimate(torch.tensor(logits), torch.tensor(noisy), k, sigma).numpy()
    np.testing.assert_allclose(got, slow_load(logits, noisy, k, sigma), rtol=1e-9)
    draws = logits + sigma * rng.normal(size=(2000, *logits.shape))
    chosen = np.argsort(-draws, axis=-1)[..., :k]
    count = np.bincount(chosen.ravel(), minlength=n_experts) / len(draws)
    np.testing.assert_allclose(got, count, rtol=0.08)


@pytest.mark.parametrize("n_experts", [2, 4, 6])
def test_balance_loss_equals_the_formula(n_experts):
    moe = make(n_experts, importance_weight=0.01, load_weight=0.02, router_noise=0.1).train()
    z = torch.randn(4, 30, 64, dtype=torch.float64)
    torch.manual_seed(7)
    with torch.no_grad():
        _, aux = moe(z)
        logits = moe.router(z)
    torch.manual_seed(7)
    noisy = (logits + 0.1 * torch.randn_like(logits)).reshape(-1, n_experts).numpy()
    logits = logits.reshape(-1, n_experts).numpy()
    k = n_experts // 2
    importance = np.zeros(n_experts)
    for row in noisy:
        top = np.argsort(-row)[:k]
        importance[top] += np.exp(row[top]) / np.exp(row[top]).sum()
    load = slow_load(logits, noisy, k, 0.1)
    assert aux.item() == pytest.approx(0.01 * cv2(importance) + 0.02 * cv2(load), rel=1e-8)


def test_balance_loss_of_the_source():
    moe = make(4, balance="source", gating="source", router_noise=0.0).train()
    z = torch.randn(60, 64, dtype=torch.float64)
    with torch.no_grad():
        _, aux = moe(z)
        p = moe.router(z).softmax(dim=-1).numpy()
    kept = np.where(p >= np.sort(p, axis=1)[:, -2:-1], p, 0)
    total = p.sum(axis=0)
    importance = total.var(ddof=1) / (total.mean() ** 2 + 1e-8)
    load = 4 * (kept.mean(axis=0) * kept.sum(axis=0)).sum() / 60**2
    assert aux.item() == pytest.approx(0.008 * importance + load, rel=1e-9)


def test_balance_loss_pulls_tokens_apart():
    """Minimising it alone spreads tokens that all went to the same experts."""
    moe = make(4, router_noise=0.1)
    with torch.no_grad():
        moe.router.bias.copy_(torch.tensor([3.0, 3.0, 0.0, 0.0]))
    z = torch.randn(500, 64, dtype=torch.float64)
    optimiser = torch.optim.Adam(moe.router.parameters(), 0.05)

    def share():
        chosen = moe.router(z).topk(2, dim=-1).indices
        return np.bincount(chosen.numpy().ravel(), minlength=4) / 500

    assert share().min() < 0.05
    moe.train()
    for _ in range(80):
        optimiser.zero_grad()
        moe(z)[1].backward()
        optimiser.step()
    assert share().min() > 0.35


def test_noise_is_for_training_only():
    moe = make(4, router_noise=0.5)
    z = torch.randn(50, 64, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(moe(z)[0], moe(z)[0], rtol=0, atol=0)
        moe.train()
        assert (moe(z)[0] - moe(z)[0]).abs().max() > 1e-3


def test_all_experts_chosen_leaves_the_importance_only():
    moe = make(3, top_k_ratio=1.0, router_noise=0.0).train()
    z = torch.randn(20, 64, dtype=torch.float64)
    with torch.no_grad():
        _, aux = moe(z)
        gates = moe.router(z).softmax(dim=-1).sum(dim=0).numpy()
    assert aux.item() == pytest.approx(0.008 * cv2(gates), rel=1e-9)


def test_kaiming_uses_the_fan_in_of_one_expert():
    config = preset("tiny", n_outputs=2)
    moe = PMoE(config, 6)
    init_modules(moe, config)
    assert moe.down.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.02)
    assert moe.up.weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert moe.down_bias.abs().max() == 0


def test_autocast_does_not_choose_other_experts():
    moe = make(6).float()
    z = torch.randn(300, 64)
    logits = []
    moe.router.register_forward_hook(lambda _m, _i, out: logits.append(out))
    with torch.no_grad():
        exact, _ = moe(z)
        with torch.autocast("cpu", torch.bfloat16):
            rough, _ = moe(z)
            assert moe.train()(z)[1].dtype == torch.float32
    assert torch.equal(logits[0], logits[1])
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.02 * exact.abs().max().item())
    assert not torch.equal(rough.float(), exact)
