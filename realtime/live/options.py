"""What a live session is asked to do; checked when built."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.lsl.stream_choice import stream_predicate
from neuript.realtime.recordings.given_channels import parse_channels
from neuript.specs import MaybeInfinite


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """Settings of `neuript live`, from the command line and `--config`."""

    model: str | None = None
    """Model file (.ts); None only with `demo`."""
    population: str | None = None
    """In place of `model`: a file of `neuript-train population`, or "shipped"; it decodes somebody of whom nothing is
    known."""
    montage: str | None = None
    """What is on the head: name or file; gives labels where the stream has none."""
    channels: tuple[str, ...] | None = None
    """Names of the EEG's channels in order, "-" for one to leave out; None takes what the stream says."""
    stream: str | None = None
    """Name (or source id, or type) of the stream, or an LSL predicate such as `name="X"`."""
    source_id: str | None = None
    """Source id of the stream."""
    wait_s: float = 5.0
    """Seconds to wait for the stream to appear."""
    give_up_s: float = 30.0
    """Seconds for which a lost stream is waited for before the session ends (exit code 4)."""
    follow: Literal["restarts", "any"] = "restarts"
    """Who is taken in place of a lost stream: its sender started again on the same computer, or on any."""
    pin: bool = False
    """Keep to the very stream that was found; another instance of it is never taken."""
    max_age_s: float = 1.0
    """Age in seconds of a window's newest sample above which it commands nothing."""
    sfreq: float | None = None
    """True rate of the EEG in Hz, where a wrong one is declared; None believes what is declared, if the stamps do."""
    unit: str | None = None
    """Unit of the samples, where the stream is silent or wrong."""
    mains: float | None = None
    """Mains frequency in Hz, 50 or 60; 0 means no notch, None what the model says, and else what is measured."""
    hop_s: float | None = None
    """Seconds between decisions; None = as the model says."""
    threshold: float | None = None
    """Evidence at which a class is committed; None = as the model says."""
    alignment: Literal["moving", "frozen", "new"] = "moving"
    """Where windows are seen from: the person's running mean, beginning with the calibration's ("moving"), the
    calibration's alone ("frozen"), or the running mean of this stream, from its first half minute on ("new")."""
    replay: str | None = None
    """Decode this recording instead of a stream, without LSL."""
    eeg: str | None = None
    """With `replay`: name, source id or type of the recording's stream to take as EEG, if its type does not say so or
    there are several."""
    speed: MaybeInfinite = math.inf
    """Replay speed; infinity = as fast as it goes."""
    demo: bool = False
    """Decode the digital twin with the model shipped with the package."""
    network: bool = False
    """With `demo`: other computers see its streams; without, they stay on this one."""
    seed: int = 1
    """Seed of the demo's simulated person."""
    headless: bool = False
    """No dashboard."""
    console: bool = False
    """Dashboard on the console even where there is a display."""
    json: bool = False
    """One line of JSON per decision on stdout."""
    stim: bool = False
    """Also publish GDF codes on LSL (OpenViBE)."""
    duration_s: float | None = None
    """Seconds of signal after which to end; None goes on until the stream ends."""
    report: str | None = None
    """Write latency, states and settings to this JSON file at the end."""
    record: str | None = None
    """Record EEG, markers and predictions to this new XDF file."""
    device: str = "cpu"
    """`cpu`, `cuda` or `auto`."""
    engine: str = "auto"
    """What computes the network, one of `neuript.engines.ladder.ENGINE_NAMES`; `auto` is the fastest that is there."""
    threads: int | None = None
    """CPU threads of the network; None = by its size."""
    trust: bool = False
    """Load a model file of neuript 0.1, which is a program, and remember that."""
    classes: tuple[str, ...] | None = None
    """Refuse a model that tells apart other classes."""

    def __post_init__(self) -> None:
        specs.check_types(self)
        _check_positive(self, "wait_s", "give_up_s", "max_age_s", "speed")
        _check_positive(self, "hop_s", "sfreq", "duration_s", "threads", optional=True)
        if self.model is None and self.population is None and not self.demo:
            raise NeuriptError(
                "--model FILE is needed: a model made by neuript-calibrate "
                "(or try `neuript-live --demo`, which needs nothing)"
            )
        if self.population is not None and (self.model is not None or self.demo):
            raise NeuriptError(
                "--population decodes by what earlier people say; leave it out where there is a model (a calibration "
                "can begin with it: neuript-calibrate --population)"
            )
        if self.demo and (self.replay or self.stream or self.source_id):
            raise NeuriptError("--demo brings its own stream; leave out --replay and --stream")
        if self.replay and (self.stream or self.source_id):
            raise NeuriptError(
                "--replay reads a file; leave out --stream and --source-id (--eeg chooses a stream of the file)"
            )
        if self.eeg is not None and self.replay is None:
            raise NeuriptError("--eeg chooses a stream of the recording given with --replay; live, use --stream")
        self._refuse_what_does_nothing()
        if self.replay and self.record:
            raise NeuriptError("--record records what is on LSL; with --replay nothing is, so leave it out")
        if self.pin and self.follow == "any":
            raise NeuriptError(
                "--pin keeps to one instance of the stream and --follow any to none; leave one of them out"
            )
        if self.stream is not None:
            stream_predicate(self.stream)
        if self.mains not in (None, 0.0, 50.0, 60.0):
            raise NeuriptError(f"--mains {self.mains:g} must be 50, 60 or 0 (no notch)")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise NeuriptError(f"--threshold {self.threshold} must be above 0 and at most 1")

    def _refuse_what_does_nothing(self) -> None:
        """Refuse options that this way of running would ignore."""
        if self.replay is None and self.speed != LiveOptions.speed:
            raise NeuriptError(
                f"--speed {self.speed:g} is the speed of a --replay; a live stream has its own: leave it out"
            )
        if not self.demo and self.network:
            raise NeuriptError("--network opens the --demo to other computers; a live decoder is open: leave it out")
        if not self.demo and self.seed != LiveOptions.seed:
            raise NeuriptError("--seed chooses the person of the --demo; without it leave it out")
        if self.replay is not None:
            nothing = {"stim": self.stim, "console": self.console, "pin": self.pin}
            nothing |= {name: getattr(self, name) != getattr(LiveOptions, name) for name in _LIVE_ONLY}
            if ignored := [name for name, is_given in nothing.items() if is_given]:
                option = ignored[0].removesuffix("_s").replace("_", "-")
                raise NeuriptError(f"--{option} is for a live stream; with --replay nothing is on LSL, so leave it out")
        if self.demo and (self.montage or self.channels or self.unit or self.sfreq):
            raise NeuriptError("--demo knows its own cap and unit; leave out --montage, --channels, --sfreq and --unit")
        if self.headless and self.console:
            raise NeuriptError("--headless shows no dashboard and --console shows one; leave one of them out")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> LiveOptions:
        """Build from plain values (a YAML file and parsed arguments).

        `speed` may also be a text, a number or `max`, and `classes` one text with commas.

        Raises
        ------
        NeuriptError
            If a setting is unknown or its value is not allowed.
        """
        given = dict(values)
        if isinstance(speed := given.get("speed"), str):
            given["speed"] = _speed(speed)
        if isinstance(channels := given.get("channels"), str):
            given["channels"] = parse_channels(channels)
        if isinstance(names := given.get("classes"), str):
            given["classes"] = [name.strip() for name in names.split(",")]
        return specs.from_dict(cls, given, "the settings")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the report; infinity becomes the word `max`."""
        return {k: "max" if v == math.inf else v for k, v in specs.to_dict(self).items()}

    @property
    def sha256(self) -> str:
        """Hash of what changes the decisions (not of where they are shown or written)."""
        shown = {
            "headless",
            "console",
            "json",
            "report",
            "record",
            "duration_s",
            "wait_s",
            "replay",
            "speed",
            "network",
        }
        kept = {k: v for k, v in self.to_dict().items() if k not in shown}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


_LIVE_ONLY = ("wait_s", "give_up_s", "follow", "max_age_s")


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        return float(text)
    except ValueError as error:
        raise NeuriptError(f"speed={text!r} must be a number or `max`") from error


def _check_positive(options: LiveOptions, *names: str, optional: bool = False) -> None:
    for name in names:
        value = getattr(options, name)
        if optional and value is None:
            continue
        if math.isnan(value) or value <= 0:
            flag = name.removesuffix("_s").replace("_", "-")
            raise NeuriptError(f"--{flag} {value} must be larger than 0")
