"""Pictures that Qt has drawn, as numbers, whichever binding drew them."""

from __future__ import annotations

from typing import Any

import numpy as np


def pixels_of(image: Any) -> np.ndarray:
    """Return the pixels of a `QImage` as uint8, shape (height, width, 3): red, green, blue."""
    from qtpy.QtGui import QImage

    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt gives a pointer without an end, PySide the memory itself
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(image.height(), image.width(), 4)[..., 2::-1].copy()
