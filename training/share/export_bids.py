"""Recordings to a BIDS-EEG data set, with what was recorded kept beside it."""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.files import unwritable, write_atomically, write_json
from neuript.montages import load_montage
from neuript.realtime.recordings.file_marks import MARKED_BAD, MISSING
from neuript.realtime.recordings.given_channels import SKIP
from neuript.realtime.recordings.read import read_recording
from neuript.training.share.bids_decisions import (
    DecoderRows,
    copy_report,
    recorded_rows,
    replayed_rows,
    write_decisions,
)
from neuript.training.share.bids_event_table import EventRow, event_rows, events_sidecar, events_table
from neuript.training.share.bids_extra import of_bids
from neuript.training.share.bids_labels import bids_label, check_aliases, next_run
from neuript.training.share.bids_root import is_there, known_aliases, note_alias, open_dataset, open_derivatives
from neuript.training.share.bids_signal import BidsSignal, bids_signal
from neuript.training.share.bids_sources import BidsSource, kept_source, run_of_copy, sources_of
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
    channels: Sequence[str] | None = None,
    unit: str | None = None,
    eeg: str | None = None,
    decisions: str | Path | None = None,
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
    channels : sequence of str, optional
        Names of the channels of the EEG in order, "-" for one to leave out; None takes what a recording says.
    unit : str, optional
        Unit of the numbers, where a recording says nothing or the wrong thing.
    eeg : str, optional
        Name of the stream to take as EEG; None takes the one whose type says so.
    decisions : str or Path, optional
        Lines that `neuript-live --replay --json` printed of the one recording that is given; they are added also where
        it is in the data set already. Decisions that are in a recording need no second file.
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
    sources = sources_of(given, subject=subject, session=session, montage=montage, channels=channels, unit=unit)
    if not sources:
        raise NeuriptError("no session was given; name at least one, such as sessions/S01/2026-11-30-1")
    log = None if decisions is None else replayed_rows(decisions, len(sources))
    of_bids("mne_bids")
    of_bids("pybv")
    of_bids("hed")
    root, name = Path(out), bids_label(task, "--task")
    check_aliases({source.alias: source.label for source in sources}, known_aliases(root))
    tagged = open_dataset(root)
    runs = []
    for source in sources:
        there = is_there(root, source.label, source.path)
        if there is None:
            run = _add(source, root, name, log, eeg=eeg, mains=mains, tagged=tagged)
        else:
            run = BidsRun(source=source.path, path=there, is_new=False)
            if log is not None:
                _add_decisions(root, there, log)
        done(run)
        runs.append(run)
    return runs


def _add(
    source: BidsSource,
    root: Path,
    task: str,
    log: DecoderRows | None,
    *,
    eeg: str | None,
    mains: float | str | None,
    tagged: bool,
) -> BidsRun:
    recording = read_recording(source.path, eeg=eeg, channels=source.channels, any_rate=True)
    cap = load_montage(source.montage) if source.montage else None
    left_out = [i for i, name in enumerate(source.channels or ()) if name == SKIP]
    signal = bids_signal(recording, cap, source.unit, mains, left_out)
    rows, n_outside = event_rows(recording, signal)
    sidecar = events_sidecar(rows, recording.cue_classes, hed=tagged)
    if tagged and rows:
        check_hed(sidecar)
    folder = root / f"sub-{source.label}" / f"ses-{source.session}" / "eeg"
    stem = f"sub-{source.label}_ses-{source.session}_task-{task}"
    stem = f"{stem}_run-{next_run(folder, stem):02d}"
    with _stage(root) as stage, kept_source(source.path, root, folder.relative_to(root), stem):
        _write_raw(signal, rows, sidecar, stage, stage / folder.relative_to(root) / stem)
        take_in(stage, root)
    note_alias(root, source.alias, source.label)
    decoders = recorded_rows(recording, float(signal.times_s[0]))
    _derive(source, root, decoders if log is None else [*decoders, log], stem)
    return BidsRun(
        source=source.path,
        path=folder / f"{stem}_eeg.vhdr",
        is_new=True,
        n_events=len(rows),
        notes=_notes(signal, n_outside, tagged=tagged),
    )


def _add_decisions(root: Path, copy: Path, log: DecoderRows) -> None:
    """Write the decisions over a recording that is in the data set already, by where its copy lies."""
    run = run_of_copy(root, copy)
    write_decisions(log, open_derivatives(root) / run.parent, run.name)


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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Encountered unsupported non-voltage units")  # they are what they are
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
    maker = signal.info.manufacturer
    if signal.info.simulated and "simulated" not in maker.lower():
        maker = f"{maker} (simulated)".strip()
    said["EEGReference"] = signal.info.reference or "n/a"
    said["Manufacturer"] = maker or "n/a"
    said["EEGPlacementScheme"] = "names of the 10-20 system and its extensions; positions are those of a template head"
    write_json(path, said, indent=4)


def _derive(source: BidsSource, root: Path, decoders: Sequence[DecoderRows], stem: str) -> None:
    """Write what was made of a recording, where anything was."""
    if not decoders and source.report is None:
        return
    person = open_derivatives(root) / f"sub-{source.label}" / f"ses-{source.session}"
    for decoder in decoders:
        write_decisions(decoder, person / "eeg", stem)
    if source.report is not None:
        copy_report(source.report, person, f"sub-{source.label}_ses-{source.session}")


def _notes(signal: BidsSignal, n_outside: int, *, tagged: bool) -> tuple[str, ...]:
    bad = signal.raw.info["bads"]
    missing = sum(n for _, n in signal.gaps)
    said = (
        signal.note,
        f"bad channels: {', '.join(bad)}" if bad else "",
        f"{missing} missing samples are zeros, marked {MISSING}" if missing else "",
        f"what the recording calls bad is marked {MARKED_BAD}" if signal.marked_bad else "",
        f"{n_outside} events before or after the EEG are left out" if n_outside else "",
        "" if tagged else f"no HED tags, because the data set does not say HEDVersion {HED_VERSION}",
    )
    return tuple(filter(None, said))
