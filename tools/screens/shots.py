"""What a screen is here, the sizes it is drawn at, and how its picture is kept."""

from __future__ import annotations

import io
import os
import pickle
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from qtpy.QtCore import QBuffer, QIODevice, QSize
from qtpy.QtGui import QImage

from neuript.files import write_atomically

KEPT_IN = "NEURIPT_SCREENS"
"""Variable that names the folder of this run."""

SIZES = {
    "1024x640": (QSize(1024, 640), 1),
    "1366x768": (QSize(1366, 768), 1),
    "1920x1080": (QSize(1920, 1080), 1),
    "1920x1080-200": (QSize(960, 540), 2),
}
"""Name of a size to what a window has for itself, and how many pixels of the screen one of those is wide."""
BOTH = ("dark", "light")


@dataclass(frozen=True)
class Screen:
    """One thing that people see."""

    name: str
    """`<group>-<what>`."""
    draw: Callable[[QSize, str], QImage]
    """Takes a size and a theme."""
    themes: tuple[str, ...] = ("dark",)
    shows: str = ""
    """The state, phase or scene that it covers, by the name that it has in the program."""
    long: bool = False
    """Whether it is a page that scrolls, shown in its whole length."""

    @property
    def group(self) -> str:
        return self.name.partition("-")[0]


def once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a function returns in the folder of this run, for the processes that draw at other sizes."""

    def kept(*args: object) -> Any:
        folder = os.environ.get(KEPT_IN)
        if folder is None:
            return make(*args)
        file = Path(folder) / f"{make.__name__}-{zlib.crc32(repr(args).encode())}.pickle"
        if not file.exists():
            write_atomically(file, pickle.dumps(make(*args)))
        return pickle.loads(file.read_bytes())

    return kept


class DoesNotFitError(Exception):
    """A window wants more room than the screen has."""


def ratio_now() -> int:
    """How many pixels of the screen one of a window's is wide in this process."""
    return int(os.environ.get("QT_SCALE_FACTOR", "1"))


def checked(image: QImage, size: QSize, ratio: int) -> QImage:
    if image.width() != ratio * size.width() or image.height() != ratio * size.height():
        raise DoesNotFitError(
            f"is {image.width()}x{image.height()} on a screen of {ratio * size.width()}x{ratio * size.height()}"
        )
    return image


def as_pillow(image: QImage) -> Image.Image:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert image.save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")


def keep(image: Image.Image, path: Path) -> None:
    """Write a PNG of at most 256 colours, a third of the size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # the rare colours of classes and states must not be lost among those of the traces
    few = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def sheets(pictures: dict[str, Image.Image], columns: int, width: int, rows: int = 4) -> Iterator[Image.Image]:
    """Put pictures of one size beside each other, in their order, up to so many rows a sheet."""
    smooth = Image.Resampling.LANCZOS
    images = [image.resize((width, round(width * image.height / image.width)), smooth) for image in pictures.values()]
    for first in range(0, len(images), rows * columns):
        part = images[first : first + rows * columns]
        height = max(image.height for image in part)
        n_rows = -(-len(part) // columns)
        sheet = Image.new("RGB", (min(columns, len(part)) * (width + 6), n_rows * (height + 6)), "white")
        for at, image in enumerate(part):
            sheet.paste(image, (at % columns * (width + 6), at // columns * (height + 6)))
        yield sheet
