"""Which channels are bad now by the decoder's verdicts; logged once for each channel."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.conditioner import InputChange, Piece, Stretch
from neuript.realtime.chain.plausibility import LIMITS, wrong_with_all
from neuript.realtime.chain.quality import BAND_LIMITS, Verdict
from neuript.realtime.chain.timestamps import StampEvent

logger = logging.getLogger(__name__)

_DEAD = {
    Verdict.MISSING: "no numbers (NaN)",
    Verdict.FLAT: "flat",
    Verdict.RAIL: "stuck, mostly at the amplifier's limit",
    Verdict.HUGE: "too large to be cleaned",
}
_LOST = "within the EEG band, so a contact is lost or the head is moving"
_IN_BAND = {
    Verdict.HUGE: f"more than {BAND_LIMITS.huge_pp_v * 1e3:g} mV {_LOST}",
    Verdict.FLAT: f"nothing {_LOST}",
    Verdict.RAIL: f"nothing {_LOST}",
    Verdict.NOISE: "noise that no other channel shares, so it does not touch the skin",
    Verdict.POPS: f"jumps of more than {1e6 * LIMITS.pop_v:.0f} µV on this channel alone, so the contact is loose",
}
_NAMED = 6
"""At most so many channels are named in one sentence."""


class ContactLog:
    """Keeps which channels are bad, and says in words which ones went bad.

    Parameters
    ----------
    ch_names : sequence of str
        Labels of the stream's channels.
    matrix : ndarray, shape (n_model_chans, n_stream_chans)
        Weights of the stream's channels (columns) in each channel of the model (rows).
    live : bool
        Live, somebody can do something about a dead channel; of a recording only lost contacts are told.
    """

    def __init__(self, ch_names: Sequence[str], matrix: NDArray[np.float64], *, live: bool) -> None:
        self._ch_names, self._live = tuple(ch_names), live
        self._used = np.abs(matrix).sum(axis=0) > 0
        self._strongest = np.abs(matrix).argmax(axis=1)
        self._told: set[int] = set()
        self._of_all = ""  # what was said of the signal as a whole
        self._input: NDArray[np.int8] = np.zeros(matrix.shape[1], dtype=np.int8)
        self._band: NDArray[np.int8] = np.zeros(matrix.shape[0], dtype=np.int8)

    @property
    def bad(self) -> dict[int, Verdict]:
        """The channels in use that are bad now, by their index in the stream, with what is wrong."""
        band = {int(self._strongest[k]): Verdict(int(self._band[k])) for k in np.flatnonzero(self._band)}
        raw = {int(i): Verdict(int(self._input[i])) for i in np.flatnonzero(self._used & (self._input != Verdict.OK))}
        return dict(sorted((band | raw).items()))

    def note(self, piece: Piece) -> None:
        """Take what a piece of the conditioned stream says of channels, and log what was not named yet."""
        if isinstance(piece, Stretch):
            for change in piece.band:
                self._band = change.verdicts
                self._lost_contact(change.verdicts)
        elif isinstance(piece, InputChange):
            self._input = piece.verdicts
            if self._live:
                self._dead(piece.verdicts)
        elif isinstance(piece, StampEvent) and piece.breaks:
            self.restart()

    def restart(self) -> None:
        """Forget the verdicts behind the filters, which have started anew."""
        self._band = np.zeros_like(self._band)

    def _lost_contact(self, verdicts: NDArray[np.int8]) -> None:
        before, self._of_all = self._of_all, wrong_with_all(verdicts)
        if self._of_all:
            if self._of_all != before:
                logger.warning("this is no EEG: %s", self._of_all)
            return
        for verdict, what in _IN_BAND.items():
            if text := self._unnamed(int(i) for i in self._strongest[verdicts == verdict]):
                logger.warning("%s: %s; check the electrodes", text, what)

    def _dead(self, verdicts: NDArray[np.int8]) -> None:
        for verdict in np.unique(verdicts[self._used & (verdicts != Verdict.OK)]):
            if text := self._unnamed(np.flatnonzero(self._used & (verdicts == verdict)).tolist()):
                logger.warning("%s: %s; check the electrodes and the cable", text, _DEAD[Verdict(int(verdict))])

    def _unnamed(self, channels: Iterable[int]) -> str:
        """Return the labels of those channels that no sentence has named yet."""
        new = [i for i in dict.fromkeys(channels) if i not in self._told]
        self._told.update(new)
        text = ", ".join(self._ch_names[i] or f"channel {i + 1}" for i in new[:_NAMED])
        return text + (f" and {len(new) - _NAMED} more" if len(new) > _NAMED else "")
