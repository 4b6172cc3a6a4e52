"""Threshold and dwell for a bound on commands at rest: on made-up decisions, and on recordings run once more."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import gamma
from twin_people import CLASSES, SFREQ, calibration_spec, session

from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch
from neuript.realtime.decoding.event_scoring import Commit, EventCard
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.calibration import operating_point
from neuript.training.calibration.fitted_decoder import FittedDecoder
from neuript.training.calibration.held_out import blocks_of
from neuript.training.calibration.operating_point import OperatingPoint, choose_operating_point, held_out_rows
from neuript.training.fitting.policy_scan import (
    DWELLS_S,
    RELEASE_SHARE,
    THRESHOLDS,
    Rows,
    evidence_of,
    run_policy,
    score_policy,
)
from neuript.training.population.command_evidence import CommandPrior
from neuript.training.windows.dataset import Dataset, build_dataset

GO = ("go", "rest")
HOP_S, LAST_S = 0.25, 4.0
BASE = PolicySpec(idle_class="rest")


def ran(rows: Rows, spec: PolicySpec) -> list[Commit]:
    """Commands of a policy over a recording."""
    (evidence,) = evidence_of([rows], spec, GO, HOP_S)
    return run_policy(rows, spec, GO, HOP_S, evidence)


def made_up(
    rng: np.random.Generator,
    *,
    seconds: float = 180.0,
    every_s: float = 24.0,
    clear: float = 2.0,
    mistakes: float = 0.06,
) -> Rows:
    """Evidence of tasks that is sometimes missing, and of rest that is sometimes mistaken."""
    t = np.arange(0, seconds, HOP_S)
    onsets = np.arange(10.0, seconds - 10, every_s)
    lasts = np.min(np.abs(t[:, None] - (onsets + 0.5 + LAST_S / 2)), axis=1) < LAST_S / 2
    mistaken = np.repeat(rng.uniform(size=math.ceil(len(t) / 8)) < mistakes, 8)[: len(t)]
    go = np.where(lasts, clear, -1.0) + np.where(mistaken, 2.5, 0.0) + 1.0 * rng.normal(size=len(t))
    logits = np.stack([go, -go], axis=1)
    return Rows(t, [State.OK] * len(t), logits, tuple(Trial("go", float(on)) for on in onsets))


def chosen(rows: Rows, bound: float) -> OperatingPoint:
    return choose_operating_point([rows], BASE, GO, HOP_S, duration_s=LAST_S, max_false_per_minute=bound)


def every_setting(rows: Rows) -> list[EventCard]:
    evidence = evidence_of([rows], BASE, GO, HOP_S)
    return [
        score_policy(
            [rows], replace(BASE, threshold=p, release=RELEASE_SHARE * p, dwell_s=dwell), GO, HOP_S, LAST_S, evidence
        )
        for p in THRESHOLDS
        for dwell in DWELLS_S
    ]


def test_the_chosen_setting_keeps_the_bound_and_none_that_does_detects_more(rng: np.random.Generator) -> None:
    rows = made_up(rng)
    point = chosen(rows, 2.0)
    assert point.kept
    assert point.upper <= 2.0
    assert point.policy != BASE
    kept = [card for card in every_setting(rows) if replace(point, card=card).kept]
    assert 0 < len(kept) < len(THRESHOLDS) * len(DWELLS_S)  # some do, some do not
    assert point.card.n_hits - point.card.n_wrong == max(card.n_hits - card.n_wrong for card in kept)
    again = score_policy([rows], point.policy, GO, HOP_S, LAST_S)
    assert again == point.card


def test_a_stricter_bound_never_gives_more_false_activations(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, known = made_up(rng), {}

    def once(of: list[Rows], spec: PolicySpec, *rest: object) -> EventCard:
        if spec not in known:
            known[spec] = score_policy(of, spec, *rest)
        return known[spec]

    monkeypatch.setattr(operating_point, "score_policy", once)
    points = [chosen(rows, bound) for bound in (30.0, 10.0, 5.0, 3.0, 2.0, 1.5, 1.3, 0.01)]
    false = [point.card.n_false for point in points]
    assert false == sorted(false, reverse=True)
    assert false[0] > false[-1]  # or the bound would do nothing
    hits = [point.card.n_hits - point.card.n_wrong for point in points if point.kept]
    assert hits == sorted(hits, reverse=True)


def test_of_settings_that_detect_as_much_the_sooner_is_taken(rng: np.random.Generator) -> None:
    point = chosen(made_up(rng, clear=6.0), 30.0)
    assert point.card.n_hits == len(point.card.events)
    assert point.policy.dwell_s == min(DWELLS_S)


def test_without_rest_the_policy_stays_and_it_is_said(rng: np.random.Generator) -> None:
    rows = made_up(rng, seconds=60.0)
    point = chosen(rows, 2.0)
    assert point.policy == BASE
    assert point.card.rest_s < 60
    assert "not known: 0." in point.describe()
    assert "1.5 minutes without a task are needed to promise 2 a minute at most" in point.describe()


def test_where_no_setting_could_promise_the_bound_the_usual_one_stays_if_it_was_within(
    rng: np.random.Generator,
) -> None:
    """Three minutes without a false activation are needed for 1 a minute; with two the strictest promises no more."""
    rows = made_up(rng, seconds=150.0, mistakes=0.0)
    point = chosen(rows, 1.0)
    assert 60 < point.card.rest_s < 60 * point.least_minutes
    assert point.least_minutes == pytest.approx(-math.log(0.05))
    assert point.policy == BASE
    assert "3.0 minutes without a task are needed to promise 1 a minute at most" in point.describe()
    assert point.card.n_hits > 0
    mistaken = chosen(made_up(rng, seconds=150.0, mistakes=0.3), 1.0)
    assert mistaken.policy.threshold > BASE.threshold


def people_say(n_false: float, minutes: float) -> CommandPrior:
    """The same rate at every setting below .7, and none above; hits in half of the tasks below, in none above."""
    below = np.broadcast_to(np.array(THRESHOLDS) < 0.7, (len(DWELLS_S), len(THRESHOLDS)))
    return CommandPrior(np.where(below, n_false, 0.5), np.full(below.shape, minutes), np.where(below, 0.5, 0.0))


def test_earlier_people_make_up_for_rest_that_is_missing(rng: np.random.Generator) -> None:
    rows = [made_up(rng, seconds=150.0, mistakes=0.0)]
    kind = {"duration_s": LAST_S, "max_false_per_minute": 1.0}
    alone = choose_operating_point(rows, BASE, GO, HOP_S, **kind)
    assert not alone.kept
    calm = choose_operating_point(rows, BASE, GO, HOP_S, people=people_say(2.0, 20.0), **kind)
    assert calm.kept
    assert calm.policy.threshold < 0.7
    assert calm.upper == pytest.approx(gamma.ppf(0.95, 2 + calm.card.n_false) / (20 + calm.card.rest_s / 60))
    assert "together with what earlier people say, with 95 % confidence at most" in calm.describe()
    assert calm.to_dict()["earlier_people"] == {"n_false": 2.0, "minutes": 20.0, "hit_share": 0.5}
    assert alone.to_dict()["earlier_people"] is None
    restless = choose_operating_point(rows, BASE, GO, HOP_S, people=people_say(30.0, 20.0), **kind)
    assert restless.kept
    assert restless.policy.threshold > 0.7  # with a margin of one threshold


def test_people_who_say_nothing_change_nothing(rng: np.random.Generator) -> None:
    rows = made_up(rng, seconds=1200.0)
    own = chosen(rows, 3.0)
    people = CommandPrior(*(np.full((len(DWELLS_S), len(THRESHOLDS)), v) for v in (1.0, 1e-9, 0.0)))  # Poisson's limit
    both = choose_operating_point([rows], BASE, GO, HOP_S, duration_s=LAST_S, max_false_per_minute=3.0, people=people)
    assert both.policy == own.policy
    assert both.upper == pytest.approx(own.upper)


def test_where_nothing_keeps_the_bound_the_strictest_is_taken_and_it_is_said(rng: np.random.Generator) -> None:
    rows = made_up(rng, seconds=600.0, mistakes=0.5)
    point = chosen(rows, 0.5)
    assert point.enough_rest
    assert not point.kept
    fewest = min(card.n_false for card in every_setting(rows))
    assert point.card.n_false == fewest
    said = point.describe()
    assert "which is more than the 0.5 asked for; the strictest setting was taken" in said
    assert "More recorded rest makes the limit tighter" in said


def test_all_keeps_its_idle_class_smoothing_and_refractory_time(rng: np.random.Generator) -> None:
    base = replace(BASE, smoothing_s=1.0, refractory_s=3.0, temperature=2.0)
    point = choose_operating_point([made_up(rng)], base, GO, HOP_S, duration_s=LAST_S, max_false_per_minute=3.0)
    assert replace(point.policy, threshold=0.75, release=0.6, dwell_s=0.25) == base
    assert point.policy.release == pytest.approx(RELEASE_SHARE * point.policy.threshold)


def test_figures_are_plain_json_and_sentences_say_them(rng: np.random.Generator) -> None:
    point = chosen(made_up(rng), 2.0)
    figures = point.to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["bound_kept"]
    assert figures["false_per_minute_upper_95"] == point.upper
    said = point.describe()
    assert f"{point.card.n_hits} of {len(point.card.events)} tasks were commanded" in said
    unknown = OperatingPoint(BASE, EventCard((), 0, 0.0), 1.0)
    assert unknown.to_dict()["false_per_minute_upper_95"] is None
    one = OperatingPoint(BASE, EventCard((), 1, 600.0), 1.0)
    assert "1 false activation in 10.0 minutes of rest, with 95 % confidence at most 0.47 a minute" in one.describe()
    assert "3 false activations in" in OperatingPoint(BASE, EventCard((), 3, 600.0), 1.0).describe()


def test_the_policy_runs_over_the_rows_as_it_does_live() -> None:
    """A class must stay above the threshold for the dwell; rows without a decision, or not OK, begin anew."""
    logits = np.full((12, 2), np.nan)
    logits[1:] = [5.0, -5.0]
    state = [State.WARMUP] + [State.OK] * 11
    spec = PolicySpec(threshold=0.9, release=0.5, smoothing_s=0.0, dwell_s=1.0, refractory_s=0.0, idle_class="rest")
    rows = Rows(10 + np.arange(12) * HOP_S, state, logits, ())
    assert ran(rows, spec) == [Commit(11.0, "go")]
    broken = replace(rows, state=[*state[:4], State.BAD_SIGNAL, *state[5:]])
    assert ran(broken, spec) == [Commit(12.0, "go")]
    assert ran(replace(rows, logits=-logits), spec) == []  # the idle class is not commanded
    none = replace(rows, logits=np.full((12, 2), np.nan))
    assert ran(none, spec) == []


@pytest.mark.parametrize("refractory_s", [0.0, 1.0])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_commands_are_those_of_the_live_policy_row_by_row(
    rng: np.random.Generator, threshold: float, refractory_s: float
) -> None:
    rows = made_up(rng, seconds=600.0, mistakes=0.2)
    logits = rows.logits.copy()
    logits[400:430] = np.nan
    state = [State.BAD_SIGNAL if 900 <= k < 930 else State.OK for k in range(len(rows.t))]
    rows = replace(rows, logits=logits, state=state)
    for idle_class in ("rest", None):
        spec = replace(
            BASE, threshold=threshold, release=0.6 * threshold, refractory_s=refractory_s, idle_class=idle_class
        )
        live, expected = DecisionPolicy(spec, GO, HOP_S), []
        for t, row, said in zip(rows.t, state, logits, strict=True):
            result = live.update(None if np.isnan(said[0]) else said, row)
            if result.committed and result.decision is not None:
                expected.append(Commit(float(t), GO[result.decision]))
        assert len(expected) > 5
        assert ran(rows, spec) == expected


def test_rest_is_what_was_decoded_in_state_ok(rng: np.random.Generator) -> None:
    rows = made_up(rng)
    half = [State.OK if k % 2 else State.BAD_SIGNAL for k in range(len(rows.t))]
    whole = score_policy([rows], BASE, GO, HOP_S, LAST_S).rest_s
    assert score_policy([replace(rows, state=half)], BASE, GO, HOP_S, LAST_S).rest_s == pytest.approx(whole / 2, abs=1)
    gone = rows.logits.copy()
    gone[: len(gone) // 2] = np.nan
    assert score_policy([replace(rows, logits=gone)], BASE, GO, HOP_S, LAST_S).rest_s < 0.6 * whole
    assert score_policy([rows, rows], BASE, GO, HOP_S, LAST_S).rest_s == pytest.approx(2 * whole)


@pytest.fixture(scope="module")
def two_days() -> Dataset:
    return build_dataset([session(5, 0), session(5, 1)], calibration_spec())


def naming_their_block(data: Dataset, n_folds: int) -> FittedDecoder:
    """Decoders that say nothing but which block they had not seen."""
    blocks = blocks_of(data, n_folds)

    def saying(block: int):
        return lambda signals, tangents: np.tile([float(block), -float(len(tangents))], (len(signals), 1))

    branch = TangentBranch(torch.zeros(2, data.tangent.shape[1]), torch.zeros(2))
    module = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(2))
    without = tuple(saying(k) for k in range(len(blocks)))
    return FittedDecoder(module, {}, (0.0, 1.0), {}, blocks=tuple(blocks), without_block=without)


def fold_of_window(decoder: FittedDecoder) -> np.ndarray:
    return np.argmax([test for _, test in decoder.blocks], axis=0)


@pytest.mark.parametrize("n_folds", [2, 4])
def test_windows_of_a_trial_are_decoded_by_the_decoder_without_it(two_days: Dataset, n_folds: int) -> None:
    decoder = naming_their_block(two_days, n_folds)
    rows = held_out_rows(two_days, decoder)
    number = np.array([trial.recording for trial in two_days.trials])[two_days.trial]
    assert len(rows) == 2
    for window, fold in enumerate(fold_of_window(decoder)):
        part = rows[number[window]]
        nearest = int(np.argmin(np.abs(part.t - two_days.end_s[window])))
        assert part.t[nearest] == pytest.approx(two_days.end_s[window], abs=1e-6)
        assert part.logits[nearest, 0] == fold


def test_no_stretch_is_decoded_by_a_decoder_that_saw_samples_of_it(two_days: Dataset) -> None:
    """Where a window shares samples with trials of one block, it is that block's decoder; between trials it is any."""
    decoder = naming_their_block(two_days, 4)
    window_s = two_days.manifest.window_s
    number = np.array([trial.recording for trial in two_days.trials])[two_days.trial]
    folds, between = fold_of_window(decoder), 0
    for k, part in enumerate(held_out_rows(two_days, decoder)):
        mine = number == k
        for t, logits in zip(part.t, part.logits, strict=True):
            sharing = set(folds[mine & (np.abs(two_days.end_s - t) < window_s - 1e-6)].tolist())
            if np.isnan(logits[0]) or len(sharing) != 1:
                between += 1
                continue
            assert sharing == {int(logits[0])}
    assert between < 200


