"""How a guided session is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GuidedView:
    """How a session is shown; nothing of it changes what is learnt."""

    fullscreen: bool = True
    """False opens an ordinary window."""
    screen: int = 0
    """Number of the screen."""
    sound: bool = True
    """False never beeps."""
    go_on_after_s: float | None = None
    """Seconds after which every screen that waits for a key goes on by itself; None waits."""
    wait_s: float = 10.0
    """Seconds to wait for the EEG stream."""
