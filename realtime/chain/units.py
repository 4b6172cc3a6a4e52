"""From the numbers of a stream or file to volts: one table, and a check that the result is EEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.realtime.chain.chunk import SignalInfo

PLAUSIBLE_V = (0.2e-6, 500e-6)
"""Limits for the median channel's 1-40 Hz rms under a declared unit.  Scalp EEG has about 1-100 µV; units
differ by factors of 1000, so these limits tell a wrong one without refusing poor electrodes."""
TYPICAL_V = (1e-6, 100e-6)
"""Limits where nothing is declared and the amplitude alone must speak for microvolts."""

_SCALES = {"volts": 1.0, "millivolts": 1e-3, "microvolts": 1e-6, "nanovolts": 1e-9}
_NAMES = {
    **dict.fromkeys(("v", "volt", "volts", "0", "1v"), "volts"),
    **dict.fromkeys(("mv", "millivolt", "millivolts", "-3", "milli-volts"), "millivolts"),
    **dict.fromkeys(("uv", "microvolt", "microvolts", "uvolt", "uvolts", "-6", "micro-volts", "mcv"), "microvolts"),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts", "-9", "nano-volts"), "nanovolts"),
}
_SILENT = {"", "none", "unknown", "n/a", "na", "nan", "?", "-", "unspecified", "undefined", "null"}


@dataclass(frozen=True)
class UnitScale:
    """How to turn the numbers of a stream into volts.

    Attributes
    ----------
    scale : ndarray of float64, shape (n_chans,)
        Volts per number, for each channel.
    note : str
        A sentence for the log where the unit was not simply taken as declared; else empty.
    """

    scale: NDArray[np.float64]
    note: str = ""


def unit_name(unit: str) -> str | None:
    """Return `volts`, `millivolts`, `microvolts` or `nanovolts` for any spelling, or None.

    Known are symbols (either Unicode mu), words in any case, and the exponent codes -6, -3, 0
    that some LSL players write.
    """
    text = unit.strip().replace("\u00b5", "u").replace("\u03bc", "u").casefold()
    return _NAMES.get(text.replace(" ", "").strip("[]()"))


def to_volts(unit: str) -> float:
    """Return volts per number of a known unit; NeuriptError for another."""
    name = unit_name(unit)
    if name is None:
        raise NeuriptError(f"the unit {unit!r} is not known; use one of {', '.join(_SCALES)} (--unit microvolts)")
    return _SCALES[name]


def band_rms(
    x: NDArray[np.floating[Any]], sfreq: float, low_hz: float = 1.0, high_hz: float = 40.0
) -> NDArray[np.float64]:
    """Return each channel's rms in one band, in the numbers of `x`; `rms_in_bands` does the work.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_chans)
        Signal in any unit, at least half a second; one to four seconds are better.
    sfreq : float
        Sampling rate in Hz.
    low_hz, high_hz : float
        Edges of the band in Hz.

    Returns
    -------
    ndarray, shape (n_chans,)
        Rms in the unit of `x`; NaN for a channel with missing samples.
    """
    rms: NDArray[np.float64] = rms_in_bands(x, sfreq, ((low_hz, high_hz),))[0]
    return rms


def rms_in_bands(
    x: NDArray[np.floating[Any]], sfreq: float, bands_hz: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return each channel's rms in some bands, in the numbers of `x`.

    Offset, drift and mains are kept out by a straight line taken away and a Blackman-Harris window.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_chans)
        Signal in any unit, at least half a second; one to four seconds are better.
    sfreq : float
        Sampling rate in Hz.
    bands_hz : sequence of (float, float)
        Lower and upper edge of each band in Hz, edges included.

    Returns
    -------
    ndarray, shape (n_bands, n_chans)
        Rms in the unit of `x`; NaN for a channel with missing samples.

    Raises
    ------
    ValueError
        If there is less than half a second.
    """
    n = len(x)
    if n < 0.5 * sfreq:
        raise ValueError(f"{n} samples at {sfreq:g} Hz are too few; give at least half a second")
    data = np.asarray(x, dtype=np.float64)
    good = np.isfinite(data).all(axis=0)
    out = np.full((len(bands_hz), data.shape[1]), np.nan)
    if not good.any():
        return out
    window = signal.windows.blackmanharris(n, sym=False)
    ramp = np.linspace(-1, 1, n)
    line = np.stack([np.ones(n), ramp - (window * ramp).sum() / window.sum()], axis=1)
    # fitted under the window, where mains are orthogonal to it
    weights = (window * line.T) @ data[:, good] / ((window * line.T) @ line).diagonal()[:, None]
    spectrum = np.fft.rfft((data[:, good] - line @ weights) * window[:, None], axis=0)
    freq = np.fft.rfftfreq(n, 1 / sfreq)
    for row, (low_hz, high_hz) in zip(out, bands_hz, strict=True):
        band = (freq >= low_hz) & (freq <= high_hz)
        power = 2 * (np.abs(spectrum[band]) ** 2).sum(axis=0) / (n * (window**2).sum())
        row[good] = np.sqrt(power)
    return out


