"""Any known recording to a `Recording`: which reader, which of its streams is the EEG, whether the clocks agree."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.chain.sample_rate import RateVerdict
from neuript.realtime.recordings.apart import said_apart
from neuript.realtime.recordings.declared_rate import at_rate, judged_rate
from neuript.realtime.recordings.eeg_choice import choose_eeg
from neuript.realtime.recordings.explanation import explanation_in, with_explanation
from neuript.realtime.recordings.given_channels import renamed
from neuript.realtime.recordings.recording import Recording, other_clock

logger = logging.getLogger(__name__)

XDF_SUFFIXES = (".xdf", ".xdfz", ".xdf.gz")
MNE_SUFFIXES = (".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".fif.gz", ".set", ".cnt")
CSV_SUFFIX = ".csv"
SUFFIXES = (*XDF_SUFFIXES, *MNE_SUFFIXES, CSV_SUFFIX)


def read_recording(
    path: str | Path,
    *,
    eeg: str | None = None,
    channels: Sequence[str] | None = None,
    sfreq: float | None = None,
    require_eeg: bool = True,
    any_rate: bool = False,
) -> Recording:
    """Read a recording of any known format.

    Parameters
    ----------
    path : str or Path
        XDF (`.xdf`, `.xdfz`, `.xdf.gz`), or EDF, BDF, GDF, BrainVision (`.vhdr`), FIF, EEGLAB `.set`, `.cnt`
        through MNE, or the `.csv` of Muse recorders. Events beside a FIF file (`X_raw.fif` with `X-eve.fif`) are
        read too.
    eeg : str, optional
        Name, source id or type of the stream to take as EEG (`choose_eeg`), if its type does not say so or there are
        several; None takes the one whose type says so.
    channels : sequence of str, optional
        Names of the EEG's channels in order, `-` for one to leave out; None takes what the file says.
    sfreq : float, optional
        Rate of the EEG in Hz, where the file declares a wrong one; None takes what the file says.
    require_eeg : bool
        False reads files without EEG as well (`neuript inspect`), and those whose rate is wrong.
    any_rate : bool
        True also reads files whose stamps contradict the declared rate, which are useless to a decoder.

    Returns
    -------
    Recording
        Damaged files are read as far as they go; `warnings` says what is missing, and it is logged.

    Raises
    ------
    NeuriptError
        If there is no such file, or it is empty, of no known format, beyond repair, without EEG, with several EEGs of
        which none is named, or of another rate than it declares.
    """
    path = Path(path)
    if not path.exists():
        raise NeuriptError(f"there is no file {path}")
    if not path.is_file():
        raise NeuriptError(f"{path} is not a file")
    name = path.name.lower()
    if name.endswith(XDF_SUFFIXES):
        from neuript.realtime.recordings.read_xdf import read_xdf

        recording = read_xdf(path)
    elif name.endswith(MNE_SUFFIXES):
        from neuript.realtime.recordings.read_mne import read_mne

        recording = read_mne(path)
    elif name.endswith(CSV_SUFFIX):
        from neuript.realtime.recordings.read_csv import read_csv

        recording = read_csv(path)
    else:
        raise NeuriptError(
            f"{path} is not a recording that neuript reads; known endings are {' '.join(SUFFIXES)}"
            + (f"; open its header {path.stem}.vhdr" if name.endswith((".eeg", ".vmrk")) else "")
        )
    explained = _explain(recording)
    recording.eeg_index = choose_eeg(recording, eeg, explained, refuse=require_eeg)
    recording = at_rate(recording, sfreq)
    if recording.eeg_index is not None:
        _check_clocks(recording)
        _check_rate(recording, refuse=require_eeg and not any_rate)
    for warning in recording.warnings:
        logger.warning("%s: %s", path.name, warning)
    if require_eeg:
        _ = recording.eeg
    return renamed(recording, channels)


def is_recording(path: Path) -> bool:
    """Tell whether a file of a folder is a recording; tables of other things and lists of events are none."""
    name = path.name.lower()
    if name.endswith(("-eve.fif", "_eve.fif", "-eve.fif.gz", "_eve.fif.gz")):
        return False
    if name.endswith(CSV_SUFFIX):
        from neuript.realtime.recordings.read_csv import is_csv_recording

        return is_csv_recording(path)
    return name.endswith(SUFFIXES)


def _explain(recording: Recording) -> set[str]:
    """Put together what streams say of themselves and what the recorder said of them; return the uids of these."""
    explanations = []
    for stream in recording.streams:
        try:
            found = explanation_in(stream.header)
        except NeuriptError as error:
            recording.warnings.append(f"what stream '{stream.info.name}' says of another one cannot be read: {error}")
            continue
        explanations += [] if found is None else [found]
    for stream in recording.streams if explanations else ():
        stream.info = with_explanation(stream.info, explanations)
    return {one.uid for one in explanations if one.uid}


def _check_rate(recording: Recording, *, refuse: bool) -> None:
    verdict, sentence = judged_rate(recording.eeg)
    if verdict is RateVerdict.WRONG and refuse:
        raise NeuriptError(f"{recording.path}: {sentence}")
    recording.warnings += [sentence] if sentence else []


def _check_clocks(recording: Recording) -> None:
    recording.warnings += said_apart(recording)
    for stream in recording.streams:
        if not stream.is_markers and other_clock(recording.eeg, stream):
            hours = (stream.timestamps[0] - recording.eeg.timestamps[0]) / 3600
            recording.warnings.append(
                f"stream '{stream.info.name}' is stamped by another clock ({hours:+.1f} h from the EEG); "
                "its samples cannot be placed"
            )
