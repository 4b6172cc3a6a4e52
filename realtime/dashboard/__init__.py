"""The dashboard: an LSL client in a process of its own, in Qt or on a console."""
