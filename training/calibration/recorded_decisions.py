"""Decisions that a live session recorded beside its EEG (`neuript-live --record`, a guided session with feedback)."""

from __future__ import annotations

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision_log import DecisionLog
from neuript.realtime.decoding.decoder_header import read_decoder_header
from neuript.realtime.decoding.proba_row import unpack_row
from neuript.realtime.decoding.scoring import PublishedRow
from neuript.realtime.decoding.states import STATE_ORDER
from neuript.realtime.recordings.recording import RecordedStream, Recording

_TYPE = "Predictions"


def recorded_decisions(recording: Recording) -> DecisionLog:
    """Return the decisions that are in a recording, their times on the clock of its EEG's `timestamps`.

    Raises
    ------
    NeuriptError
        If no decoder, or more than one, was recorded.
    """
    streams = decoder_streams(recording)
    if len(streams) != 1:
        names = ", ".join(f"'{stream.info.name}'" for stream in streams)
        raise NeuriptError(
            f"{recording.path} holds the decisions of {len(streams)} decoders ({names}), and one can be scored"
            if streams
            else f"{recording.path} holds no decisions; decode it with neuript-live --replay --headless --json, and "
            "score what that prints with --recording"
        )
    return DecisionLog(tuple(decision_rows(streams[0])), uses_rec_t=False)


def decoder_streams(recording: Recording) -> list[RecordedStream]:
    """Return the streams of decisions that are in a recording and not empty."""
    return [stream for stream in recording.streams if stream.info.stype == _TYPE and len(stream)]


def decision_rows(stream: RecordedStream) -> list[PublishedRow]:
    """Return the decisions of one recorded decoder, in the order in which they were published."""
    classes = read_decoder_header(stream.header).classes
    out = []
    for values, t in zip(stream.data, stream.timestamps.tolist(), strict=True):
        row = unpack_row(values, len(classes))
        known = bool(np.isfinite(row.proba).all())
        proba = dict(zip(classes, row.proba.tolist(), strict=True)) if known else None
        code = int(row.state_code) if np.isfinite(row.state_code) else -1
        state = str(STATE_ORDER[code]) if 0 <= code < len(STATE_ORDER) else "unknown"
        out.append(PublishedRow(t, proba, None if row.decision is None else classes[row.decision], state))
    return out
