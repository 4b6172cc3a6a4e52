"""`neuript view`: find the stream, check what the user says of it, and show it until the view is closed."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.modest import be_modest
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import to_volts
from neuript.realtime.dashboard.launch import View, choose_view
from neuript.realtime.dashboard.show import check_picture
from neuript.realtime.lsl.discovery import find_stream
from neuript.realtime.lsl.inlet import LslSource
from neuript.realtime.lsl.stream_choice import in_words, predicate_for, stream_predicate
from neuript.realtime.recordings.explanation import explained
from neuript.realtime.recordings.given_channels import check_channels
from neuript.realtime.view.signal_client import SignalClient

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Which signal is shown, and how."""

    stream: str | None = None
    """LSL predicate of the EEG stream."""
    source_id: str | None = None
    """Source id of the EEG stream."""
    wait_s: float = 5.0
    """Seconds to wait for it."""
    montage: str | None = None
    """What is on the head: a name or a YAML file."""
    channels: tuple[str, ...] | None = None
    """Names of the channels in order, "-" for one to leave out; None takes what the stream says."""
    unit: str | None = None
    """Unit of the samples, where the stream is silent or wrong."""
    console: bool = False
    """Draw on the terminal."""
    theme: str | None = None
    """`dark`, `light`, `system`, or None for that of the last time."""
    size: str | None = None
    """Of the window, such as `1360x840`; None for that of the last time."""
    screenshot: str | None = None
    """Write a picture and end."""
    after: float = 10.0
    """Seconds until the picture."""

    def __post_init__(self) -> None:
        """Check predicate, unit and numbers."""
        if self.stream is not None:
            stream_predicate(self.stream)
        if self.unit is not None:
            to_volts(self.unit)
        check_picture(self.picture)
        for name, value in (("wait", self.wait_s), ("after", self.after)):
            if not 0 < value < math.inf:
                raise NeuriptError(f"--{name} {value:g} must be a positive number of seconds")

    @property
    def picture(self) -> Path | None:
        """Where the picture goes."""
        return Path(self.screenshot) if self.screenshot else None


def run_view(options: ViewOptions) -> int:
    """Show a signal until the view is closed or somebody interrupts; return the exit code.

    Raises
    ------
    NeuriptError
        If there are several streams or none that can be shown, or the montage cannot be that of the stream.
    StreamNotFoundError
        If there is no stream.
    """
    cap = load_montage(options.montage) if options.montage else None
    if options.channels is not None:
        check_channels(options.channels, cap)
    predicate = predicate_for(options.stream, source_id=options.source_id)
    with Interrupt() as stop:
        logger.info("looking for a stream %s", in_words(predicate))
        found = find_stream(predicate, wait_s=options.wait_s, on_wait=stop.check)
        source = LslSource(found, channels=options.channels)  # reads the whole header; the client connects for itself
        info = source.info
        source.close()
        check_cap(info, cap)
        be_modest()
        view = choose_view(console=options.console)
        stop.check()
    return _show(options, view, SignalClient(info, predicate, cap, options.unit, options.channels))


def check_cap(info: SignalInfo, cap: Montage | None) -> None:
    """Refuse a montage that cannot be that of a stream.

    Raises
    ------
    NeuriptError
        If it cannot; the sentence names those that can.
    """
    explained(info, cap, None)


def _show(options: ViewOptions, view: View, client: SignalClient) -> int:
    if view.kind == "console":
        from neuript.realtime.view.signal_console import run_console

        run_console(client, options.picture, options.after)
    else:
        from neuript.realtime.view.qt.signal_window import run_window

        if not run_window(client, options.theme, options.size, options.picture, options.after):
            return 2
    return 0 if client.failure is None else 1
