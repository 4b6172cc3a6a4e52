"""Which Qt draws: PyQt6, or PySide6 where PyQt6 is not installed or the user names it.

The windows are written against QtPy. QtPy and pyqtgraph choose for themselves, and by different rules, also among
older versions of Qt; so one choice is made here, before either is imported. Each folder named `qt` does it first.
"""

from __future__ import annotations

import importlib.util
import os

from neuript.errors import NeuriptError

BINDINGS = {"pyqt6": "PyQt6", "pyside6": "PySide6"}
"""What QtPy calls them (`QT_API`), and the packages; the first that is installed is taken."""


def choose_qt() -> str:
    """Settle which Qt is used in this process, and return its package.

    `QT_API` (pyqt6 or pyside6), which QtPy reads, says which one the user wants.

    Raises
    ------
    NeuriptError
        If neither is installed, the one that is wanted is not, or `QT_API` names another one.
    """
    wanted = os.environ.get("QT_API", "").lower()
    if wanted and wanted not in BINDINGS:
        raise NeuriptError(f"QT_API is {wanted!r}; the windows need Qt 6: set it to pyqt6 or pyside6, or unset it")
    for api in (wanted,) if wanted else BINDINGS:
        if importlib.util.find_spec(BINDINGS[api]) is not None:
            os.environ["QT_API"] = api
            os.environ["PYQTGRAPH_QT_LIB"] = BINDINGS[api]
            return BINDINGS[api]
    package = BINDINGS[wanted] if wanted else "PyQt6"
    raise NeuriptError(f"{package} is not installed (pip install {package})")
