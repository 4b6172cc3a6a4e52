"""Which electrode was condemned when, by the very verdicts that stop the decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.conditioner import Conditioner, InputChange, Piece, Stretch
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.chain.quality import Verdict
from neuript.realtime.chain.timestamps import StampEvent
from neuript.training.windows.dataset import Dataset, Played

PIECE = 4096
"""Input samples that are looked at together."""
LEAST_S = 0.25
"""Shorter spells are the end of a recording that was filled up."""
WHY = {
    Verdict.MISSING: "no numbers",
    Verdict.FLAT: "flat",
    Verdict.RAIL: "stuck",
    Verdict.HUGE: "far too large",
    Verdict.SAME: "the same as all others",
    Verdict.TONE: "a test signal",
    Verdict.NOISE: "noise",
    Verdict.SMALL: "too small",
    Verdict.LARGE: "too large",
    Verdict.POPS: "pops",
}
"""What a verdict means, for people."""


@dataclass(frozen=True, slots=True)
class BadSpell:
    """A stretch of time in which an electrode carried no usable signal."""

    recording: int
    electrode: str
    begin_s: float
    """Seconds since the first sample of the recording."""
    end_s: float
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "recording": self.recording,
            "electrode": self.electrode,
            "begin_s": round(self.begin_s, 3),
            "end_s": round(self.end_s, 3),
            "why": self.why,
        }


def bad_spells(data: Dataset) -> list[BadSpell]:
    """Run the recordings through the conditioner once more, and return what it condemned, in order of time."""
    spec = PreprocessSpec.from_dict(data.manifest.preprocess)
    out: list[BadSpell] = []
    for number, played in enumerate(data.played):
        out += _of_recording(number, played, spec, data.montage.ch_names)
    return out


def _of_recording(number: int, played: Played, spec: PreprocessSpec, ch_names: tuple[str, ...]) -> list[BadSpell]:
    stream = played.recording.eeg
    conditioner = Conditioner(spec, played.matrix, played.scale, stream.info.sfreq)
    weight = np.abs(played.matrix)
    uses = (weight > 0) & (weight >= 0.5 * weight.sum(axis=1, keepdims=True) - 1e-9)  # (n_chans, n_stream_chans)
    open_spells: dict[tuple[str, str], float] = {}
    now: dict[str, dict[str, str]] = {"raw": {}, "band": {}}
    out: list[BadSpell] = []
    first = float(stream.timestamps[0]) if len(stream) else 0.0
    end_s = 0.0
    for kind, t, found in _changes(played, conditioner, uses, ch_names):
        before, now[kind] = now[kind], found
        for name in before.keys() - found.keys():
            begin_s = open_spells.pop((kind, name)) - first
            out.append(BadSpell(number, name, begin_s, t - first, before[name]))
        for name in found.keys() - before.keys():
            open_spells[kind, name] = t
    if len(stream):
        end_s = float(stream.timestamps[-1])
    out += [
        BadSpell(number, name, t - first, end_s - first, now[kind][name]) for (kind, name), t in open_spells.items()
    ]
    lasting = (spell for spell in out if spell.end_s - spell.begin_s >= LEAST_S)
    return sorted(lasting, key=lambda spell: (spell.begin_s, spell.electrode))


def _changes(
    played: Played, conditioner: Conditioner, uses: NDArray[np.bool_], ch_names: tuple[str, ...]
) -> Iterator[tuple[str, float, dict[str, str]]]:
    """Yield where the verdict comes from, when it changed, and the electrodes that are bad from then on."""
    stream = played.recording.eeg
    stamps = stream.timestamps
    for begin in range(0, len(stream), PIECE):
        stop = min(begin + PIECE, len(stream))
        for piece in conditioner.push(stream.data[begin:stop], stamps[begin:stop]):
            yield from _of_piece(piece, stamps, uses, ch_names)


def _of_piece(
    piece: Piece, stamps: NDArray[np.float64], uses: NDArray[np.bool_], ch_names: tuple[str, ...]
) -> Iterator[tuple[str, float, dict[str, str]]]:
    if isinstance(piece, InputChange):
        worst = np.where(uses, piece.verdicts, 0).max(axis=1)
        yield "raw", float(stamps[min(piece.index, len(stamps) - 1)]), _named(worst, ch_names)
    elif isinstance(piece, Stretch):
        for change in piece.band:
            at = min(max(change.index - piece.first, 0), len(piece.t) - 1)
            yield "band", float(piece.t[at]), _named(change.verdicts, ch_names)
    elif isinstance(piece, StampEvent) and piece.breaks:  # the filters start anew, and their verdicts with them
        yield "band", float(stamps[min(piece.index, len(stamps) - 1)]), {}


def _named(verdicts: NDArray[np.int8], ch_names: tuple[str, ...]) -> dict[str, str]:
    return {name: WHY[Verdict(int(v))] for name, v in zip(ch_names, verdicts, strict=True) if v != Verdict.OK}


def quality_figures(data: Dataset, spells: list[BadSpell]) -> dict[str, Any]:
    """Return spells and the share of the time in which each electrode was condemned."""
    lengths = [float(p.recording.eeg.timestamps[-1] - p.recording.eeg.timestamps[0]) for p in data.played]
    total = sum(lengths)
    lost = dict.fromkeys(data.montage.ch_names, 0.0)
    for spell in spells:
        lost[spell.electrode] += spell.end_s - spell.begin_s
    return {
        "electrodes": list(data.montage.ch_names),
        "bad_share": [min(lost[name] / total, 1.0) if total else 0.0 for name in data.montage.ch_names],
        "recording_s": lengths,
        "spells": [spell.to_dict() for spell in spells],
    }
