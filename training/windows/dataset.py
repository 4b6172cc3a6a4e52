"""Recordings of one person to labelled windows: channels, units, mains, events, windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.modelfile.manifest import Manifest
from neuript.montages import Montage
from neuript.realtime.chain.alignment import Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.channel_plan import plan_signal
from neuript.realtime.recordings.declared_rate import at_rate
from neuript.realtime.recordings.given_channels import renamed
from neuript.realtime.recordings.look import look_at
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Event, Recording, events_of
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.around_trials import PRE_CUE_S, Pauses, PreCue, TaskSpans, pauses_of
from neuript.training.windows.cleaning import bad_labels
from neuript.training.windows.dataset_channels import cap_of, choose_channels, noted_scale
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.epochs import TrialWindows, ends_within, first_reference, labels_of, windows_of_trials
from neuript.training.windows.events import require_classes
from neuript.training.windows.hops import Hops, walk_hops
from neuript.training.windows.labelled import LabelledWindows
from neuript.training.windows.recorded_trials import refuse_copies, said_without_window, trials_of_each, why_too_few

Recordings = str | Path | Recording | Sequence[str | Path | Recording]
"""One recording or several: files, or what was read of them."""


@dataclass(frozen=True, eq=False, slots=True)
class Played:
    """How one recording of a data set was run through the decoder, and what it gave.

    Attributes
    ----------
    recording : Recording
        What was run.
    matrix : ndarray, shape (n_chans, n_stream_chans)
        Weights of the stream's channels in each channel.
    scale : ndarray, shape (n_stream_chans,)
        Volts per number of the stream.
    reference : Reference or None
        What its windows were first seen from.
    trials : tuple of Trial
        All of its trials, also those without a clean window.
    kept : Hops or None
        Every decision with its window, where it was kept.
    """

    recording: Recording
    matrix: NDArray[np.float64]
    scale: NDArray[np.float64]
    reference: Reference | None
    trials: tuple[Trial, ...]
    kept: Hops | None = None

    def hops(self, manifest: Manifest) -> Hops:
        """Return every decision with its window: as kept, or else it is run again."""
        if self.kept is not None:
            return self.kept
        return walk_hops(ReplaySource(self.recording, chunk=512), self.matrix, self.scale, manifest, self.reference)


@dataclass(frozen=True, eq=False)
class Dataset(LabelledWindows):
    """Labelled windows of one person, in order of time; a window has the class of its trial.

    Attributes
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts, float32, out of the causal chain.
    trial : ndarray, shape (n_windows,)
        Index into `trials` of each window's trial.
    trials : tuple of Trial
        Trials that have a window, with class and onset in seconds.
    montage : Montage
        Names, positions and lobes of the channels of `x`.
    manifest : Manifest
        Draft of the model to be: classes, channels, preprocessing, window.
    notes : tuple of str
        Remarks for the user, a sentence each: channels left out, trials without a window.
    end_s : ndarray, shape (n_windows,), or None
        Stamp of each window's newest sample, in seconds on the clock of its recording; None where it is not known.
    signal : ndarray, shape (n_windows, n_chans, n_times)
        What the network reads: the windows as seen from the person's running mean; without an alignment `x` itself.
    tangent : ndarray, shape (n_windows, n_tangent)
        What the Riemannian branch reads: tangent vectors of the windows; without an alignment there is nothing in them.
    reference : Reference or None
        Where the alignment ended, so where decoding is to begin; None without one.
    played : tuple of Played
        The recordings that the windows come from, in order; none where the windows were made otherwise.
    pre_cue : PreCue or None
        What came before the cues, as a control.
    pauses : Pauses or None
        Windows in which nothing was asked for.
    """

    y: NDArray[np.int64] = field(init=False)
    trial: NDArray[np.int64]
    trials: tuple[Trial, ...]
    montage: Montage
    manifest: Manifest
    notes: tuple[str, ...] = ()
    end_s: NDArray[np.float64] | None = None
    signal: NDArray[np.float32] = None  # type: ignore[assignment]
    tangent: NDArray[np.float32] = None  # type: ignore[assignment]
    reference: Reference | None = None
    played: tuple[Played, ...] = ()
    pre_cue: PreCue | None = None
    pauses: Pauses | None = None

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "trial", "end_s", "signal", "tangent")

    def __post_init__(self) -> None:
        """Give each window the class of its trial, and what is read of it where nothing was aligned."""
        object.__setattr__(self, "y", self.trial_labels[self.trial])
        if self.signal is None:
            object.__setattr__(self, "signal", self.x)
        if self.tangent is None:
            object.__setattr__(self, "tangent", np.empty((len(self.x), 0), dtype=np.float32))
        super().__post_init__()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the model's outputs."""
        return self.manifest.classes

    @property
    def idle(self) -> int | None:
        """Index of the class of no command; None if there is none."""
        name = self.manifest.idle_class
        return None if name is None else self.classes.index(name)

    @property
    def sfreq(self) -> float:
        """Sampling rate of the windows in Hz."""
        return self.manifest.sfreq

    @property
    def trial_labels(self) -> NDArray[np.int64]:
        """Class index of each trial, shape (n_trials,)."""
        return labels_of(self.trials, self.classes)

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials of each class, keyed by its name."""
        return {name: int((self.trial_labels == i).sum()) for i, name in enumerate(self.classes)}

    def describe(self) -> str:
        """One sentence: trials, windows, channels, mains."""
        counts = ", ".join(f"{n} {name}" for name, n in self.counts.items())
        mains = self.manifest.mains_hz
        return (
            f"{counts} trials, {len(self.x)} windows of {self.manifest.window_s:g} s; {self.montage.n_chans} "
            f"channels: {' '.join(self.montage.ch_names)}; mains {f'{mains:g} Hz' if mains else 'not seen'}"
        )


def one_or_more(recordings: Recordings) -> list[str | Path | Recording]:
    """Return recordings as a list, also where one was given by itself."""
    return [recordings] if isinstance(recordings, str | Path | Recording) else list(recordings)


def read_each(
    recordings: Recordings, *, eeg: str | None = None, channels: Sequence[str] | None = None, sfreq: float | None = None
) -> list[Recording]:
    """Read what is not read yet, with the EEG in the stream named `eeg`, and give its channels their names.

    Parameters
    ----------
    recordings : str, Path, Recording or sequence of these
        Files, or recordings already read; one by itself counts as one.
    eeg : str, optional
        Name of the stream to take as EEG; None takes the one whose type says so.
    channels : sequence of str, optional
        As in `DatasetSpec.channels`.
    sfreq : float, optional
        As in `DatasetSpec.stream_sfreq`.

    Raises
    ------
    NeuriptError
        For an unreadable file, none at all, or one that is given twice, under whatever name.
    """
    given = one_or_more(recordings)
    if not given:
        raise NeuriptError("no recording was given; at least one file is needed (on the command line after --from)")
    where = [_whereabouts(one) for one in given]
    twice = next((one for i, one in enumerate(given) if where[i] in where[:i]), None)
    if twice is not None:  # its copy would be held out against itself
        name = twice.path if isinstance(twice, Recording) else twice
        raise NeuriptError(f"{name} is given twice; name each recording once")
    read = [
        at_rate(renamed(one, channels), sfreq)
        if isinstance(one, Recording)
        else read_recording(one, eeg=eeg, channels=channels, sfreq=sfreq)
        for one in given
    ]
    refuse_copies(read)
    return read


def _whereabouts(one: str | Path | Recording) -> Path | int:
    """What two copies of a recording share: their file, or else the object."""
    path = one.path if isinstance(one, Recording) else Path(one)
    return id(one) if isinstance(one, Recording) and not path.is_file() else path.resolve()


def load_dataset(recordings: Recordings, spec: DatasetSpec) -> Dataset:
    """Read recordings and cut labelled windows with the live decoder.

    Parameters
    ----------
    recordings : str, Path, Recording or sequence of these
        Files, or recordings already read, in order of time; one by itself counts as one.
    spec : DatasetSpec
        Channels, markers, windows and filters.

    Returns
    -------
    Dataset
        Windows (n_windows, n_chans, n_times) in volts with their trials.

    Raises
    ------
    NeuriptError
        For an unreadable file, a class without trials, too few trials, channels that do not fit, unknown units.
    """
    read = read_each(recordings, eeg=spec.eeg, channels=spec.channels, sfreq=spec.stream_sfreq)
    return build_dataset(read, spec.completed(read))


def _first_reference(
    recordings: Sequence[Recording],
    matrices: Sequence[NDArray[np.float64]],
    scales: Sequence[NDArray[np.float64]],
    manifest: Manifest,
) -> Reference | None:
    """Where the first windows are seen from: of the first recording that is long enough to settle, whichever it is.

    So a part that a crash has cut short is not lost. No label is looked at.
    """
    for recording, matrix, scale in zip(recordings, matrices, scales, strict=True):
        found = first_reference(ReplaySource(recording, chunk=512), matrix, scale, manifest)
        if found is not None:
            return found
    return None


def build_dataset(
    recordings: Sequence[Recording], spec: DatasetSpec, montage: Montage | None = None, *, keep_hops: bool = False
) -> Dataset:
    """Cut labelled windows from recordings that are already in memory; see `load_dataset`.

    Parameters
    ----------
    recordings : sequence of Recording
        Recordings of one person, in order of time.
    spec : DatasetSpec
        Channels, markers, windows and filters.
    montage : Montage, optional
        Channels to make, by interpolation where electrodes are missing or bad (`fitting_montage`); None takes the cap's
        channels that every recording has and that are good in all of them.
    keep_hops : bool
        Whether every decision of the walk through the recordings is kept (`Played.hops`), so that whoever needs them
        need not walk again: for each hop of each second a tangent vector, and the signal once.
    """
    events = [events_of(recording) for recording in recordings]
    trials, notes = trials_of_each(recordings, events, spec)
    _require_trials([t for part in trials for t in part], events, spec, recordings)
    scales = [noted_scale(recording, spec.unit) for recording in recordings]
    if montage is None:
        montage, left_out = choose_channels(recordings, scales, spec)
        notes += left_out
    manifest = _draft_manifest(
        montage,
        spec,
        _choose_mains(recordings, scales, spec),
        simulated=any(recording.eeg.info.simulated for recording in recordings),
    )

    parts: list[TrialWindows] = []
    owners: list[NDArray[np.int64]] = []
    kept: list[Trial] = []
    played: list[Played] = []
    pre_cue: list[PreCue] = []
    pauses: list[Pauses] = []
    cap = cap_of(recordings, spec)
    matrices = []
    for recording, scale in zip(recordings, scales, strict=True):
        bads = bad_labels(recording.eeg, scale) if montage.estimated else ()
        plan = plan_signal(recording.eeg.info, montage, cap, bads=bads)
        notes += [note for note in (*plan.notes, *plan.label_notes()) if note not in notes]
        matrices.append(plan.matrix)
    reference = _first_reference(recordings, matrices, scales, manifest)
    for recording, matrix, scale, mine in zip(recordings, matrices, scales, trials, strict=True):
        once = Played(recording, matrix, scale, reference, tuple(mine))
        hops = once.hops(manifest)
        played.append(replace(once, kept=hops) if keep_hops else once)
        reference, sfreq = hops.reference, recording.eeg.info.sfreq
        ends_s = ends_within(spec.epoch_s, spec.window_s)
        windows = windows_of_trials(hops, mine, ends_s, manifest, sfreq, step_s=spec.step_s)
        earlier = windows_of_trials(hops, mine, PRE_CUE_S, manifest, sfreq, step_s=spec.step_s)
        present = np.unique(windows.trial)
        if len(present) < len(mine):
            notes.append(said_without_window(recording, mine, len(mine) - len(present), spec.epoch_s))
        renumber = {int(old): len(kept) + i for i, old in enumerate(present)}
        kept += [mine[int(old)] for old in present]
        parts.append(windows)
        owners.append(np.array([renumber[int(i)] for i in windows.trial], dtype=np.int64))
        pre_cue.append(PreCue.of(earlier, renumber))
        spans = TaskSpans(mine, spec.idle, spec.epoch_s[1], spec.window_s)
        pauses.append(pauses_of(hops, windows, owners[-1], spans))
    _require_trials(kept, events, spec, recordings, after=" with a clean window")
    return Dataset(
        np.concatenate([part.x for part in parts]),
        np.concatenate(owners),
        tuple(kept),
        montage,
        manifest,
        tuple(notes),
        np.concatenate([part.stamp for part in parts]),
        np.concatenate([part.signal for part in parts]),
        np.concatenate([part.tangent for part in parts]),
        reference,
        tuple(played),
        PreCue.joined(pre_cue),
        Pauses.joined(pauses),
    )


def _require_trials(
    trials: Sequence[Trial],
    events: Sequence[Sequence[Event]],
    spec: DatasetSpec,
    recordings: Sequence[Recording],
    after: str = "",
) -> None:
    if not spec.min_trials_per_class:
        return
    counts = {name: sum(t.label == name for t in trials) for name in spec.event_map}
    few = next((name for name, n in counts.items() if n < spec.min_trials_per_class), None)
    if few is None:
        return
    if why := why_too_few(recordings, events, spec):
        raise NeuriptError(f"class {few!r} has {counts[few]} trials{after}, for {why}")
    if not after:
        require_classes(trials, spec.markers, [event for part in events for event in part])
    raise NeuriptError(
        f"class {few!r} has {counts[few]} trials{after}, at least {spec.min_trials_per_class} are needed (20 or more "
        "are worth the person's time); record more, or add recordings of the same person"
    )


def _choose_mains(
    recordings: Sequence[Recording], scales: Sequence[NDArray[np.float64]], spec: DatasetSpec
) -> float | None:
    if spec.mains_hz != "auto":
        return None if spec.mains_hz is None else float(spec.mains_hz)
    for recording, scale in zip(recordings, scales, strict=True):
        found = look_at(recording.eeg).mains_hz(scale)
        if found is not None:
            return found
    return None


def _draft_manifest(montage: Montage, spec: DatasetSpec, mains_hz: float | None, *, simulated: bool) -> Manifest:
    preprocess = PreprocessSpec(sfreq=spec.sfreq, mains_hz=mains_hz, alignment=spec.alignment)
    policy = PolicySpec(idle_class=spec.idle)
    units: dict[str, Any] = {"input": "volts"}
    if spec.unit is not None:
        units["recordings"] = spec.unit
    try:
        return Manifest(
            task=spec.task,
            classes=tuple(spec.event_map),
            idle_class=spec.idle,
            model={},
            montage=montage.to_dict(),
            preprocess=preprocess.to_dict(),
            policy=policy.to_dict(),
            window_s=spec.window_s,
            hop_s=spec.hop_s,
            mains_hz=mains_hz,
            units=units,
            provenance={"simulated": simulated},
        )
    except ValueError as error:  # one class, an odd task name, a window of no samples
        raise NeuriptError(str(error)) from error
