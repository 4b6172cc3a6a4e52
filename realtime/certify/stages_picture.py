"""A picture of what each stage takes, against the budget."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from neuript.realtime.certify.certificate import WHOLE

if TYPE_CHECKING:
    from neuript.realtime.certify.certificate import Certificate

_COLOURS = {"p50": "#117a73", "p95": "#e0a030", "p99": "#b3362b"}
_FLOOR_MS = 0.005


def stages_picture(certificate: Certificate) -> bytes:
    """Return a PNG: percentiles of each stage on a logarithmic axis, and the budget as a line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stages = {name: row for name, row in certificate.stages.items() if row["n"]}
    figure = Figure(figsize=(8.0, 0.42 * len(stages) + 1.9), layout="constrained")
    axes = figure.add_subplot()
    for k, (name, row) in enumerate(stages.items()):
        low, high = (max(row[q], _FLOOR_MS) for q in ("p50", "p99"))
        axes.plot(
            [low, high], [k, k], color="0.75", linewidth=7 if name == WHOLE else 4, solid_capstyle="round", zorder=1
        )
        for q, colour in _COLOURS.items():
            axes.plot(max(row[q], _FLOOR_MS), k, "o", color=colour, markersize=7, label=q if k == 0 else None, zorder=2)
        axes.annotate(
            f"{row['p99']:.2f}", (high, k), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9
        )
    budget = certificate.budget_ms
    axes.axvline(budget, color="black", linestyle="--", linewidth=1.2, label=f"budget {budget:g} ms (p99)")
    axes.set_yticks(range(len(stages)), list(stages))
    axes.set_ylim(len(stages) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(_FLOOR_MS, 4 * max(budget, *(row["p99"] for row in stages.values())))
    axes.set_xlabel("milliseconds (p99 beside its dot)")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    settings, engine = certificate.settings, certificate.report["engine"]
    figure.suptitle(
        f"{'PASS' if certificate.passed else 'FAIL'}: {settings['montage']} at {settings['sfreq']:g} Hz, "
        f"engine {engine['name']}, {certificate.stages[WHOLE]['n']} decisions",
        fontsize=11,
        color="#117a73" if certificate.passed else "#b3362b",
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False, fontsize=9)
    drawn = io.BytesIO()
    FigureCanvasAgg(figure).print_png(drawn)
    return drawn.getvalue()
