"""The figures of spatial attention: on the head, between lobes, head by head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.training.pictures import attention, style
from neuript.training.pictures.head import draw_links

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuript.montages import Montage

PAIR_SHARE, MOST_PAIRS = 0.08, 24
"""Pairs of channels that are linked: this share of them, and no more than this."""
SHORT = {"frontal": "F", "central-parietal": "CP", "occipital": "O", "temporal-left": "TL", "temporal-right": "TR"}


def attention_figure(weights: NDArray[np.float64], montage: Montage) -> Figure:
    """Draw the strongest links of each block on the head, and attention between lobes below.

    Parameters
    ----------
    weights : ndarray, shape (n_blocks, n_heads, n_chans, n_chans)
        Attention averaged over windows and time.
    montage : Montage
        Names, positions and lobes of the channels.
    """
    blocks = weights.mean(axis=1)
    n = len(blocks)
    figure = style.new_figure(2.75)
    axes = figure.subplots(2, n, squeeze=False)
    _heads(figure, axes[0], blocks, montage)
    lobes = attention.between_lobes(blocks, montage.lobe_groups())
    limit = max(float(np.abs(np.log2(np.maximum(lobes, 1e-3))).max()), 0.1)
    names = [SHORT.get(lobe, lobe) for lobe in montage.lobes]
    image: Any = None
    for b, panel in enumerate(axes[1]):
        image = style.matrix(
            panel,
            np.log2(np.maximum(lobes[b], 1e-3)),
            rows=names if b == 0 else None,
            columns=names,
            cmap="PuOr_r",
            vmin=-limit,
            vmax=limit,
        )
        if len(names) <= 6:
            _write(panel, lobes[b], limit, decimals(lobes))
    axes[1, 0].set_ylabel("query lobe")
    axes[1, n // 2].set_xlabel("key lobe")
    bar = figure.colorbar(image, ax=list(axes[1]), shrink=0.8, aspect=14, pad=0.01)
    ticks = np.array([-limit, 0.0, limit])
    bar.set_ticks(ticks.tolist(), labels=[f"{2**t:.2g}" for t in ticks])
    bar.set_label("× uniform")
    bar.outline.set_linewidth(0.4)
    style.tag(axes[0, 0], "a")
    style.tag(axes[1, 0], "b", dx=-0.12)
    return figure


def _heads(figure: Figure, axes: NDArray[Any], blocks: NDArray[np.float64], montage: Montage) -> None:
    n_pairs = max(3, round(PAIR_SHARE * montage.n_chans * (montage.n_chans - 1) / 2))
    n_pairs = min(n_pairs, MOST_PAIRS)
    pairs = [attention.strongest_pairs(w, n_pairs) for w in blocks]
    nodes = attention.received(blocks)
    strengths = [weight for block in pairs for *_, weight in block] or [1.0]
    drawn: Any = None
    for b, panel in enumerate(axes):
        drawn = draw_links(
            panel,
            montage,
            pairs[b],
            nodes[b],
            node_limits=(float(nodes.min()), float(nodes.max())),
            link_limits=(min(strengths), max(strengths)),
        )
        panel.set_title(f"block {b + 1}")
        strongest = f"up to {pairs[b][-1][2]:.2f} ×" if pairs[b] else ""
        panel.text(0.5, -0.02, strongest, transform=panel.transAxes, ha="center", va="top", fontsize=5.5, color="0.35")
    bar = figure.colorbar(drawn, ax=list(axes), shrink=0.8, aspect=14, pad=0.01)
    bar.set_label("attention\nreceived (×)")
    bar.outline.set_linewidth(0.4)


def decimals(values: NDArray[np.float64]) -> int:
    """Return so many decimals that values which differ are not written alike: 1, or up to 3 where they are close."""
    spread = float(np.ptp(values))
    return 1 if spread >= 0.5 else 2 if spread >= 0.05 else 3


def _write(panel: Any, values: NDArray[np.float64], limit: float, n_decimals: int) -> None:
    for (row, column), value in np.ndenumerate(values):
        dark = abs(np.log2(max(value, 1e-3))) > 0.6 * limit
        panel.text(
            column,
            row,
            f"{value:.{n_decimals}f}",
            ha="center",
            va="center",
            fontsize=4.2 if n_decimals < 3 else 3.6,
            color="white" if dark else "0.15",
        )


def heads_figure(weights: NDArray[np.float64], montage: Montage) -> Figure:
    """Draw the channel-by-channel attention of every head (columns) of every block (rows).

    Channels are ordered by lobe; two tables beside say how many channels a head looks at and
    whether it prefers near ones.
    """
    n_blocks, n_heads = weights.shape[:2]
    order, edges = lobe_order(montage)
    shown = attention.relative(weights[:, :, order][:, :, :, order])
    high = float(np.quantile(shown, 0.995))
    cell = min(0.95, 5.0 / n_heads)
    table = max(0.75, 0.14 * n_heads)
    figure = style.new_figure((cell + 0.04) * n_blocks + 0.8, n_heads * (cell + 0.04) + 2 * table + 0.3)
    grid = figure.add_gridspec(n_blocks, n_heads + 2, width_ratios=[cell] * n_heads + [table] * 2)
    image: Any = None
    matrices = []
    for b in range(n_blocks):
        for h in range(n_heads):
            axes = figure.add_subplot(grid[b, h])
            matrices.append(axes)
            image = style.matrix(axes, shown[b, h], cmap="magma_r", vmin=0.0, vmax=max(high, 1.0))
            axes.set_aspect("auto")
            for edge in edges:
                axes.axhline(edge - 0.5, color="0.6", linewidth=0.25)
                axes.axvline(edge - 0.5, color="0.6", linewidth=0.25)
            if b == 0:
                axes.set_title(f"head {h + 1}", fontsize=6.5)
            if h == 0:
                axes.set_ylabel(f"block {b + 1}")
    bar = figure.colorbar(image, ax=matrices, location="bottom", shrink=0.35, aspect=30, pad=0.02)
    bar.set_label("attention of a channel (row) on a channel (column), × uniform")
    bar.outline.set_linewidth(0.4)
    _table(
        figure.add_subplot(grid[:, n_heads]),
        attention.spread(weights),
        "channels\nattended",
        "{:.0f}",
        cmap="Greens",
        vmin=0,
        vmax=1.6 * montage.n_chans,
    )
    _table(
        figure.add_subplot(grid[:, n_heads + 1]),
        attention.distance_correlation(weights, montage.pos_m),
        "correlation with\ndistance",
        "{:.1f}",
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
    )
    return figure


def lobe_order(montage: Montage) -> tuple[list[int], list[int]]:
    """Return the channels lobe by lobe (each once), and where a new lobe begins."""
    order: list[int] = []
    edges = []
    for channels in montage.lobes.values():
        fresh = [c for c in channels if c not in order]
        if order and fresh:
            edges.append(len(order))
        order += fresh
    rest = [c for c in range(montage.n_chans) if c not in order]
    if order and rest:
        edges.append(len(order))
    return order + rest, edges


def _table(axes: Any, values: NDArray[np.float64], title: str, form: str, **options: Any) -> None:
    image = style.matrix(axes, values, rows=None, columns=[str(h + 1) for h in range(values.shape[1])], **options)
    axes.set_aspect("auto")
    axes.set_title(title, fontsize=6.5)
    axes.set_xlabel("head")
    for (row, column), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
        axes.text(
            column,
            row,
            form.format(round(value, 1) + 0.0),
            ha="center",
            va="center",
            fontsize=5,
            color="white" if dark else "0.15",
        )
