"""The dashboard's LSL client: it follows the decoder, its EEG, its events and whoever shows cues.

The drawing never touches LSL: it takes `client.lock` for the moment it copies what it needs.
The decoder never notices this client: liblsl sends from its own threads, keeps a few seconds for it
(`follower.BUFFER_S`), and drops the oldest when the dashboard is stopped.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.loader import template_positions
from neuript.realtime.dashboard.following_client import FollowingClient
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.decoding.decoder_header import read_decoder_header
from neuript.realtime.lsl.follower import StreamFollower
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.stream_choice import quoted
from neuript.realtime.recordings.header import signal_info, text_of
from neuript.realtime.recordings.text_encoding import read_text

CUES = "type='Markers' and name='neuript-cues-markers'"
"""Whatever program of neuript shows cues."""


class DashboardClient(FollowingClient):
    """Follow a decoder's streams and its EEG stream, and keep a `ViewModel` up to date.

    Parameters
    ----------
    model : ViewModel
        Written by the client's thread, under `lock`.
    proba_source_id : str
        `source_id` of the decoder's `Predictions` stream; empty = any such stream of neuript.
    eeg_source_id : str
        `source_id` of the EEG stream; empty = the one that the decoder's header names.
    """

    def __init__(self, model: ViewModel, proba_source_id: str = "", eeg_source_id: str = "") -> None:
        super().__init__()
        self.model = model
        self._proba_source_id, self._eeg_source_id = proba_source_id, eeg_source_id
        self._found_source_id = ""
        self.decoder = StreamFollower(
            "decoder", self._decoder_query, on_open=self._open_decoder, on_data=self._rows, on_close=self._close_decoder
        )
        self.eeg = StreamFollower(
            "EEG", self._eeg_query, on_open=self._open_eeg, on_data=self._samples, on_close=self._close_eeg
        )
        self.events = StreamFollower(
            "events", self._events_query, on_open=lambda header: None, on_data=self._markers, on_close=lambda: None
        )
        self.cues = [
            StreamFollower(what, query, on_open=lambda header: None, on_data=self._cue_markers, on_close=lambda: None)
            for what, query in (("cues", lambda: CUES), ("twin's cues", self._twin_query))
        ]
        self.followers = (self.decoder, self.eeg, self.events, *self.cues)

    # --- what is looked for --------------------------------------------------------------------

    def _decoder_query(self) -> str:
        if self._proba_source_id:
            return f"source_id={quoted(self._proba_source_id)}"
        return "type='Predictions' and starts-with(name,'neuript-')"

    def _eeg_query(self) -> str | None:
        info = self.model.decoder
        wanted = self._eeg_source_id or (info.eeg_source_id or info.eeg_name if info else "")
        if not wanted:
            return None
        # a stream without source id is known by its name
        match = f"source_id={quoted(wanted)} or name={quoted(wanted)}"
        return f"({match}) and type!='Predictions' and type!='Markers'"

    def _events_query(self) -> str | None:
        if self.model.decoder is None or "-proba" not in self._found_source_id:
            return None
        return f"source_id={quoted(self._found_source_id.replace('-proba', '-events', 1))}"

    def _twin_query(self) -> str | None:
        """A digital twin sends its cues beside its EEG."""
        eeg = self.model.eeg
        if eeg is None or not eeg.simulated:
            return None
        return f"type='Markers' and source_id={quoted(f'{eeg.source_id}-markers')}"

    # --- what arrives --------------------------------------------------------------------------

    def _open_decoder(self, header: Element) -> None:
        said = read_decoder_header(header)
        self._found_source_id = text_of(header, "source_id")
        with self.lock:
            self.model.connect_decoder(said, lsl_clock())

    def _close_decoder(self) -> None:
        with self.lock:
            self.model.disconnect_decoder(lsl_clock())

    def _rows(self, data: NDArray[np.float32], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_rows(data, stamps, lsl_clock())

    def _open_eeg(self, header: Element) -> None:
        info = signal_info(header)
        if info.channel_format == "string":
            raise NeuriptError(f"the stream {info.name!r} carries text, not samples; it is not drawn")
        template_positions()  # read once, while nobody waits for the lock
        with self.lock:
            self.model.connect_eeg(info)

    def _close_eeg(self) -> None:
        with self.lock:
            self.model.disconnect_eeg()

    def _samples(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_eeg(data.astype(np.float32), stamps, lsl_clock())

    def _markers(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_events(_texts(data), stamps, lsl_clock())

    def _cue_markers(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_cues(_texts(data), stamps)


def _texts(data: NDArray[Any]) -> list[str]:
    return [read_text(bytes(value)) for value in data[:, 0]]
