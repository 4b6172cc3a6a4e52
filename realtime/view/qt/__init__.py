"""The window of `neuript view`."""

from neuript.qt_choice import choose_qt

choose_qt()
