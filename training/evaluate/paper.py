"""The results that the NeurIPT paper reports (arXiv 2510.16548v1), as data.

Percent, as printed. Where the paper states a spread it does not say over how many runs. Tables 6
and 7 are trained from scratch, and numbers shared with them imply that 3 and 4 are too; Table 5
seems to compare scratch alternatives with a pretrained IILP row.
"""

from __future__ import annotations

from dataclasses import dataclass

TUEV = "tuev"
MENTAL = "mental-arithmetic"
MUMTAZ = "mumtaz2016"
SEED_V = "seed-v"
P300 = "physionet-p300"
BCIC = "bcic-iv-2a"
SLEEP = "sleep-edfx"
TUAB = "tuab"

BA = "balanced_accuracy"
KAPPA = "kappa"
F1 = "weighted_f1"
AUROC = "auroc"
AUC_PR = "auc_pr"


@dataclass(frozen=True)
class Reported:
    """One printed number.

    Attributes
    ----------
    table : int
        Number of the table in the paper.
    setting : str
        Label of the row in that table.
    data : str
        Name of the data set that was scored.
    metric : str
        Name of the score, as in `neuript.training.fitting.metrics`.
    value : float
        Mean score in percent.
    std : float, optional
        Standard deviation in percent; None where none is printed.
    """

    table: int
    setting: str
    data: str
    metric: str
    value: float
    std: float | None = None


_SECOND_AND_THIRD: dict[str, tuple[str, str]] = {
    MENTAL: (AUC_PR, AUROC),
    MUMTAZ: (AUC_PR, AUROC),
    P300: (KAPPA, AUROC),
    SLEEP: (KAPPA, F1),
    SEED_V: (KAPPA, F1),
    BCIC: (KAPPA, F1),
    TUAB: (AUC_PR, AUROC),
    TUEV: (KAPPA, F1),
}
"""The metrics beside the balanced accuracy."""

_MAIN: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    MENTAL: ((86.46, 1.07), (78.27, 1.97), (91.11, 1.63)),
    MUMTAZ: ((98.03, 0.62), (99.81, 0.44), (99.79, 0.45)),
    P300: ((67.31, 0.45), (34.26, 0.74), (76.83, 0.39)),
    SLEEP: ((70.47, 0.41), (77.57, 0.15), (87.39, 0.13)),
    SEED_V: ((41.04, 0.21), (26.29, 0.39), (41.58, 0.37)),
    BCIC: ((55.04, 0.72), (40.05, 1.21), (53.76, 0.86)),
    TUAB: ((82.93, 0.16), (90.40, 0.22), (89.49, 0.21)),
    TUEV: ((67.61, 1.33), (69.70, 1.85), (84.28, 0.89)),
}
"""Table 2 and appendix: the pretrained model."""

_BA_COLUMNS = (TUEV, MENTAL, MUMTAZ, SEED_V, P300, BCIC)
_BA_ROWS: tuple[tuple[int, str, tuple[float | None, ...]], ...] = (
    (3, "no experts", (65.83, 72.92, 93.41, 39.14, 64.53, 44.44)),
    (3, "uniform 4", (65.91, 70.49, 95.00, 39.33, 65.66, 41.93)),
    (3, "shrinking", (65.80, 73.96, 93.08, 39.21, 65.99, 44.62)),
    (3, "progressive", (68.94, 75.69, 97.07, 39.34, 66.58, 44.01)),
    (4, "progressive", (68.94, 75.69, 97.07, 39.34, 66.58, 44.01)),
    (4, "[0,0,2,3,4,5]", (67.87, 76.39, 96.81, 39.88, 66.34, 41.58)),
    (4, "[0,0,2,4,6,8]", (66.41, 75.69, 96.57, 39.11, 67.70, 41.15)),
    (4, "[0,0,3,6,9,12]", (66.08, 74.83, 97.15, 39.35, 66.63, 38.19)),
    (5, "no pooling", (62.33, 75.69, 78.21, 38.90, 67.82, 45.14)),
    (5, "mean", (64.74, 79.51, 96.22, 37.62, 66.72, 37.24)),
    (5, "hemispheres", (64.45, 81.94, 97.82, 39.22, 67.11, 43.49)),
    (5, "coronal", (68.77, 73.26, 96.99, 39.35, 66.98, 43.75)),
    (5, "sagittal", (67.21, 80.21, 91.41, 39.42, 65.66, 45.31)),
    (5, "IILP", (68.94, 86.46, 98.03, 41.04, 67.31, 55.04)),
    (6, "none", (51.80, 73.36, 91.83, 37.82, None, 32.64)),
    (6, "PE", (59.64, 73.61, 86.07, 38.54, None, 40.19)),
    (6, "PMoE", (52.79, 74.65, 85.58, 37.82, None, 33.59)),
    (6, "IILP", (59.10, 73.96, 91.55, 35.66, None, 37.15)),
    (6, "PE+PMoE", (62.33, 75.69, 78.21, 38.90, None, 45.14)),
    (6, "PE+IILP", (65.83, 72.92, 93.41, 39.14, None, 44.44)),
    (6, "PMoE+IILP", (67.72, 74.65, 96.56, 35.03, None, 37.59)),
    (6, "all", (68.94, 75.69, 97.07, 39.34, None, 44.01)),
    (7, "ReLU", (64.01, 73.96, 96.98, 38.37, 66.29, 47.31)),
    (7, "GELU", (64.02, 73.61, 97.14, 38.69, 64.38, 46.35)),
    (7, "SwiGLU", (68.94, 75.69, 97.07, 39.34, 66.58, 44.01)),
)

