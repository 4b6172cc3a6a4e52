"""From the channels of a stream to the channels of a model: which is which, and at what price.

A stream is seen as a graph. Its nodes are electrodes and the recording's reference; every channel is
an edge, the difference of two potentials. A referential channel joins an electrode to the reference,
a bipolar one joins two electrodes. A model channel is then a path: ``Fp1-F7`` is one edge of a stream
that carries this pair, two edges (Fp1 minus F7) of a referential stream, and ``F7-O1`` may be the sum
of three pairs. What no path reaches is interpolated from everything that one does reach, or refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.graph import StreamGraph
from neuript.montages.interpolation import expected_error, interpolation_matrix
from neuript.montages.loader import template_positions
from neuript.montages.montage import Montage
from neuript.montages.names import split_pair
from neuript.montages.plan import ChannelPlan, PlanEntry
from neuript.montages.stream_labels import EARS, REFERENCE, Reading, read_labels

MIN_SOURCES = 3
"""Fewer electrodes than this are too few to interpolate from."""


def plan_channels(
    ch_names: Sequence[str],
    model: Montage,
    cap: Montage | None = None,
    *,
    bads: Collection[str] = (),
    max_interpolated: float = 0.25,
    ch_types: Sequence[str] = (),
    reference: str = "",
) -> ChannelPlan:
    """Return how the model's channels are made from a stream, or refuse.

    Parameters
    ----------
    ch_names : sequence of str
        The stream's labels in order, as sent; empty texts where it has none.
    model : Montage
        The channels that the model needs.
    cap : Montage or None
        What is on the head. It names the channels of a stream without labels, explains labels by
        its aliases, and gives positions that the 10-5 system does not know.
    bads : collection of str
        Stream labels or electrodes to treat as absent.
    max_interpolated : float
        The largest share of the model's electrodes that may be interpolated.
    ch_types : sequence of str
        The stream's channel types (``EEG``, ``EOG``, ...), where it sends them; what is not EEG by
        `is_eeg_channel` is ignored.
    reference : str
        The electrode that the stream is referenced to, where it says so; against the average or in
        a pair it is then known to be zero.

    Raises
    ------
    NeuriptError
        If the stream has no labels and no cap fits, if a lobe of the model would rest on
        interpolation alone, or if more than `max_interpolated` would be interpolated.
    """
    plan = draft_plan(
        ch_names, model, cap, bads=bads, max_interpolated=max_interpolated, ch_types=ch_types, reference=reference
    )
    if plan.problems:
        raise NeuriptError(plan.problems[0])
    return plan


def draft_plan(
    ch_names: Sequence[str],
    model: Montage,
    cap: Montage | None = None,
    *,
    bads: Collection[str] = (),
    max_interpolated: float = 0.25,
    ch_types: Sequence[str] = (),
    reference: str = "",
) -> ChannelPlan:
    """Return the plan even when it must be refused; `ChannelPlan.problems` then says why.

    The arguments are those of `plan_channels`.

    Raises
    ------
    NeuriptError
        If `bads` names nothing that the stream has.
    ValueError
        If `ch_types` has another length than `ch_names`.
    """
    if ch_types and len(ch_types) != len(ch_names):
        raise ValueError(f"{len(ch_types)} channel types for {len(ch_names)} channels")
    reading = read_labels(ch_names, model, cap, bads, ch_types, reference)
    return _Planner(model, cap, reading, max_interpolated).plan()


def fit_montage(
    ch_names: Sequence[str],
    cap: Montage,
    *,
    bads: Collection[str] = (),
    ch_types: Sequence[str] = (),
    reference: str = "",
) -> Montage:
    """Return the part of a montage that a stream measures, to make a model for this cap.

    Parameters
    ----------
    ch_names : sequence of str
        The stream's labels in order, as sent; empty texts where it has none.
    cap : Montage
        The montage asked for, e.g. ``load_montage("10-20")``.
    bads : collection of str
        Stream labels or electrodes to treat as absent.
    ch_types : sequence of str
        The stream's channel types, where it sends them; see `plan_channels`.
    reference : str
        The electrode that the stream is referenced to, where it says so; see `plan_channels`.

    Returns
    -------
    Montage
        `cap` with the channels that need no interpolation, in its order; itself if that is all.

    Raises
    ------
    NeuriptError
        If the stream has none of the montage's channels.
    """
    plain = cap if cap.reference == "bipolar" else cap.with_reference("as recorded")
    plan = draft_plan(ch_names, plain, cap, bads=bads, ch_types=ch_types, reference=reference)
    measured = [name for name, error in zip(cap.ch_names, plan.expected_error, strict=True) if error == 0]
    if not measured:
        raise NeuriptError(plan.problems[0])
    return cap if len(measured) == cap.n_chans else cap.pick(measured)


class _Planner:
    """Puts the pieces together for one model and one stream."""

    def __init__(self, model: Montage, cap: Montage | None, reading: Reading, max_interpolated: float) -> None:
        self.model = model
        self.reading = reading
        self.max_interpolated = max_interpolated
        self.n_stream = len(reading.channels)
        self.graph = StreamGraph(reading.edges(), reading.references(), self.n_stream)
        self.positions = _known_positions(model, cap)
        absolute = model.reference == "as recorded"
        rows = self.graph.potentials(REFERENCE if absolute else self.graph.main_root())
        self.rows = {
            electrode: row
            for electrode, row in rows.items()
            # against the recording's reference, that electrode itself reads nothing but zero
            if electrode != REFERENCE and (np.any(row) or not absolute)
        }
        self.direct = self._direct_rows()
        self.missing = self._missing_electrodes()
        self.weights = self._estimation_weights()

    def plan(self) -> ChannelPlan:
        matrix = self._matrix()
        electrode_error, channel_error = self._errors()
        entries = self._entries(electrode_error, channel_error)
        return ChannelPlan(
            model=self.model,
            ch_names=tuple(c.label for c in self.reading.channels),
            entries=(*entries, *self._ignored(matrix)),
            matrix=matrix,
            expected_error=channel_error,
            problems=tuple(self._problems()),
            notes=tuple(self._notes()),
        )

    def _direct_rows(self) -> dict[int, NDArray[np.float64]]:
        """Return the pairs of the model that the stream's own channels add up to."""
        rows: dict[int, NDArray[np.float64]] = {}
        if self.model.reference != "bipolar":
            return rows
        for c, weights in enumerate(self.model.derivation):
            first = self.model.electrodes[int(np.argmax(weights))]
            second = self.model.electrodes[int(np.argmin(weights))]
            row = self.graph.potentials(second).get(first)
            if row is not None:
                rows[c] = row
        return rows

    def _missing_electrodes(self) -> list[str]:
        needed = np.any(self.model.derivation[[c not in self.direct for c in range(self.model.n_chans)]] != 0, axis=0)
        return [
            electrode
            for electrode, is_needed in zip(self.model.electrodes, needed, strict=True)
            if is_needed and electrode not in self.rows
        ]

    def _estimation_weights(self) -> dict[str, dict[str, float]]:
        """Return missing electrode -> known electrode -> weight; empty when too little is known."""
        sources = [e for e in self.rows if e in self.positions and e not in EARS]
        wanted = [e for e in self.missing if e in self.positions]
        if len(sources) < MIN_SOURCES or not wanted:
            return {}
        matrix = interpolation_matrix([self.positions[e] for e in sources], [self.positions[e] for e in wanted])
        return {
            electrode: dict(zip(sources, map(float, row), strict=True))
            for electrode, row in zip(wanted, matrix, strict=True)
        }

    def _row(self, electrode: str) -> NDArray[np.float64]:
        """Return the stream weights of one electrode, known or estimated."""
        if electrode in self.rows:
            return self.rows[electrode]
        row = np.zeros(self.n_stream)
        for source, weight in self.weights.get(electrode, {}).items():
            row += weight * self.rows[source]
        return row

    def _matrix(self) -> NDArray[np.float64]:
        model = self.model
        electrodes = np.array([self._row(e) for e in model.electrodes])
        matrix = model.derivation @ electrodes.reshape(len(model.electrodes), self.n_stream)
        for c, row in self.direct.items():
            matrix[c] = row
        # numbers that only rounding keeps from zero would tie channels together for nothing
        matrix[np.abs(matrix) < 1e-12] = 0.0
        return np.asarray(matrix)

    def _errors(self) -> tuple[dict[str, float], NDArray[np.float64]]:
        """Return the expected error of each missing electrode, and of each model channel."""
        model = self.model
        if not self.missing:
            return {}, np.zeros(model.n_chans)
        if any(electrode not in self.weights for electrode in self.missing):
            lost = {e: 1.0 for e in self.missing if e not in self.weights}
            needs = model.derivation[:, [e in lost for e in model.electrodes]] != 0
            return lost, np.where(np.any(needs, axis=1), 1.0, 0.0)
        places = list(dict.fromkeys([*model.electrodes, *self.weights[self.missing[0]]]))
        column = {electrode: i for i, electrode in enumerate(places)}
        estimate = np.zeros((len(model.electrodes), len(places)))
        wanted = np.zeros_like(estimate)
        for e, electrode in enumerate(model.electrodes):
            wanted[e, column[electrode]] = 1.0
            for source, weight in self.weights.get(electrode, {electrode: 1.0}).items():
                estimate[e, column[source]] = weight
        pos_m = np.array([self.positions[electrode] for electrode in places])
        per_electrode = expected_error(estimate, wanted, pos_m)
        channels = expected_error(model.derivation @ estimate, model.derivation @ wanted, pos_m)
        channels[list(self.direct)] = 0.0
        errors = dict(zip(model.electrodes, map(float, per_electrode), strict=True))
        return {electrode: errors[electrode] for electrode in self.missing}, channels

    def _entries(self, electrode_error: dict[str, float], channel_error: NDArray[np.float64]) -> list[PlanEntry]:
        """Return a line per electrode, or per pair where the stream itself carries pairs."""
        model = self.model
        if not self.reading.carries_pairs() or model.reference != "bipolar":
            return [
                self._missing_entry(e, electrode_error[e])
                if e in electrode_error
                else self._found_entry(e, self._row(e))
                for e in model.electrodes
            ]
        entries = []
        for c, name in enumerate(model.ch_names):
            if c in self.direct:
                entries.append(self._found_entry(name, self.direct[c]))
            else:
                lost = [e for e in split_pair(name) or () if e in electrode_error]
                known = all(e in self.weights for e in lost)
                status = "interpolated" if known else "missing"
                note = f"without {' and '.join(lost)}; {_cost(float(channel_error[c]))}"
                entries.append(PlanEntry(name, status, "", note, float(channel_error[c])))
        return entries

    def _found_entry(self, name: str, row: NDArray[np.float64]) -> PlanEntry:
        indices = np.flatnonzero(row)
        labels = [self.reading.channels[i].label or f"channel {i + 1}" for i in indices]
        if not labels:
            return PlanEntry(name, "exact", "", "the reference of the recording: zero")
        if len(labels) == 1 and row[indices[0]] > 0:
            return PlanEntry(name, "exact" if labels[0] == name else "renamed", labels[0])
        if len(labels) == 1:
            return PlanEntry(name, "renamed", labels[0], "the other way round: sign changed")
        signs = ["-" if row[i] < 0 else "+" for i in indices]
        terms = " ".join(f"{s} {label}" for s, label in zip(signs, labels, strict=True))
        return PlanEntry(name, "exact", terms.removeprefix("+ "), "computed from the stream's pairs")

    def _missing_entry(self, electrode: str, error: float) -> PlanEntry:
        weights = self.weights.get(electrode)
        if weights is None:
            return PlanEntry(electrode, "missing", "", "not in the stream", 1.0)
        nearest = sorted(weights, key=lambda e: -abs(weights[e]))[:4]
        note = f"from {', '.join(nearest)}{', ...' if len(weights) > 4 else ''}; {_cost(error)}"
        return PlanEntry(electrode, "interpolated", "", note, error)

    def _ignored(self, matrix: NDArray[np.float64]) -> list[PlanEntry]:
        used = np.any(matrix != 0, axis=0)
        return [
            PlanEntry(
                "",
                "ignored",
                channel.label or f"channel {channel.index + 1}",
                channel.reason or "not needed by the model",
            )
            for channel in self.reading.channels
            if channel.reason or not used[channel.index]
        ]

    def _notes(self) -> list[str]:
        notes = list(self.reading.notes)
        references = sorted(self.reading.references())
        if references:
            notes.append(f"note: the stream is referenced to {' and '.join(references)}")
        return notes

    def _problems(self) -> list[str]:
        if self.reading.problem:
            return [self.reading.problem]
        model, labels = self.model, [c.label for c in self.reading.channels]
        if not self.reading.good():
            return [
                f"none of the stream's channels ({_some(labels)}) names an electrode that montage "
                f"{model.name} needs ({_some(model.electrodes)}); name the cap with --montage"
            ]
        if self.reading.carries_pairs() and model.reference == "as recorded" and not self.rows:
            return [
                f"the stream carries bipolar pairs ({_some(labels)}), but montage {model.name} needs "
                f"single electrodes ({_some(model.electrodes)}); send the referential channels, or "
                "calibrate a model on these pairs"
            ]
        return self._too_much_missing()

    def _too_much_missing(self) -> list[str]:
        model = self.model
        missing = [electrode for electrode in self.missing if electrode not in model.estimated]
        if not missing:
            return []
        n_missing, n_all = len(missing), len(set(model.electrodes) - set(model.estimated))
        head = (
            f"the stream has {n_all - n_missing} of the {n_all} electrodes that montage "
            f"{model.name} needs; missing {_some(missing, 8)}"
        )
        advice = "use a cap that has them, or calibrate a model for this cap"
        problems = []
        empty = self._empty_lobes()
        if empty:
            lobes = ", ".join(empty)
            problems.append(f"{head}: nothing measured remains for the lobe{'s'[: len(empty) > 1]} {lobes}; {advice}")
        if n_missing > self.max_interpolated * n_all:
            problems.append(f"{head}: at most {self.max_interpolated:.0%} may be interpolated; {advice}")
        if not problems and any(e not in self.weights for e in missing):
            problems.append(f"{head}: too little is known to interpolate them; {advice}")
        return problems

    def _empty_lobes(self) -> list[str]:
        absent = [e in self.missing for e in self.model.electrodes]
        # an average reference touches every electrode; what counts is the channel's own
        own = np.eye(self.model.n_chans) if self.model.reference != "bipolar" else (self.model.derivation)
        estimated = np.any(own[:, absent] != 0, axis=1)
        estimated[list(self.direct)] = False
        never = {c for c, name in enumerate(self.model.ch_names) if name in self.model.estimated}
        needed = {lobe: [c for c in indices if c not in never] for lobe, indices in self.model.lobes.items()}
        return [lobe for lobe, indices in needed.items() if indices and np.all(estimated[indices])]


def _known_positions(model: Montage, cap: Montage | None) -> dict[str, NDArray[np.float64]]:
    known = {name: np.array(xyz) for name, xyz in template_positions().items()}
    for montage in (cap, model):
        if montage is not None:
            known |= dict(zip(montage.electrodes, montage.electrode_pos_m, strict=True))
    return known


def _cost(error: float) -> str:
    verdict = ", little better than nothing" if error > 0.85 else ""
    return f"expected error {error:.0%} of the signal{verdict}"


def _some(names: Sequence[str], limit: int = 6) -> str:
    shown = [name or "(none)" for name in names[:limit]]
    more = f", {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(shown) + more
