"""`neuript record`: everything on the network into one file, watched, with a header that explains the EEG."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.interrupt import Interrupt
from neuript.montages import Montage, load_montage
from neuript.montages.stream_labels import is_eeg_stream
from neuript.pasteable import pasteable
from neuript.realtime.chain.chunk import SignalInfo, SourceStatus
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.live.intake import LISTEN_S, listen
from neuript.realtime.live.suggestions import montages_with, recording_command
from neuript.realtime.lsl.discovery import StreamSummary, find_stream, visible_streams
from neuript.realtime.lsl.explanation_outlet import ExplanationOutlet
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.labrecorder import Recorder, bytes_per_s, check_recording
from neuript.realtime.lsl.late_streams import LateStreams
from neuript.realtime.lsl.stream_choice import in_words, predicate_for, stream_predicate
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.given_channels import check_channels, montage_of_names
from neuript.realtime.recordings.look import Look, eeg_channels
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of, is_event_stream

logger = logging.getLogger(__name__)

LOOK_AROUND_S = 2.0
"""Seconds for which streams are looked for before the recording, and between two looks for late ones."""
MOST_READ_AGAIN = 500_000_000
"""Bytes up to which a file is read again at the end; reading takes a few times as much memory."""
_PULL_S = 0.1

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
        info = explained(source.info, cap, options.unit)
        for sentence in _heard(source, info, cap, options, stop):
            logger.info("%s", sentence)
        about = {"montage": "" if cap is None else cap.name}
        explanation = ExplanationOutlet(info, **about)
        stack.callback(explanation.close)
        streams = _around(explanation.uid)
        stop.check()
        recorder = Recorder(path, [f"uid='{s.uid}'" for s in streams], bytes_per_s=bytes_per_s(source.info))
        stack.callback(recorder.close)  # before the explanation goes
        recorder.start()
        n_samples = _record(source, recorder, streams, options, stop, show)
    _read_again(path, source.info, n_samples)


def _heard(
    source: LslSource, info: SignalInfo, cap: Montage | None, options: RecordOptions, stop: Interrupt
) -> list[str]:
    """What the first seconds and the header say, in sentences."""
    eeg = eeg_channels(info)
    out = [
        f"'{info.name}': {len(info.ch_names)} channels at {info.sfreq:g} Hz from {info.hostname or 'this computer'}: "
        + _short(info.ch_names)
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
            out.append(f"no good signal at {_short(bad)}: see to the electrodes before the recording counts")
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


def _around(own_uid: str) -> list[StreamSummary]:
    """Everything that is visible, the explanation of the EEG included; says what it is, and whether markers are."""
    streams = visible_streams(LOOK_AROUND_S)
    if own_uid not in {s.uid for s in streams}:
        raise StreamNotFoundError(
            "our own stream is not visible, so multicast does not work on this computer; neuript doctor says why"
        )
    others = [s for s in streams if s.uid != own_uid]
    for stream in others:
        logger.info("records %s", stream.describe())
    if not any(is_event_stream(s.stype, s.channel_format, s.sfreq, s.n_chans) for s in others):
        logger.warning("there is no marker stream: no cue will be in the file; start the program that sends them first")
    return streams


def _record(
    source: LslSource,
    recorder: Recorder,
    known: list[StreamSummary],
    options: RecordOptions,
    stop: Interrupt,
    show: Show,
) -> int:
    """Watch until the end; return the number of EEG samples that came."""
    began, looked, n_samples, limit = time.monotonic(), time.monotonic(), 0, options.duration_s
    written = False
    late = LateStreams(known)
    while not stop.requested:
        chunk = source.pull(_PULL_S)
        n_samples += len(chunk)
        recorder.check()
        now = time.monotonic()
        if not written and recorder.n_bytes:
            written, began, n_samples = True, now, 0
        if now - looked > LOOK_AROUND_S:
            looked = now
            late.look()
        passed_s = now - began if written else 0.0
        state = "" if chunk.status in (SourceStatus.OK, SourceStatus.RECOVERED) else f", EEG {chunk.status.lower()}"
        minutes, seconds = divmod(int(passed_s), 60)
        words = f"{minutes}:{seconds:02d}  {recorder.n_bytes / 1e6:.1f} MB{state}"
        show(words, passed_s, math.inf if limit is None else limit)
        if limit is not None and passed_s >= limit:
            break
    return n_samples


def _read_again(path: Path, info: SignalInfo, n_samples: int) -> None:
    """Say what is in the file, as whoever opens it will find it."""
    n_bytes = path.stat().st_size
    if n_bytes > MOST_READ_AGAIN:
        look = pasteable("neuript", "inspect", path)
        logger.info("%s holds %.1f GB; look at it with: %s", path.name, n_bytes / 1e9, look)
        return
    recording = read_recording(path, eeg=info.name)
    eeg = recording.eeg
    events = events_of(recording)
    eeg_option = () if is_eeg_stream(eeg.info.stype) else ("--eeg", eeg.info.name)
    gaps = f", {len(eeg.gaps)} gaps" if eeg.gaps else ""
    logger.info(
        "%s holds %d streams: %.1f s of '%s' (%s)%s, and %d markers; next: %s",
        path.name,
        len(recording.streams),
        eeg.duration_s,
        eeg.info.name,
        _short(eeg.info.ch_names),
        gaps,
        len(events),
        pasteable("neuript", "inspect", path, *eeg_option),
    )
    if len(eeg) < 0.9 * n_samples - 5 * info.sfreq:
        raise NeuriptError(
            f"{path} holds {len(eeg)} samples of '{info.name}', but {n_samples} came while it was recorded; check the "
            "file before you rely on it"
        )


def _short(names: Sequence[str], limit: int = 12) -> str:
    if not any(names):
        return f"{len(names)} channels without names"
    shown = [name or "(no name)" for name in names]
    return ", ".join(shown[:limit]) + (f" and {len(shown) - limit} more" if len(shown) > limit else "")