_MASKING_SVM = {"random": 63.20, "amplitude": 68.45}
"""Table 8: frozen features on TUEV, half of the points masked."""
_RATIO_SVM = {"30 %": 55.23, "40 %": 63.21, "50 %": 68.45, "60 %": 55.96, "70 %": 52.54}
"""Table 9: frozen features on TUEV."""

_MASKING: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    TUEV: ((67.35, 67.28, 83.37), (67.61, 69.70, 84.28)),
    MENTAL: ((84.38, 77.89, 90.98), (86.46, 78.27, 91.11)),
    MUMTAZ: ((97.14, 99.84, 99.84), (98.03, 99.81, 99.79)),
    SEED_V: ((33.89, 17.07, 33.82), (41.04, 26.29, 41.58)),
    P300: ((65.64, 28.99, 72.75), (67.31, 34.26, 76.83)),
    SLEEP: ((69.68, 76.82, 87.11), (70.47, 77.57, 87.39)),
}
"""Table 10: random, amplitude-aware; fine-tuned."""

_POSITIONS_ROWS = ("trigonometric", "learned 1D", "learned 2D", "3D")
_POSITIONS: dict[str, tuple[tuple[float, ...], ...]] = {
    TUEV: (
        (67.72, 68.85, 84.03), (64.78, 67.92, 83.13), (63.81, 66.63, 82.57), (68.94, 71.55, 85.17),
    ),
    MENTAL: (
        (74.65, 71.84, 83.80), (71.53, 74.23, 83.17), (71.52, 64.81, 80.83), (75.69, 74.37, 86.83),
    ),
    MUMTAZ: (
        (96.56, 99.59, 99.61), (96.63, 99.21, 99.23), (95.56, 99.55, 99.54), (97.07, 99.83, 99.84),
    ),
    SEED_V: (
        (35.03, 18.58, 35.08), (35.52, 18.81, 34.34), (37.40, 21.54, 37.34), (39.34, 23.93, 39.67),
    ),
}  # fmt: skip
"""Table 11."""

_LOW_DATA: dict[str, dict[str, tuple[float, float, float]]] = {
    TUEV: {"1 %": (64.16, 72.44, 88.08), "5 %": (75.39, 81.78, 91.67), "10 %": (80.30, 88.64, 95.75)},
    SLEEP: {"1 %": (80.97, 83.86, 91.33), "5 %": (86.01, 79.82, 90.41), "10 %": (92.51, 92.74, 96.13)},
}
"""Table 12: percent of the result with all data, not percent correct."""


def _all() -> tuple[Reported, ...]:
    rows: list[Reported] = []
    for data, numbers in _MAIN.items():
        for metric, (value, std) in zip((BA, *_SECOND_AND_THIRD[data]), numbers, strict=True):
            rows.append(Reported(2, "NeurIPT", data, metric, value, std))
    for table, setting, values in _BA_ROWS:
        for data, ba in zip(_BA_COLUMNS, values, strict=True):
            if ba is not None:
                rows.append(Reported(table, setting, data, BA, ba))
    rows += [Reported(8, name, TUEV, BA, value) for name, value in _MASKING_SVM.items()]
    rows += [Reported(9, name, TUEV, BA, value) for name, value in _RATIO_SVM.items()]
    for data, pair in _MASKING.items():
        for name, triple in zip(("random", "amplitude"), pair, strict=True):
            rows += _triple(10, name, data, triple)
    for data, triples in _POSITIONS.items():
        for name, triple in zip(_POSITIONS_ROWS, triples, strict=True):
            rows += _triple(11, name, data, triple)
    for data, shares in _LOW_DATA.items():
        for name, low in shares.items():
            rows += _triple(12, name, data, low)
    return tuple(rows)


def _triple(table: int, setting: str, data: str, values: tuple[float, ...]) -> list[Reported]:
    metrics = (BA, *_SECOND_AND_THIRD[data])
    return [Reported(table, setting, data, m, v) for m, v in zip(metrics, values, strict=True)]


REPORTED: tuple[Reported, ...] = _all()
"""Every number of Tables 2 to 12 that neuript compares itself with."""


def reported(
    *,
    table: int | tuple[int, ...] | None = None,
    setting: str | None = None,
    data: str | None = None,
    metric: str | None = None,
) -> list[Reported]:
    """Return the printed numbers that fit; None fits everything.

    Parameters
    ----------
    table : int or tuple of int, optional
        Number of a table, or several.
    setting, data, metric : str, optional
        Row, data set and score, as in `Reported`.
    """
    tables = (table,) if isinstance(table, int) else table
    return [
        row
        for row in REPORTED
        if (tables is None or row.table in tables)
        and (setting is None or row.setting == setting)
        and (data is None or row.data == data)
        and (metric is None or row.metric == metric)
    ]
