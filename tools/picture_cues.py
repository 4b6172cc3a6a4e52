"""Pictures of every screen of the cue window, at several sizes: `python tools/picture_cues.py FOLDER`.

Drawn by the functions that draw the window, without a display (QT_QPA_PLATFORM=offscreen is enough).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PyQt6.QtCore import QSize
from PyQt6.QtGui import QColor, QGuiApplication, QImage, QPainter

from neuript.montages import load_montage
from neuript.realtime.paradigm.cue_commands import Electrode, ShowCheck, ShowMessage
from neuript.realtime.paradigm.qt.draw_screens import picture
from neuript.realtime.paradigm.scenes import HELD, Scene, TrialScene
from neuript.realtime.paradigm.task_cues import BUILT_IN, TaskCue
from neuript.realtime.paradigm.trial_run import Phase
from neuript.training.pictures.head import project

SIZES = {"1024x640": (1024, 640, 1.0), "1366x768": (1366, 768, 1.0), "1920x1080": (1920, 1080, 1.0)}
SIZES["1024x640-200%"] = (1024, 640, 2.0)


def electrodes(montage: str) -> tuple[Electrode, ...]:
    cap = load_montage(montage)
    wrong = {"C4": ("bad", "flat: no contact"), "Fp1": ("doubtful", "mains 40 µV: press it down"), "O1": ("absent", "")}
    xy = 0.8 * project(cap.electrode_pos_m)
    return tuple(
        Electrode(name=name, x=x, y=y, level=wrong.get(name, ("good", ""))[0],
                  why=wrong.get(name, ("", ""))[1])
        for name, (x, y) in zip(cap.electrodes, xy.tolist(), strict=True)
    )  # fmt: skip


def scenes() -> dict[str, Scene]:
    found: dict[str, Scene] = {
        "message": ShowMessage(
            title="Welcome",
            text="In a moment a cross appears, then an arrow.\nImagine the movement that it shows until the cross "
            "goes away. Do not move, and blink in the pauses.\n\nThe first trials are for practice.",
        ),
        "summary": ShowMessage(
            title="Block 2 of 5",
            text="14 of 16 held-out trials were right (88 %, 62 to 98 %).\n12 more trials would bring about 3 % more.",
            hint="Space: next block    Esc twice: stop",
        ),
        "held": HELD,
        "check-fix": ShowCheck(
            electrodes=electrodes("10-20"),
            say=("Mains 50 Hz, 3 µV.", "The unit is microvolts.", "250 samples a second."),
            fix="C4: put gel under the electrode",
        ),
        "check-go": ShowCheck(electrodes=electrodes("openbci-8"), say=("Mains 50 Hz, 3 µV.",), go=True),
        "check-64": ShowCheck(
            electrodes=(*electrodes("biosemi-64"), Electrode(name="X1", x=None, y=None, level="good")),
            say=("Mains 50 Hz.",), fix="C4: put gel under the electrode",
        ),
        "fixation": TrialScene(phase=Phase.FIXATION),
        "beep": TrialScene(phase=Phase.BEEP),
        "pause": TrialScene(phase=Phase.PAUSE, note="block 2 of 5, 7 of 24"),
        "cue-own-text": TrialScene(phase=Phase.CUE, cue=TaskCue(name="words", text="words that begin with A")),
    }  # fmt: skip
    for name, cue in BUILT_IN.items():
        found[f"cue-{name}"] = TrialScene(phase=Phase.CUE, cue=cue)
        found[f"feedback-{name}"] = TrialScene(phase=Phase.IMAGERY, cue=cue, bar=0.6)
    return found


ON_SHEET = (
    *("check-fix", "message", "fixation", "cue-left_hand", "cue-rest", "cue-feet"),
    *("cue-own-text", "feedback-left_hand", "feedback-feet", "pause", "held", "summary"),
)


def draw_sheet(everything: dict[str, Scene], columns: int = 3, size: QSize | None = None) -> QImage:
    """The most important screens beside each other."""
    size = size or QSize(480, 300)
    rows = -(-len(ON_SHEET) // columns)
    sheet = QImage(columns * (size.width() + 6), rows * (size.height() + 6), QImage.Format.Format_RGB32)
    sheet.fill(QColor("white"))
    painter = QPainter(sheet)
    for i, name in enumerate(ON_SHEET):
        row, column = divmod(i, columns)
        painter.drawImage(column * (size.width() + 6), row * (size.height() + 6), picture(everything[name], size, 1.0))
    painter.end()
    return sheet


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--sizes", nargs="*", choices=[*SIZES], default=[*SIZES])
    options.add_argument("--sheet", type=Path, help="one picture with the most important screens")
    options.add_argument("--own-picture", type=Path, help="a picture for a class of one's own")
    args = options.parse_args()
    app = QGuiApplication([])
    args.folder.mkdir(parents=True, exist_ok=True)
    everything = scenes()
    if args.own_picture:
        own = TaskCue(name="own", text="my own task", picture=str(args.own_picture))
        everything["cue-own-picture"] = TrialScene(phase=Phase.CUE, cue=own)
    if args.sheet:
        assert draw_sheet(everything).save(str(args.sheet)), args.sheet
    for size in args.sizes:
        w, h, ratio = SIZES[size]
        for name, scene in everything.items():
            overlay = "Esc again: stop the session" if name == "held" else ""
            file = args.folder / f"{name}-{size.replace('%', '')}.png"
            assert picture(scene, QSize(w, h), ratio, overlay).save(str(file)), file
    app.quit()


if __name__ == "__main__":
    main()
