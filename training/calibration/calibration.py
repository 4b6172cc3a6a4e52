"""Calibration: recordings of one person in, a decoder for this person out (`neuript.calibrate`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from neuript.errors import NeuriptError
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.controls import run_controls
from neuript.training.calibration.fitted_decoder import FittedDecoder, fit_decoder
from neuript.training.calibration.from_people import calibrate_from_people
from neuript.training.calibration.frozen_network import EncoderFile, build_frozen
from neuript.training.calibration.held_out import ReportStep
from neuript.training.calibration.operating_point import OperatingPoint, choose_operating_point, held_out_rows
from neuript.training.calibration.to_model import CalibrationResult, to_model
from neuript.training.fitting.policy_scan import Rows
from neuript.training.population.population_file import load_population
from neuript.training.windows.dataset import Dataset, Recordings, build_dataset, one_or_more, read_each
from neuript.weights import population_file

MAX_THREADS = 4
"""More threads of PyTorch than this wait for each other in a network of this size."""


def calibrate(
    recordings: Recordings,
    spec: CalibrationSpec,
    *,
    say: Callable[[str], None] | None = None,
    progress: ReportStep | None = None,
) -> CalibrationResult:
    """Make a decoder for one person from recordings of cued trials.

    The windows are cut by the very chain that runs live. Every accuracy of the result comes from blocks of trials that
    the decoder had not seen, with plain baselines on the same trials beside it (`docs/method.md`).

    Parameters
    ----------
    recordings : str, Path, Recording or sequence of these
        Files of any format that `read_recording` knows, or recordings that are already read, in order of time; one by
        itself counts as one.
    spec : CalibrationSpec
        Settings: montage, the marker of each class, window, and how the decoder is fitted.
    say : callable, optional
        Takes a sentence at a time: what was found in the recordings, before the fitting begins.
    progress : callable, optional
        Called with what is being fitted, steps done, and steps in all.

    Returns
    -------
    CalibrationResult
        Scores, figures and notes; `result.save("mi.ts")` writes the model file, and `neuript.report(result,
        "report.html")` what is to be known of it.

    Raises
    ------
    NeuriptError
        For an unreadable file, a class without trials, too few trials, channels that do not fit, unknown units,
        windows that are too short, an encoder that does not exist or has seen the recordings.

    Examples
    --------
    >>> spec = CalibrationSpec(event_map={"left_hand": "769", "right_hand": "770"})
    >>> result = calibrate(["run2.xdf", "run3.xdf"], spec)  # doctest: +SKIP
    >>> result.save("mi.ts")  # doctest: +SKIP
    """
    began = time.monotonic()
    tell = say or (lambda _text: None)
    given = one_or_more(recordings)
    tell(f"reading {len(given)} recording{'' if len(given) == 1 else 's'}")
    read = read_each(given, eeg=spec.eeg, channels=spec.channels, sfreq=spec.stream_sfreq)
    if not spec.event_map and (spec := spec.completed(read)).event_map:
        tell(f"the recordings say their classes themselves: {', '.join(spec.event_map)}")
    if spec.population is not None:
        data, decoder = calibrate_from_people(read, spec, load_population(population_file(spec.population)), tell)
        rows = held_out_rows(data, decoder) if decoder.blocks else []
        point = operating_point(rows, data, decoder, spec)
        controls = run_controls(data, decoder.blocks) if decoder.blocks else ()
        return to_model(data, decoder, point, controls, spec, read, time.monotonic() - began, rows)
    encoder = EncoderFile.load(spec.network)
    if encoder is not None and encoder.has_seen([recording.path for recording in read]):
        if spec.network != "pretrained":
            raise NeuriptError(
                f"--network {spec.network} was trained on one of these recordings, so every accuracy would be too "
                "good; take an encoder that has not seen this person, or --network none"
            )
        tell("the shipped network was trained on one of these recordings and is left out")
        encoder = None
    if encoder is not None and spec.alignment is not None:
        spec = replace(spec, alignment=encoder.alignment())
    data = build_dataset(read, spec, keep_hops=True)
    for sentence in (data.describe(), *data.notes):
        tell(sentence)
    decoder = fit_alone(data, encoder, n_folds=spec.n_folds, progress=progress)
    with _few_threads():
        rows = held_out_rows(data, decoder)
        point = operating_point(rows, data, decoder, spec)
        controls = run_controls(data, decoder.blocks)
    return to_model(data, decoder, point, controls, spec, read, time.monotonic() - began, rows)


def fit_alone(
    data: Dataset, encoder: EncoderFile | None, *, n_folds: int = 4, progress: ReportStep | None = None
) -> FittedDecoder:
    """Fit a person's decoder without earlier people, and judge it on blocks of trials that it had not seen."""
    with _few_threads():
        network = None if encoder is None else build_frozen(encoder, data)
        return fit_decoder(data, network, n_folds=n_folds, report=progress)


def operating_point(
    rows: Sequence[Rows], data: Dataset, decoder: FittedDecoder, spec: CalibrationSpec
) -> OperatingPoint | None:
    """Choose threshold and dwell on held-out decisions; None where no trial could be held out."""
    if not rows:
        return None
    manifest = data.manifest
    return choose_operating_point(
        rows,
        decoder.policy(manifest.policy),
        manifest.classes,
        manifest.hop_s,
        duration_s=spec.epoch_s[1],
        max_false_per_minute=spec.max_false_per_minute,
        people=decoder.commands,
    )


@contextmanager
def _few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, MAX_THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)
