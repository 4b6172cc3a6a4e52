"""Running an evaluation: methods, seeds and shares of the training data, one result line each.

OUT holds `results.jsonl` (a line per result, appended as soon as it is there), `predictions/<id>.npz`
(class probabilities of validation and test windows) and `windows-<hash>.npz` (labels and people, for
intervals). The id is a hash of all that decides a result, so a killed evaluation goes on where it
stopped and a changed one does not pick up old numbers.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript import __version__
from neuript.errors import NeuriptError
from neuript.files import append_json, json_safe, write_atomically
from neuript.training.evaluate.leaks import check_leak
from neuript.training.evaluate.methods import (
    DETERMINISTIC,
    METHODS,
    MethodSpec,
    Outcome,
    Pretrained,
    check_methods,
    run_method,
    settings_of,
)
from neuript.training.fitting.metrics import by_subject, score

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols.eval_data import EvalData

RESULTS = "results.jsonl"
PREDICTIONS = "predictions"
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class EvaluateSpec:
    """What to run.

    Raises
    ------
    NeuriptError
        If a method is unknown, or a seed or fraction out of range.
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    fractions: tuple[float, ...] = (1.0,)
    """Shares of the training windows, drawn within each class with the run's seed."""
    method: MethodSpec = field(default_factory=MethodSpec)
    reinit: bool = False
    """Where fine-tuning saturates early, also run it from random weights (the paper does for
    SEED-V and BCIC-IV-2A); both are reported."""

    def __post_init__(self) -> None:
        if unknown := [m for m in self.methods if m not in METHODS]:
            raise NeuriptError(f"there is no method {', '.join(unknown)}; choose {', '.join(METHODS)}")
        if not self.methods or not self.seeds:
            raise NeuriptError("give at least one method and one seed")
        if bad := [f for f in self.fractions if not 0 < f <= 1]:
            raise NeuriptError(f"fraction {bad[0]} must be above 0 and at most 1")


@dataclass(frozen=True)
class EvalJob:
    """One method with one seed on one share of the training windows."""

    method: str
    seed: int
    fraction: float


def plan(spec: EvaluateSpec) -> list[EvalJob]:
    """List the jobs; a deterministic method on all windows gets the first seed only."""
    return [
        EvalJob(method, seed, fraction)
        for fraction in spec.fractions
        for method in spec.methods
        for seed in (spec.seeds[:1] if method in DETERMINISTIC and fraction == 1 else spec.seeds)
    ]


def evaluate(
    data: EvalData,
    spec: EvaluateSpec,
    out: str | Path,
    *,
    checkpoint: str | Path | None = None,
    say: Say = lambda _: None,
) -> list[dict[str, Any]]:
    """Run all jobs that have no result yet.

    Parameters
    ----------
    data : EvalData
        Windows in volts with their people and split.
    spec : EvaluateSpec
        Methods, seeds and shares of the training windows.
    out : str or Path
        Folder of the results.
    checkpoint : str or Path, optional
        Pretrained encoder for the methods "finetune" and "probe"; None where neither is asked for.
    say : callable
        Called with each line of text that tells what happens.

    Returns
    -------
    list of dict
        The results of this evaluation, old and new. A method that cannot run (a missing package)
        has an entry `error` instead of scores, and is tried again the next time.

    Raises
    ------
    NeuriptError
        If the checkpoint has seen validation or test people, a method lacks its checkpoint, or
        the folder cannot be written.
    """
    start = None if checkpoint is None else Pretrained.load(checkpoint)
    if start is not None:
        check_leak(start.manifest, data, Path(start.path).name)
    check_methods(spec.methods, data, spec.method, start)
    store = ResultStore(Path(out))
    windows = store.keep_windows(data)
    results = []
    queue = plan(spec)
    for job in queue:
        result = _job(job, data, spec, start, store, windows, say)
        results.append(result)
        if spec.reinit and job.method == "finetune" and result.get("about", {}).get("saturated"):
            queue.append(EvalJob("reinit", job.seed, job.fraction))  # a list grows while it is walked
    return results


def draw_fraction(index: NDArray[np.int64], y: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    """Draw a share of windows from each class, at least one each.

    Parameters
    ----------
    index : ndarray, shape (n_candidates,)
        Indices of the windows to draw from.
    y : ndarray, shape (n_windows,)
        Classes of all windows (of the whole data, not of `index`).
    fraction : float
        Share to draw, in (0, 1].
    seed : int
        Seed of the draw; the draw with a smaller share and the same seed is part of that with a larger one.
    """
    if fraction >= 1:
        return index
    rng = np.random.default_rng(seed)
    kept = []
    for label in np.unique(y[index]):
        own = rng.permutation(index[y[index] == label])
        kept.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(kept))


