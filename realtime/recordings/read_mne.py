"""EDF, BDF, GDF, BrainVision, FIF, SET and CNT to a `Recording`, through MNE, in the file's own unit."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import to_volts, unit_name
from neuript.realtime.recordings.bids_sidecars import MISSING, read_bids_events, read_bids_maker
from neuript.realtime.recordings.build_stream import marker_stream, replay_source_id, signal_stream
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.realtime.recordings.xdf_bytes import check_growth, growth_of

if TYPE_CHECKING:
    from mne.io import BaseRaw

_HELD_BYTES = 1 << 27
"""What MNE may hold in float64 while a recording is read; a day of 32 channels would be 11 GB."""
_TYPE_BY_LABEL = (("ECG", "ECG"), ("EKG", "ECG"), ("EOG", "EOG"), ("EMG", "EMG"))


def read_mne(path: Path) -> Recording:
    """Read a recording that MNE knows; see `read_recording` for what is refused."""
    import mne

    if path.stat().st_size == 0:
        raise NeuriptError(f"{path} is empty (0 bytes)")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _damage_said(path):
            if path.name.lower().endswith(".gz"):
                check_growth(path)
            raw = mne.io.read_raw(path, preload=False, verbose="error")
            table = read_bids_events(path)
            streams = [_mne_signal(raw, path, () if table is None else table.missing)]
    notes = [str(w.message).strip().splitlines()[0] for w in caught]
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    streams += _mne_markers(raw, path, () if table is None else table.happened)
    if table is not None and table.happened:
        streams.append(table.stream(path))
    return Recording(path, streams, suffix.upper(), notes)


@contextlib.contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    try:
        yield
    except (NeuriptError, MemoryError):
        raise
    except Exception as error:  # each MNE reader raises its own kinds
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NeuriptError(
            f"{path} cannot be read as a recording ({first_line.rstrip(' :')}): it is damaged or not what "
            "its ending says; copy it again, or export it again from the recorder"
        ) from error


def _mne_signal(raw: BaseRaw, path: Path, missing: Sequence[tuple[float, float]]) -> RecordedStream:
    kinds = raw.get_channel_types()
    picks = [i for i, kind in enumerate(kinds) if kind != "stim"]
    sfreq = float(raw.info["sfreq"])
    _check_size(raw, len(picks), path)
    keep = _acquired(raw, missing)
    values = np.empty((int(keep.sum()), len(picks)), np.float32)
    factors, units = zip(*(_mne_unit(raw, i) for i in picks), strict=True) if picks else ((), ())
    # Whole channels, few at a time: MNE holds float64, and resamples an EDF of several rates by what is asked for
    group = max(1, _HELD_BYTES // (8 * max(1, raw.n_times)))
    for a in range(0, len(picks), group):
        x = raw.get_data(picks=picks[a : a + group])
        for column, row in enumerate(x, start=a):
            values[:, column] = row[keep] * factors[column]
    maker = read_bids_maker(path)
    info = SignalInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(raw.ch_names[i] for i in picks),
        units=units,
        ch_types=tuple(_channel_type(raw.ch_names[i], kinds[i]) for i in picks),
        source_id=replay_source_id(path),
        positions_m=_mne_positions(raw, picks),
        manufacturer=maker.manufacturer,
        reference=maker.reference,
        simulated=maker.simulated,
    )
    return signal_stream(info, values, np.flatnonzero(keep) / sfreq)


def _check_size(raw: BaseRaw, n_picks: int, path: Path) -> None:
    """Refuse a header that promises far more numbers than its files have bytes."""
    files = {path, *(Path(name) for name in raw.filenames if name is not None)}
    most = sum(growth_of(file) for file in files if file.is_file())
    if raw.n_times * n_picks > most:
        raise NeuriptError(
            f"{path} promises {raw.n_times} samples of {n_picks} channels, far more than its bytes hold: it is damaged"
        )


def _acquired(raw: BaseRaw, missing: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which samples were recorded: a pause is zeros under `BAD_ACQ_SKIP` in MNE and BIDS, a gap here."""
    notes = zip(raw.annotations.onset, raw.annotations.duration, raw.annotations.description, strict=True)
    skipped = [(onset - raw.first_time, duration) for onset, duration, text in notes if text == MISSING]
    keep = np.ones(raw.n_times, np.bool_)
    for onset_s, duration_s in (*skipped, *missing):
        start = round(onset_s * raw.info["sfreq"])
        stop = start + round(duration_s * raw.info["sfreq"])
        keep[max(0, start) : max(0, stop)] = False
    return keep


