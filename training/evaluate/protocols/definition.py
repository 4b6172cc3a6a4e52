"""What a protocol is: files, labels, people, split; all of it fixed before any result is seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.montages import Montage, load_montage
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording, events_of

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols.eval_data import EvalData
    from neuript.training.windows.cleaning import Cleaned

SPLIT_SEED = 520
"""Seed of every random split of people; the paper's own seed, as it names no other."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class ProtocolFile:
    """One recording of a protocol.

    Attributes
    ----------
    path : Path
        Path of the recording.
    subject : str
        The person, without the name of the data set.
    split : str
        ``train``, ``val`` or ``test``.
    extra : mapping of str to Any
        Facts that the protocol needs to label it: a run, a session, a sidecar.
    """

    path: Path
    subject: str
    split: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A window to cut: seconds from the recording's first EEG sample, and its class index."""

    start_s: float
    label: int


def whole_recording(source: ProtocolFile) -> Recording:
    """Read a source with the reader of its format."""
    return read_recording(source.path)


@dataclass(frozen=True, kw_only=True)
class EvalProtocol:
    """One downstream data set, as the paper (or we, for the sets of our own) evaluates it."""

    name: str
    """Name on the command line."""
    dataset: str
    """Data set in subject ids, as in the corpus."""
    title: str
    """One line for people."""
    classes: tuple[str, ...]
    montage: str
    """Name of the montage of the model's channels."""
    channels: tuple[str, ...] | None = None
    """Labels of the channels of the montage that are used; None for all."""
    window_s: float
    metrics: tuple[str, ...]
    """Names of scores in `fitting.metrics`; the first one selects."""
    find: Callable[[Path], list[ProtocolFile]]
    """All recordings under a folder, with their split; an empty list when none fits."""
    marks: Callable[[ProtocolFile, Recording, Cleaned], list[Mark]]
    """Map from a file and its signal to the windows of one recording."""
    read: Callable[[ProtocolFile], Recording] = whole_recording
    sfreq: float = 64.0
    mains_hz: float | None = 50.0
    """Mains frequency in Hz of the place of the recording, as the paper filters it; None for no notch."""
    unit: str | None = None
    """Unit of the files' numbers, where they say nothing or the wrong thing; None takes what they say."""
    max_interpolated: float = 0.25
    """Largest share of electrodes that may be interpolated before a recording is left out."""
    layout: str
    """Files that are expected, in a few words."""
    how_to_get: str
    """How to get the data, in one sentence with an address."""
    fetch: Callable[[Path], None] | None = None
    """Downloads the data into a folder, where they are public; None where they are not."""
    split_rule: str
    """Rule of the split of the people, in a few words."""
    n_paper: int | None = None
    """Number of windows that the paper reports; None where it reports none."""
    paper: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Metric to (mean, standard deviation), per cent, of the paper's pretrained model."""

    def load_montage(self) -> Montage:
        """Return the montage of the windows."""
        montage = load_montage(self.montage)
        return montage if self.channels is None else montage.pick(self.channels)

    def load(
        self,
        folder: str | Path,
        *,
        subjects: Collection[str] | None = None,
        limit: int | None = None,
        montage: Montage | str | None = None,
        progress: Progress | None = None,
        cache: Path | None = None,
    ) -> EvalData:
        """Read, clean and cut the data set.

        Parameters
        ----------
        folder : str or Path
            Folder of the data set in its published layout; sub-folders are searched.
        subjects : collection of str, optional
            People to read, with or without the data set's name; None reads all. The split of the others does not
            change.
        limit : int, optional
            Largest number of recordings of each split, for a quick trial; None reads all.
        montage : Montage or str, optional
            Other channels than the protocol's, for transfer tests; None takes the protocol's.
        progress : callable, optional
            Called with (recordings done, recordings in all, name) after each recording.
        cache : Path, optional
            Folder that keeps the cut windows; later calls with the same files and settings read them. None keeps none.

        Returns
        -------
        EvalData
            Windows in volts with their labels, people and split.

        Raises
        ------
        NeuriptError
            The folder does not hold the data set, or not one window could be cut.
        """
        from neuript.training.evaluate.protocols.gather import build

        channels = self.load_montage() if montage is None else montage
        channels = load_montage(channels) if isinstance(channels, str) else channels
        sources = self.sources(folder, subjects=subjects, limit=limit)
        return build(self, Path(folder), sources, channels, progress=progress, cache=cache)

    def sources(
        self, folder: str | Path, *, subjects: Collection[str] | None = None, limit: int | None = None
    ) -> list[ProtocolFile]:
        """Return the recordings that `load` would read.

        Raises
        ------
        NeuriptError
            If the folder is missing, holds no recording of the data set, or none of a person who was asked for.
        """
        where = Path(folder).expanduser()
        if not where.is_dir():
            raise NeuriptError(
                f"{self.name}: there is no folder {folder}; expected is {self.layout}. {self.how_to_get}"
            )
        found = self.find(where)
        if not found:
            raise NeuriptError(
                f"{self.name}: {folder} holds no recording of this data set; expected is {self.layout}. "
                f"{self.how_to_get}"
            )
        if subjects is not None:
            wanted = {s.rpartition("/")[2] for s in subjects}
            strange = sorted(wanted - {source.subject for source in found})
            if strange:
                raise NeuriptError(
                    f"{self.name}: no recording of {', '.join(strange)} in {folder}; there are "
                    f"{', '.join(sorted({source.subject for source in found})[:40])}"
                )
            found = [source for source in found if source.subject in wanted]
        return found if limit is None else _first_of_each_split(found, limit)


