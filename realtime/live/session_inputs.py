"""What a live session is given: its model, and its signal from LSL or from a recording."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError
from neuript.pasteable import pasteable
from neuript.realtime.live.intake import Paced
from neuript.weights import population_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuript.modelfile.engines import Engine
    from neuript.realtime.chain.chunk import Source
    from neuript.realtime.live.demo import Demo
    from neuript.realtime.live.options import LiveOptions
    from neuript.realtime.lsl.candidates import Follow

logger = logging.getLogger(__name__)

DEMO_WAIT_S = 20.0
"""Seconds that the amplifier of a demo may take at least."""


def model_of(options: LiveOptions) -> Engine:
    """Return the model that a session decodes with, opened.

    Raises
    ------
    NeuriptError
        If there is none, or it cannot be used.
    """
    from neuript.modelfile.deployable import open_model

    population = options.population
    path = Path(str(options.model)) if population is None else population_file(population)
    if not path.exists():
        raise NeuriptError(f"there is no model file {path}")
    engine = open_model(
        path,
        device=options.device,
        engine=options.engine,
        trust=options.trust,
        threads=options.threads,
        expect_classes=options.classes,
    )
    if population is not None:
        engine.manifest.require_population(path.name)
    elif engine.manifest.is_population:
        raise NeuriptError(
            f"{path.name} is what earlier people say and nobody's own model; next: "
            + pasteable("neuript-live", "--population", path)
            + " (or make a model with neuript-calibrate --population)"
        )
    return engine


def signal_of(options: LiveOptions, demo: Demo | None, check: Callable[[], None]) -> Source:
    """Return the signal that a session decodes: an LSL stream, started, or a recording.

    Parameters
    ----------
    options : LiveOptions
        What is asked for.
    demo : Demo or None
        The amplifier of a demo.
    check : callable
        Called while a stream is looked for; may raise to end that.

    Raises
    ------
    NeuriptError
        If there is none, or it cannot be decoded.
    """
    if options.replay is not None:
        return _recorded(options, options.replay)
    from neuript.realtime.lsl.discovery import find_stream
    from neuript.realtime.lsl.inlet import LslSource
    from neuript.realtime.lsl.stream_choice import in_words, predicate_for

    predicate = predicate_for(options.stream, source_id=demo.source_id if demo else options.source_id)
    logger.info("looking for a stream %s", in_words(predicate))
    wait_s = max(options.wait_s, DEMO_WAIT_S) if demo else options.wait_s
    found = find_stream(predicate, wait_s=wait_s, on_wait=check)
    source = LslSource(
        found, give_up_s=options.give_up_s, channels=options.channels, sfreq=options.sfreq, follow=followed_by(options)
    )
    source.start()
    return source


def followed_by(options: LiveOptions) -> Follow:
    """Return who goes on with the EEG where it is lost."""
    return "never" if options.pin else options.follow


def _recorded(options: LiveOptions, path: str) -> Source:
    from neuript.realtime.recordings.read import read_recording
    from neuript.realtime.recordings.replay_source import ReplaySource

    recording = read_recording(path, eeg=options.eeg, channels=options.channels, sfreq=options.sfreq)
    if options.speed < math.inf:
        return Paced(ReplaySource(recording), options.speed)
    return ReplaySource(recording, chunk=max(32, round(recording.eeg.info.sfreq)))
