"""Weights that estimate an electrode from its neighbours, and what an estimate may be used for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neuript.montages import Montage, canonical_name, draft_plan, load_montage, parse_montage
from neuript.montages.interpolation import (
    BLUR,
    CENTRE_M,
    OWN_SHARE,
    covariance,
    directions,
    expected_error,
    interpolation_matrix,
    shared_covariance,
)
from neuript.montages.loader import template_positions

TEN_TWENTY = load_montage("10-20")


def test_centre_of_the_head_is_the_fitted_one() -> None:
    pos = np.array([p for n, p in template_positions().items() if n not in ("A1", "A2", "M1", "M2")])
    system = np.column_stack([2 * pos, np.ones(len(pos))])
    centre = np.linalg.lstsq(system, (pos**2).sum(axis=1), rcond=None)[0][:3]
    np.testing.assert_allclose(centre, CENTRE_M, atol=1e-4)


def test_covariance_is_that_of_evenly_spread_sources() -> None:
    """Closed form: sum_n (2n+1) s^n P_n(cos) = (1 - s^2) / (1 - 2 s cos + s^2)^1.5, with s = q^2."""
    pos = load_montage("eegmmidb-64").pos_m
    cosines = directions(pos) @ directions(pos).T
    s = BLUR**2

    def poisson(c: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return (1 - s**2) / (1 - 2 * s * np.asarray(c) + s**2) ** 1.5 - 1.0  # without degree 0

    np.testing.assert_allclose(shared_covariance(pos, pos), poisson(cosines) / poisson(1.0), atol=1e-9)
    assert np.linalg.eigvalsh(covariance(pos)).min() > 0.9 * OWN_SHARE


def test_weights_minimise_the_expected_error(rng: np.random.Generator) -> None:
    pos = TEN_TWENTY.pos_m
    weights = interpolation_matrix(pos[1:], pos[:1])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    wanted = np.eye(1, 19)

    def error(row: NDArray[np.float64]) -> float:
        return float(expected_error(np.concatenate([[0.0], row])[None], wanted, pos)[0])

    best = error(weights[0])
    for _ in range(50):
        step = rng.normal(size=18) * 0.05
        assert error(weights[0] + step - step.mean()) > best


def test_expected_error_agrees_with_simulated_potentials(rng: np.random.Generator) -> None:
    pos = load_montage("biosemi-32").pos_m
    weights = interpolation_matrix(pos[1:], pos[:1])[0]
    simulated = np.linalg.cholesky(covariance(pos)) @ rng.normal(size=(32, 200_000))
    error = simulated[0] - weights @ simulated[1:]
    estimate = np.concatenate([[0.0], weights])[None]
    expected = expected_error(estimate, np.eye(1, 32), pos)[0]
    assert np.std(error) / np.std(simulated[0]) == pytest.approx(expected, rel=0.01)


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("file", "n_eeg", "margin"), [("eegmmidb/S001R01.edf", 64, 1.08), ("eegmat-128hz/Subject00_1.edf", 19, 0.9)]
)
def test_against_mne_on_a_recording(data_dir: Path, file: str, n_eeg: int, margin: float) -> None:
    """Leave every electrode out in turn: no worse than MNE's splines, and the price is honest."""
    import mne
    from scipy.signal import butter, sosfiltfilt

    raw = mne.io.read_raw(data_dir / file, verbose="ERROR").crop(2, 42).load_data(verbose="ERROR")
    names = [canonical_name(name) for name in raw.ch_names]
    known = [i for i, name in enumerate(names) if name in template_positions()]
    assert len(known) == n_eeg
    names = [names[i] for i in known]
    sos = butter(2, [1, 30], "band", fs=raw.info["sfreq"], output="sos")
    x = sosfiltfilt(sos, raw.get_data(picks=known), axis=1)
    x -= x.mean(axis=0)
    model = parse_montage(f"electrodes: [{', '.join(names)}]")

    info = mne.create_info(names, raw.info["sfreq"], "eeg")
    positions = mne.channels.make_dig_montage(dict(zip(names, model.pos_m, strict=True)), coord_frame="head")
    ours, theirs, predicted = [], [], []
    for i, name in enumerate(names):
        plan = draft_plan(names, model, bads=[name])
        ours.append(np.std(plan.matrix[i] @ x - x[i]) / np.std(x[i]))
        predicted.append(plan.expected_error[i])
        spline = mne.io.RawArray(x.copy(), info.copy(), verbose="ERROR").set_montage(positions)
        spline.info["bads"] = [name]
        spline.interpolate_bads(origin=CENTRE_M, verbose="ERROR")
        theirs.append(np.std(spline.get_data()[i] - x[i]) / np.std(x[i]))
    assert np.mean(ours) < margin * np.mean(theirs)
    assert 0.7 < np.mean(predicted) / np.mean(ours) < 1.5


def test_estimated_electrodes_are_kept_in_files_and_go_with_their_channels() -> None:
    model = replace(TEN_TWENTY, estimated=("Fp1", "Oz", "Pz"))
    assert Montage.from_dict(model.to_dict()) == model
    assert model.pick(["Pz", "C3", "Fp1"]).estimated == ("Fp1", "Pz")
    assert model.pick(["C3", "C4"]).estimated == ()
    assert model.with_reference("average").estimated == model.estimated
    older = {key: value for key, value in model.to_dict().items() if key != "estimated"}
    assert Montage.from_dict(older).estimated == ()


def test_a_lobe_of_estimated_electrodes_alone_need_not_be_measured() -> None:
    """That it rests on interpolation was so when the model was made; another lobe must still be measured."""
    frontal = [n for n in TEN_TWENTY.ch_names if n.startswith("F")]
    rest = [n for n in TEN_TWENTY.ch_names if n not in frontal]
    assert draft_plan(rest, TEN_TWENTY, max_interpolated=1.0).problems
    assert not draft_plan(rest, replace(TEN_TWENTY, estimated=tuple(frontal))).problems
    assert draft_plan(rest, replace(TEN_TWENTY, estimated=tuple(frontal[1:])), max_interpolated=1.0).problems