def _job(
    job: EvalJob,
    data: EvalData,
    spec: EvaluateSpec,
    start: Pretrained | None,
    store: ResultStore,
    windows: str,
    say: Say,
) -> dict[str, Any]:
    settings = settings_of(job.method, spec.method, start)
    about = {
        "protocol": data.protocol,
        "windows": windows,
        "method": job.method,
        "seed": job.seed,
        "fraction": job.fraction,
        "settings": settings,
    }
    result_id = _hash(about)
    name = f"{job.method} seed {job.seed} share {job.fraction:g}"
    if (old := store.find(result_id)) is not None:
        say(f"{name}: known")
        return old
    kept = draw_fraction(data.where("train"), data.y, job.fraction, job.seed)
    began = time.perf_counter()
    try:
        outcome = run_method(job.method, data, kept, job.seed, spec.method, start, lambda text: say(f"{name}: {text}"))
    except NeuriptError as error:
        say(f"{name}: {error}")
        return {"id": result_id, **about, "error": str(error)}
    seconds = time.perf_counter() - began
    result = {"id": result_id, **about, "n_train": len(kept), **_scores(data, outcome)}
    result |= {"seconds": round(seconds, 1), "neuript_version": __version__}
    store.add(result, outcome)
    shown = ", ".join(f"{k} {v:.3f}" for k, v in result["test"].items())
    say(f"{name}: test {shown} ({seconds:.0f} s)")
    return result


def _scores(data: EvalData, outcome: Outcome) -> dict[str, Any]:
    rows = outcome.about.get("test_rows")
    scores: dict[str, Any] = {"about": outcome.about}
    for split, proba in outcome.proba.items():
        at = data.where(split)
        y, subject = data.y[at], data.subject[at]
        if split == "test" and rows is not None:
            y, subject, proba = y[rows], subject[rows], proba[rows]
        if len(y):
            scores[split] = score(y, proba)
            scores[f"{split}_by_subject"] = by_subject(y, proba, subject)
    return scores


class ResultStore:
    """The folder of an evaluation's results.

    Parameters
    ----------
    folder : Path
        Folder of the results; made if it is not there.

    Raises
    ------
    NeuriptError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / PREDICTIONS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NeuriptError(
                f"cannot make the folder {folder}: {error.strerror or error}; choose another --out"
            ) from error
        self._known = {str(result["id"]): result for result in self}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All results, in the order of their end; a line that a kill cut off is left out."""
        path = self.folder / RESULTS
        if not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                result = json.loads(line)
            except ValueError:
                continue
            if isinstance(result, dict) and "id" in result:
                yield result

    def find(self, result_id: str) -> dict[str, Any] | None:
        """Return a finished result, with its predictions still there."""
        if not self.predictions_path(result_id).exists():
            return None
        return self._known.get(result_id)

    def predictions_path(self, result_id: str) -> Path:
        """Return where a result's class probabilities are."""
        return self.folder / PREDICTIONS / f"{result_id}.npz"

    def add(self, result: dict[str, Any], outcome: Outcome) -> None:
        """Keep a result: predictions first, then its line."""
        write_atomically(self.predictions_path(result["id"]), _npz(outcome.proba))
        append_json(self.folder / RESULTS, json_safe(result))
        self._known[result["id"]] = result

    def keep_windows(self, data: EvalData) -> str:
        """Keep labels and people of the windows; return the hash of windows, labels and split."""
        digest = fingerprint(data)
        path = self.windows_path(digest)
        if not _holds(path, "window_s"):
            held = {
                f"{name}_{split}": getattr(data, name)[data.where(split)]
                for split in ("val", "test")
                for name in ("y", "subject", "recording", "start_s")
            }
            extra = {"classes": np.array(data.classes), "window_s": np.array(data.window_s)}
            write_atomically(path, _npz({**held, **extra}))
        return digest

    def windows_path(self, digest: str) -> Path:
        """Return where labels and people of an evaluation are."""
        return self.folder / f"windows-{digest}.npz"


def fingerprint(data: EvalData) -> str:
    """Return a hash of an evaluation's windows, labels, people and split."""
    digest = hashlib.sha256(json.dumps([data.x.shape, data.sfreq, *data.classes]).encode())
    digest.update(data.y.tobytes())
    names = (*data.split.tolist(), *data.subject.tolist(), *data.montage.ch_names)
    digest.update("\0".join(names).encode())
    for start in range(0, len(data.x), 1024):
        digest.update(np.ascontiguousarray(data.x[start : start + 1024]).tobytes())
    return digest.hexdigest()[:16]


def _hash(about: dict[str, Any]) -> str:
    text = json.dumps(about, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _holds(path: Path, name: str) -> bool:
    """Whether a file of arrays is there and has one of some name."""
    if not path.exists():
        return False
    with np.load(path) as arrays:
        return name in arrays.files


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_predictions(folder: Path, results: Sequence[dict[str, Any]], split: str = "test") -> list[NDArray[np.float64]]:
    """Return class probabilities of some results.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    results : sequence of dict
        Results of that folder, as `ResultStore` yields them.
    split : str
        Split of the windows, "val" or "test".

    Returns
    -------
    list of ndarray, each of shape (n_windows, K)
        Class probabilities of each result.

    Raises
    ------
    NeuriptError
        If the file of a result's probabilities is missing.
    """
    store = ResultStore(folder)
    found = []
    for result in results:
        path = store.predictions_path(result["id"])
        if not path.is_file():
            raise NeuriptError(
                f"{path} is missing, so the result of {result['method']}, seed {result['seed']}, cannot be scored; put "
                "it back, or run the evaluation again, which makes it anew"
            )
        with np.load(path) as arrays:
            found.append(arrays[split])
    return found
