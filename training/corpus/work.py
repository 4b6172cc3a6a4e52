"""The work on one recording, as a worker does it: read, clean, reject, write its shard and its record."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.files import DiskFullError, UnwritableError, file_sha256, is_full, write_json
from neuript.montages import Montage, load_montage
from neuript.montages.stream_labels import is_eeg_channel
from neuript.realtime.recordings.bids_channels import find_channels, read_channels
from neuript.realtime.recordings.look import volts_per_number
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.recordings.recording_files import companions
from neuript.training.corpus.channels import choose_montage, montage_key
from neuript.training.corpus.outcome import FileReport
from neuript.training.corpus.recipe import Recipe
from neuript.training.corpus.rejection import judge
from neuript.training.corpus.scan import ScannedFile
from neuript.training.corpus.shards import write_shard
from neuript.training.windows.cleaning import Cleaned, bad_labels, clean, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

WORK_VERSION = 3
"""Raised when the same recording would give other windows; what is older is then made anew."""
SHARDS, RECORDS = "shards", "records"
_MISSING_NOTE = 1e-4


@dataclass(frozen=True, kw_only=True)
class SignalOptions:
    """What is known of the recordings and their files do not say."""

    montage: str = "auto"
    """Name or file of the montage, or "auto"; see `choose_montage`."""
    cap: str | None = None
    """Montage of what was on the head, which names channels without labels; None: not known."""
    eeg: str | None = None
    """Name of the stream to take as EEG, where the types do not say so or there are several."""
    sfreq: float | None = None
    """Rate of the EEG in Hz, where the files declare a wrong one; None takes what they say."""
    channels: tuple[str, ...] | None = None
    """Names of the EEG's channels in order, "-" for one to leave out; None takes what the files say."""
    unit: str | None = None
    """Unit of the recordings' numbers, such as "uV"; None takes what the file says."""
    rescale: bool = False
    """Scale each recording to a typical amplitude, where the numbers have no unit at all."""
    mains_hz: float | str | None = "auto"
    """Mains frequency in Hz (50 or 60), None for no notch, or "auto" to measure."""


@dataclass(frozen=True, kw_only=True)
class RecordingJob:
    """One recording to work on."""

    source: ScannedFile
    out: Path
    recipe: Recipe
    options: SignalOptions

    @property
    def key(self) -> str:
        """Name of its shard and its record."""
        text = f"{self.source.dataset}/{self.source.name}"
        return f"{self.source.dataset}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def shard(self) -> Path:
        """Path of the shard of its windows."""
        return self.out / SHARDS / f"{self.key}.arrow"

    @property
    def record(self) -> Path:
        """Path of the record of what became of it."""
        return self.out / RECORDS / f"{self.key}.json"

    @property
    def settings(self) -> str:
        """Hash of all that decides about its windows, but for the recording itself."""
        parts = [WORK_VERSION, self.recipe.to_dict(), _settings_of(self.options), self.source.subject]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def stamp(self) -> list[list[Any]]:
        """Sizes and times of the source files: unchanged means that the record still holds."""
        sidecar = find_channels(self.source.path)
        files = [self.source.path, *companions(self.source.path), *filter(None, [sidecar])]
        return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files]


def work(job: RecordingJob) -> dict[str, Any]:
    """Do the work and return the record, which is also on disk.

    Raises
    ------
    DiskFullError
        No room; nothing of this recording is left behind.
    """
    record: dict[str, Any] = {"settings": job.settings, "stamp": job.stamp(), "shard": None}
    report = FileReport(
        dataset=job.source.dataset, subject=job.source.subject, recording=job.source.name, status="failed"
    )
    try:
        report.files = _hashes(job.source.path)
        record |= _windows_to_shard(job, report)
    except DiskFullError:
        raise
    except UnwritableError as error:
        report.reason = str(error)
    except NeuriptError as error:
        report.status, report.reason = "refused", _reason(error, job)
    except OSError as error:
        if is_full(error):
            raise DiskFullError(f"there is no room in {job.out} ({error})") from error
        report.reason = f"{type(error).__name__}: {error}"
    except Exception as error:  # one odd file must not end the work on thousands
        logger.debug("%s", job.source.path, exc_info=True)
        report.reason = f"{type(error).__name__}: {error}"
    if record["shard"] is None:
        job.shard.unlink(missing_ok=True)
    record["report"] = asdict(report)
    write_json(job.record, record, indent=None)
    return record


