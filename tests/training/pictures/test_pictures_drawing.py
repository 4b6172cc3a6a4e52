"""What pictures must not show: axes far from the recording, cells alike, minus nothing, colour without electrodes."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.montages import load_montage
from neuript.network.companding import compand_volts
from neuript.training.pictures import draw, draw_attention, style
from neuript.training.pictures.draw_reconstruction import errors_figure, microvolts, traces_figure
from neuript.training.pictures.head import between_channels, project, unproject
from neuript.training.pictures.latent import Separation
from neuript.training.pictures.reconstruction import Reconstruction, errors

MONTAGE = load_montage("10-20")


@pytest.fixture(autouse=True)
def drawn():
    with style.looks():
        yield


def untrained(rng):
    """A reconstruction whose model is far from everything recorded: expanded, 1e9 microvolts."""
    import torch

    volts = torch.as_tensor(2e-5 * rng.standard_normal((3, MONTAGE.n_chans, 64)))
    target = compand_volts(volts).numpy().astype(np.float32)
    masked = np.zeros(target.shape, dtype=bool)
    masked[..., 16:48] = True
    return Reconstruction(target, (25 * rng.standard_normal(target.shape)).astype(np.float32), masked, "spans")


def test_limits_of_traces_and_errors_come_from_the_recording(rng):
    part = untrained(rng)
    assert np.abs(microvolts(part.prediction[1, 2])).max() > 1e6
    channels = [2, 5]
    figure = traces_figure([part, part], 1, MONTAGE, channels, np.arange(64) / 64)
    panels = np.array(figure.axes).reshape(len(channels), 2)
    for row, c in zip(panels, channels, strict=True):
        recorded = microvolts(part.target[1, c])
        for panel in row:
            low, high = panel.get_ylim()
            assert low < recorded.min() < recorded.max() < high
            assert high - low < 1.5 * np.ptp(recorded)
    report = errors(part)
    curve = errors_figure([("spans", report, part)]).axes[1]
    assert max(report.by_amplitude["model"]) > 100
    assert curve.get_ylim()[1] < 3 * max(max(v) for k, v in report.by_amplitude.items() if k != "model")


def test_cells_that_differ_are_written_differently():
    n, names = 5, list(MONTAGE.lobes)
    weights = np.full((1, 1, MONTAGE.n_chans, MONTAGE.n_chans), 1 / MONTAGE.n_chans)
    weights[0, 0, :, MONTAGE.lobes[names[0]][0]] *= 1.01
    figure = draw_attention.attention_figure(weights / weights.sum(-1, keepdims=True), MONTAGE)
    (cells,) = [axes for axes in figure.axes if len(axes.texts) >= n * n]
    assert len({text.get_text() for text in cells.texts}) > 1
    assert draw_attention.decimals(np.array([0.2, 1.7])) == 1


def test_a_small_negative_share_is_no_minus_nothing(rng):
    numbers = Separation(
        class_variance=-0.001,
        subject_variance=-0.07,
        class_neighbour=0.5,
        subject_neighbour=0.996,
        class_chance=0.5,
        subject_chance=0.3,
    )
    xy, subject = {"map": rng.normal(size=(12, 2))}, np.array(["a", "b"] * 6)
    figure = draw.latent_figure(xy, np.arange(12) % 2, ("l", "r"), subject, numbers)
    said = [text.get_text() for axes in figure.axes for text in axes.texts if "%" in text.get_text()]
    assert said == ["0 %", "-7 %", "50 %", "100 %"]


def test_a_map_is_empty_where_no_electrode_is_and_never_stronger_than_at_one(rng):
    front = [i for i, p in enumerate(MONTAGE.pos_m) if p[1] > 0]
    pos, values = MONTAGE.pos_m[front], rng.normal(size=len(front))
    side = np.linspace(-1, 1, 41)
    xy = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    xy = xy[np.hypot(*xy.T) <= 1]
    found = between_channels(pos, unproject(xy), values)
    shown = np.isfinite(found)
    assert values.min() <= found[shown].min() <= found[shown].max() <= values.max()
    assert not shown[xy[:, 1] < -0.5].any()
    near = np.linalg.norm(xy[:, None] - project(pos), axis=2).min(axis=1) < 0.2
    assert shown[near].all()
    everywhere = between_channels(MONTAGE.pos_m, unproject(xy[np.hypot(*xy.T) < 0.7]), np.ones(MONTAGE.n_chans))
    assert np.isfinite(everywhere).all()
