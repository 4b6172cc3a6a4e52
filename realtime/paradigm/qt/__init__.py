"""The cue window: the only Qt of the paradigm."""

from neuript.qt_choice import choose_qt

choose_qt()
