"""Which channels a data set has: the cap's that every recording holds and that are good in all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages import Montage
from neuript.montages.names import names_electrode
from neuript.realtime.recordings.channel_plan import absent_electrodes, draft_signal_plan, with_estimated
from neuript.realtime.recordings.given_channels import montage_of_names
from neuript.realtime.recordings.look import BAD_SHARE, bad_channels, called_bad, short_name, volts_per_number
from neuript.realtime.recordings.recording import Recording
from neuript.training.windows.cleaning import bad_labels
from neuript.training.windows.dataset_spec import DatasetSpec

logger = logging.getLogger(__name__)


def noted_scale(recording: Recording, unit: str | None) -> NDArray[np.float64]:
    """Return the volts per number of each stream channel, shape (n_chans,); what was taken for granted is logged."""
    found = volts_per_number(recording, unit)
    if found.note:
        logger.warning("%s: %s", short_name(recording), found.note)
    return found.scale


def montage_of_all(recordings: Sequence[Recording], spec: DatasetSpec) -> tuple[Montage, list[str]]:
    """Return the cap's channels that all recordings have and that are good in all of them, and remarks."""
    return choose_channels(recordings, [noted_scale(recording, spec.unit) for recording in recordings], spec)


def fitting_montage(
    recordings: Sequence[Recording], spec: DatasetSpec, wanted: Montage, what: str
) -> tuple[Montage, list[str]]:
    """Return the channels of an earlier model as they can be made from some recordings, or refuse.

    Parameters
    ----------
    recordings : sequence of Recording
        Recordings of one person.
    spec : DatasetSpec
        What was on the head, and the unit of the numbers.
    wanted : Montage
        Channels of the earlier model.
    what : str
        What wants them, for the sentence of a refusal.

    Returns
    -------
    Montage
        `wanted`, with the electrodes that are interpolated in some recording named as `estimated`.
    list of str
        A sentence, where there are such electrodes.

    Raises
    ------
    NeuriptError
        If too few electrodes are shared.
    """
    absent: set[str] = set()
    cap = cap_of(recordings, spec)
    for recording in recordings:
        bads = bad_labels(recording.eeg, noted_scale(recording, spec.unit))
        absent |= absent_electrodes(recording.eeg.info, wanted, cap, bads=bads)
    montage = with_estimated(wanted, absent, what)
    if not montage.estimated:
        return montage, []
    return montage, [f"estimated from the other electrodes: {', '.join(montage.estimated)}"]


def cap_of(recordings: Sequence[Recording], spec: DatasetSpec) -> Montage:
    """Return the montage of what was on the head: the given one, else what the recorder noted, else 10-20."""
    infos = [recording.eeg.info for recording in recordings]
    if spec.montage is not None or spec.channels is not None or not all(info.explained for info in infos):
        return spec.cap
    named = [name for name in infos[0].ch_names if names_electrode(name)]
    return montage_of_names(named) if len(named) > 1 else spec.cap


def choose_channels(
    recordings: Sequence[Recording], scales: Sequence[NDArray[np.float64]], spec: DatasetSpec
) -> tuple[Montage, list[str]]:
    """Return the cap's channels that every recording has and that are good in all of them, and remarks."""
    worn = cap_of(recordings, spec)
    cap = worn.with_reference(spec.reference) if spec.reference != "as recorded" else worn
    # electrodes are judged one by one; an average would mix the good with the bad and the missing
    plain = cap.with_reference("as recorded") if cap.reference == "average" else cap
    usable = list(cap.ch_names)
    notes = []
    for recording, scale in zip(recordings, scales, strict=True):
        info = recording.eeg.info
        plan = draft_signal_plan(info, plain, worn, max_interpolated=1.0)
        if plan.problems and not plan.matrix.any():  # nothing of it can be named; the plan says what to do
            raise NeuriptError(f"{short_name(recording)}: {plan.problems[0]}")
        measured = plan.expected_error <= 0
        bad, called = bad_channels(recording.eeg, scale), called_bad(info)
        for i, name in enumerate(cap.ch_names):
            if name not in usable:
                continue
            if not measured[i] or not plan.matrix[i].any():
                usable.remove(name)
                if recording is not recordings[0]:
                    notes.append(f"{name} is left out: {short_name(recording)} does not have it, other recordings do")
            elif called[plan.matrix[i] != 0].any():
                usable.remove(name)
                notes.append(f"{name} is left out: {short_name(recording)} calls it bad")
            elif bad[plan.matrix[i] != 0].any():
                usable.remove(name)
                notes.append(
                    f"{name} is left out: flat, stuck or not a number for more than {BAD_SHARE:.0%} of "
                    f"{short_name(recording)}"
                )
    if len(usable) < 2:
        labels = ", ".join(name or "(no label)" for name in recordings[0].eeg.info.ch_names[:20])
        raise NeuriptError(
            f"montage {cap.name} and the recordings share {len(usable)} good channels, at least 2 are needed; the "
            f"first recording has {labels}; choose another --montage"
        )
    return cap.pick(usable), notes
