"""The window of the feedback task."""

from neuript.qt_choice import choose_qt

choose_qt()