def _mne_unit(raw: BaseRaw, i: int) -> tuple[float, str]:
    """Return the factor from MNE's number to ours, and our unit.

    Ours are the file's own numbers, so that `--unit` speaks of what is in the file also where the
    file names a wrong unit. MNE takes numbers of an unknown or blank unit as volts; here they
    have an empty unit, so that whoever needs volts has to find out instead of believing it.
    """
    volts = int(raw.info["chs"][i]["unit"]) == 107  # FIFF_UNIT_V
    said = raw._orig_units.get(raw.ch_names[i])
    if Path(raw.filenames[0]).suffix.lower() == ".gdf":  # MNE keeps only its factor
        known = i < len(factors := raw._raw_extras[0]["units"]) and factors[i] != 1
        said = "µV" if known else "n/a"
    if volts and (said is None or (said.endswith("V") and said != "n/a")):
        unit = unit_name(said or "") or "microvolts"
        return 1.0 / to_volts(unit), unit
    return 1.0, ""


def _channel_type(label: str, mne_type: str) -> str:
    if mne_type == "eeg":
        upper = label.upper()
        return next((kind for word, kind in _TYPE_BY_LABEL if word in upper), "EEG")
    return mne_type.upper()


def _mne_positions(raw: BaseRaw, picks: list[int]) -> dict[str, tuple[float, float, float]]:
    found = {}
    for i in picks:
        x, y, z = (float(v) for v in raw.info["chs"][i]["loc"][:3])
        if np.isfinite([x, y, z]).all() and (x, y, z) != (0.0, 0.0, 0.0):
            found[raw.ch_names[i]] = (x, y, z)
    on_a_head = all(0.02 < float(np.linalg.norm(p)) < 0.3 for p in found.values())
    return found if on_a_head else {}


def _mne_markers(raw: BaseRaw, path: Path, table: Sequence[tuple[float, str]]) -> list[RecordedStream]:
    """Return the events that the file holds; of its annotations those that an events table does not say as well."""
    sfreq, found = float(raw.info["sfreq"]), list[tuple[str, list[tuple[float, str]]]]()
    said = {(round(onset * sfreq), text) for onset, text in table}
    notes = [
        (float(onset) - raw.first_time, str(text))
        for onset, text in zip(raw.annotations.onset, raw.annotations.description, strict=True)
    ]
    notes = [(onset, text) for onset, text in notes if (round(onset * sfreq), text) not in said]
    found.append(("annotations", notes))
    for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
        if kind == "stim":
            found.append((name, _stim_events(raw, name)))
    sidecar = _sidecar(path)
    if sidecar is not None:
        found.append((sidecar.name, _sidecar_events(sidecar, raw)))
    return [marker_stream(path, name, rows) for name, rows in found if rows]


def _stim_events(raw: BaseRaw, name: str) -> list[tuple[float, str]]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = mne.find_events(raw, name, shortest_event=1, initial_event=True, consecutive=True, verbose="error")
    return _event_rows(rows, raw)


def _sidecar(path: Path) -> Path | None:
    stem = path.name.removesuffix(".gz").removesuffix(".fif")
    if stem == path.name:
        return None
    for end in ("_raw", "-raw", "_eeg", ""):
        if stem.endswith(end):
            candidate = path.with_name(stem.removesuffix(end) + "-eve.fif")
            if candidate.is_file():
                return candidate
    return None


def _sidecar_events(path: Path, raw: BaseRaw) -> list[tuple[float, str]]:
    import mne

    try:
        rows = mne.read_events(path, verbose="error")
    except Exception as error:
        raise NeuriptError(f"the events in {path} cannot be read ({error})") from error
    return _event_rows(rows, raw)


def _event_rows(rows: NDArray[Any], raw: BaseRaw) -> list[tuple[float, str]]:
    sfreq = float(raw.info["sfreq"])
    return [((int(row[0]) - raw.first_samp) / sfreq, str(int(row[2]))) for row in rows]
