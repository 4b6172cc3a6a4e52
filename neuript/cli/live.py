"""`neuript live`: find the EEG stream, decode, publish, show the dashboard."""

from __future__ import annotations

import argparse
from typing import Any

from neuript.cli.arguments import add_eeg, add_engine, add_sfreq, command
from neuript.cli.channel_options import add_channels
from neuript.cli.config_file import add_config, parse_with_config

_EPILOG = """\
examples:
  neuript-live --demo                                   needs nothing: simulated amplifier and person
  neuript-live --montage 10-20 --model mi.ts            the one EEG stream on the network
  neuript-live --model mi.ts --stream OpenBCI --headless --json > decisions.jsonl
  neuript-live --model mi.ts --replay session.xdf --speed max --json

exit codes: 0 done · 2 bad input or usage · 3 no matching stream · 4 stream lost and not recovered ·
            5 model refused · 6 decoded to the end, but the --record is not complete ·
            130 interrupted (everything flushed and closed)"""


def run(argv: list[str]) -> int:
    """Parse, build the options, run the session."""
    given: dict[str, Any] = vars(parse_with_config("live", build_parser(), argv))
    given.pop("config", None)

    from neuript.realtime.live.options import LiveOptions

    options = LiveOptions.from_mapping(given)

    from neuript.realtime.live.session import run_live

    return run_live(options)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    p = command(
        "neuript live",
        "Decode an EEG stream: find it on LSL, decode, publish decisions on LSL, show them.",
        _EPILOG,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    signal = p.add_argument_group("which signal")
    signal.add_argument(
        "--stream", metavar="NAME", help="name (or source id, or type) of the LSL stream, or a predicate"
    )
    signal.add_argument("--source-id", metavar="ID", help="source id of the LSL stream")
    signal.add_argument("--wait", dest="wait_s", type=float, metavar="S", help="seconds to wait for it (default 5)")
    signal.add_argument(
        "--give-up",
        dest="give_up_s",
        type=float,
        metavar="S",
        help="seconds to wait for a lost stream before ending with code 4 (default 30)",
    )
    signal.add_argument(
        "--follow",
        choices=("restarts", "any"),
        help="go on with a lost stream whose sender started again on the same computer, or on any (default restarts)",
    )
    signal.add_argument("--pin", action="store_true", help="never go on with another instance of a lost stream")
    signal.add_argument(
        "--max-age", dest="max_age_s", type=float, metavar="S", help="EEG older than this commands nothing (default 1)"
    )
    signal.add_argument("--replay", metavar="FILE", help="decode a recording instead, without LSL")
    add_eeg(signal)
    add_sfreq(signal)
    signal.add_argument("--speed", metavar="X", help="replay speed: a number or `max` (default max)")
    signal.add_argument("--demo", action="store_true", help="decode the digital twin (simulated)")
    signal.add_argument("--seed", type=int, metavar="N", help="the demo's simulated person (default 1)")
    signal.add_argument(
        "--network", action="store_true", help="let other computers see the demo (default: this one alone)"
    )
    signal.add_argument("--montage", metavar="NAME", help="what is on the head: name or YAML file")
    add_channels(signal)
    signal.add_argument("--unit", metavar="UNIT", help="unit of the samples, e.g. microvolts")
    signal.add_argument(
        "--mains", type=float, metavar="HZ", help="50, 60, or 0 for no notch (default: as in the model, else measured)"
    )
    model = p.add_argument_group("which model")
    model.add_argument("--model", metavar="FILE", help="model made by neuript-calibrate (.ts)")
    model.add_argument(
        "--population",
        metavar="FILE|shipped",
        help="no model yet: decode by what earlier people say (a file of neuript-train population)",
    )
    model.add_argument("--trust", action="store_true", help="load a model file of neuript 0.1, which is a program")
    model.add_argument("--classes", metavar="A,B", help="refuse a model for other classes")
    model.add_argument("--device", choices=("cpu", "cuda", "auto"), help="where to compute (default cpu)")
    add_engine(model)
    model.add_argument("--threads", type=int, metavar="N", help="CPU threads of the network (default: by its size)")
    model.add_argument(
        "--hop", dest="hop_s", type=float, metavar="S", help="seconds between decisions (default: as in the model)"
    )
    model.add_argument(
        "--threshold", type=float, metavar="P", help="evidence at which a class is committed (default: as in the model)"
    )
    model.add_argument(
        "--alignment",
        choices=("moving", "frozen", "new"),
        help="see windows from the person's running mean, beginning with the calibration's (moving, default), from the "
        "calibration's alone (frozen), or from this stream's own first half minute on (new)",
    )
    out = p.add_argument_group("output")
    out.add_argument("--json", action="store_true", help="one JSON line per decision on stdout")
    out.add_argument("--headless", action="store_true", help="no dashboard")
    out.add_argument("--console", action="store_true", help="dashboard on the console")
    out.add_argument("--stim", action="store_true", help="also publish GDF codes (OpenViBE)")
    out.add_argument(
        "--duration", dest="duration_s", type=float, metavar="S", help="end after S seconds (default: never)"
    )
    out.add_argument("--report", metavar="FILE", help="write latency, states and settings as JSON")
    out.add_argument("--record", metavar="FILE", help="record EEG, markers and predictions to a new XDF file")
    add_config(p)
    return p
