"""The LSL client of the signal view: it follows one stream through loss and return, and looks out for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.limits import can_decode
from neuript.montages import Montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.dashboard.following_client import FollowingClient
from neuript.realtime.live.signal_watch import SignalWatch
from neuript.realtime.lsl.candidates import changes_between, same_stream
from neuript.realtime.lsl.follower import StreamFollower
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.rivals import RivalStreams
from neuript.realtime.recordings.given_channels import with_channels
from neuript.realtime.recordings.header import signal_info
from neuript.realtime.view.signal_model import SignalModel, spectrum_of, what_to_type

RIVALS_EVERY_S = 2.0
SPECTRUM_EVERY = 2
"""A spectrum with every second check."""


class SignalClient(FollowingClient):
    """Follow a stream, judge it, and keep a `SignalModel` up to date.

    Parameters
    ----------
    info : SignalInfo
        The stream that was found.
    predicate : str
        What it was found by: other streams that match are named.
    cap : Montage, optional
        What is on the head.
    unit : str, optional
        Unit that the user gives.
    channels : sequence of str, optional
        Names that the user gives the channels, "-" for one to leave out.
    """

    def __init__(
        self,
        info: SignalInfo,
        predicate: str,
        cap: Montage | None = None,
        unit: str | None = None,
        channels: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._channels = channels
        self.model = SignalModel(cap.name if cap else "")
        self._cap, self._unit = cap, unit
        self._same = same_stream(info)
        self._info: SignalInfo | None = None
        self._watch: SignalWatch | None = None
        self._n_checks = 0
        self._rivals = RivalStreams(predicate)
        self._rivals_due = 0.0
        self.eeg = StreamFollower(
            "EEG", lambda: self._same, on_open=self._open, on_data=self._samples, on_close=self._close
        )
        self.followers = (self.eeg,)

    def step(self, now: float) -> None:
        """Find or pull the stream once, and look around now and then."""
        super().step(now)
        if now >= self._rivals_due and self._info is not None:
            self._rivals_due = now + RIVALS_EVERY_S
            others = self._rivals.of(self._info)
            names = ", ".join(f"'{s.name}' (source id '{s.source_id}')" for s in others)
            text = f"another stream matches: {names}; choose with --source-id" if others else ""
            with self.lock:
                self.model.keep_saying("rivals", text)

    def _open(self, header: Element) -> None:
        info = with_channels(signal_info(header), self._channels)
        problem = _not_drawn(info)
        if problem:
            with self.lock:
                self.model.keep_saying("refused", problem)
            raise NeuriptError(problem)
        self._watch = SignalWatch(info, cap=self._cap, unit=self._unit)
        before, self._info = self._info, info
        worn = self._watch.worn
        with self.lock:
            self.model.connect_eeg(replace(info, ch_names=worn.trace_names))
            self.model.keep_saying("refused", "")
            self.model.keep_saying("names", what_to_type(worn, self._unit))
            if before is not None:
                self._say_what_came_back(before, info, lsl_clock())

    def _say_what_came_back(self, before: SignalInfo, info: SignalInfo, now: float) -> None:
        changed = changes_between(before, info)
        if changed:
            text = f"the stream came back different ({'; '.join(changed)}): a session that runs must be started again"
            self.model.keep_saying("changed", text)
        self.model.note(f"the stream was away for {self.model.silence_s(now) or 0.0:.1f} s and is back", now)

    def _close(self) -> None:
        with self.lock:
            self.model.disconnect_eeg()

    def _samples(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        x = data.astype(np.float32)
        with self.lock:
            self.model.add_eeg(x, stamps, lsl_clock())
        if self._watch is None or self._info is None:
            return
        check = self._watch.add(x, stamps)  # without the lock: this takes a few milliseconds
        if check is None:
            return
        spectrum = None
        if self._n_checks % SPECTRUM_EVERY == 0:
            spectrum = spectrum_of(self._watch.recent(), self._info.sfreq, check)
        self._n_checks += 1
        with self.lock:
            self.model.take_check(check, spectrum)


def _not_drawn(info: SignalInfo) -> str:
    """Why a stream that came back is not shown; empty if it is."""
    if info.channel_format == "string":
        return f"the stream '{info.name}' came back with text instead of samples; it is not drawn"
    if not can_decode(info.sfreq):
        return f"the stream '{info.name}' came back with a rate of {info.sfreq:g} Hz, which is not decoded; not drawn"
    return ""
