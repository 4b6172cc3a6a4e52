"""Arrays of windows that somebody else cut, as the network takes them: volts, without offset, at its rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ArgumentError
from neuript.network.resampling import MODEL_SFREQ, resample
from neuript.realtime.chain.units import PLAUSIBLE_V, to_volts, unit_name


def volts_at_model_rate(
    x: NDArray[Any], sfreq: float, unit: str, *, remove_mean: bool, n_chans: int
) -> NDArray[np.float32]:
    """Return windows in volts at the model's rate, (n_windows, n_chans, n_times); refuse what cannot be EEG.

    Parameters
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in `unit`; not changed.
    sfreq : float
        Sampling rate in Hz.
    unit : str
        Unit of the numbers: "V", "mV", "uV" or "nV".
    remove_mean : bool
        Whether each channel's mean over the window is taken away.
    n_chans : int
        Number of channels that there must be.

    Raises
    ------
    ArgumentError
        If the shape, the unit or the size of the numbers is wrong.
    """
    if x.ndim != 3 or x.shape[1] != n_chans:
        raise ArgumentError(f"X has shape {x.shape}; expected (n_epochs, {n_chans} channels, n_times)")
    if unit_name(unit) is None:
        raise ArgumentError(f"unit={unit!r} is not known; use 'V', 'mV', 'uV' or 'nV'")
    x = x * to_volts(unit)
    if remove_mean:
        x = x - x.mean(axis=2, keepdims=True)
    _check_amplitude(x, unit)
    return np.ascontiguousarray(resample(x, sfreq, MODEL_SFREQ), dtype=np.float32)


def _check_amplitude(x_volts: NDArray[Any], unit: str) -> None:
    """Refuse windows that cannot be EEG under the unit that was given."""
    typical = float(np.median(x_volts.std(axis=(0, 2))))
    low, high = PLAUSIBLE_V
    if low <= typical <= high:
        return
    raise ArgumentError(
        f"the windows' typical channel has {typical:.3g} V rms when they are read in unit={unit!r}; "
        f"EEG has {low * 1e6:g} to {high * 1e6:g} microvolts. Give the unit of your numbers "
        "(MNE: 'V', MOABB: 'uV'); windows that were standardised cannot be used"
    )
