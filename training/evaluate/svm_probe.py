"""Frozen-feature SVM of the paper (Tables 8 and 9): how linearly an encoder lays out the classes.

The paper searches a grid by 5-fold cross-validation inside the training draw. Here the Gram matrix
of each fold is computed once and serves every point of the grid, which turns minutes into seconds
at thousands of features. On standardised features "scale" and "auto" are the same gamma, and gamma
means nothing to a linear kernel: such doubles are left out.

Suffixes: N windows, F features, K classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuript.errors import NeuriptError
from neuript.network.network import NeurIPTNetwork
from neuript.specs import check_types
from neuript.training.fitting.forward import in_batches
from neuript.training.fitting.metrics import balanced_accuracy, confusion

Features = Literal["iilp", "last"]
Folds = Literal["subjects", "windows"]

PAPER_C = (0.1, 1.0, 10.0, 100.0)
PAPER_GAMMA: tuple[float | str, ...] = ("scale", 0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
PAPER_TOL = (1e-4, 1e-3)


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """Draw, folds and grid of a frozen-feature SVM; the defaults are the paper's, but for folds."""

    features: Features = "iilp"
    """"iilp": the vector that the head sees; "last": mean over channels and time of the last block
    (the paper says neither)."""
    folds: Folds = "subjects"
    """"subjects" keeps each person in one fold, if there are enough people; "windows" is the plain
    stratified split, which lets the search see the same person on both sides."""
    n_folds: int = 5
    n_train: int = 5000
    """Largest number of training windows that are drawn."""
    n_test: int | None = None
    """At most so many test windows (the paper: 500); None takes all, for a smaller error."""
    kernels: tuple[str, ...] = ("linear", "rbf")
    C: tuple[float, ...] = PAPER_C
    gamma: tuple[float | str, ...] = PAPER_GAMMA
    tol: tuple[float, ...] = PAPER_TOL
    class_weight: tuple[str | None, ...] = (None, "balanced")
    seed: int = 520

    def __post_init__(self) -> None:
        check_types(self)
        if self.n_folds < 2 or self.n_train < 2 or not set(self.kernels) <= {"linear", "rbf"}:
            raise NeuriptError(
                f"n_folds={self.n_folds} and n_train={self.n_train} must be at least 2, "
                f"kernels={self.kernels} linear or rbf"
            )

    def grid(self) -> list[dict[str, Any]]:
        """All points, without doubles."""
        points = []
        for kernel in self.kernels:
            gammas = self.gamma if kernel == "rbf" else (None,)
            for gamma, C, tol, weight in itertools.product(gammas, self.C, self.tol, self.class_weight):
                points.append({"kernel": kernel, "gamma": gamma, "C": C, "tol": tol, "class_weight": weight})
        return points


@dataclass(frozen=True)
class ProbeResult:
    """What a probe says about test windows.

    Attributes
    ----------
    proba : ndarray, shape (N, K)
        Squashed decision values (they order the windows; they are not calibrated), all test rows.
    chosen : dict
        Hyper-parameters of the best point of the grid.
    cv_score : float
        Balanced accuracy of that point in the cross-validation, mean over folds.
    folds : {"subjects", "windows"}
        Whether the folds of the cross-validation kept subjects together or divided windows.
    n_train : int
        Number of windows in the training draw.
    """

    proba: NDArray[np.float64]
    chosen: dict[str, Any]
    cv_score: float
    folds: Folds
    n_train: int


def extract(
    model: NeurIPTNetwork, x_NDT: NDArray[np.float32], kind: Features = "iilp", *, batch_size: int = 64
) -> NDArray[np.float32]:
    """Features (N, F) of windows in volts, in eval mode; "last" has d_model of them.

    Parameters
    ----------
    model : NeurIPTNetwork
        The network, in any mode.
    x_NDT : ndarray, shape (N, n_chans, n_times)
        Windows in volts, float32.
    kind : {"iilp", "last"}
        Features of the head, or the mean of the last block's tokens.
    batch_size : int
        Windows per forward pass.
    """

    def last_block(x_BDT: Tensor) -> Tensor:
        return model.encoder(model.compand(x_BDT))[0][-1].mean(dim=(1, 2))  # type: ignore[no-any-return]

    function = model.features if kind == "iilp" else last_block
    return np.asarray(in_batches(model, function, x_NDT, batch_size=batch_size).float().numpy())


def draw(y_N: NDArray[np.int64], n: int | None, seed: int) -> NDArray[np.int64]:
    """Indices of at most `n` windows, drawn without replacement, in order; all for None."""
    if n is None or n >= len(y_N):
        return np.arange(len(y_N))
    return np.sort(np.random.default_rng(seed).choice(len(y_N), n, replace=False))