def test_every_row_of_every_recording_is_there(two_days: Dataset) -> None:
    rows = held_out_rows(two_days, naming_their_block(two_days, 4))
    for k, part in enumerate(rows):
        assert len(part.t) == len(part.state) == len(part.logits)
        np.testing.assert_allclose(np.diff(part.t), two_days.manifest.hop_s, atol=0.5 / SFREQ + 1e-6)
        decoded = ~np.isnan(part.logits[:, 0])
        assert decoded.mean() > 0.9
        assert part.trials == tuple(trial for trial in two_days.trials if trial.recording == k)
        assert {part.state[i] for i in np.flatnonzero(~decoded)} <= {State.WARMUP}


def test_what_the_one_walk_kept_gives_the_rows_of_another_walk(two_days: Dataset) -> None:
    """To the last bit, with a read-out of signal and tangent vector."""
    decoder = naming_their_block(two_days, 2)

    def products(signals: np.ndarray, tangents: np.ndarray) -> np.ndarray:
        return np.stack([signals.prod(axis=2).sum(axis=1), np.sin(tangents).sum(axis=1)], axis=1).astype(np.float64)

    decoder = replace(decoder, without_block=(products, products))
    kept = build_dataset([part.recording for part in two_days.played], calibration_spec(), keep_hops=True)
    assert all(part.kept is not None for part in kept.played)
    assert all(part.kept is None for part in two_days.played)
    for one, other in zip(held_out_rows(kept, decoder), held_out_rows(two_days, decoder), strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)
        np.testing.assert_array_equal(one.t, other.t)
        assert one.state == other.state
        assert np.isfinite(one.logits).any()


