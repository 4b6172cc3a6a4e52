"""How the pictures look, and how they become files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 7.2
"""Width of a text block of two columns, in inches."""
DPI = 220

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C613C", "#555555")
"""Okabe and Ito's palette, safe for colour-blind readers."""
GREY = "0.55"

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.titleweight": "normal",
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}


def require_matplotlib() -> None:
    """Refuse to draw where matplotlib is missing.

    Raises
    ------
    NeuriptError
        If matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as missing:
        raise NeuriptError('pictures need matplotlib; install it with pip install "neuript[train]"') from missing


@contextmanager
def looks() -> Iterator[None]:
    """Draw with the settings of this module while the block lasts, without a display."""
    require_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context({**_RC, "backend": "agg"}):
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that pyplot does not know."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    return figure


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the bytes of a file, the same for the same figure."""
    out = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"CreationDate": None}
    figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
    return out.getvalue()


def class_colour(index: int) -> str:
    """Return the colour of a class."""
    return COLOURS[index % len(COLOURS)]


def shades(n: int) -> NDArray[np.float64]:
    """Return `n` colours along a rainbow of even brightness, (n, 4), for many subjects."""
    import matplotlib as mpl

    return np.asarray(mpl.colormaps["turbo"](np.linspace(0.05, 0.95, max(n, 2))[:n]))


def tag(axes: Axes, letter: str, *, dx: float = -0.02, dy: float = 1.02) -> None:
    """Write a bold panel letter at the upper left."""
    axes.text(dx, dy, letter, transform=axes.transAxes, ha="right", va="bottom", fontsize=9, weight="bold")


def bare(axes: Axes) -> None:
    """Take ticks and frame away."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def matrix(
    axes: Axes,
    values: NDArray[np.float64],
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """Draw a matrix as cells with labels; return the image for a colour bar."""
    image = axes.imshow(values, aspect="equal", interpolation="nearest", **options)
    axes.tick_params(length=0)
    for side, labels in (("x", columns), ("y", rows)):
        n = values.shape[1] if side == "x" else values.shape[0]
        getattr(axes, f"set_{side}ticks")(range(n) if labels is not None else [])
        if labels is not None:
            getattr(axes, f"set_{side}ticklabels")(labels)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
