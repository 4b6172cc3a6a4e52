"""What a guided session shows between its trials: its words, the signal check, what a block brought."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from neuript.montages import load_montage
from neuript.realtime.live.signal_check import SignalCheck, check_signal
from neuript.realtime.paradigm.cue_commands import Command, read_command
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import Device
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import twin_info
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided import guided_words
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.refit import FittedSoFar
from screens.cue_screens import draw
from screens.shots import Screen, once
from screens.twin_calibration import CLASSES, SKILLED, twin_calibration

LISTENED_S = 12.0


@once
def checked_signal(cap: str, faults: str, named: bool) -> SignalCheck:
    """Return the check of a twin's first seconds."""
    signal = TwinSignal(load_montage(cap), 250.0, seed=2)
    steps = Device(signal, faults=parse_faults(faults)).steps()
    packets = [step for step in (next(steps) for _ in range(round(LISTENED_S / 0.02))) if isinstance(step, Packet)]
    info = twin_info(signal)
    if not named:
        info = replace(info, ch_names=("",) * len(info.ch_names), units=("",) * len(info.ch_names), positions_m={})
    import numpy as np

    data, stamps = np.concatenate([p.data for p in packets]), np.concatenate([p.stamps_s for p in packets])
    return check_signal(info, data, stamps, cap=load_montage(cap) if named else None)


def so_far(skill: float) -> FittedSoFar:
    """Return what a fit in the background brings."""
    result = twin_calibration(skill)
    shown = frozenset(range(result.n_trials))
    return FittedSoFar(shown=shown, kept=shown, model=Path("model.ts"), figures=result.figures, forecast="", problem="")


def told(do: str, words: dict[str, Any]) -> Command:
    """Return a command as the cue window reads it."""
    import json

    return read_command(json.dumps({"do": do, **words}))


def messages() -> dict[str, Any]:
    """Return the words of every screen, made when they are asked for."""
    calibration = CalibrationSpec(event_map={name: name for name in CLASSES}, network="none")
    spec = GuidedSpec(subject="S01", classes=CLASSES, calibration=calibration)
    block = partial(guided_words.block_summary, 2, spec.n_blocks)
    return {
        "welcome": lambda: guided_words.welcome(spec, practice=True),
        "preparing": guided_words.preparing,
        "after-practice": guided_words.after_practice,
        "goodbye": guided_words.goodbye,
        "result": lambda: guided_words.result_screen(twin_calibration(SKILLED)),
        "result-at-chance": lambda: guided_words.result_screen(twin_calibration(0.0)),
        "block-learning": lambda: block(lost=(), so_far=None, fitting=True),
        "block-so-far": lambda: block(lost=(), so_far=so_far(SKILLED), fitting=False),
        "block-at-chance": lambda: block(lost=(), so_far=so_far(0.0), fitting=False),
        "block-electrode-lost": lambda: block(lost=("C4", "Pz"), so_far=so_far(SKILLED), fitting=False),
    }


CHECKS = {
    "check-good": ("openbci-8", ""),
    "check-bad": ("10-20", "flat:C3@0:99,mains:P4@0:99:120"),
    "check-all-flat": ("openbci-8", "flat@0:99"),
    "check-64": ("biosemi-64", "flat:C3@0:99,rail:Fp1@0:99"),
}


def screens() -> list[Screen]:
    def message(words: Any, size: Any, theme: str) -> Any:
        return draw(told("message", words()), "", size, theme)  # type: ignore[arg-type]

    def check(cap: str, faults: str, named: bool, size: Any, theme: str) -> Any:
        words = guided_words.check_screen(checked_signal(cap, faults, named))
        return draw(told("check", words), "", size, theme)  # type: ignore[arg-type]

    found = [Screen(f"guided-{name}", partial(message, words), shows=name) for name, words in messages().items()]
    found += [Screen(f"guided-{name}", partial(check, *given, True), shows=name) for name, given in CHECKS.items()]
    return [*found, Screen("guided-check-unnamed", partial(check, "openbci-8", "", False), shows="check-unnamed")]
