"""The dashboard's window."""

from neuript.qt_choice import choose_qt

choose_qt()
