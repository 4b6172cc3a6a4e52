"""Threshold and dwell of every decoder that is compared, chosen in the same way.

The held-out decisions of each over the calibration recordings, hop by hop, go to `choose_operating_point`, as those of
`neuript-calibrate` do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuript.modelfile.manifest import Manifest
from neuript.realtime.decoding.event_scoring import GRACE_S, last_onset_s
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.operating_point import choose_operating_point, nearest_fold
from neuript.training.evaluate.pseudo_online.contestants import ALL, Contestant
from neuript.training.evaluate.pseudo_online.walks import BATCH, F64, Key, OtherDecoder, WindowBatch
from neuript.training.fitting.policy_scan import Rows
from neuript.training.population.command_evidence import CommandPrior
from neuript.training.windows.dataset import Dataset


def choose_policies(contestants: Sequence[Contestant], data: Dataset, spec: CalibrationSpec) -> dict[Key, PolicySpec]:
    """Choose threshold and dwell of each decoder from its held-out decisions over the calibration recordings.

    Parameters
    ----------
    contestants : sequence of Contestant
        The decoders.
    data : Dataset
        All calibration windows, with the recordings that they come from.
    spec : CalibrationSpec
        Bound on the false activations.

    Returns
    -------
    dict
        Policy of each, keyed by name and number of trials; the draft's where nothing was held out.
    """
    rows = held_out_decisions(contestants, data, spec.epoch_s[1])
    manifest = data.manifest
    return {
        one.key: policy_of(rows[one.key], _base(one, manifest), manifest, spec, one.commands) for one in contestants
    }


def _base(one: Contestant, manifest: Manifest) -> PolicySpec:
    """What a decoder decides by where nothing can be chosen; what earlier people advise is for the published one."""
    draft = PolicySpec.from_dict(manifest.policy)
    if one.module is None:
        usual = PolicySpec()
        draft = replace(draft, threshold=usual.threshold, release=usual.release)
    return replace(draft, gate=one.gate, centre_s=one.centre_s)


def policy_of(
    rows: Sequence[Rows],
    base: PolicySpec,
    manifest: Manifest,
    spec: CalibrationSpec,
    people: CommandPrior | None = None,
) -> PolicySpec:
    """Return the policy that held-out decisions over the calibration recordings lead to; the same way for everybody."""
    if not rows:
        return base
    point = choose_operating_point(
        rows,
        base,
        manifest.classes,
        manifest.hop_s,
        duration_s=spec.epoch_s[1],
        max_false_per_minute=spec.max_false_per_minute,
        people=people,
    )
    return point.policy


def held_out_decisions(contestants: Sequence[Contestant], data: Dataset, duration_s: float) -> dict[Key, list[Rows]]:
    """Decode the calibration recordings hop by hop, each stretch by decoders that did not see its trials.

    The recordings are run once for all decoders. A decoder of the first trials knows its recordings as far as the last
    of these.

    Parameters
    ----------
    contestants : sequence of Contestant
        The decoders.
    data : Dataset
        All calibration windows, with the recordings that they come from.
    duration_s : float
        Seconds that a task lasts after its cue.
    """
    out: dict[Key, list[Rows]] = {one.key: [] for one in contestants}
    for number, played in enumerate(data.played):
        watches = [
            _Watch(one, number, data.manifest.window_s, duration_s)
            for one in contestants
            if one.without_block and (one.blocks.recording == number).any()
        ]
        if not watches:
            continue
        hops = played.hops(data.manifest)
        for start in range(0, len(hops.end), BATCH):
            which = np.arange(start, min(start + BATCH, len(hops.end)))
            batch = WindowBatch(hops.volts(which), hops.signal(which), hops.tangent[which])
            for watch in watches:
                watch.look(batch, hops.row[which], hops.window_t[which])
        for watch in watches:
            n_outputs = len(data.classes) + watch.one.gate
            out[watch.one.key].append(watch.rows(hops.t, hops.state, played.trials, n_outputs))
    return out


class _Watch:
    """What one decoder says of one calibration recording."""

    def __init__(self, one: Contestant, number: int, window_s: float, duration_s: float) -> None:
        self.one = one
        mine = one.blocks.recording == number
        self._ends, self._folds = one.blocks.end_s[mine], one.blocks.fold[mine]
        onsets = [trial.onset_s for trial in one.trials if trial.recording == number]
        self._onsets, self._task_s = frozenset(onsets), duration_s + GRACE_S
        self._until = np.inf if one.count == ALL else max(onsets) + duration_s + window_s
        self._found: dict[int, F64] = {}

    def look(self, batch: WindowBatch, places: NDArray[np.int64], t: F64) -> None:
        """Take windows with their rows and times."""
        folds = np.where(t <= self._until, nearest_fold(t, self._ends, self._folds), -1)
        for fold in np.unique(folds[folds >= 0]):
            mine = np.flatnonzero(folds == fold)
            part = WindowBatch(batch.volts[mine], batch.signal[mine], batch.tangent[mine])
            for i, found in zip(mine, self.one.without_block[fold](part), strict=True):
                self._found[places[int(i)]] = found

    def rows(self, t: F64, states: Sequence[State], trials: Sequence[Trial], n_outputs: int) -> Rows:
        """Return the decisions as far as the decoder knows the recording."""
        n = int(np.sum(t <= self._until))
        logits = np.full((n, n_outputs), np.nan)
        for place, found in self._found.items():
            logits[place] = found
        times = t[:n]
        if self.one.count == ALL:
            return Rows(times, states[:n], logits, tuple(trials))
        for trial in trials:
            if trial.onset_s not in self._onsets:  # whose class it does not know: neither a task nor rest
                logits[(times >= trial.onset_s) & (times <= last_onset_s(trial) + self._task_s)] = np.nan
        return Rows(times, states[:n], logits, tuple(trial for trial in trials if trial.onset_s in self._onsets))


def decoders_of(contestants: Sequence[Contestant], policies: Mapping[Key, PolicySpec]) -> dict[Key, OtherDecoder]:
    """Return contestants with their policies, as they are run beside the published one."""
    return {one.key: OtherDecoder(one.logits, policies[one.key]) for one in contestants}