def probe(
    train_NF: NDArray[np.floating[Any]],
    y_N: NDArray[np.int64],
    subject_N: NDArray[np.str_] | None,
    tests: Sequence[NDArray[np.floating[Any]]],
    spec: ProbeSpec | None = None,
) -> list[ProbeResult]:
    """Search the grid on a training draw, fit its best point to all of it, and judge test windows.

    Parameters
    ----------
    train_NF : ndarray, shape (N, F)
        Training features; standardised with the statistics of the training part of each fold.
    y_N : ndarray, shape (N,)
        Classes of the training windows.
    subject_N : ndarray of str, shape (N,), optional
        Whose windows they are; None: folds of windows.
    tests : sequence of ndarray, each of shape (n, F)
        Feature arrays to judge (validation and test, say).
    spec : ProbeSpec, optional
        Size of the draw, folds and grid; None takes the defaults.

    Returns
    -------
    list of ProbeResult
        Verdict on each entry of `tests`.

    Raises
    ------
    NeuriptError
        If the draw has fewer than two classes, or too few windows of one for the folds.
    """
    spec = spec or ProbeSpec()
    kept = draw(y_N, spec.n_train, spec.seed)
    x, y = np.asarray(train_NF)[kept], y_N[kept]
    classes = np.unique(y)
    if len(classes) < 2:
        raise NeuriptError("the training draw of the probe has one class only; draw more windows")
    groups = None if subject_N is None else subject_N[kept]
    splits, folds = _splits(y, groups, spec)
    grid = spec.grid()
    scores = np.zeros((len(splits), len(grid)))
    n_outputs = int(y_N.max()) + 1
    for i, (fit, held) in enumerate(splits):
        kernels = _Kernels(x[fit])
        own, other = kernels.products(x[fit]), kernels.products(x[held])
        for k, point in enumerate(grid):
            machine = _machine(point).fit(kernels.kernel(own, point), y[fit])
            guess = _classify(machine, kernels.kernel(other, point)).argmax(axis=1)
            table = confusion(y[held], _classes(machine)[guess], n_outputs)
            scores[i, k] = balanced_accuracy(table)
    best = int(scores.mean(axis=0).argmax())
    kernels = _Kernels(x)
    machine = _machine(grid[best]).fit(kernels.kernel(kernels.products(x), grid[best]), y)
    results = []
    for test in tests:
        proba = np.zeros((len(test), n_outputs))
        kernel = kernels.kernel(kernels.products(test), grid[best])
        proba[:, _classes(machine)] = _classify(machine, kernel)
        cv = float(scores[:, best].mean())
        results.append(ProbeResult(proba, grid[best], cv, folds, len(kept)))
    return results


def _splits(
    y: NDArray[np.int64], groups: NDArray[np.str_] | None, spec: ProbeSpec
) -> tuple[list[tuple[NDArray[np.int64], NDArray[np.int64]]], Folds]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    options = {"n_splits": spec.n_folds, "shuffle": True, "random_state": spec.seed}
    if spec.folds == "subjects" and groups is not None and len(set(groups)) >= spec.n_folds:
        found = list(StratifiedGroupKFold(**options).split(y, y, groups))
        if all(set(y[fit]) == set(y) for fit, _ in found):
            return found, "subjects"
    if np.unique(y, return_counts=True)[1].min() < spec.n_folds:
        raise NeuriptError(
            f"a class has fewer than {spec.n_folds} windows in the training draw of the probe; "
            "draw more, or use fewer folds"
        )
    return list(StratifiedKFold(**options).split(y, y)), "windows"


def _machine(point: dict[str, Any]) -> Any:
    from sklearn.svm import SVC

    return SVC(
        kernel="precomputed",
        C=point["C"],
        tol=point["tol"],
        class_weight=point["class_weight"],
        decision_function_shape="ovr",
        cache_size=500,
    )


def _classes(machine: Any) -> NDArray[np.int64]:
    """Class indices in the order of a machine's columns."""
    return np.asarray(machine.classes_, dtype=np.int64)


def _classify(machine: Any, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares that order windows and classes as the decision values do."""
    from scipy.special import expit, softmax

    value = machine.decision_function(kernel)
    if value.ndim == 1:
        second = expit(value)
        return np.stack([1 - second, second], axis=1)
    return np.asarray(softmax(value, axis=1))


_Products = tuple[NDArray[np.float64], NDArray[np.float64]]


class _Kernels:
    """Kernel matrices against one set of training features, which also standardises."""

    def __init__(self, x_NF: NDArray[Any]) -> None:
        x = np.asarray(x_NF, dtype=np.float64)
        sd = x.std(axis=0)
        self.mean, self.sd = x.mean(axis=0), np.where(sd > 0, sd, 1.0)
        self.z = self._standardised(x)
        variance = float(self.z.var())
        self.scale = 1.0 / (x.shape[1] * variance) if variance > 0 else 1.0
        self.square = np.square(self.z).sum(axis=1)

    def products(self, x_MF: NDArray[Any]) -> _Products:
        """Scalar products (M, N) with the training windows, and the square (M,) of each window."""
        z = self._standardised(np.asarray(x_MF, dtype=np.float64))
        return z @ self.z.T, np.square(z).sum(axis=1)

    def kernel(self, products: _Products, point: dict[str, Any]) -> NDArray[np.float64]:
        """Kernel (M, N) at one point of the grid."""
        product, square = products
        if point["kernel"] == "linear":
            return product
        gamma = self.scale if point["gamma"] in ("scale", "auto") else float(point["gamma"])
        distance = square[:, None] + self.square[None] - 2 * product
        return np.asarray(np.exp(-gamma * np.maximum(distance, 0.0)))

    def _standardised(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((x - self.mean) / self.sd)
