from __future__ import annotations

import numpy as np
import pytest
import torch
from benches import load_benchmark
from pyriemann.geometry.covariance import coherence
from torch.nn.attention import SDPBackend, sdpa_kernel

from neuript.errors import NeuriptError
from neuript.network.config import NetworkConfig
from neuript.network.connectivity import BANDS_HZ, BandCoherence, SpatialBias
from neuript.network.encoder import Encoder
from neuript.network.layers import Attention
from neuript.network.network import NeurIPTNetwork
from neuript.network.pretext.masking import amplitude_mask, corrupt

N_CHANS, N_TIMES = 4, 64


def config_of(**changes):
    values = {
        "n_outputs": 2,
        "n_times": N_TIMES,
        "d_model": 12,
        "n_heads": 2,
        "d_ff": 8,
        "d_expert": 4,
        "d_shared": 4,
        "merges": (4, 2),
        "experts": (0, 2),
    }
    return NetworkConfig(**(values | changes))


@pytest.fixture
def pos_m(rng):
    return rng.normal(size=(N_CHANS, 3)) * 0.06


@pytest.fixture
def x(rng):
    return torch.tensor(rng.normal(size=(3, N_CHANS, N_TIMES)), dtype=torch.float32)


def encoder_of(pos_m, *, trained=False, **changes):
    torch.manual_seed(4)
    encoder = Encoder(config_of(**changes), pos_m)
    if trained:
        torch.nn.init.normal_(encoder.spatial_bias.weight, std=0.2)
    return encoder.eval()


def test_coherence_is_that_of_pyriemann(rng):
    x = np.cumsum(rng.normal(size=(5, 6, 256)), axis=-1)
    x[:, 1] += 2 * np.roll(x[:, 0], 3, axis=-1)
    ours = BandCoherence()(torch.tensor(x)).numpy()
    for band, (lo, hi) in enumerate(BANDS_HZ.values()):
        theirs, bins = coherence(x, window=32, overlap=0.5, fmin=lo, fmax=hi, fs=64.0, coh="lagged")
        assert len(bins) == (3, 9)[band]
        np.testing.assert_allclose(ours[band], theirs.mean(axis=-1), atol=2e-5)


def test_a_delay_is_seen_and_a_common_source_is_not(rng):
    # 10 Hz seen at the first channel, 25 ms (a quarter of a period) later at the second, and mixed
    # without delay into the third
    t = np.arange(256) / 64
    phase = rng.uniform(0, 2 * np.pi, size=(8, 1)) + np.cumsum(rng.normal(size=(8, 256)), 1) * 0.1
    source, later = np.sin(20 * np.pi * t + phase), np.sin(20 * np.pi * t + phase - np.pi / 2)
    noise = rng.normal(size=(8, 3, 256)) * 0.05
    x = torch.tensor(np.stack([source, later, 0.7 * source], axis=1) + noise, dtype=torch.float32)
    mu = BandCoherence()(x)[0].mean(dim=0)
    assert mu[0, 1] > 0.9
    assert mu[0, 2] < 0.1


def test_silent_and_doubled_channels_give_nothing_and_no_nan(x):
    x[:, 0] = 0
    x[:, 2] = x[:, 1]
    x.requires_grad_()
    found = BandCoherence()(x)
    assert (found[:, :, 0] == 0).all()
    assert found[:, :, 1, 2].abs().max() < 1e-6
    assert (found.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    found.sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_changes_no_bit_at_the_start(training, dtype, pos_m, x):
    outputs, gradients = [], []
    for switched in (False, True):
        encoder = encoder_of(pos_m, spatial_bias=switched, dropout=0.2).train(training)
        torch.manual_seed(7)
        half = torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32)
        with torch.set_grad_enabled(training), half:
            scales, aux = encoder(x)
        outputs.append(scales)
        if training:
            (sum(s.square().mean() for s in scales) + aux).backward()
            gradients.append({n: p.grad for n, p in encoder.named_parameters()})
    assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))
    if training:
        off, on = gradients
        weight = on.pop("spatial_bias.weight")
        assert (weight != 0).all()  # but it can learn
        assert off.keys() == on.keys()
        assert all(torch.equal(off[name], on[name]) for name in off)


def test_weights_reach_the_scores_of_their_block_and_head(pos_m, x):
    encoder = encoder_of(pos_m, trained=True, spatial_bias=True)
    bias = encoder.spatial_bias(x)
    assert bias.shape == (2, 3, 2, N_CHANS, N_CHANS)
    apart = np.linalg.norm(pos_m[:, None] - pos_m[None], axis=-1)
    mu, beta = encoder.spatial_bias.coherence(x).numpy()
    w = encoder.spatial_bias.weight.detach().numpy()
    for block, window, head, i, j in [(0, 0, 0, 0, 1), (1, 2, 0, 3, 2), (0, 1, 1, 2, 0)]:
        m, b = 5 * mu[window, i, j], 5 * beta[window, i, j]
        expected = 10 * w[block, head] @ [m, b, 10 * apart[i, j]]
        assert bias[block, window, head, i, j].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("n_tokens", "dropout"), [(5, 0.0), (60, 0.0)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_attention_with_bias_against_a_slow_reference(n_tokens, dropout, masked, training, rng):
    torch.manual_seed(0)
    layer = Attention(6, 2, dropout).train(training)
    x = torch.tensor(rng.normal(size=(3, n_tokens, 6)), dtype=torch.float32)
    bias = torch.tensor(rng.normal(size=(3, 2, n_tokens, n_tokens)), dtype=torch.float32)
    see = torch.tensor(rng.random((3, 1, n_tokens, n_tokens)) < 0.5) | torch.eye(n_tokens).bool()
    ours, slow = bias.clone().requires_grad_(), bias.clone().requires_grad_()
    y = layer(x, see if masked else None, bias=ours)
    q, k, v = layer.qkv(x).view(3, n_tokens, 3, 2, 3).permute(2, 0, 3, 1, 4)
    score = torch.einsum("nhie,nhje->nhij", q, k) / 3**0.5 + slow
    if masked:
        score = torch.where(see, score, -torch.inf)
    mixed = torch.einsum("nhij,nhje->nihe", score.softmax(-1), v).flatten(2)
    expected = layer.out(mixed)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.grad, slow.grad, rtol=1e-3, atol=1e-5)


