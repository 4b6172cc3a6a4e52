"""`neuript.inspect`: what a recording or a model file is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.recordings.recording_report import RecordingReport

MODEL_SUFFIXES = (".ts", ".safetensors")


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a model file is.

    Attributes
    ----------
    path : Path
        The model file.
    manifest : Manifest
        Classes, channels, preprocessing, window, provenance.
    description : str
        The same and the form and seal of the file, in lines for a person.
    """

    path: Path
    manifest: Manifest
    description: str


def inspect(
    path: str | Path, eeg: str | None = None, channels: Sequence[str] | None = None
) -> RecordingReport | ModelReport:
    """Look at a recording or at a model file.

    Parameters
    ----------
    path : str or Path
        A recording that `read_recording` knows, or a model (`.ts`, `.safetensors`).
    eeg : str, optional
        Name of the stream to take as EEG, if its type does not say so or there are several; None takes the one with the
        most samples of those whose type says so.
    channels : sequence of str, optional
        Names of the EEG's channels in order, "-" for one to leave out; None takes what the file says.

    Returns
    -------
    RecordingReport or ModelReport
        A damaged recording is reported as far as it goes, one without EEG with `eeg=None`.

    Raises
    ------
    NeuriptError
        If there is no such file, or it is empty, of no known format or beyond repair; a file that is not an intact
        model raises its subclass `ModelRefusedError`.
    """
    path = Path(path)
    if path.suffix.lower() in MODEL_SUFFIXES:
        if eeg is not None or channels is not None:
            raise NeuriptError(f"{path.name} is a model; --eeg and --channels speak of recordings, so leave them out")
        from neuript.modelfile.describe import look_at

        return ModelReport(path, *look_at(path))
    from neuript.realtime.recordings.read import read_recording
    from neuript.realtime.recordings.recording_report import report_of

    return report_of(read_recording(path, eeg=eeg, channels=channels, require_eeg=False))
