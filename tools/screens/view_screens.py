"""`neuript view` on the twin: good, bad, without names and unit, with 64 channels, and gone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from qtpy.QtCore import QSize
from qtpy.QtGui import QImage

from neuript.montages import load_montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo
from neuript.realtime.dashboard.theme import THEMES
from neuript.realtime.live.signal_watch import SignalWatch
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import Device
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import twin_info
from neuript.realtime.view.qt.signal_window import SignalWindow
from neuript.realtime.view.signal_client import SignalClient
from neuript.realtime.view.signal_model import spectrum_of, what_to_type
from screens.dashboard_screens import pictured
from screens.shots import BOTH, Screen, once

SECONDS = 16.0
VIEWS = {
    "good": ("openbci-8", "", True),
    "bad": ("openbci-16", "flat:C3@0:99,mains:P4@0:99:150", True),
    "unnamed": ("openbci-8", "", False),
    "64": ("biosemi-64", "flat:C3@0:99,rail:Fp1@0:99", True),
    "gone": ("openbci-8", "", True),
}


@once
def heard(cap: str, faults: str, named: bool) -> tuple[SignalInfo, list[Chunk]]:
    """Return what a stream of the twin sends."""
    signal = TwinSignal(load_montage(cap), 250.0, seed=4)
    steps = Device(signal, faults=parse_faults(faults)).steps()
    packets = [step for step in (next(steps) for _ in range(round(SECONDS / 0.02))) if isinstance(step, Packet)]
    info = twin_info(signal)
    if not named:
        nothing = ("",) * len(info.ch_names)
        info = replace(info, ch_names=nothing, units=nothing, positions_m={}, name="obci_eeg1")
    return info, [Chunk(p.data, p.stamps_s, pulled_at=p.due_s) for p in packets]


def client_of(what: str, now: float) -> SignalClient:
    """Return a client that has heard such a stream until `now` on the LSL clock."""
    info, chunks = heard(*VIEWS[what])
    client, watch = SignalClient(info, "type='EEG'"), SignalWatch(info)
    model, zero = client.model, now - chunks[-1].pulled_at - (5.0 if what == "gone" else 0.0)
    model.connect_eeg(replace(info, ch_names=watch.worn.trace_names))
    model.keep_saying("names", what_to_type(watch.worn, None))
    for chunk in chunks:
        stamps = chunk.timestamps + zero
        model.add_eeg(chunk.data, stamps, chunk.pulled_at + zero)
        if (check := watch.add(chunk.data, stamps)) is not None:
            model.take_check(check, spectrum_of(watch.recent(), info.sfreq, check))
    if what == "gone":
        model.disconnect_eeg()
    return client


def view(what: str, size: QSize, theme: str) -> QImage:
    now = lsl_clock()
    return pictured(SignalWindow(client_of(what, now), THEMES[theme], clock=lambda: now), size)


def screens() -> list[Screen]:
    return [Screen(f"view-{what}", partial(view, what), BOTH, shows=what) for what in VIEWS]
