"""All figures of the report of a calibration, as plain JSON values with stable keys (`docs/report.md`)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuript import __version__
from neuript.files import json_safe
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.calibration.controls import warnings_of
from neuript.training.calibration.to_model import CalibrationGrounds, CalibrationResult
from neuript.training.evaluate.pseudo_online.online_scores import event_card, figures_of
from neuript.training.report.certainty import calibration_curve, probability_course, risk_and_coverage
from neuript.training.report.cue_timing import cue_timing
from neuript.training.report.curve_of_calibration import curve_of_calibration
from neuript.training.report.decided_live import decided_live
from neuript.training.report.decoder_table import choice, decoder_table, shuffled_accuracy, today
from neuript.training.report.electrode_quality import bad_spells, quality_figures
from neuript.training.report.electrode_use import electrode_use
from neuript.training.report.held_out_trials import HeldOutTrials, held_out_trials
from neuript.training.report.rejected_trials import rejected_trials
from neuript.training.report.verdict import headline, next_steps
from neuript.training.windows.dataset import Dataset

FORMAT = 1
"""Of the JSON; a key that is renamed or means something else raises it, a key that is added does not."""


def report_figures(
    result: CalibrationResult, *, n_earlier: int = 0, cue_windows: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Measure all that the report says.

    Parameters
    ----------
    result : CalibrationResult
        As `calibrate` returned it, with its grounds.
    n_earlier, cue_windows
        As in `neuript.report`.

    Raises
    ------
    ValueError
        If the result has no grounds to be measured on.
    """
    if result.grounds is None:
        raise ValueError("the result does not say what it rests on; give one that calibrate returned")
    began = time.monotonic()
    data = result.grounds.data
    recordings = [played.recording for played in data.played]
    spells = bad_spells(data)
    figures: dict[str, Any] = {
        "format": FORMAT,
        "kind": "calibration",
        "subject": result.grounds.spec.subject,
        "task": result.manifest.task,
        "classes": list(data.classes),
        "idle_class": data.manifest.idle_class,
        "calibration": result.figures,
        **(_held_out(result, result.grounds) if result.decoder.blocks else dict.fromkeys(HELD_OUT)),
        "today": today(result.published, n_earlier),
        "live": decided_live(result.grounds, n_earlier),
        "electrodes": {"use": electrode_use(data, result.decoder), "quality": quality_figures(data, spells)},
        "controls": {
            "figures": {control.name: control.to_dict() for control in result.controls},
            "warnings": list(warnings_of(result.controls)),
        },
        "trials": {"used": result.counts, "rejected": rejected_trials(result.grounds, spells)},
        "timing": {**_timing(data), "cues": cue_timing(recordings[n_earlier:], cue_windows)},
        "provenance": _provenance(result, data),
    }
    figures["headline"] = headline(figures)
    figures["next"] = next_steps(figures)
    figures["seconds"] = {"calibration": result.figures["seconds"], "report": round(time.monotonic() - began, 2)}
    return {**json_safe(figures, n_digits=6), "calibration": json_safe(result.figures)}


HELD_OUT = (
    "decoders",
    "shuffled",
    "choice",
    "confusion",
    "course",
    "commands",
    "calibration_curve",
    "risk_coverage",
    "learning_curve",
)
"""Keys that are null where no trial could be held out."""


def _held_out(result: CalibrationResult, grounds: CalibrationGrounds) -> dict[str, Any]:
    data, decoder = grounds.data, result.decoder
    held_out = held_out_trials(grounds, decoder, PolicySpec.from_dict(result.manifest.policy))
    proba, labels = held_out.judged
    curve = curve_of_calibration(result)
    published = result.published
    assert published is not None
    return {
        "decoders": decoder_table(data, decoder),
        "shuffled": shuffled_accuracy(data, decoder),
        "choice": choice(result),
        "confusion": {"classes": list(data.classes), "table": published.confusion().tolist()},
        "course": probability_course(held_out.walks, data.classes),
        "commands": _commands(result, held_out),
        "calibration_curve": calibration_curve(proba, labels),
        "risk_coverage": risk_and_coverage(proba, labels),
        "learning_curve": None if curve is None else curve.to_dict(),
    }


def _commands(result: CalibrationResult, held_out: HeldOutTrials) -> dict[str, Any]:
    """Hits, false activations and bits of the operating point, as a pseudo-online evaluation has them."""
    figures = figures_of(held_out.walks, held_out.task)
    cards = [event_card(walk, held_out.task) for walk in held_out.walks]
    point = result.operating_point
    kept = ("events", "hits", "wrong", "missed", "hit_rate", "hit_rate_interval_95", "false_activations")
    more = ("rest_minutes", "false_per_minute", "false_per_minute_interval_95", "decoded_share")
    times = ("time_to_detect_median_s", "time_to_detect_p90_s", "time_to_detect_median_with_misses_s")
    return {
        **{name: figures[name] for name in (*kept, *more, *times)},
        "delays_s": [float(delay) for card in cards for delay in card.delays_s],
        "information": figures["information"],
        "max_false_per_minute": None if point is None else point.bound,
        "false_per_minute_upper_95": None if point is None else point.upper,
        "bound_kept": None if point is None else point.kept,
        "sentence": "" if point is None else point.describe(),
        "policy": dict(result.manifest.policy),
    }


def _timing(data: Dataset) -> dict[str, Any]:
    """How old a decision is, and how the cues follow each other."""
    manifest = data.manifest
    spec = PreprocessSpec.from_dict(manifest.preprocess)
    rates = [played.recording.eeg.info.sfreq for played in data.played]
    chains = [CausalChain(spec, played.matrix, rate) for played, rate in zip(data.played, rates, strict=True)]
    onsets = [np.array([trial.onset_s for trial in played.trials]) for played in data.played]
    apart = np.concatenate([np.diff(one) for one in onsets]) if onsets else np.empty(0)
    return {
        "window_s": manifest.window_s,
        "hop_s": manifest.hop_s,
        "sfreq_hz": {"recordings": rates, "model": manifest.sfreq},
        "filter_delay_ms": {
            f"{hz}_hz": max((1e3 * chain.group_delay_s(hz) for chain in chains), default=None) for hz in (10, 20)
        },
        "mains_hz": manifest.mains_hz,
        "cue_interval_s": None if not len(apart) else {"median": float(np.median(apart)), "least": float(apart.min())},
    }


def _provenance(result: CalibrationResult, data: Dataset) -> dict[str, Any]:
    """Where the model comes from: what its file says of it, and the files of the recordings."""
    recordings = []
    names = result.manifest.provenance.get("data", [])
    for name, played in zip(names, data.played, strict=False):
        path, eeg = played.recording.path, played.recording.eeg
        recordings.append(
            {
                "name": name,
                "sha256": recording_sha256(path) if path.is_file() else None,
                "format": played.recording.file_format,
                "channels": len(eeg.info.ch_names),
                "seconds": float(eeg.timestamps[-1] - eeg.timestamps[0]) if len(eeg) else 0.0,
            }
        )
    told: Mapping[str, Any] = result.manifest.provenance
    return {**told, "recordings": recordings, "neuript": __version__, "notes_of_calibration": list(result.notes)}
