"""Which Qt draws, and that either does."""

from __future__ import annotations

import importlib.util
import os

import pytest
from processes import finished, python

from neuript.errors import NeuriptError
from neuript.qt_choice import choose_qt

WINDOWS = """
import importlib, pkgutil, sys
for owner in "dashboard", "feedback", "paradigm", "view":
    folder = importlib.import_module(f"neuript.realtime.{owner}.qt")
    for module in pkgutil.iter_modules(folder.__path__, folder.__name__ + "."):
        importlib.import_module(module.name)
import pyqtgraph, qtpy
print(qtpy.API_NAME, pyqtgraph.Qt.QT_LIB, *sorted({"PyQt6", "PySide6", "PyQt5", "PySide2"} & set(sys.modules)))
"""


@pytest.fixture
def installed(monkeypatch):
    """Pretend that exactly these packages are installed, and that nothing was chosen yet."""
    monkeypatch.setattr(os, "environ", {})

    def only(*packages: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in packages else None)

    return only


@pytest.mark.parametrize(
    ("there", "asked", "taken"),
    [
        (("PyQt6", "PySide6", "PyQt5"), "", "PyQt6"),
        (("PySide6", "PyQt5"), "", "PySide6"),
        (("PyQt6", "PySide6"), "PySide6", "PySide6"),
        (("PyQt6", "PySide6"), "pyqt6", "PyQt6"),
    ],
)
def test_the_first_that_is_there_or_the_one_that_is_asked_for(installed, there, asked, taken):
    installed(*there)
    if asked:
        os.environ["QT_API"] = asked
    assert choose_qt() == taken
    assert os.environ.items() >= {"QT_API": taken.lower(), "PYQTGRAPH_QT_LIB": taken}.items()
    assert choose_qt() == taken


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ((), "", "PyQt6 is not installed"),
        (("PyQt6",), "pyside6", "PySide6 is not installed"),
        (("PyQt6", "PyQt5"), "pyqt5", "set it to pyqt6 or pyside6"),
    ],
)
def test_what_is_not_there_is_said(installed, there, asked, said):
    installed(*there)
    if asked:
        os.environ["QT_API"] = asked
    with pytest.raises(NeuriptError, match=said):
        choose_qt()


@pytest.mark.qt
@pytest.mark.parametrize("package", ["PyQt6", "PySide6"])
def test_every_module_of_the_windows_loads_one_qt_and_no_other(package):
    pytest.importorskip(package)
    done = finished(python(WINDOWS), ok=True, env={"QT_API": package.lower()})
    assert done.stdout.split() == [package, package, package]
