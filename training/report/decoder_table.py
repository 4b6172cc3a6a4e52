"""Every decoder on the same trials: how good, how sure, and why the published one is published."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.model_selection import StratifiedKFold

from neuript.realtime.decoding.scoring import ScoreCard
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder
from neuript.training.calibration.held_out import TANGENT, branch_readout, held_out_log_proba, score_held_out
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.population.learning import tangent_trials
from neuript.training.report.held_out_trials import block_of_trials
from neuript.training.windows.dataset import Dataset

N_PERMUTATIONS = 4999
"""The smallest probability that can be found is 1 in 5000."""
NOTICEABLE = 0.05
"""Two decoders differ if luck alone would make them differ as much less often than this."""


def permutation_p(
    labels: NDArray[np.int64],
    said: NDArray[np.int64],
    block: NDArray[np.int64],
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> float:
    """How often labels that are shuffled within their blocks fit what was said as well as the true ones do.

    What was said stays as it is, so the decoders are not fitted again. Within a block no drift from one block to the
    next can pass for skill.

    Parameters
    ----------
    labels : ndarray, shape (n_trials,)
        True classes.
    said : ndarray, shape (n_trials,)
        Class that each trial was held to be; -1 for none.
    block : ndarray, shape (n_trials,)
        Block of each trial.
    n_permutations : int
        Number of shufflings.
    seed : int
        Seed of these.

    Returns
    -------
    float
        Share of the shufflings, the true order counted as one, whose balanced accuracy is as high or higher.
    """
    rng = np.random.default_rng(seed)
    shuffled = np.tile(labels, (n_permutations + 1, 1))
    for number in np.unique(block):
        mine = np.flatnonzero(block == number)
        shuffled[1:, mine] = rng.permuted(shuffled[1:, mine], axis=1)
    classes = np.unique(labels)
    hits = [((shuffled == c) & (said == c)).sum(axis=1) / (labels == c).sum() for c in classes]
    found = np.mean(hits, axis=0)
    return float(np.mean(found >= found[0] - 1e-12))


def said_by(card: ScoreCard) -> NDArray[np.int64]:
    """Class that each trial was held to be, shape (n_trials,); -1 for none."""
    index = {name: i for i, name in enumerate(card.classes)}
    return np.array([-1 if t.predicted is None else index[t.predicted] for t in card.trials], dtype=np.int64)


def decoder_table(data: Dataset, decoder: FittedDecoder) -> list[dict[str, Any]]:
    """Return a row of figures for every decoder, in the order in which the calibration names them."""
    block = block_of_trials(data, decoder)
    rows = []
    for name, card in decoder.scores.items():
        rows.append(
            {
                "name": name,
                "published": name == STACK,
                "balanced_accuracy": card.balanced_accuracy,
                "accuracy": card.accuracy,
                "interval_95": list(card.interval),
                "hits": card.n_hits,
                "trials": card.n_trials,
                "permutation_p": permutation_p(data.trial_labels, said_by(card), block),
                "above_chance": card.above_chance,
            }
        )
    return rows


def today(card: ScoreCard | None, n_earlier: int) -> dict[str, Any] | None:
    """Return the figures of the trials that are not of earlier days, decoded while they were held out.

    Parameters
    ----------
    card : ScoreCard or None
        Of the published decoder, over all trials.
    n_earlier : int
        Number of recordings, the first ones, that are of earlier days; with 0 all is today's, and nothing is returned.
    """
    if card is None or not n_earlier:
        return None
    mine = tuple(trial for trial in card.trials if trial.trial.recording >= n_earlier)
    return ScoreCard(mine, card.classes).to_dict() if mine else None


def shuffled_accuracy(data: Dataset, decoder: FittedDecoder, *, seed: int = 0) -> dict[str, Any] | None:
    """Judge the Riemannian read-out on trials drawn at random instead of blocks: the figure of many papers.

    None where the decoder began with earlier people or there is nothing for it to read.
    """
    if decoder.people or not data.tangent.shape[1] or TANGENT not in decoder.scores:
        return None
    person = tangent_trials(data)
    folds = StratifiedKFold(len(decoder.blocks), shuffle=True, random_state=seed)
    blocks = [
        (np.isin(data.trial, train), np.isin(data.trial, test))
        for train, test in folds.split(data.trial_labels, data.trial_labels)
    ]
    fits = [branch_readout(person, len(data.classes), train) for train, _ in blocks]
    card = score_held_out(held_out_log_proba(data, person.x, fits, blocks), data)
    return {
        "name": TANGENT,
        "balanced_accuracy": card.balanced_accuracy,
        "accuracy": card.accuracy,
        "blocked_accuracy": decoder.scores[TANGENT].accuracy,
    }


def choice(result: CalibrationResult) -> dict[str, Any] | None:
    """Compare the published decoder with the best figure of the table on the same trials (exact McNemar test).

    None without a held-out trial.
    """
    published = result.published
    if published is None:
        return None
    name, best = max(result.scores.items(), key=lambda item: (item[1].balanced_accuracy, item[0] == STACK))
    truth = [t.trial.label for t in published.trials]
    mine = np.array([t.predicted for t in published.trials]) == np.array(truth)
    other = np.array([t.predicted for t in best.trials]) == np.array(truth)
    only_mine, only_other = int((mine & ~other).sum()), int((other & ~mine).sum())
    apart = only_mine + only_other
    p = float(binomtest(min(only_mine, only_other), apart, 0.5).pvalue) if apart else 1.0
    return {
        "published": STACK,
        "highest": name,
        "only_published_right": only_mine,
        "only_highest_right": only_other,
        "mcnemar_p": p,
        "weights": {"network": result.weights[0], "riemannian": result.weights[1]},
    }
