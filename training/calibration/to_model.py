"""From a fitted decoder to a sealed model file: figures, provenance, manifest, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import PRIVATE_FILE, file_sha256
from neuript.modelfile.deployable import save_model
from neuript.modelfile.manifest import Manifest, provenance
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.controls import Control
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder
from neuript.training.calibration.operating_point import OperatingPoint
from neuript.training.calibration.unnamed import recording_alias, unnamed
from neuript.training.fitting.policy_scan import Rows
from neuript.training.windows.dataset import Dataset
from neuript.weights import population_file


@dataclass(frozen=True, eq=False, slots=True)
class CalibrationGrounds:
    """What the figures of a calibration rest on, for its report.

    Attributes
    ----------
    data : Dataset
        Labelled windows, with the recordings that they come from.
    rows : tuple of Rows
        Held-out decisions over each of these recordings, hop by hop; none where no trial could be held out.
    spec : CalibrationSpec
        Settings of the windows and of the fit.
    """

    data: Dataset
    rows: tuple[Rows, ...]
    spec: CalibrationSpec


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """A decoder for one person, what is known of its accuracy, and the model file that it becomes.

    Attributes
    ----------
    decoder : FittedDecoder
        The module and its held-out scores.
    manifest : Manifest
        All that the model file says beside its weights.
    counts : dict of str to int
        Trials with a window, per class.
    notes : tuple of str
        Remarks for the user, a sentence each: channels left out, trials without a window.
    operating_point : OperatingPoint or None
        When it commands, and how often it does so at rest; None where no trial could be held out.
    controls : tuple of Control
        What could be decoded without the imagery; none where no trial could be held out.
    grounds : CalibrationGrounds or None
        What the figures rest on. It holds the recordings, so they stay in memory as long as the result does.
    """

    decoder: FittedDecoder
    manifest: Manifest
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    operating_point: OperatingPoint | None = None
    controls: tuple[Control, ...] = ()
    grounds: CalibrationGrounds | None = None

    @property
    def scores(self) -> dict[str, ScoreCard]:
        """Held-out score of every decoder, plain baselines included, all on the same trials."""
        return self.decoder.scores

    @property
    def published(self) -> ScoreCard | None:
        """Held-out score of the stack, which is what the model file holds; None with too few trials for it."""
        return self.decoder.scores.get(STACK)

    @property
    def weights(self) -> tuple[float, float]:
        """Weights of the network and of the Riemannian branch in the stack; 0 for one that is left out."""
        return self.decoder.weights

    @property
    def n_trials(self) -> int:
        """Number of trials of all classes."""
        return sum(self.counts.values())

    @property
    def figures(self) -> Mapping[str, Any]:
        """All figures as plain JSON values, as they stand in the model file."""
        return self.manifest.metrics

    def save(self, path: str | Path) -> Manifest:
        """Write the sealed model file `path` (NAME.ts) for `neuript-live`, and return its manifest.

        The golden vectors inside are made up: no EEG of the person is in the file. Only its owner may read it.

        Raises
        ------
        NeuriptError
            If the file cannot be written; an old one is kept.
        """
        return save_model(path, self.decoder.module, self.manifest, mode=PRIVATE_FILE)


def to_model(
    data: Dataset,
    decoder: FittedDecoder,
    point: OperatingPoint | None,
    controls: Sequence[Control],
    spec: CalibrationSpec,
    recordings: Sequence[Recording],
    seconds: float,
    rows: Sequence[Rows] = (),
) -> CalibrationResult:
    """Complete the draft manifest of a data set with the decoder, its figures, and where both come from.

    Parameters
    ----------
    data : Dataset
        Windows, their trials and the draft manifest.
    decoder : FittedDecoder
        The module fitted on `data`, with its held-out scores.
    point : OperatingPoint or None
        When it commands; None keeps the policy of the draft.
    controls : sequence of Control
        What could be decoded without the imagery.
    spec : CalibrationSpec
        Settings of the windows and of the fit.
    recordings : sequence of Recording
        What the windows were cut from.
    seconds : float
        Duration of the calibration in seconds.
    rows : sequence of Rows
        Held-out decisions over the recordings, which the report reads.
    """
    notes = unnamed(data.notes, recordings)
    manifest = replace(
        data.manifest,
        model=decoder.describe(),
        policy=(decoder.policy(data.manifest.policy) if point is None else point.policy).to_dict(),
        provenance=provenance(
            data=[recording_alias(number, recording) for number, recording in enumerate(recordings, 1)],
            recordings=[recording_sha256(r.path) for r in recordings if r.path.is_file()],
            simulated=decoder.simulated,
            counts=data.counts,
            subject=spec.subject,
            config_file_sha256=spec.config_file_sha256,
            **({} if spec.eeg is None else {"eeg": spec.eeg}),
            **_people(decoder, spec),
        ),
        metrics={
            **decoder_figures(decoder),
            "controls": {control.name: control.to_dict() for control in controls},
            "operating_point": None if point is None else point.to_dict(),
            "trials": data.counts,
            "windows": len(data.x),
            "channels": list(data.montage.ch_names),
            "notes": list(notes),
            "seconds": round(seconds, 1),
        },
    )
    grounds = CalibrationGrounds(data, tuple(rows), spec)
    return CalibrationResult(decoder, manifest, data.counts, notes, point, tuple(controls), grounds)


def _people(decoder: FittedDecoder, spec: CalibrationSpec) -> dict[str, Any]:
    """Whom the decoder began with, for the provenance."""
    if spec.population is None:
        return {}
    try:
        population = file_sha256(population_file(spec.population))
    except (NeuriptError, OSError):  # it is gone since it was read
        population = "unknown"
    return {"people": list(decoder.people), "population": population}


def decoder_figures(decoder: FittedDecoder) -> dict[str, Any]:
    """Figures of the cross-validation as plain JSON values."""
    return {
        "protocol": "blocked cross-validation over contiguous blocks of trials; unit: trial",
        "decoders": {name: _card_figures(card, decoder.nll.get(name)) for name, card in decoder.scores.items()},
        "stack_weights": {"network": round(decoder.weights[0], 4), "riemannian": round(decoder.weights[1], 4)},
    }


def _card_figures(card: ScoreCard, nll: float | None) -> dict[str, Any]:
    low, high = card.interval
    figures: dict[str, Any] = {
        "accuracy": round(card.accuracy, 4),
        "balanced_accuracy": round(card.balanced_accuracy, 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "n_trials": card.n_trials,
        "chance_bound_5": round(card.bound, 4),
    }
    return figures if nll is None else {**figures, "nll_per_trial": round(nll, 4)}