def _first_of_each_split(sources: Sequence[ProtocolFile], limit: int) -> list[ProtocolFile]:
    if limit < 1:
        raise NeuriptError(f"limit={limit} leaves no recording; use at least 1")
    taken: dict[str, int] = {}
    kept = []
    for source in sources:
        taken[source.split] = taken.get(source.split, 0) + 1
        if taken[source.split] <= limit:
            kept.append(source)
    return kept


# --- labels --------------------------------------------------------------------------------------


def tile(
    cleaned: Cleaned, window_s: float, label: int, *, start_s: float | None = None, stop_s: float | None = None
) -> list[Mark]:
    """Return non-overlapping windows that fill a stretch of a recording.

    Parameters
    ----------
    cleaned : Cleaned
        Recording behind the chain.
    window_s : float
        Length of a window in seconds.
    label : int
        Class index of all these windows.
    start_s, stop_s : float, optional
        Ends of the stretch in seconds; its default start is the first sample behind the filters' warm-up, so that no
        window is lost to a grid that begins earlier, and its default end that of the recording.
    """
    if not cleaned.ok.any():
        return []
    period = 1.0 / cleaned.sfreq
    if start_s is None:
        start_s = float(cleaned.stamps[np.argmax(cleaned.ok)])
    end = float(cleaned.stamps[-1]) + period
    stop = end if stop_s is None else min(stop_s, end)
    count = int((stop - start_s + 0.5 * period) // window_s)
    return [Mark(start_s + i * window_s, label) for i in range(count)]


def after_events(recording: Recording, labels: Mapping[str, int], offset_s: float = 0.0) -> list[Mark]:
    """Return a window at a fixed time after each event of some names.

    Parameters
    ----------
    recording : Recording
        Recording with the events.
    labels : mapping of str to int
        Class index of each event, keyed by its label; other events are left out.
    offset_s : float
        Time from the event to the start of the window, in seconds.
    """
    first = float(recording.eeg.timestamps[0])
    return [
        Mark(event.time_s - first + offset_s, labels[event.label])
        for event in events_of(recording)
        if event.label in labels
    ]


# --- people --------------------------------------------------------------------------------------


def split_people(
    people: Collection[str], shares: tuple[float, float, float], *, seed: int = SPLIT_SEED
) -> dict[str, str]:
    """Draw a split of people.

    Parameters
    ----------
    people : collection of str
        Names of the people; the order does not matter.
    shares : tuple of float
        Shares of the people in train, validation and test. Validation and test get the rounded number of people, at
        least one each where the share is not 0 and there are enough; training gets the rest.
    seed : int
        Seed of the draw.

    Returns
    -------
    dict of str to str
        Split ("train", "val" or "test") of each person.

    Raises
    ------
    NeuriptError
        If there are too few people for the splits.
    """
    ordered = sorted(set(people), key=natural)
    drawn = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    n_val, n_test = (max(round(s * len(drawn)), int(s > 0)) for s in shares[1:])
    if n_val + n_test >= len(drawn) > 0:
        raise NeuriptError(f"{len(drawn)} people cannot be split into training, validation and test")
    split = dict.fromkeys(drawn, "train")
    split.update(dict.fromkeys(drawn[:n_test], "test"))
    split.update(dict.fromkeys(drawn[n_test : n_test + n_val], "val"))
    return split


def split_in_order(people: Collection[str], n_train: int, n_val: int) -> dict[str, str]:
    """Give the first `n_train` people to training, the next `n_val` to validation, the others to test."""
    ordered = sorted(set(people), key=natural)
    edges = {"train": n_train, "val": n_train + n_val, "test": len(ordered)}
    return {person: next(split for split, stop in edges.items() if i < stop) for i, person in enumerate(ordered)}


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key under which S2 comes before S10."""
    import re

    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text))
