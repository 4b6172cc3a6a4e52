"""Recordings to a BIDS-EEG data set, with what was recorded kept beside it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.files import unwritable, write_atomically, write_json
from neuript.montages import load_montage
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.recorded_decisions import decoder_streams
from neuript.training.share.bids_decisions import copy_report, write_decisions
from neuript.training.share.bids_event_table import MISSING, EventRow, event_rows, events_sidecar, events_table
from neuript.training.share.bids_extra import of_bids
from neuript.training.share.bids_labels import bids_label, check_aliases, next_run
from neuript.training.share.bids_root import is_there, known_aliases, note_alias, open_dataset, open_derivatives
from neuript.training.share.bids_signal import BidsSignal, bids_signal
from neuript.training.share.bids_sources import BidsSource, kept_source, sources_of
from neuript.training.share.bids_tables import take_in
from neuript.training.share.hed_tags import HED_VERSION, check_hed


@dataclass(frozen=True, kw_only=True)
class BidsRun:
    """One recording as it lies in the data set."""

    source: Path
    """The recording."""
    path: Path
    """Header of its BrainVision file, or the copy of the recording where it was in the data set already."""
    is_new: bool
    """False where it was in the data set already; nothing is written then."""
    n_events: int = 0
    notes: tuple[str, ...] = ()
    """Remarks for the user, a sentence each."""


def to_bids(
    sessions: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    subject: str | None = None,
    session: str | None = None,
    task: str = "imagery",
    montage: str | None = None,
    unit: str | None = None,
    eeg: str | None = None,
    mains: float | str | None = "auto",
    done: Callable[[BidsRun], None] = lambda run: None,
) -> list[BidsRun]:
    """Write recordings into a BIDS-EEG data set: BrainVision, events, channels, electrodes, sources, derivatives.

    A data set that is there is added to, and no file of a recording in it is replaced. A recording that is in it
    already is left out, so the same command can be given again after the next session.

    Parameters
    ----------
    sessions : str, Path or sequence of these
        Folders of guided sessions, and single recordings of any format that neuript reads.
    out : str or Path
        Folder of the data set; made if it is not there.
    subject, session : str, optional
        Alias of the person, and label of the session, of single recordings; a session folder says both.
    task : str
        What was done; letters and digits are kept.
    montage : str, optional
        What was on the head, by its name or file, where a recording does not say it.
    unit : str, optional
        Unit of the numbers, where a recording says nothing or the wrong thing.
    eeg : str, optional
        Name of the stream to take as EEG; None takes the one whose type says so.
    mains : float, "auto" or None
        Mains frequency in Hz; "auto" measures it, None leaves it unsaid.
    done : callable
        Told of each recording once it is written.

    Returns
    -------
    list of BidsRun
        One for each recording, in their order.

    Raises
    ------
    NeuriptError
        If a recording cannot be read, two aliases want one label, `out` is something else, or a package is missing.
    """
    given = [sessions] if isinstance(sessions, str | Path) else list(sessions)
    sources = sources_of(given, subject=subject, session=session, montage=montage, unit=unit)
    if not sources:
        raise NeuriptError("no session was given; name at least one, such as sessions/S01/2026-11-30-1")
    of_bids("mne_bids")
    of_bids("pybv")
    of_bids("hed")
    root, name = Path(out), bids_label(task, "--task")
    check_aliases({source.alias: source.label for source in sources}, known_aliases(root))
    tagged = open_dataset(root)
    runs = []
    for source in sources:
        there = is_there(root, source.label, source.path)
        if there is not None:
            run = BidsRun(source=source.path, path=there, is_new=False)
        else:
            run = _add(source, root, name, eeg=eeg, mains=mains, tagged=tagged)
        done(run)
        runs.append(run)
    return runs


def _add(
    source: BidsSource, root: Path, task: str, *, eeg: str | None, mains: float | str | None, tagged: bool
) -> BidsRun:
    recording = read_recording(source.path, eeg=eeg, any_rate=True)
    signal = bids_signal(recording, load_montage(source.montage) if source.montage else None, source.unit, mains)
    rows, n_outside = event_rows(recording, signal)
    sidecar = events_sidecar(rows, hed=tagged)
    if tagged and rows:
        check_hed(sidecar)
    folder = root / f"sub-{source.label}" / f"ses-{source.session}" / "eeg"
    stem = f"sub-{source.label}_ses-{source.session}_task-{task}"
    stem = f"{stem}_run-{next_run(folder, stem):02d}"
    with _stage(root) as stage, kept_source(source.path, root, folder.relative_to(root), stem):
        _write_raw(signal, rows, sidecar, stage, stage / folder.relative_to(root) / stem)
        take_in(stage, root)
    note_alias(root, source.alias, source.label)
    _derive(source, root, recording, signal, stem)
    return BidsRun(
        source=source.path,
        path=folder / f"{stem}_eeg.vhdr",
        is_new=True,
        n_events=len(rows),
        notes=_notes(signal, n_outside, tagged=tagged),
    )


@contextlib.contextmanager
def _stage(root: Path) -> Iterator[Path]:
    """Give a folder on the same disk in which a run is put together, so that a data set holds whole ones only."""
    try:
        with tempfile.TemporaryDirectory(prefix=".neuript-", dir=root) as stage:
            yield Path(stage)
    except OSError as error:
        raise unwritable(root, error) from error


def _write_raw(signal: BidsSignal, rows: Sequence[EventRow], sidecar: dict[str, Any], root: Path, stem: Path) -> None:
    """Write one run through mne-bids; `stem` is the path of its files up to the run."""
    import mne_bids

    coded = [(row.sample, 0, row.code) for row in rows if row.code is not None]
    where = mne_bids.get_bids_path_from_fname(stem.with_name(f"{stem.name}_eeg.vhdr"), check=False)
    mne_bids.write_raw_bids(
        signal.raw,
        where.update(root=root, datatype="eeg"),
        events=np.array(coded, dtype=np.int64).reshape(-1, 3),
        event_id={str(code): int(code) for code in dict.fromkeys(code for _, _, code in coded)},
        allow_preload=True,
        format="BrainVision",
        verbose="error",
    )
    if rows:
        table = stem.with_name(f"{stem.name}_events.tsv")
        write_atomically(table, events_table(rows, signal.info.sfreq))
        write_json(table.with_suffix(".json"), sidecar, indent=4)
    _describe(signal, stem.with_name(f"{stem.name}_eeg.json"))


def _describe(signal: BidsSignal, path: Path) -> None:
    """Add to the sidecar of a run what MNE does not know."""
    said = json.loads(path.read_text(encoding="utf-8"))
    said["EEGReference"] = signal.info.reference or "n/a"
    said["Manufacturer"] = signal.info.manufacturer or ("simulated" if signal.info.simulated else "n/a")
    said["EEGPlacementScheme"] = "names of the 10-20 system and its extensions; positions are those of a template head"
    write_json(path, said, indent=4)


def _derive(source: BidsSource, root: Path, recording: Recording, signal: BidsSignal, stem: str) -> None:
    """Write what was made of a recording, where anything was."""
    if not decoder_streams(recording) and source.report is None:
        return
    person = open_derivatives(root) / f"sub-{source.label}" / f"ses-{source.session}"
    write_decisions(recording, signal, person / "eeg", stem)
    if source.report is not None:
        copy_report(source.report, person, f"sub-{source.label}_ses-{source.session}")


def _notes(signal: BidsSignal, n_outside: int, *, tagged: bool) -> tuple[str, ...]:
    bad = signal.raw.info["bads"]
    missing = sum(n for _, n in signal.gaps)
    said = (
        signal.note,
        f"bad channels: {', '.join(bad)}" if bad else "",
        f"{missing} missing samples are zeros, marked {MISSING}" if missing else "",
        f"{n_outside} events before or after the EEG are left out" if n_outside else "",
        "" if tagged else f"no HED tags, because the data set does not say HEDVersion {HED_VERSION}",
    )
    return tuple(filter(None, said))