def resolve_scale(units: Sequence[str], rms: ArrayLike | None, override: str | None = None) -> UnitScale:
    """Find the volts per number of each EEG channel, and refuse what cannot be EEG.

    Parameters
    ----------
    units : sequence of str
        The unit of each channel as sent; empty where the stream says nothing.
    rms : array_like, shape (n_chans,), or None
        `band_rms` of the first seconds, in the stream's own numbers.  None leaves the check out, and then
        every unit must be known.
    override : str, optional
        Unit that the user gives (`--unit microvolts`); it wins over the stream and over the check. None leaves both.

    Returns
    -------
    UnitScale
        Volts per number, and a note where one is due.

    Raises
    ------
    NeuriptError
        If a unit is unknown, or the amplitude does not fit it; the sentence holds the fix.
    """
    level = None if rms is None else np.asarray(rms, dtype=np.float64)
    n_chans = len(units) if level is None else len(level)
    sent = list(units) if units else [""] * n_chans
    if len(sent) != n_chans:
        raise ValueError(f"{len(sent)} units for {n_chans} channels")
    if override is not None:
        scale = np.full(n_chans, to_volts(override))
        typical = _typical(level, scale)
        odd = typical is not None and not PLAUSIBLE_V[0] <= typical <= PLAUSIBLE_V[1]
        note = f"the unit {override} was given, yet {_describe(typical)}" if odd else ""
        return UnitScale(scale, note)
    names = [unit_name(u) for u in sent]
    known = {name for name in names if name is not None}
    strange = sorted({u for u, name in zip(sent, names, strict=True) if not (name or is_silent(u))})
    if strange:
        raise NeuriptError(
            f"the stream gives its numbers in {', '.join(map(repr, strange))}, which is no unit of "
            "voltage that neuript knows; if you know the unit, say so, for example --unit microvolts"
        )
    if len(known) == 1:
        common = known.pop()
        names = [common] * n_chans
    elif not known:
        return _undeclared(level, n_chans)
    elif None in names:
        raise NeuriptError(
            f"some channels are in {' and '.join(sorted(known))} and {names.count(None)} give no unit; {_advice(level)}"
        )
    scale = np.array([_SCALES[name] for name in names if name is not None])
    typical = _typical(level, scale)
    if typical is not None and not PLAUSIBLE_V[0] <= typical <= PLAUSIBLE_V[1]:
        said = " and ".join(sorted({str(name) for name in names}))
        raise NeuriptError(f"the stream says that its numbers are {said}, but {_describe(typical)}; {_advice(level)}")
    return UnitScale(scale)


def scale_of(
    info: SignalInfo, x: NDArray[np.floating[Any]], channels: Sequence[int], override: str | None = None
) -> UnitScale:
    """Return `resolve_scale` for some channels of a stream or file, judged on a stretch of it.

    Live decoding and calibration both ask here, so that they cannot disagree about a unit.

    Parameters
    ----------
    info : SignalInfo
        What the stream says about itself.
    x : ndarray, shape (n_times, n_stream_chans)
        The stream's numbers, as sent.
    channels : sequence of int
        The EEG channels among them.
    override : str, optional
        Unit that the user gives; None takes what the stream says.

    Raises
    ------
    NeuriptError
        If the unit is unknown, missing and not to be guessed, or cannot be right.
    """
    at = list(channels)
    return resolve_scale([info.units[i] for i in at] if info.units else [], band_rms(x[:, at], info.sfreq), override)


def _undeclared(level: NDArray[np.float64] | None, n_chans: int) -> UnitScale:
    """Take numbers without a unit for microvolts, if they look like it."""
    scale = np.full(n_chans, _SCALES["microvolts"])
    typical = _typical(level, scale)
    if typical is None or not TYPICAL_V[0] <= typical <= TYPICAL_V[1]:
        raise NeuriptError(
            "the stream does not say in which unit its numbers are, and as microvolts "
            f"{_describe(typical)}; {_advice(level)}"
        )
    return UnitScale(scale, f"the stream gives no unit; taken as microvolts, because {_describe(typical, fits=True)}")


def is_silent(unit: str) -> bool:
    """Tell whether a unit says nothing: empty, or a word for that."""
    return unit.strip().casefold() in _SILENT


def _typical(level: NDArray[np.float64] | None, scale: NDArray[np.float64]) -> float | None:
    """Median over the channels that show any signal, in volts."""
    if level is None:
        return None
    volts = level * scale
    volts = volts[np.isfinite(volts) & (volts > 0)]
    return float(np.median(volts)) if len(volts) else None


def _describe(typical: float | None, *, fits: bool = False) -> str:
    if typical is None:
        return "no channel shows a signal"
    for factor, symbol in ((1.0, "V"), (1e-3, "mV"), (1e-6, "µV"), (1e-9, "nV")):
        if typical >= factor or symbol == "nV":
            break
    text = f"a typical channel has {typical / factor:.3g} {symbol} rms between 1 and 40 Hz"
    return text + (", as scalp EEG does" if fits else " (scalp EEG: about 1 to 100 µV)")


def _advice(level: NDArray[np.float64] | None) -> str:
    """Name the unit that would make the numbers EEG."""
    fitting = []
    for name, factor in _SCALES.items():
        typical = _typical(level, np.array(factor))
        if typical is not None and PLAUSIBLE_V[0] <= typical <= PLAUSIBLE_V[1]:
            fitting.append((abs(np.log(typical / 15e-6)), name))
    if not fitting:
        return "if you know the unit, say so, for example --unit microvolts"
    return f"if they are {min(fitting)[1]}, say so with --unit {min(fitting)[1]}"
