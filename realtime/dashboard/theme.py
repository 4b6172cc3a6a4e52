"""Colours of the window: two calm themes, safe for colour-blind eyes (after Okabe and Ito).

Contrast of text on its background is at least 4.5 : 1 (a test computes it). Warning colours are
never used for classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuript.realtime.dashboard.words import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours as `#rrggbb`."""

    name: str
    background: str
    panel: str
    line: str
    text: str
    muted: str
    trace: str
    trace_bad: str
    gap: str
    threshold: str
    banner: str
    banner_text: str
    classes: tuple[str, ...]
    idle: str
    tones: dict[Tone, str]

    def class_color(self, index: int, *, idle: bool = False) -> str:
        """Colour of the class number `index`."""
        return self.idle if idle else self.classes[index % len(self.classes)]


DARK = Theme(
    name="dark",
    background="#11151a",
    panel="#191f26",
    line="#2c3641",
    text="#e9eef3",
    muted="#9aa7b4",
    trace="#9cc3e6",
    trace_bad="#e69f00",
    gap="#3a2f1c",
    threshold="#ffffff",
    banner="#f0c040",
    banner_text="#1d1a10",
    classes=("#56b4e9", "#d78fbd", "#e8dc6a", "#8f9bff", "#b8c4d0", "#7fd0c4"),
    idle="#7d8894",
    tones={Tone.GOOD: "#2fbf93", Tone.BUSY: "#6fbdf0", Tone.WARN: "#f2a922", Tone.BAD: "#f4743b"},
)

LIGHT = Theme(
    name="light",
    background="#f4f6f8",
    panel="#ffffff",
    line="#d3dae1",
    text="#17202a",
    muted="#566472",
    trace="#1f5c93",
    trace_bad="#a35f00",
    gap="#f6e7c8",
    threshold="#17202a",
    banner="#f0c040",
    banner_text="#1d1a10",
    classes=("#1f77b4", "#a8326e", "#8a7a00", "#4a4fc4", "#5a6672", "#0f7f72"),
    idle="#808b96",
    tones={Tone.GOOD: "#007a57", Tone.BUSY: "#0068a8", Tone.WARN: "#9a5b00", Tone.BAD: "#b83200"},
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}
