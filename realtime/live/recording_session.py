"""`neuript record`: everything on the network into one file, watched, with a header that explains the EEG."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from neuript.durations import clock
from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.chunk import SignalInfo, SourceStatus
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.live.intake import LISTEN_S, listen
from neuript.realtime.live.suggestions import montages_with, recording_command
from neuript.realtime.live.watched_recording import WatchedRecording, short_list
from neuript.realtime.lsl.discovery import find_stream
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.recorder import check_recording
from neuript.realtime.lsl.stream_choice import in_words, predicate_for, stream_predicate
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.given_channels import check_channels, montage_of_names
from neuript.realtime.recordings.look import Look, eeg_channels

logger = logging.getLogger(__name__)

Show = Callable[[str, float, float], None]
"""Progress: words, seconds so far, seconds in all (infinite without an end)."""


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """What is recorded, and where to."""

    out: str
    """XDF file to write; never overwritten."""
    stream: str | None = None
    """Name (or source id, or type) of the EEG stream, or an LSL predicate."""
    source_id: str | None = None
    """Source id of the EEG stream."""
    wait_s: float = 5.0
    """Seconds to wait for it."""
    give_up_s: float = 30.0
    """Seconds for which a lost EEG stream is waited for before the recording ends."""
    montage: str | None = None
    """What is on the head: names the electrodes in the file."""
    channels: tuple[str, ...] | None = None
    """Names of the EEG's channels in order, "-" for one to leave out; None takes what the stream says."""
    unit: str | None = None
    """Unit of the samples, where the stream is silent or wrong."""
    duration_s: float | None = None
    """Seconds to record; None records until Ctrl-C."""

    def __post_init__(self) -> None:
        """Check the predicate and the numbers."""
        if self.stream is not None:
            stream_predicate(self.stream)
        for name in ("wait_s", "give_up_s", "duration_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise NeuriptError(f"{name.removesuffix('_s')} is {value:g} s; it must be a positive number of seconds")


def run_record(options: RecordOptions, show: Show = lambda _text, _done, _total: None) -> None:
    """Record until the time is over or somebody interrupts, which is how a recording usually ends.

    Raises
    ------
    NeuriptError
        If there is nothing to record, the montage or unit cannot be, the file cannot be written or read again, or the
        EEG is lost for good. What was recorded until then is kept.
    """
    path = check_recording(options.out)
    cap = load_montage(options.montage) if options.montage else None
    if options.channels is not None:
        check_channels(options.channels, cap)
        cap = cap or montage_of_names(options.channels)
    with Interrupt() as stop, ExitStack() as stack:
        predicate = predicate_for(options.stream, source_id=options.source_id)
        logger.info("looking for a stream %s", in_words(predicate))
        found = find_stream(predicate, wait_s=options.wait_s, on_wait=stop.check)
        source = LslSource(found, give_up_s=options.give_up_s, channels=options.channels)
        stack.callback(source.close)
        source.start()
        for sentence in _heard(source, cap, options, stop):
            logger.info("%s", sentence)
        recording = WatchedRecording(path, source, cap, options.unit)
        stack.callback(recording.close)
        recording.start(stop.check)
        _until_the_end(recording, options, stop, show)
    recording.check_complete()


def _heard(source: LslSource, cap: Montage | None, options: RecordOptions, stop: Interrupt) -> list[str]:
    """What the first seconds and the header say, in sentences."""
    info = explained(source.info, cap, options.unit)
    eeg = eeg_channels(info)
    out = [
        f"'{info.name}': {len(info.ch_names)} channels at {info.sfreq:g} Hz from {info.hostname or 'this computer'}: "
        + short_list(info.ch_names)
    ]
    chunks = listen(source, math.ceil(LISTEN_S * info.sfreq), time.monotonic, stop.check)
    look = Look(info=info, x=np.concatenate([chunk.data for chunk in chunks]), channels=eeg)
    try:
        scale = look.scale(options.unit)
    except NeuriptError as error:
        if options.unit is not None:
            raise
        out.append(f"recorded as it comes, but: {error}")
    else:
        out += [scale.note] if scale.note else []
        verdicts = look.verdicts(scale.scale)
        bad = [
            f"{info.ch_names[i] or f'channel {i + 1}'} ({Verdict(verdicts[i]).name.lower()})"
            for i in eeg
            if verdicts[i] != Verdict.OK
        ]
        if bad:
            out.append(f"no good signal at {short_list(bad)}: see to the electrodes before the recording counts")
    if cap is None and not _named(info):
        others = ", ".join(montages_with(len(eeg))) or "none of that size; neuript montages lists them"
        out.append(
            "the channels have no electrode names, and nobody will know next month: stop, say what is on the head with "
            f"--montage NAME ({others}) or --channels Fz,C3,-,..., for example: "
            + recording_command(options.out, [info.ch_names[i] for i in eeg])
        )
    return out


def _named(info: SignalInfo) -> bool:
    from neuript.montages.names import canonical_name, electrode_name, split_pair

    names = map(canonical_name, info.ch_names)
    return any(electrode_name(name) is not None or split_pair(name) is not None for name in names)


def _until_the_end(recording: WatchedRecording, options: RecordOptions, stop: Interrupt, show: Show) -> None:
    limit_s = options.duration_s
    while not stop.requested:
        status = recording.tend().status
        passed_s = recording.passed_s
        state = "" if status in (SourceStatus.OK, SourceStatus.RECOVERED) else f", EEG {status.lower()}"
        words = f"{clock(passed_s)}  {recording.n_bytes / 1e6:.1f} MB{state}"
        show(words, passed_s, math.inf if limit_s is None else limit_s)
        if limit_s is not None and passed_s >= limit_s:
            return
