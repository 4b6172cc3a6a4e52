"""Sheets of the pictures that were taken: one for each group, size and theme, and those that the documents show."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from screens.shots import keep, sheets

IN_DOCS = {"dashboard-states": ("1366x768", ("dashboard-",), "dark", 3)}


def make_sheets(out: Path, docs: Path | None) -> None:
    """Put the pictures under `out` on sheets in `out/sheets`, and the chosen ones into `docs`."""
    for folder in sorted(path for path in out.iterdir() if path.is_dir() and path.name != "sheets"):
        pictures = sorted(folder.glob("*.png"))
        for group in sorted({path.name.partition("-")[0] for path in pictures}):
            for theme in ("dark", "light"):
                mine = [path for path in pictures if path.match(f"{group}-*-{theme}.png")]
                opened = {path.stem: Image.open(path).convert("RGB") for path in mine}
                for k, sheet in enumerate(sheets(opened, 3)):
                    keep(sheet, out / "sheets" / f"{group}-{folder.name}-{theme}-{k + 1}.png")
    if docs is not None:
        for name, (size, starts, theme, columns) in IN_DOCS.items():
            found = sorted(p for s in starts for p in (out / size).glob(f"{s}*-{theme}.png"))
            for sheet in sheets({p.stem: Image.open(p).convert("RGB") for p in found}, columns, 480):
                keep(sheet, docs / f"{name}.png")
