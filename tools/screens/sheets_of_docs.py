"""Sheets of the pictures that were taken: one for each group, size and theme, and those that the documents show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from neuript.realtime.decoding.states import STATE_ORDER
from screens.dashboard_screens import READERS_OWN
from screens.shots import SIZES, keep, sheets

STATES = (*map(str, STATE_ORDER), *READERS_OWN)


@dataclass(frozen=True)
class DocsPicture:
    """A picture of the documents: one screen, or some beside each other."""

    names: tuple[str, ...]
    """Screens with their theme."""
    size: str = "1024x640"
    columns: int = 1
    width: int = 480
    """Of each on a sheet, in pixels; a lone one stays as it is."""


IN_DOCS = {
    "dashboard.png": DocsPicture(("dashboard-mu-dark",), "1366x768"),
    "view.png": DocsPicture(("view-bad-dark",), "1366x768"),
    "view-unlabelled.png": DocsPicture(("view-unnamed-light",)),
    "feedback-bar.png": DocsPicture(("feedback-bar-target-dark",)),
    "feedback-cursor.png": DocsPicture(("feedback-cursor-target-dark",)),
    "report.png": DocsPicture(("report-whole-dark",), "1366x768"),
    "cues.png": DocsPicture(
        tuple(
            f"{name}-dark"
            for name in (
                *("guided-check-bad", "guided-welcome", "cue-fixation", "cue-left_hand", "cue-rest", "cue-feet"),
                *("cue-own-text", "cue-own-picture", "cue-feedback-left_hand", "cue-pause", "cue-held"),
                "guided-block-so-far",
            )
        ),
        columns=3,
    ),
    "screens/dashboard-states.png": DocsPicture(
        tuple(f"dashboard-{state}-dark" for state in STATES), "1366x768", 3, 560
    ),
    "screens/dashboard-light.png": DocsPicture(
        tuple(f"dashboard-{what}-light" for what in ("OK", "BAD_SIGNAL", "64-quality", "64-mu")), "1366x768", 2, 680
    ),
    "screens/dashboard-1024x640.png": DocsPicture(("dashboard-OK-dark",), "1024x640"),
    "screens/dashboard-200.png": DocsPicture(("dashboard-BAD_SIGNAL-dark",), "1920x1080-200", 1, 1366),
    "screens/guided.png": DocsPicture(
        tuple(
            f"guided-{name}-dark"
            for name in (
                *("check-good", "check-bad", "check-64", "check-unnamed", "check-all-flat", "welcome", "preparing"),
                *("after-practice", "block-learning", "block-so-far", "block-electrode-lost", "block-at-chance"),
                *("goodbye", "result", "result-at-chance"),
            )
        ),
        columns=3,
    ),
    "screens/feedback.png": DocsPicture(
        tuple(
            f"feedback-{name}-dark"
            for name in (
                *("SEARCHING", "bar-pause", "bar-target", "cursor-target", "bar-result-hit", "bar-result-miss"),
                *("bar-result-timeout", "bar-result-void", "bar-paused", "BAD_SIGNAL", "GONE", "bar-done"),
            )
        ),
        columns=3,
    ),
    "screens/view.png": DocsPicture(
        tuple(f"view-{what}" for what in ("good-dark", "bad-light", "unnamed-dark", "64-dark")), "1366x768", 2, 680
    ),
    "screens/report-at-chance.png": DocsPicture(("report-chance-00-dark",), "1024x640"),
}
"""File in `docs` to what it shows."""


def make_sheets(out: Path, docs: Path | None) -> None:
    """Put the pictures under `out` on sheets in `out/sheets`, and the chosen ones into `docs`."""
    for folder in (out / size for size in SIZES):
        pictures = sorted(folder.glob("*.png"))
        for group in sorted({path.name.partition("-")[0] for path in pictures}):
            for theme in ("dark", "light"):
                mine = opened(folder, [p.stem for p in pictures if p.match(f"{group}-*-{theme}.png")])
                for k, sheet in enumerate(sheets(mine, 3, 640)):
                    keep(sheet, out / "sheets" / f"{group}-{folder.name}-{theme}-{k + 1}.png")
    for file, chosen in IN_DOCS.items() if docs is not None else ():
        found = opened(out / chosen.size, chosen.names)
        lone = len(found) == 1
        (sheet,) = found.values() if lone else sheets(found, chosen.columns, chosen.width, rows=99)
        keep(sheet, docs / file)


def opened(folder: Path, names: list[str] | tuple[str, ...]) -> dict[str, Image.Image]:
    return {name: Image.open(folder / f"{name}.png").convert("RGB") for name in names}