def test_windows_are_decoded_in_batches_and_stay_in_order(two_days: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = naming_their_block(two_days, 4)
    at_once = held_out_rows(two_days, decoder)
    monkeypatch.setattr(operating_point, "BATCH", 3)
    in_threes = held_out_rows(two_days, decoder)
    for one, two in zip(at_once, in_threes, strict=True):
        np.testing.assert_array_equal(one.logits[:, 0], two.logits[:, 0])
        assert np.nanmin(two.logits[:, 1]) >= -3


def test_the_rows_are_what_the_decoders_say_of_the_windows(two_days: Dataset) -> None:
    """The very windows of the data set reach the decoders, signal and tangent vector."""
    decoder = naming_their_block(two_days, 2)

    def summing(signals: np.ndarray, tangents: np.ndarray) -> np.ndarray:
        return np.stack([signals.sum(axis=(1, 2)), tangents.sum(axis=1)], axis=1).astype(np.float64)

    rows = held_out_rows(two_days, replace(decoder, without_block=(summing, summing)))
    number = np.array([trial.recording for trial in two_days.trials])[two_days.trial]
    expected = summing(two_days.signal, two_days.tangent)
    for window in range(len(two_days.x)):
        part = rows[number[window]]
        found = part.logits[np.argmin(np.abs(part.t - two_days.end_s[window]))]
        np.testing.assert_allclose(found, expected[window], rtol=1e-4, atol=1e-9)


def test_a_recording_without_trials_is_walked_and_not_decoded(two_days: Dataset) -> None:
    first = tuple(t for t in two_days.trials if t.recording == 0)
    keep = two_days.trial < len(first)
    data = replace(
        two_days,
        trials=first,
        **{name: getattr(two_days, name)[keep] for name in ("x", "trial", "end_s", "signal", "tangent")},
    )
    rows = held_out_rows(data, naming_their_block(data, 2))
    assert np.isnan(rows[1].logits).all()
    assert not np.isnan(rows[0].logits).all()
    assert len(data.classes) == len(CLASSES)
