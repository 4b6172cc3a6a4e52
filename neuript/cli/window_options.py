"""How recordings become windows: the options that `calibrate`, `train population` and `train evaluate` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neuript.cli.arguments import add_eeg, add_events, add_mains, add_montage, add_sfreq, add_unit, mains_hz
from neuript.cli.channel_options import add_channels, given_channels


def add_window_options(parser: argparse._ActionsContainer, montage: str) -> None:
    """Add them; `window_settings` reads them.

    Parameters
    ----------
    parser : ArgumentParser or group of one
        Where they are added.
    montage : str
        What `--montage` is about.
    """
    add = parser.add_argument
    add_events(parser)
    add_montage(parser, f"{montage} (default: what --channels or neuript record --montage said, else 10-20)")
    add_eeg(parser)
    add_channels(parser)
    add_sfreq(parser)
    add_unit(parser)
    add("--idle", metavar="CLASS", help="class that means `no command` (default: `rest`, if there is one)")
    epoch = "seconds after an event between which the person does the task (default 0.5 4.5)"
    add("--epoch", type=float, nargs=2, default=(0.5, 4.5), metavar=("FROM", "TO"), help=epoch)
    add("--window", type=float, metavar="S", help="seconds of EEG per decision (default 4, or the population's)")
    add("--hop", type=float, default=0.125, metavar="S", help="seconds between decisions (default 0.125)")
    add_mains(parser)


def window_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say, as keyword arguments of `DatasetSpec` and of the settings that extend it."""
    from neuript.files import file_sha256
    from neuript.training.windows.dataset_spec import DatasetSpec
    from neuript.training.windows.events import parse_event_map

    window_s, config = args.window, getattr(args, "config", None)
    if window_s is None and getattr(args, "population", None):
        from neuript.training.population.population_file import load_population
        from neuript.weights import population_file

        window_s = load_population(population_file(args.population)).manifest.window_s
    return {
        "event_map": parse_event_map(args.event),
        "trial_start": args.trial_start,
        "montage": args.montage,
        "eeg": args.eeg,
        "stream_sfreq": args.sfreq,
        "channels": given_channels(args),
        "unit": args.unit,
        "mains_hz": mains_hz(args.mains),
        "idle_class": args.idle,
        "epoch_s": tuple(args.epoch),
        "window_s": DatasetSpec.window_s if window_s is None else window_s,
        "hop_s": args.hop,
        "config_file_sha256": "" if config is None else file_sha256(Path(config)),
    }