def _windows_to_shard(job: RecordingJob, report: FileReport) -> dict[str, Any]:
    """Fill the report; write the shard if anything is left; return what the index needs."""
    known = job.options
    recording = read_recording(job.source.path, eeg=known.eeg, channels=known.channels, sfreq=known.sfreq)
    stream, recipe = recording.eeg, job.recipe
    report.sfreq, report.duration_s = stream.info.sfreq, len(stream) / stream.info.sfreq
    report.notes = (*recording.warnings, *_missing(recording))
    if report.duration_s < recipe.min_length_s:
        raise NeuriptError(
            f"it lasts {report.duration_s:.0f} s; recipe {recipe.name} wants {recipe.min_length_s:g} s or more"
        )
    cleaned = _clean(recording, job, _told_bad(recording, report))
    report.montage, report.n_chans = cleaned.montage.name, cleaned.montage.n_chans
    report.notes += cleaned.notes
    x, start_s = _tiles(cleaned, recipe, report)
    if not len(x):
        report.status = "empty"
        return {}
    meta = {
        **{"recipe": recipe.to_dict(), "montage": cleaned.montage.to_dict(), "unit": "V"},
        **{"sfreq": recipe.sfreq, "n_times": recipe.n_times, "mains_hz": cleaned.mains_hz},
        **{"dataset": job.source.dataset, "subject": job.source.subject},
        **{"recording": job.source.name, "files": report.files, "notes": list(report.notes)},
    }
    write_shard(job.shard, x, start_s, meta)
    report.status = "kept"
    return {
        "shard": f"{SHARDS}/{job.shard.name}",
        "sha256": file_sha256(job.shard),
        "n_bytes": job.shard.stat().st_size,
        "montage_key": montage_key(cleaned.montage),
        "montage": cleaned.montage.to_dict(),
        "simulated": stream.info.simulated,
    }


def _settings_of(options: SignalOptions) -> dict[str, Any]:
    """Options as plain values; what was added later counts only where it is used, so that older corpora hold."""
    values = asdict(options)
    return values if options.channels is not None else {k: v for k, v in values.items() if k != "channels"}


def _told_bad(recording: Recording, report: FileReport) -> list[str]:
    """Take the types of the channels from the data set's own table; return what it calls bad."""
    path = find_channels(recording.path)
    if path is None:
        return []
    sidecar, info = read_channels(path), recording.eeg.info
    types = sidecar.types_of(info.ch_names, info.ch_types)
    recording.eeg.info = replace(info, ch_types=types)
    bads = [name for name in info.ch_names if name in sidecar.bads]
    others = [n for n in info.ch_names if not is_eeg_channel(sidecar.types.get(n, ""))]
    for names, what in ((others, "not EEG"), (bads, "bad")):
        if names:
            report.notes += (f"{path.name} says that {', '.join(names)} is {what}",)
    return bads


def _clean(recording: Recording, job: RecordingJob, told_bad: list[str]) -> Cleaned:
    options, stream = job.options, recording.eeg
    cap = None if options.cap is None else load_montage(options.cap)
    scale = volts_per_number(recording, options.unit, rescale=options.rescale).scale
    bads = list(dict.fromkeys([*bad_labels(stream, scale), *told_bad]))
    montage: Montage = choose_montage(
        stream.info.ch_names,
        stream.info.ch_types,
        montage=options.montage,
        cap=cap,
        bads=bads,
        min_chans=job.recipe.min_chans,
    )
    return clean(
        recording,
        montage,
        job.recipe.preprocess,
        cap=cap,
        unit=options.unit,
        mains_hz=options.mains_hz,
        max_interpolated=job.recipe.max_interpolated,
        rescale=options.rescale,
        bads=bads,
    )


def _tiles(cleaned: Cleaned, recipe: Recipe, report: FileReport) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Trim, tile and reject; fill in the counts."""
    inside = slice(round(recipe.trim_s * cleaned.sfreq), max(0, len(cleaned.x) - round(recipe.trim_s * cleaned.sfreq)))
    trimmed = Cleaned(cleaned.x[inside], cleaned.stamps[inside], cleaned.ok[inside], cleaned.montage, cleaned.sfreq)
    x, start_s = cut(trimmed, None, recipe.window_s)
    verdict = judge(x, recipe)
    report.possible = len(trimmed.x) // recipe.n_times
    report.kept = int(verdict.keep.sum())
    report.rejected = {"not_clean": report.possible - len(x), **verdict.counts()}
    return x[verdict.keep], start_s[verdict.keep]


def _missing(recording: Recording) -> list[str]:
    data = recording.eeg.data
    share = 1 - float(np.mean([np.isfinite(data[:, c]).mean() for c in range(data.shape[1])]))
    return [f"{share:.2%} of its numbers are NaN or infinite"] if share > _MISSING_NOTE else []


def _hashes(path: Path) -> dict[str, str]:
    return {f.name: file_sha256(f) for f in (path, *companions(path))}


def _reason(error: NeuriptError, job: RecordingJob) -> str:
    """Leave out of the sentence the path that the report names anyway."""
    text = str(error)
    for name in (str(job.source.path), f"{job.source.path.parent.name}/{job.source.path.name}"):
        text = text.removeprefix(f"{name}: ").removeprefix(f"{name} ")
    return text
