"""Take a picture of every screen of neuript at every size: `python tools/screenshots.py --out DIR`.

Each screen is drawn by its own widgets, on the digital twin's signal, the real decoder's rows, and the real report of a
calibration. Needs no display. `--docs` also writes the sheets that docs/screens.md shows. The pages of the report are
drawn by a browser: `pip install PyQt6-WebEngine`, else they are left out, which is said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

GROUPS = ("cue", "guided", "feedback", "view", "dashboard", "report")
DOCS = Path(__file__).resolve().parents[1] / "docs"


def every_screen(groups: tuple[str, ...] = GROUPS) -> list:
    """Return the screens of these groups."""
    from importlib import import_module

    return [screen for group in groups for screen in import_module(f"screens.{group}_screens").screens()]


def draw(out: Path, groups: tuple[str, ...], sizes: list[str], only: list[str]) -> int:
    """Draw what is asked for, all of it at one scale; return how many screens do not fit."""
    if "report" in groups:
        from screens.report_screens import prepare

        prepare()
    from neuript.qt_choice import choose_qt

    choose_qt()
    from qtpy.QtWidgets import QApplication
    from screens.shots import SIZES, DoesNotFitError, as_pillow, checked, keep

    app = QApplication(sys.argv[:1])
    n_wrong = 0
    for screen in every_screen(groups):
        for size in sizes if not only or any(part in screen.name for part in only) else ():
            room, ratio = SIZES[size]
            for theme in screen.themes:
                name = f"{screen.name}-{theme}"
                try:
                    image = screen.draw(room, theme)
                    image = image if screen.long else checked(image, room, ratio)
                except DoesNotFitError as error:
                    n_wrong += 1
                    print(f"{size}/{name}: {error}", flush=True)
                    continue
                keep(as_pillow(image), out / size / f"{name}.png")
    app.quit()
    return n_wrong


def begin(out: Path, groups: tuple[str, ...], sizes: list[str], only: list[str], folder: str) -> subprocess.Popen:
    """Start a process that draws at one scale: Qt knows no other once it has begun."""
    from screens.shots import KEPT_IN, SIZES

    ratio = SIZES[sizes[0]][1]
    command = [sys.executable, __file__, "--out", str(out), "--here", "--groups", *groups, "--sizes", *sizes]
    environment = {
        **os.environ,
        KEPT_IN: folder,
        "NEURIPT_CONFIG_DIR": folder,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": str(ratio),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen([*command, *(["--only", *only] if only else [])], env=environment, stdin=subprocess.DEVNULL)


def main() -> int:
    from screens.shots import SIZES

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, help="folder for the pictures, one in it for each size")
    options.add_argument("--groups", nargs="*", choices=GROUPS, default=[*GROUPS], help="default: all")
    options.add_argument("--sizes", nargs="*", choices=[*SIZES], default=[*SIZES], help="default: all")
    options.add_argument("--only", nargs="*", default=[], help="screens that have one of these in their name")
    options.add_argument("--docs", action="store_true", help="also write the pictures of docs/screens.md")
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.here:
        return draw(asked.out, tuple(asked.groups), asked.sizes, asked.only)
    from screens.sheets_of_docs import make_sheets

    n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for ratio in sorted({SIZES[size][1] for size in asked.sizes}):
            sizes = [size for size in asked.sizes if SIZES[size][1] == ratio]
            for groups in (tuple(g for g in asked.groups if g != "report"), ("report",)):
                if set(groups) & set(asked.groups):
                    n_wrong += begin(asked.out, groups, sizes, asked.only, folder).wait()
    make_sheets(asked.out, DOCS if asked.docs else None)
    return n_wrong


if __name__ == "__main__":
    sys.exit(main())
