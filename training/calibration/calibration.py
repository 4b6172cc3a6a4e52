"""Calibration: recordings of one person in, a decoder for this person out (`neuript.calibrate`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.dataset import Recordings, build_dataset, one_or_more, read_each
from neuript.training.calibration.fitted_decoder import fit_decoder
from neuript.training.calibration.held_out import NETWORK, TANGENT, ReportStep
from neuript.training.calibration.starting_point import starting_point
from neuript.training.calibration.to_model import CalibrationResult, to_model
from neuript.training.fitting.top_blocks import FinetuneSpec

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
        Scores, figures and notes; `result.save("mi.ts")` writes the model file.

    Raises
    ------
    NeuriptError
        For an unreadable file, a class without trials, too few trials, channels that do not fit, unknown units,
        windows that are too short, or a starting point that does not exist.

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
    read = read_each(given, eeg=spec.eeg)
    data = build_dataset(read, spec)
    for sentence in (data.describe(), *data.notes):
        tell(sentence)
    start = starting_point(spec.network, len(data.classes), data.x.shape[-1])
    branches = (TANGENT,) if spec.network == "none" else (NETWORK, TANGENT)
    with _few_threads():
        decoder = fit_decoder(data, start, _training(spec), n_folds=spec.n_folds, branches=branches, report=progress)
    return to_model(data, decoder, spec, read, time.monotonic() - began)


def _training(spec: CalibrationSpec) -> FinetuneSpec:
    """How the network is trained: longer and faster where it starts from random weights."""
    training = FinetuneSpec(seed=spec.seed)
    if spec.network in ("micro", "tiny"):
        training = replace(training, n_epochs=20, max_lr=1e-3)
    return training if spec.n_epochs is None else replace(training, n_epochs=spec.n_epochs)


@contextmanager
def _few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, MAX_THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)