def test_order_of_the_channels_does_not_matter(pos_m, x):
    order = [2, 0, 3, 1]
    encoder = encoder_of(pos_m, trained=True, spatial_bias=True)
    plain = encoder(x)[0][-1]
    encoder.set_montage(pos_m[order])
    torch.testing.assert_close(encoder(x[:, order])[0][-1], plain[:, order], rtol=1e-4, atol=1e-5)
    other = encoder_of(pos_m, trained=False, spatial_bias=True)
    assert not torch.allclose(other(x)[0][-1], plain, atol=1e-3)  # the bias does something


def test_montage_of_another_size(pos_m, x):
    encoder = encoder_of(pos_m, trained=True, spatial_bias=True)
    encoder.set_montage(pos_m[:3])
    fresh = Encoder(encoder.config, pos_m[:3]).eval()
    fresh.load_state_dict(encoder.state_dict(), strict=True)
    assert torch.equal(encoder(x[:, :3])[0][-1], fresh(x[:, :3])[0][-1])


def test_pretraining_tells_nothing_of_replaced_samples(pos_m, x):
    encoder = encoder_of(pos_m, trained=True, spatial_bias=True).train()
    encoder.spatial_bias.weight.requires_grad_()
    generator = torch.Generator().manual_seed(3)
    corruption = corrupt(amplitude_mask(x, 25, generator), generator)
    token = torch.ones(12)
    runs = []
    for value in (0.0, 50.0):
        torch.manual_seed(5)
        scales, _ = encoder(x.masked_fill(corruption.replaced, value), corruption, token)
        runs.append(scales)
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    sum(s.square().sum() for s in scales).backward()
    assert (encoder.spatial_bias.weight.grad[..., :2] == 0).all()
    assert (encoder.spatial_bias.weight.grad[..., 2] != 0).all()


def test_older_encoder_fits_and_nothing_else_may_be_missing(pos_m, x):
    lobes = [[0, 1], [2, 3]]
    old = NeurIPTNetwork(config_of(), pos_m, lobes).eval()
    new = NeurIPTNetwork(config_of(spatial_bias=True), pos_m, lobes).eval()
    new.load_encoder(old.state_dict())
    new.head.load_state_dict(old.head.state_dict())
    with torch.inference_mode():
        assert torch.equal(new(1e-5 * x), old(1e-5 * x))
    torch.nn.init.ones_(new.encoder.spatial_bias.weight)
    again = NeurIPTNetwork(config_of(spatial_bias=True), pos_m, lobes)
    again.load_encoder(new.state_dict())
    assert (again.encoder.spatial_bias.weight == 1).all()
    with pytest.raises(NeuriptError, match=r"hold spatial_bias\.weight"):
        old.load_encoder(new.state_dict())
    state = {k: v for k, v in old.state_dict().items() if k != "encoder.embed.bias"}
    with pytest.raises(NeuriptError, match=r"lack embed\.bias"):
        new.load_encoder(state)
    assert "spatial_bias" not in str(old.state_dict().keys())
    assert NetworkConfig.from_dict({"n_outputs": 2}).spatial_bias is False


def test_an_exported_program_agrees(pos_m, x):
    config = config_of(spatial_bias=True)
    model = NeurIPTNetwork(config, pos_m, [[0, 1], [2, 3]]).eval()
    torch.nn.init.normal_(model.encoder.spatial_bias.weight, std=0.2)
    windows = 1e-5 * x
    with sdpa_kernel(SDPBackend.MATH):
        program = torch.export.export(model, (windows[:1],)).module()
        torch.testing.assert_close(program(windows[:1]), model(windows[:1]), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_is_refused(pos_m):
    with pytest.raises(NeuriptError, match="n_times=40 is too short"):
        SpatialBias(config_of(n_times=40), pos_m)
    with pytest.raises(NeuriptError, match="spatial_bias='yes' must be true or false"):
        config_of(spatial_bias="yes")


def test_who_leads_whom_is_in_what_the_bias_reads_and_not_in_the_power():
    """The classes of the benchmark by the sign of one difference, without a training.

    Over 20 draws of 400 windows the coherence names 1.000 ± 0.001 of them, the power 0.506 ± 0.029; the bounds are five
    standard deviations of the power away. What a network makes of it is for `benchmarks/bench_spatial_bias.py`.
    """
    bench = load_benchmark("bench_spatial_bias")
    x, y = bench.windows(1)
    mu = BandCoherence()(torch.tensor(x) * 1e6)[list(BANDS_HZ).index("mu")].numpy()
    power = (x.astype(float) ** 2).mean(axis=-1)
    (a, b), (c, d) = bench.PAIRS
    assert ((mu[:, a, b] > mu[:, c, d]) == y).mean() > 0.95
    assert abs(((power[:, a] * power[:, b] > power[:, c] * power[:, d]) == y).mean() - 0.5) < 0.15
