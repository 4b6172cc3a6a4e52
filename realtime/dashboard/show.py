"""Show the dashboard: what can be asked of it, and the choice between a window and the console."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuript.errors import NeuriptError, StreamNotFoundError
from neuript.modest import be_modest
from neuript.realtime.lsl.discovery import StreamSummary, visible_streams


@dataclass(frozen=True, kw_only=True)
class DashboardOptions:
    """What is shown, and how."""

    proba_source_id: str = ""
    """The decoder's stream; empty takes any that is found."""
    eeg_source_id: str = ""
    """The EEG stream; empty takes the one that the decoder's header names."""
    console: bool = False
    """Draw on the terminal."""
    window: bool = False
    """Open a window without asking first whether one can be opened."""
    theme: str | None = None
    """`dark`, `light`, `system`, or None for that of the last time."""
    screenshot: Path | None = None
    """Write a picture and end; nothing is remembered of the last time."""
    after: float = 10.0
    """Seconds until the picture."""
    size: str | None = None
    """Of the window, such as `1360x840`; None for that of the last time."""
    steer: bool = False
    """Ask things of the decoder by stdin and stdout, which it holds the other ends of."""
    parent: int | None = None
    """End when this process has ended."""
    stats: bool = False
    """Log frame times when ending."""

    def __post_init__(self) -> None:
        """Check that the picture can be written."""
        check_picture(self.screenshot)


def check_picture(path: Path | None) -> None:
    """Refuse a picture that nobody could write, before there is anything to picture.

    Raises
    ------
    NeuriptError
        If its folder does not exist.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise NeuriptError(f"--screenshot {path} lies in a folder that does not exist; make it, or choose another")


def show(options: DashboardOptions) -> int:
    """Show the dashboard until it is closed; return the exit code."""
    be_modest()
    console = options.console
    if not console and not options.window:
        from neuript.realtime.dashboard.launch import choose_view

        console = choose_view().kind == "console"
    if console:
        from neuript.realtime.dashboard.terminal import run
    else:
        from neuript.realtime.dashboard.qt.window import run
    return run(options)


def find_decoder(source_id: str | None = None, *, wait_s: float = 5.0) -> StreamSummary:
    """Return the one decoder of neuript that publishes on the network.

    Parameters
    ----------
    source_id : str, optional
        `source_id` of its `Predictions` stream, where there are several.
    wait_s : float
        Seconds to look for it.

    Raises
    ------
    StreamNotFoundError
        If there is none.
    NeuriptError
        If there are several; the sentence lists them.
    """
    deadline, found = time.monotonic() + wait_s, _decoders(source_id)
    while not found and time.monotonic() < deadline:
        found = _decoders(source_id)
    if not found:
        which = f" with source id '{source_id}'" if source_id else ""
        raise StreamNotFoundError(
            f"no decoder{which} publishes on this network (looked for {wait_s:g} s); start one with neuript-live, or "
            "see a signal without a decoder with neuript view"
        )
    if len(found) > 1:
        lines = "\n".join(f"  {s.describe()}" for s in found)
        raise NeuriptError(f"{len(found)} decoders are running; choose with --source-id:\n{lines}")
    return found[0]


def _decoders(source_id: str | None) -> Sequence[StreamSummary]:
    return [
        s
        for s in visible_streams(1.0)
        if s.stype == "Predictions" and s.name.startswith("neuript-") and source_id in (None, s.source_id)
    ]
